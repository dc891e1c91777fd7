// The library: a hub in a program. These exports keep their meaning within a major version, and nothing else does;
// docs/embedding.md lists them.

import type { Interceptor, InterceptorContext } from "./call/interceptor.js";
import type { ConfigInput } from "./config/config-input.js";
import { loadModules } from "./hub/own/modules.js";
import type { OwnInterceptor } from "./hub/own/own-interceptors.js";
import { ownPages } from "./hub/own/own-pages.js";
import { ownParts } from "./hub/own/own-upstreams.js";
import type { AdminPage, Hub } from "./hub/own/program-hub.js";
import type { BalancerMaker, SourceMaker } from "./hub/own/program-upstreams.js";
import { type RunningHub, startHub } from "./hub.js";
import type { Log } from "./kit/log.js";
import { kindOf } from "./kit/text/kind-of.js";
import { printableLine } from "./kit/text/text.js";
import { UserError } from "./kit/text/user-error.js";
import type { EmbeddedService } from "./services/embedded-service.js";
import { FEATURES } from "./settings/features.js";
import { withOverrides } from "./settings/from-args.js";

export type {
  Attempt,
  AttemptEndpoint,
  AttemptKind,
  AttemptObserver,
  AttemptOutcome,
} from "./call/attempt.js";
export type {
  Call,
  HttpRequestInfo,
  HttpVersion,
  Identity,
  Method,
  MethodKind,
  Peer,
  PeerCertificate,
} from "./call/call.js";
export { CallKey } from "./call/call-key.js";
export type {
  Interceptor,
  InterceptorContext,
  MessageHooks,
  Outcome,
  Step,
  Verdict,
} from "./call/interceptor.js";
export type { Abort, Handler, Sink, Source } from "./call/sink.js";
export { Code, codeName, Status, type StatusDetail, type StatusInit } from "./call/status/status.js";
export {
  badRequest,
  errorInfo,
  type FieldViolation,
  type QuotaViolation,
  quotaFailure,
  retryInfo,
} from "./call/status/status-details.js";
export type {
  InterceptorMaker,
  OwnInterceptor,
  Place,
  PlacedInterceptor,
} from "./hub/own/own-interceptors.js";
export type { AdminPage, AdminResponse, Hub } from "./hub/own/program-hub.js";
export type {
  BalancerEndpoint,
  BalancerMaker,
  ProgramBalancer,
  SourceMaker,
} from "./hub/own/program-upstreams.js";
export type { Clock, Timer } from "./kit/clock.js";
export { type Field, Headers } from "./kit/headers.js";
export type { Log } from "./kit/log.js";
export type { Counter, Labels, Meters } from "./kit/meters.js";
export { UserError } from "./kit/text/user-error.js";
export type { EmbeddedService } from "./services/embedded-service.js";
export { CALL_SPAN, type CallSpan } from "./telemetry/tracing/call-span.js";
export type {
  EndpointInfo,
  EndpointSource,
  EndpointTraits,
  EndpointWatcher,
  Watch,
} from "./upstream/discovery/endpoint-source.js";
export type { EndpointRow, RouteRow, UpstreamRow } from "./view/hub-view.js";
export type { ConfigInput };

/** A module with an interceptor, as `use` of a file names it. */
export type ModuleInput = NonNullable<ConfigInput["use"]>[number];

/**
 * The default export of a module of `use`. Called at the start and at each reload, with the options of the config,
 * which are unchecked: validate them. If it throws, the start or the reload fails, with the position of the module in
 * the file. A promise is awaited, for at most 30 seconds: the hub serves, or applies the new config, once the
 * interceptors are made, one after the other.
 */
export type InterceptorModule<Options = unknown> = (
  options: Options,
  context: InterceptorContext,
) => Interceptor | Promise<Interceptor>;

/**
 * Gives the function of a module its types.
 *
 * @example
 * import { Code, defineInterceptor, Status } from "linchpin-hub";
 *
 * export default defineInterceptor<{ header?: string }>(({ header = "x-tenant" }, { log }) => ({
 *   name: "tenants",
 *   plan: () => ({
 *     name: "tenants",
 *     start(call) {
 *       if (call.headers.get(header) !== undefined) return undefined;
 *       return new Status(Code.PERMISSION_DENIED, `${header} is missing`);
 *     },
 *     end: (call, { code }) => log.info(`${call.path} ended with ${code}`),
 *   }),
 * }));
 */
export function defineInterceptor<Options>(make: InterceptorModule<Options>): InterceptorModule<Options> {
  return make;
}

/** A program's additions to a config. */
export interface HubExtras {
  /**
   * A program's interceptors, in the order in which they run at their place. By default that is after `auth`, where
   * `call.identity` is the caller, and before authorization and quota; `{ interceptor, before }` and `{ interceptor,
   * after }` choose another. Instead of an interceptor, `{ make(context) }` makes it with the context of the hub's own:
   * clock, log, counters, and state that outlives a reload. `{ module, options }` names a file that exports such a
   * function, like `use` of a config file; those come first at their place.
   */
  readonly use?: readonly (OwnInterceptor | ModuleInput)[] | undefined;
  /**
   * gRPC services of the program itself. They get every protocol and policy like those of an upstream, and have
   * priority over an upstream's service of the same name. With them a config needs no upstreams.
   */
  readonly services?: readonly EmbeddedService[] | undefined;
  /** Balancers by the names that `balancer` of an upstream uses, beside the hub's own. */
  readonly balancers?: Readonly<Record<string, BalancerMaker>> | undefined;
  /** Sources of endpoints by their schemes, as in `endpoints: "consul:library"`, beside the hub's own. */
  readonly sources?: Readonly<Record<string, SourceMaker>> | undefined;
  /**
   * Pages of the admin listener, beside the hub's own. Callers must be allowed to read names and addresses, as for
   * `/routes`. Without an admin listener nobody sees them.
   */
  readonly pages?: readonly AdminPage[] | undefined;
  /** Receives the hub's log messages. Default: warnings and errors to `console`; false: none. */
  readonly log?: Log | false | undefined;
}

/** A config as `linchpin.yaml` has it, key by key, as an object. */
export interface HubOptions extends Omit<ConfigInput, "use">, HubExtras {
  /**
   * `HOST:PORT` (port 0 is any free one), `unix:/PATH`, `{ address, tls }`, or a list of them. A hub in a program
   * listens nowhere else.
   */
  readonly listen: NonNullable<ConfigInput["listen"]>;
  /** The admin listener. Default: off, unlike in a file. */
  readonly admin?: ConfigInput["admin"];
  readonly configFile?: undefined;
}

/** A config in a file, as `linchpin serve --config FILE` takes it, with the file's defaults. */
export interface HubFileOptions extends HubExtras {
  /** Path of a `linchpin.yaml`. `reload` reads it again. */
  readonly configFile: string;
  /** `HOST:PORT`, in place of the file's. */
  readonly listen?: string | undefined;
  /** `HOST:PORT` or `off`, in place of the file's. */
  readonly admin?: string | undefined;
}

/**
 * Starts a hub, and resolves once it accepts calls. An upstream that is down is not an error: it is learned when it is
 * reachable.
 *
 * The program's signals stay its own: it calls `drain` or `close` when it ends. A closed hub leaves nothing open that
 * would keep the process alive.
 *
 * @throws UserError (rejects) with one sentence, or a line for each error, when the config is wrong, an address cannot
 * be bound, a file cannot be read, or an interceptor or service cannot be taken.
 *
 * @example
 * import { createHub } from "linchpin-hub";
 *
 * const hub = await createHub({
 *   listen: "127.0.0.1:8080",
 *   upstreams: { library: { endpoints: ["127.0.0.1:50051"] } },
 * });
 * process.once("SIGTERM", () => void hub.drain());
 *
 * @example
 * import { createHub } from "linchpin-hub";
 *
 * // A config file, and an interceptor of the program beside it.
 * const hub = await createHub({
 *   configFile: "linchpin.yaml",
 *   use: [{ name: "path", plan: (method) => ({ name: "path", end: () => console.log(method.path) }) }],
 * });
 * process.on("SIGHUP", () => void hub.reload("SIGHUP").catch(() => {}));
 */
export async function createHub(options: HubOptions | HubFileOptions): Promise<Hub> {
  const given: unknown = options;
  if (typeof given !== "object" || given === null || Array.isArray(given)) {
    throw new UserError(
      `createHub needs an object, as in { configFile: "linchpin.yaml" }, not ${kindOf(given)}`,
    );
  }
  const { use, services, pages: addedPages = [], balancers = {}, sources = {}, log, ...rest } = options;
  for (const [key, list] of Object.entries({ use, services, pages: addedPages }))
    if (!Array.isArray(list ?? [])) throw new UserError(`${key} must be a list, not ${kindOf(list)}`);
  const { loadConfig, configOf } = await import("./settings/load.js");
  const inProgram = use?.filter((one): one is OwnInterceptor => !isModule(one));
  const modules = use?.some(isModule) === true ? use.filter(isModule) : undefined;
  const hubLog = logOf(log);
  const pages = (hub: RunningHub) => ownPages(addedPages, hubOf(hub));
  const own = ownParts(balancers, sources);
  // The sections of the hub's own features are made once for all hubs.
  const features = own === undefined ? FEATURES : { ...FEATURES, ...own };
  const added = { use: inProgram, services, pages, features };
  const load = {
    upstreamsOptional: (services ?? []).length > 0,
    ownInterceptors: (use ?? []).length > 0,
    features,
    warn: (message: string) => hubLog.warn(message),
  };
  if (rest.configFile === undefined) {
    if (rest.listen === undefined) {
      throw new UserError(
        'listen is missing: a hub in a program has no default address; set one, as in "127.0.0.1:8080"',
      );
    }
    const config = configOf({ admin: false, ...defined({ ...rest, use: modules }) }, load);
    await loadModules(config);
    return hubOf(await startHub(config, hubLog, added));
  }
  const { configFile, listen, admin, ...others } = rest;
  const [other] = Object.keys(others);
  if (other !== undefined) {
    throw new UserError(`${other} cannot be combined with configFile: set it in the file`);
  }
  if (modules !== undefined) throw new UserError("use: modules stand in the config file, where there is one");
  const readConfig = async () => {
    const config = withOverrides(loadConfig(configFile, process.env, load), { targets: [], listen, admin });
    await loadModules(config);
    return config;
  };
  return hubOf(await startHub(await readConfig(), hubLog, { ...added, readConfig }));
}

function isModule(one: OwnInterceptor | ModuleInput): one is ModuleInput {
  return typeof one === "object" && one !== null && "module" in one;
}

/** The program's view of a hub: only what semver covers. */
function hubOf(hub: RunningHub): Hub {
  return {
    get address() {
      return hub.url.replace(/^https?:\/\//, "");
    },
    get url() {
      return hub.url;
    },
    get urls() {
      return hub.urls;
    },
    get adminUrl() {
      return hub.adminUrl;
    },
    get ready() {
      return hub.ready;
    },
    get interceptors() {
      return hub.interceptors;
    },
    routes: () => hub.routes(),
    upstreams: () => hub.upstreams(),
    reload: (by) => hub.reload(by),
    drain: (graceMs) => hub.drain(graceMs),
    close: () => hub.close(),
  };
}

/** Without the keys whose value is undefined: an undefined key equals a missing one. */
function defined(options: object): object {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}

const LOG_FUNCTIONS = ["info", "warn", "error"];

function logOf(log: Log | false | undefined): Log {
  const given: unknown = log ?? false;
  if (
    given !== false &&
    LOG_FUNCTIONS.some((name) => typeof Reflect.get(Object(given), name) !== "function")
  ) {
    throw new UserError(
      `log must be an object with the functions ${LOG_FUNCTIONS.join(", ")}, or false, not ${kindOf(given)}`,
    );
  }
  if (log === false) return { info() {}, warn() {}, error() {} };
  return (
    log ?? {
      info() {},
      warn: (message) => console.warn(printableLine(message)),
      error: (message) => console.error(printableLine(message)),
    }
  );
}
