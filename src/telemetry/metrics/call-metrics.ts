// Metrics of calls: rate, errors and duration by method and code, of calls and of attempts; running calls.
import type { Attempt, AttemptKind, AttemptOutcome } from "../../call/attempt.js";
import type { Call, HttpRequestInfo, HttpVersion, Method } from "../../call/call.js";
import type { Outcome } from "../../call/interceptor.js";
import { Code, codeName } from "../../call/status/status.js";
import type { Labels } from "../../kit/meters.js";
import { Durations } from "./durations.js";
import type { Family, GaugeFamily } from "./family.js";

/** The method label of calls to methods without a schema (OpenTelemetry's conventions for RPC). */
const OTHER = "_OTHER";
const CODES = 17;
const UNKNOWN = 2;
/** Label of attempts. */
const KIND = "linchpin.attempt.kind";
/** Which codes are the server's fault (semantic conventions for gRPC, "Status"). */
export const SERVER_ERRORS: ReadonlySet<number> = new Set([
  Code.UNKNOWN,
  Code.DEADLINE_EXCEEDED,
  Code.UNIMPLEMENTED,
  Code.INTERNAL,
  Code.UNAVAILABLE,
  Code.DATA_LOSS,
]);

/** A column for each code; `error.type` if the code is an error of that side. */
function codeLabels(isError: (code: number) => boolean): readonly Labels[] {
  return Array.from({ length: CODES }, (_, code) => {
    const name = codeName(code);
    return { "rpc.response.status_code": name, ...(isError(code) ? { "error.type": name } : {}) };
  });
}

/** HTTP methods of http.request.method; others are `_OTHER`, as the conventions say. */
const VERBS = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE"]);

/** For http.request.method, so that clients cannot create labels. */
export function knownVerb(verb: string): string {
  return VERBS.has(verb) ? verb : OTHER;
}

function rpcLabels(method: string): Labels {
  return { "rpc.system.name": "grpc", "rpc.method": method };
}

/** `pkg.Service/Method`; `_OTHER` without a schema. */
export function methodLabel(method: Method): string {
  return method.name === OTHER ? OTHER : method.path.slice(1);
}

export class CallMetrics {
  private readonly server = new Durations({
    name: "rpc.server.call.duration",
    help: "Duration of calls, from the request's headers to the end of the response, by method and status code.",
    columns: codeLabels((code) => SERVER_ERRORS.has(code)),
    other: rpcLabels(OTHER),
  });
  private readonly client = new Durations({
    name: "rpc.client.call.duration",
    help: "Duration of attempts, by method, upstream, kind and status code.",
    // For clients every code but OK is an error.
    columns: codeLabels((code) => code !== Code.OK),
    other: { ...rpcLabels(OTHER), "linchpin.upstream": OTHER, [KIND]: OTHER },
  });
  private readonly http = new Durations({
    name: "http.server.request.duration",
    help: "Duration of HTTP requests, by route (none: no method was called) and HTTP status.",
    columns: [{}],
    other: { "http.request.method": OTHER, "http.route": OTHER },
  });
  private readonly methods = new Map<string, MethodMetrics>();
  private readonly upstreams = new Map<string, UpstreamCounts>();

  /** For plan time; the same object for the same method, so that its numbers continue after a reload. */
  method(method: Method): MethodMetrics {
    const label = methodLabel(method);
    const known = this.methods.get(label);
    if (known !== undefined) return known;
    const made = new MethodMetrics(label, this.server, this.client, this.http, this.upstreams);
    this.methods.set(label, made);
    return made;
  }

  families(): readonly Family[] {
    const active: GaugeFamily = {
      type: "gauge",
      name: "linchpin.calls.active",
      unit: "{call}",
      help: "Calls in progress, by method.",
      points: [...this.methods.values()]
        .filter(({ everUsed }) => everUsed)
        .map(({ label, active: value }) => ({ labels: { "rpc.method": label }, value })),
    };
    const retries = [...this.upstreams].flatMap(([upstream, counts]) =>
      RETRIES.map((kind) => ({
        labels: { "linchpin.upstream": upstream, [KIND]: kind },
        value: counts[kind],
      })),
    );
    return [
      this.server.family(),
      this.client.family(),
      this.http.family(),
      active,
      {
        type: "counter",
        name: "linchpin.retries",
        unit: "{attempt}",
        help: "Attempts beyond the first one of a call, by upstream and kind.",
        points: retries,
      },
    ];
  }
}

/** Why there was a further attempt. */
const RETRIES = ["transparent", "retry", "hedge"] as const satisfies readonly AttemptKind[];
type UpstreamCounts = Record<(typeof RETRIES)[number], number>;

/** Of the attempts of one kind at one upstream. */
interface UpstreamRow {
  readonly name: string;
  readonly kind: AttemptKind;
  readonly row: number;
  readonly counts: UpstreamCounts;
}

interface HttpRow extends Omit<HttpRequestInfo, "path" | "query"> {
  readonly version: HttpVersion;
  readonly scheme: string;
  readonly row: number;
}

/** The numbers of one method. `begin` and `end` once per call; `attempt` once per attempt. */
export class MethodMetrics {
  readonly label: string;
  active = 0;
  everUsed = false;
  /** Of calls; -1: none has ended. Rows are bounded, and methods without calls have none. */
  private row = -1;
  private readonly server: Durations;
  private readonly client: Durations;
  private readonly http: Durations;
  private readonly upstreams: Map<string, UpstreamCounts>;
  /** A method usually has one upstream, and one attempt for each call: the last row is found without a Map. */
  private last: UpstreamRow | undefined = undefined;
  private readonly rows = new Map<string, UpstreamRow>();
  private readonly httpRows = new Map<string, number>();
  /** The last result: usually the next one is the same, and the map's key costs a string. */
  private lastHttp: HttpRow = {
    version: "1.1",
    method: "",
    route: undefined,
    scheme: "http",
    status: -1,
    row: 0,
  };

  constructor(
    label: string,
    server: Durations,
    client: Durations,
    http: Durations,
    upstreams: Map<string, UpstreamCounts>,
  ) {
    this.label = label;
    this.server = server;
    this.client = client;
    this.http = http;
    this.upstreams = upstreams;
  }

  begin(): void {
    this.active++;
    this.everUsed = true;
  }

  end(call: Call, outcome: Outcome): void {
    this.active--;
    const { http } = call;
    // A request without a route calls nothing (a preflight, a scanner): it would distort the call rates.
    if (http === undefined || http.route !== undefined) {
      if (this.row < 0) this.row = this.server.row(rpcLabels(this.label));
      this.server.record(this.row, column(outcome.code), outcome.durationMs);
    }
    if (http !== undefined) {
      // 499: the client disconnected before its response, as in the table of Status.
      const status = http.status === 0 ? 499 : http.status;
      this.http.record(this.httpRow(call, http, status), 0, outcome.durationMs);
    }
  }

  attempt({ kind, upstream: name }: Attempt, { code, durationMs }: AttemptOutcome): void {
    const { last } = this;
    const known = last !== undefined && last.name === name && last.kind === kind;
    const upstream = known ? last : this.upstream(name, kind);
    this.client.record(upstream.row, column(code), durationMs);
    if (kind !== "first") upstream.counts[kind]++;
  }

  private upstream(name: string, kind: AttemptKind): UpstreamRow {
    const key = `${kind} ${name}`;
    let found = this.rows.get(key);
    if (found === undefined) {
      let counts = this.upstreams.get(name);
      if (counts === undefined) {
        counts = { transparent: 0, retry: 0, hedge: 0 };
        this.upstreams.set(name, counts);
      }
      const labels = { ...rpcLabels(this.label), "linchpin.upstream": name, [KIND]: kind };
      found = { name, kind, row: this.client.row(labels), counts };
      this.rows.set(key, found);
    }
    this.last = found;
    return found;
  }

  private httpRow(
    { httpVersion: version, peer }: Call,
    { method, route }: HttpRequestInfo,
    status: number,
  ): number {
    const { scheme = "http" } = peer;
    const last = this.lastHttp;
    if (
      last.method === method &&
      last.route === route &&
      last.status === status &&
      last.version === version &&
      last.scheme === scheme
    )
      return last.row;
    const key = { version, method, route, scheme, status };
    const row = this.findHttpRow(key);
    this.lastHttp = { ...key, row };
    return row;
  }

  private findHttpRow({ version, method, route, scheme, status }: Omit<HttpRow, "row">): number {
    const key = `${status} ${version} ${scheme} ${method} ${route}`;
    let row = this.httpRows.get(key);
    if (row === undefined) {
      const known = knownVerb(method);
      row = this.http.row({
        "http.request.method": known,
        ...(route === undefined ? {} : { "http.route": route }),
        "http.response.status_code": String(status),
        ...(status >= 500 ? { "error.type": String(status) } : {}),
        "network.protocol.version": version,
        "url.scheme": scheme,
      });
      if (known !== OTHER) this.httpRows.set(key, row);
    }
    return row;
  }
}

function column(code: number): number {
  return code >= 0 && code < CODES ? code : UNKNOWN;
}
