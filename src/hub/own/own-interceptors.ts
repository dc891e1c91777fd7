// Interceptors of the program that embeds the hub: their places among the hub's, and the checks of what they return.
import type { Method } from "../../call/call.js";
import type { Interceptor, InterceptorContext, MessageHooks, Step, Verdict } from "../../call/interceptor.js";
import { Status } from "../../call/status/status.js";
import type { ConfigInput } from "../../config/config-input.js";
import type { Log } from "../../kit/log.js";
import { kindOf } from "../../kit/text/kind-of.js";
import { UserError } from "../../kit/text/user-error.js";
import { checkInterceptor, checkStep, verdictProblem } from "./check-interceptor.js";

/** A place among the hub's own interceptors. It exists even if the config turns its interceptor off. */
export type Place = NonNullable<NonNullable<ConfigInput["use"]>[number]["after"]>;

/** Instead of an interceptor: makes it with the context of the hub's own, at the start and at each reload. */
export interface InterceptorMaker {
  /** The start or the reload waits for a promise, for at most 30 seconds. */
  make(context: InterceptorContext): Interceptor | Promise<Interceptor>;
}

/** A program's interceptor and its place. */
export interface PlacedInterceptor {
  readonly interceptor: Interceptor | InterceptorMaker;
  /** Runs before this place, and after everything before it. Not together with `after`. */
  readonly before?: Place | undefined;
  /** Runs after this place, and before everything after it. Default: `auth`, after which the caller is known. */
  readonly after?: Place | undefined;
}

export type OwnInterceptor = Interceptor | InterceptorMaker | PlacedInterceptor;

const DEFAULT_PLACE: Place = "auth";

/** Places and names of the hub's own interceptors. */
export function placesOf(kinds: readonly { readonly name: string; readonly place: string }[]): HubPlaces {
  return {
    places: [...new Set(kinds.map(({ place }) => place))],
    names: kinds.map(({ name }) => name),
  };
}

export interface HubPlaces {
  readonly places: readonly string[];
  readonly names: readonly string[];
}

/**
 * A program's interceptors by place: the first list is before all places of the hub, the second after the first place,
 * and so on. Several at one place keep their order. Rejects with a UserError if an interceptor, a name or a place is
 * invalid.
 * @param hubs places and names of the hub's own
 */
export async function ownInterceptors(
  own: readonly OwnInterceptor[],
  hubs: HubPlaces,
  context: InterceptorContext,
): Promise<readonly (readonly Interceptor[])[]> {
  const { places } = hubs;
  const between = Array.from({ length: places.length + 1 }, (): Interceptor[] => []);
  const names = new Set(hubs.names);
  for (const [i, one] of own.entries()) {
    const { interceptor, before, after } = await checkInterceptor(one, i, context);
    const { name } = interceptor;
    if (names.has(name)) throw new UserError(`interceptor "${name}": another interceptor has that name`);
    names.add(name);
    if (before !== undefined && after !== undefined) {
      throw new UserError(`interceptor "${name}": it stands either before or after a place, not both`);
    }
    const place = before ?? after ?? DEFAULT_PLACE;
    const index = places.indexOf(place);
    if (index < 0) {
      throw new UserError(
        `interceptor "${name}": there is no place "${place}"; the places are ${places.join(", ")}`,
      );
    }
    between[before === undefined ? index + 1 : index]?.push(guarded(interceptor, context.log));
  }
  return between;
}

/**
 * Makes an interceptor as robust as the hub's own, so that a bug in it is one failed call with a line in the log:
 * exceptions, invalid results, promises of other libraries. An invalid step is an error of the start or the reload.
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
      const step = checkStep(name, planned(interceptor, method));
      if (step === undefined) return undefined;
      const start = step.start?.bind(step);
      const around = step.around?.bind(step);
      const end = step.end?.bind(step);
      const guard: Step = { name };
      // An exception ends its call, and is reported by the attempt.
      if (step.attempts !== undefined) guard.attempts = step.attempts;
      if (step.messages !== undefined) guard.messages = checkedHooks(step.messages);
      if (around !== undefined) {
        guard.around = (next) => {
          const handler = around(next);
          if (typeof handler === "function") return handler;
          throw new UserError(`interceptor "${name}": around must return a Handler, not ${kindOf(handler)}`);
        };
      }
      if (start !== undefined) {
        guard.start = (call) => checked("start", start(call));
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

/** A verdict as the runner needs it, which recognizes promises by their class. The runner reports exceptions. */
function checked(what: string, verdict: unknown): Verdict | Promise<Verdict> {
  if (verdict === undefined || verdict === null) return undefined;
  if (isThenable(verdict)) return Promise.resolve(verdict).then((settled) => checked(what, settled));
  const problem = verdictProblem(what, verdict);
  if (problem === undefined && verdict instanceof Status) return verdict;
  throw withoutStack(new TypeError(problem));
}

function checkedHooks(hooks: MessageHooks): MessageHooks {
  const request = hooks.request?.bind(hooks);
  const requestEnd = hooks.requestEnd?.bind(hooks);
  const response = hooks.response?.bind(hooks);
  const guard: MessageHooks = {};
  if (request !== undefined)
    guard.request = (call, message) => checked("messages.request", request(call, message));
  if (requestEnd !== undefined)
    guard.requestEnd = (call, count) => checked("messages.requestEnd", requestEnd(call, count));
  if (response !== undefined)
    guard.response = (call, message) => checked("messages.response", response(call, message));
  return guard;
}

function planned(interceptor: Interceptor, method: Method): Step | undefined {
  try {
    return interceptor.plan(method);
  } catch (error) {
    if (error instanceof UserError) throw error;
    const message = error instanceof Error ? error.message : String(error);
    const what = method.service === "" ? "calls to unknown services" : method.path;
    throw new UserError(`interceptor "${interceptor.name}" failed to plan ${what}: ${message}`, {
      cause: error,
    });
  }
}

/** The path to here does not describe the bug, and is the same for each interceptor: they would count as one fault. */
function withoutStack(error: Error): Error {
  error.stack = String(error);
  return error;
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null && "then" in value && typeof value.then === "function";
}
