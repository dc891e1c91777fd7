// From a gRPC path to its plan: by method, then by service, otherwise an error that says why.
import type { Method } from "../call/call.js";
import type { Interceptor } from "../call/interceptor.js";
import { type Plan, plan } from "../call/pipeline.js";
import { type Handler, refuse } from "../call/sink.js";
import { notLearned } from "../call/status/not-learned.js";
import { refusal } from "../call/status/reasons.js";
import type { Status } from "../call/status/status.js";
import { completed } from "../kit/in-slices.js";
import { cut } from "../kit/text/text.js";
import { CatchAll, type TakesOthers } from "./catch-all.js";

/** A service of an upstream, and the handler of its calls. */
export interface ServiceRoute {
  /** Full name, e.g. `library.v1.LibraryService` */
  readonly service: string;
  readonly methods: readonly Method[];
  /** Methods that the config names and no schema has: they have plans of their own. */
  readonly named?: readonly Method[];
  /** Name of the upstream */
  readonly upstream: string;
  readonly handler: Handler;
  /** A method whose calls have another handler. */
  readonly handlerOf?: ((method: Method) => Handler | undefined) | undefined;
}

/** The handler for services without a schema; a problem says why it may be incomplete. */
export interface Unknown {
  /** e.g. `upstream "x" has not been learned yet: connection refused`; then the status is UNAVAILABLE. */
  readonly problem: string | undefined;
  /**
   * Takes them, if an upstream does. Only without a problem: an upstream that is not learned yet may have the service.
   */
  readonly taker?: TakesOthers | undefined;
}

/** gRPC's own default. */
const MAX_MESSAGE_BYTES = 4 * 1024 * 1024;

const OTHER = "_OTHER";
/** `/package.Service/Method`, of identifiers: no query, no escapes, no further segments. */
const GRPC_PATH = /^\/([A-Za-z_][\w.]*)\/[A-Za-z_]\w*$/;

export class RouteTable {
  /** For CORS preflights: the adapter responds to them. */
  readonly preflight: Plan;
  private readonly methods = new Map<string, Plan>();
  /** By path, the method's name folded; of two that fold alike the first. */
  private readonly folded = new Map<string, Plan>();
  private readonly services = new Map<string, Plan>();
  private readonly unknown: Plan;
  private others: CatchAll | undefined = undefined;

  /**
   * Two routes for one service: the first wins; `shadowed` is called with the second.
   * @param maxMessageBytes as in `plan`
   */
  constructor(
    routes: readonly ServiceRoute[],
    interceptors: readonly Interceptor[],
    unknown: Unknown,
    shadowed: (route: ServiceRoute, winner: string) => void,
    maxMessageBytes = MAX_MESSAGE_BYTES,
  ) {
    completed(this.fill(routes, interceptors, unknown, shadowed, maxMessageBytes));
    const refusing = refuse((call) => unknownService(call.path, unknown));
    this.unknown = plan(other(""), interceptors, refusing);
    this.preflight = plan(
      other(""),
      interceptors.filter(({ preflights }) => preflights === true),
      refusing,
    );
  }

  /** The same in slices. */
  static *making(
    routes: readonly ServiceRoute[],
    interceptors: readonly Interceptor[],
    unknown: Unknown,
    shadowed: (route: ServiceRoute, winner: string) => void,
    maxMessageBytes: number,
  ): Generator<void, RouteTable> {
    // The taker is planned once all routes are known.
    const table = new RouteTable([], interceptors, { problem: unknown.problem }, shadowed);
    yield* table.fill(routes, interceptors, unknown, shadowed, maxMessageBytes);
    return table;
  }

  private *fill(
    routes: readonly ServiceRoute[],
    interceptors: readonly Interceptor[],
    unknown: Unknown,
    shadowed: (route: ServiceRoute, winner: string) => void,
    maxMessageBytes: number,
  ): Generator<void> {
    const owners = new Map<string, string>();
    for (const route of routes) {
      const owner = owners.get(route.service);
      if (owner !== undefined) {
        shadowed(route, owner);
        continue;
      }
      owners.set(route.service, route.upstream);
      for (const method of [...route.methods, ...(route.named ?? [])]) {
        const handler = route.handlerOf?.(method) ?? route.handler;
        const planned = plan(method, interceptors, handler, maxMessageBytes);
        this.methods.set(method.path, planned);
        const folded = foldName(method.path);
        if (!this.folded.has(folded)) this.folded.set(folded, planned);
        yield;
      }
      // A method that the schema does not have can still be on a newer instance of the service: it passes through.
      const others = plan(other(route.service), interceptors, route.handler, maxMessageBytes);
      this.services.set(route.service, others);
    }
    const { taker, problem } = unknown;
    if (taker !== undefined && problem === undefined)
      this.others = new CatchAll(taker, interceptors, this.services.keys(), other, maxMessageBytes);
  }

  /** The plan for `/package.Service/Method`. */
  find(path: string): Plan {
    return this.methods.get(path) ?? this.findService(path);
  }

  private findService(path: string): Plan {
    // A path that only resembles a method's must not bypass the method's config.
    const end = GRPC_PATH.test(path) ? path.indexOf("/", 1) : -1;
    if (end < 0) return this.unknown;
    const service = path.slice(1, end);
    // Some servers ignore case: a method's config applies however it is written.
    const spelled = this.folded.get(foldName(path));
    if (spelled !== undefined) return spelled;
    return this.services.get(service) ?? this.others?.find(service) ?? this.unknown;
  }
}

function foldName(path: string): string {
  const name = path.lastIndexOf("/") + 1;
  return path.slice(0, name) + path.slice(name).toLowerCase();
}

function other(service: string): Method {
  return {
    service,
    name: OTHER,
    path: `/${service}/${OTHER}`,
    kind: "unknown",
    idempotent: false,
    descriptor: undefined,
  };
}

function unknownService(path: string, unknown: Unknown): Status {
  const match = GRPC_PATH.exec(path);
  if (match === null) {
    return refusal(
      "INVALID_GRPC_PATH",
      `"${cut(path, 100)}" is not a gRPC path: expected the form /package.Service/Method`,
    );
  }
  const name = cut(match[1] ?? "", 100);
  if (unknown.problem !== undefined) return notLearned(`service ${name} is not known (yet)`, unknown.problem);
  return refusal("UNKNOWN_SERVICE", `service ${name} is not known here: no upstream has it`);
}
