// The admin listener: liveness, readiness, routes and upstreams, for probes and for people.
import { createHash, timingSafeEqual } from "node:crypto";
import { isIP } from "node:net";
import { formatAddress, isLoopback } from "../config/address.js";
import type { AdminConfig } from "../config/config.js";
import { masked } from "../config/mask.js";
import { attempt, reportFault } from "../kit/faults.js";
import type { Log } from "../kit/log.js";
import { UserError } from "../kit/text/user-error.js";
import { textTable } from "../kit/text-table.js";
import type { CertificateState } from "../tls/certificate-state.js";
import { type AdminRoute, type Answer, bytesOf, respond } from "./admin-answer.js";
import { type AdminRequest, type AdminResponse, AdminServer } from "./admin-server.js";

/** What the admin listener shows of the hub. */
export interface AdminView {
  /** True from the first complete start until drain. */
  readonly ready: boolean;
  /** What the hub is not ready for, a few words each, e.g. `draining`; left out: nothing more is known. */
  readonly notReady?: readonly string[];
  /** What is in force, as its user wrote it; secrets are masked before it is shown. */
  readonly written: object;
  routes(): readonly AdminRoute[];
  upstreams(): readonly AdminUpstream[];
  /** The certificates in use; left out: none. */
  certificates?(): readonly CertificateState[];
  /** As Prometheus scrapes them. */
  metrics(): { readonly contentType: string; readonly text: string };
  /** Reads the config anew; rejects with a sentence where that fails, resolves with notes. `by`: who asks, for the log. */
  reload(by?: string): Promise<readonly string[]>;
}

export interface AdminEndpoint {
  readonly address: string;
  readonly state: string;
  readonly connections: number;
  readonly connecting: number;
  readonly draining: number;
  readonly calls: number;
}

export interface AdminUpstream {
  readonly name: string;
  readonly endpoints: readonly AdminEndpoint[];
  /** Calls that wait for a connection. */
  readonly pending: number;
  /** Where its services are learned, e.g. `reflection`; left out: not known. */
  readonly schema?: string;
  readonly services: readonly string[];
  /** It gets the calls to all services that no other upstream has. Default: false. */
  readonly takesOthers?: boolean;
  /** When the schema was learned, if it is one that is remembered and could not be learned yet. */
  readonly remembered?: string | undefined;
  readonly problem: string | undefined;
}

export interface RunningAdmin {
  /** e.g. `http://127.0.0.1:9901` */
  readonly address: string;
  /** Its certificates; none without TLS. */
  readonly certificates: AdminServer["certificates"];
  /** Takes over the certificates that lie in the files now. */
  reloadCertificates(): void;
  /** Stops accepting, and ends what is open. */
  close(): Promise<void>;
}

interface Page {
  readonly about: string;
  /** Whether it is shown to everybody. Probes are: they have no token. */
  readonly remote: boolean;
  /** What changes something takes POST alone; default GET and HEAD. */
  readonly method?: "POST";
  /** `trusted`: the caller may read names and addresses. */
  answer(hub: AdminView, trusted: boolean): Answer | Promise<Answer>;
}

const PAGES: ReadonlyMap<string, Page> = new Map<string, Page>([
  [
    "/",
    { about: "this index", remote: false, answer: () => ({ status: 200, body: index(), text: indexText }) },
  ],
  [
    "/livez",
    {
      about: "200 while the process lives",
      remote: true,
      answer: () => ({ status: 200, body: { live: true } }),
    },
  ],
  [
    "/readyz",
    {
      about: "200 while the hub is ready, 503 while it still learns its upstreams and while it drains",
      remote: true,
      answer: readyz,
    },
  ],
  ["/routes", { about: "the HTTP and gRPC routes", remote: false, answer: routes }],
  [
    "/upstreams",
    { about: "the services behind the hub, and their endpoints", remote: false, answer: upstreams },
  ],
  [
    "/metrics",
    {
      about: "metrics of calls, upstreams and the process, for Prometheus",
      remote: false,
      answer: (hub) => {
        const { contentType, text } = hub.metrics();
        return { status: 200, body: undefined, raw: { contentType, text } };
      },
    },
  ],
  [
    "/certificates",
    { about: "the certificates in use, and when they end", remote: false, answer: certificates },
  ],
  [
    "/config",
    {
      about: "the config in force, in the keys of the file, secrets masked",
      remote: false,
      answer: (hub) => ({ status: 200, body: masked(hub.written) }),
    },
  ],
  [
    "/reload",
    { about: "POST: reads the config anew, and serves by it", remote: false, method: "POST", answer: reload },
  ],
]);

/** Starts the listener. Rejects with a UserError where the address cannot be bound, or its certificate not be used. */
export async function startAdmin(config: AdminConfig, hub: AdminView, log: Log): Promise<RunningAdmin> {
  const door: Door = {
    host: config.host,
    scheme: config.tls === undefined ? "http" : "https",
    tokenDigest: config.tokenSha256 === undefined ? undefined : Buffer.from(config.tokenSha256, "hex"),
  };
  const server = new AdminServer(
    config,
    log,
    (request, response) => void serve(request, response, door, hub),
  );
  const port = await server.listen();
  return {
    address: `${door.scheme}://${formatAddress({ host: config.host, port })}`,
    get certificates() {
      return server.certificates;
    },
    reloadCertificates: () => server.reloadCertificates(),
    close: () => server.close(),
  };
}

/** Who gets in. */
interface Door {
  readonly host: string;
  readonly scheme: "http" | "https";
  /** SHA-256 of the token; undefined: callers on this machine need none, and others do not get in. */
  readonly tokenDigest: Buffer | undefined;
}

async function serve(
  request: AdminRequest,
  response: AdminResponse,
  door: Door,
  hub: AdminView,
): Promise<void> {
  try {
    const answer = await answerOrProblem(request, door, hub);
    respond(request, response, answer, await bytesOf(request, answer));
  } catch (error) {
    const problem = faultAnswer(error);
    // What has begun cannot be answered otherwise.
    attempt("while the admin listener answered a fault", () => {
      if (response.headersSent) response.destroy();
      else respond(request, response, problem, Buffer.from(JSON.stringify(problem.body)));
    });
  }
}

async function answerOrProblem(request: AdminRequest, door: Door, hub: AdminView): Promise<Answer> {
  try {
    return await answerFor(request, door, hub);
  } catch (error) {
    if (!(error instanceof UserError)) return faultAnswer(error);
    return { status: 409, body: { error: error.message } };
  }
}

function faultAnswer(error: unknown): Answer {
  const id = reportFault("while the admin listener answered", error);
  return { status: 500, body: { error: `the hub failed to answer (fault ${id}); its log says why` } };
}

function answerFor(request: AdminRequest, door: Door, hub: AdminView): Answer | Promise<Answer> {
  const refusal = refuse(request, door);
  if (refusal !== undefined) return refusal;
  const path = (request.url ?? "/").split("?", 1)[0] ?? "/";
  const page = PAGES.get(path);
  if (page === undefined) return { status: 404, body: { error: `no page ${path}`, ...index() } };
  const methods = page.method === undefined ? ["GET", "HEAD"] : [page.method];
  if (!methods.includes(request.method ?? "")) {
    return {
      status: 405,
      body: { error: `${path} takes ${methods.join(" and ")}, not ${request.method}` },
      headers: { allow: methods.join(", ") },
    };
  }
  const stranger = notTrusted(request, door);
  if (!page.remote && stranger !== undefined) return stranger(path);
  return page.answer(hub, stranger === undefined);
}

/** Why a caller is not trusted, as the answer for a page; undefined: it is. */
function notTrusted(request: AdminRequest, door: Door): ((path: string) => Answer) | undefined {
  const { tokenDigest } = door;
  if (tokenDigest === undefined) {
    if (isLoopback(request.socket.remoteAddress ?? "")) return undefined;
    const who = "is shown to callers on the hub's own machine alone; /livez and /readyz are for all";
    return (path) => ({ status: 403, body: { error: `${path} ${who}` } });
  }
  const token = /^Bearer +([^ ]+) *$/i.exec(request.headers.authorization ?? "")?.[1];
  // Digests have one length, so that comparing them tells nothing of the token's.
  if (token !== undefined && timingSafeEqual(sha256(token), tokenDigest)) return undefined;
  return (path) => ({
    status: 401,
    body: {
      error: `${path} needs the admin token: ${token === undefined ? "authorization: Bearer TOKEN" : "this one is wrong"}`,
    },
    headers: { "www-authenticate": `Bearer realm="linchpin admin"` },
  });
}

function sha256(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}

/**
 * Keeps web pages out. A page of another site can make a browser call loopback: with its own name as Host once that
 * name resolves here (DNS rebinding), or with its Origin. Tools send neither.
 */
function refuse(request: AdminRequest, { host: boundHost, scheme }: Door): Answer | undefined {
  const authority = request.headers[":authority"];
  const host = typeof authority === "string" ? authority : request.headers.host;
  for (const name of [host, request.headers.host]) {
    if (name === undefined || isOwnHost(hostName(name), boundHost)) continue;
    return {
      status: 421,
      body: { error: `Host ${name} is not served here; allowed: an IP address, localhost, ${boundHost}` },
    };
  }
  if (request.url?.startsWith("/") !== true) {
    return { status: 400, body: { error: "the request target must be a path" } };
  }
  const origin = request.headers.origin;
  if (
    origin !== undefined &&
    (host === undefined || origin.toLowerCase() !== `${scheme}://${host.toLowerCase()}`)
  ) {
    return { status: 403, body: { error: `Origin ${origin} may not call the admin listener` } };
  }
  return undefined;
}

/** The host of a Host header, lower case, without port and brackets; empty where it is malformed. */
function hostName(host: string): string {
  const match = /^(?:\[([0-9a-f:.%]+)\]|([^:[\]/@]+))(?::\d{1,5})?$/i.exec(host);
  return (match?.[1] ?? match?.[2] ?? "").toLowerCase();
}

function isOwnHost(name: string, boundHost: string): boolean {
  return name !== "" && (isIP(name) !== 0 || name === "localhost" || name === boundHost.toLowerCase());
}

function index(): { pages: Record<string, string> } {
  return { pages: Object.fromEntries([...PAGES].map(([path, page]) => [path, page.about])) };
}

function indexText(): string {
  return textTable([...PAGES].map(([path, page]) => [path, page.about])).join("\n");
}

/** An upstream that goes down does not make the hub unready: its other upstreams would go dark with it. */
function readyz(hub: AdminView, trusted: boolean): Answer {
  const problems = (trusted ? hub.upstreams() : []).flatMap(({ name, problem }) =>
    problem === undefined ? [] : [{ upstream: name, problem }],
  );
  const notReady = hub.ready ? [] : (hub.notReady ?? ["the hub is starting or draining"]);
  return {
    status: hub.ready ? 200 : 503,
    body: {
      ready: hub.ready,
      ...(hub.ready ? {} : { notReady }),
      ...(problems.length === 0 ? {} : { problems }),
    },
    text: () =>
      [
        hub.ready ? "ready" : `not ready: ${notReady.join(", ")}`,
        ...problems.map(({ upstream, problem }) => `${upstream}: ${problem}`),
      ].join("\n"),
  };
}

async function reload(hub: AdminView): Promise<Answer> {
  const notes = await hub.reload("POST /reload");
  return {
    status: 200,
    body: { reloaded: true, notes },
    text: () => ["reloaded", ...notes].join("\n"),
  };
}

function routes(hub: AdminView): Answer {
  return { status: 200, body: undefined, routes: hub.routes() };
}

function upstreams(hub: AdminView): Answer {
  const rows = hub.upstreams();
  return {
    status: 200,
    body: { upstreams: rows },
    text: () =>
      rows
        .flatMap((row) => [
          row.problem === undefined ? row.name : `${row.name}: ${row.problem}`,
          ...textTable(row.endpoints.map(endpointCells)),
          ...(row.pending === 0 ? [] : [`  ${row.pending} calls wait for a connection`]),
          ...(row.remembered === undefined ? [] : [`  its schema is remembered, from ${row.remembered}`]),
          ...row.services.map((service) => `  ${service}${grpcOnly(row)}`),
          ...(row.takesOthers === true ? [`  all services that no other upstream has${grpcOnly(row)}`] : []),
        ])
        .join("\n"),
  };
}

function grpcOnly({ schema }: AdminUpstream): string {
  return schema === "none" ? " (gRPC alone: schema is none)" : "";
}

function endpointCells({
  address,
  state,
  connections,
  connecting,
  draining,
  calls,
}: AdminEndpoint): string[] {
  const counts = [
    `${connections} open`,
    ...(connecting === 0 ? [] : [`${connecting} connecting`]),
    ...(draining === 0 ? [] : [`${draining} draining`]),
  ];
  return [`  ${address}`, state, counts.join(", "), `${calls} calls`];
}

function certificates(hub: AdminView): Answer {
  const rows = (hub.certificates?.() ?? []).map(({ owner, role, file, expiresAt, problem }) => ({
    owner,
    role,
    file,
    expires: new Date(expiresAt).toISOString(),
    problem,
  }));
  return {
    status: 200,
    body: { certificates: rows },
    text: () =>
      textTable(rows.map((row) => [row.expires, row.owner, row.role, row.file, row.problem ?? ""])).join(
        "\n",
      ),
  };
}
