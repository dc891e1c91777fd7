// Interceptors of the program that the hub runs in: where they stand among the hub's, and what the hub holds them to.
import type { Interceptor, Step } from "../core/interceptor.js";
import type { Log } from "../core/log.js";
import { Status } from "../core/status.js";
import { UserError } from "../core/user-error.js";

/** A group of the hub's own interceptors. It is a place even where the config switches the group off. */
export type Place =
  | "tracing"
  | "access-log"
  | "deadline"
  | "address-limit"
  | "auth"
  | "authorization"
  | "quota";

/** An interceptor of one's own, and where it stands. */
export interface PlacedInterceptor {
  readonly interceptor: Interceptor;
  /** It runs before this group, and after what is before it. Not together with `after`. */
  readonly before?: Place | undefined;
  /** It runs after this group, and before what is after it. Default: `auth`, where it is known who calls. */
  readonly after?: Place | undefined;
}

/** The groups in their order, with the names of their interceptors. */
const GROUPS: Readonly<Record<Place, readonly string[]>> = {
  tracing: ["metrics", "tracing"],
  "access-log": ["access log"],
  deadline: ["deadline"],
  "address-limit": ["address-limit"],
  auth: ["identity-headers", "auth"],
  authorization: ["authorization"],
  quota: ["quota"],
};
const PLACES = Object.keys(GROUPS);
const NAMES = Object.values(GROUPS);
const DEFAULT_PLACE: Place = "auth";

/** Names of interceptors stand in messages and lists. */
const NAME = /^[a-z][a-z0-9-]{0,62}$/;

/**
 * Puts interceptors of one's own among the hub's; several at one place keep their order.
 * Throws a UserError where a name or a place cannot be.
 */
export function placed(
  hubs: readonly Interceptor[],
  own: readonly (Interceptor | PlacedInterceptor)[],
  log: Log,
): Interceptor[] {
  let group = 0;
  const rows = hubs.map((interceptor) => {
    const found = NAMES.findIndex((names) => names.includes(interceptor.name));
    if (found >= 0) group = found;
    return { interceptor, at: group };
  });
  const names = new Set(NAMES.flat());
  for (const one of own) {
    const { interceptor, before, after }: PlacedInterceptor =
      "interceptor" in one ? one : { interceptor: one };
    const { name } = interceptor;
    if (!NAME.test(name)) {
      throw new UserError(
        `interceptor ${JSON.stringify(name)}: a name has 1 to 63 characters of a-z, 0-9 and -, and begins with a letter`,
      );
    }
    if (names.has(name)) throw new UserError(`interceptor "${name}": another interceptor has that name`);
    names.add(name);
    if (before !== undefined && after !== undefined) {
      throw new UserError(`interceptor "${name}": it stands either before or after a place, not both`);
    }
    const place = before ?? after ?? DEFAULT_PLACE;
    const index = PLACES.indexOf(place);
    if (index < 0) {
      throw new UserError(
        `interceptor "${name}": there is no place "${place}"; the places are ${PLACES.join(", ")}`,
      );
    }
    rows.push({
      interceptor: guarded(interceptor, log),
      at: before === undefined ? index + 0.5 : index - 0.5,
    });
  }
  return rows.sort((a, b) => a.at - b.at).map(({ interceptor }) => interceptor);
}

type Verdict = undefined | Status;

/**
 * Holds an interceptor to what the hub's own do by construction, so that a mistake in it is one failed call with a line
 * in the log: what it throws, answers that are none, promises of other libraries.
 */
function guarded(interceptor: Interceptor, log: Log): Interceptor {
  const { name } = interceptor;
  const failed = (where: string, error: unknown): void =>
    log.error(
      `interceptor "${name}" failed ${where}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
    );
  return {
    name,
    preflights: interceptor.preflights === true,
    plan(method) {
      const step = interceptor.plan(method);
      if (step === undefined) return undefined;
      const start = step.start?.bind(step);
      const end = step.end?.bind(step);
      const guard: Step = { name, ...(step.around === undefined ? {} : { around: step.around.bind(step) }) };
      if (start !== undefined) {
        guard.start = (call) => {
          const settle = (verdict: unknown): Verdict => {
            if (verdict === undefined || verdict === null) return undefined;
            if (verdict instanceof Status) return verdict;
            throw new TypeError(`start answers nothing or a Status, not ${typeof verdict}`);
          };
          // What throws is the runner's to tell of. It knows a promise by its class.
          const verdict: unknown = start(call);
          return isThenable(verdict) ? Promise.resolve(verdict).then(settle) : settle(verdict);
        };
      }
      if (end !== undefined) {
        guard.end = (call, outcome) => {
          try {
            end(call, outcome);
          } catch (error) {
            failed(`at the end of ${call.path}`, error);
          }
        };
      }
      return guard;
    },
  };
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null && "then" in value && typeof value.then === "function";
}
