// The admin listener: liveness, readiness, routes and upstreams over HTTP/1.1, for probes and for people.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { type AddressInfo, isIP } from "node:net";
import { formatAddress, isLoopback } from "../config/address.js";
import type { ListenAddress } from "../config/config.js";
import { textTable } from "../core/text-table.js";
import { cannotListen, UserError } from "../core/user-error.js";

/** What the admin listener shows of the hub. */
export interface AdminView {
  /** True from the first complete start until drain. */
  readonly ready: boolean;
  /** What the hub is not ready for, a few words each, e.g. `draining`; left out: nothing more is known. */
  readonly notReady?: readonly string[];
  /** What is in force; secrets are masked before it is shown. */
  readonly config: object;
  routes(): readonly AdminRoute[];
  upstreams(): readonly AdminUpstream[];
  /** Reads the config anew; rejects with a sentence where that fails, resolves with notes. */
  reload(): Promise<readonly string[]>;
}

export interface AdminRoute {
  readonly verb: string;
  readonly path: string;
  readonly method: string;
  readonly upstream: string;
}

export interface AdminUpstream {
  readonly name: string;
  readonly endpoints: readonly { readonly address: string; readonly state: string }[];
  readonly services: readonly string[];
  readonly problem: string | undefined;
}

export interface RunningAdmin {
  /** e.g. `http://127.0.0.1:9901` */
  readonly address: string;
  /** Stops accepting, and ends what is open. */
  close(): Promise<void>;
}

// A page takes milliseconds: whoever is slower than this is stuck, or means harm (Slowloris).
const HEADERS_TIMEOUT_MS = 5_000;
const REQUEST_TIMEOUT_MS = 10_000;
const KEEP_ALIVE_MS = 5_000;
const CHECK_INTERVAL_MS = 1_000;
const MAX_HEADER_BYTES = 16_384;
const MAX_CONNECTIONS = 256;

interface Answer {
  readonly status: number;
  readonly body: unknown;
  /** The same for a person, where it is asked for; left out: JSON in any case. */
  readonly text?: () => string;
  readonly headers?: Readonly<Record<string, string>>;
}

interface Page {
  readonly about: string;
  /** Whether it is shown to callers from other machines, who have no token to show yet. Probes are. */
  readonly remote: boolean;
  /** What changes something takes POST alone; default GET and HEAD. */
  readonly method?: "POST";
  /** `local`: the caller is on this machine, and may read names and addresses. */
  answer(hub: AdminView, local: boolean): Answer | Promise<Answer>;
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
    { about: "200 while the hub takes calls, 503 before and while draining", remote: true, answer: readyz },
  ],
  ["/routes", { about: "the HTTP and gRPC routes", remote: false, answer: routes }],
  [
    "/upstreams",
    { about: "the services behind the hub, and their endpoints", remote: false, answer: upstreams },
  ],
  [
    "/config",
    {
      about: "the config in force, secrets masked",
      remote: false,
      answer: (hub) => ({ status: 200, body: masked(hub.config) }),
    },
  ],
  [
    "/reload",
    { about: "POST: reads the config anew, and serves by it", remote: false, method: "POST", answer: reload },
  ],
]);

/** Starts the listener. Rejects with a UserError where the address cannot be bound. */
export async function startAdmin(address: ListenAddress, hub: AdminView): Promise<RunningAdmin> {
  const server = createServer(
    {
      maxHeaderSize: MAX_HEADER_BYTES,
      headersTimeout: HEADERS_TIMEOUT_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
      keepAliveTimeout: KEEP_ALIVE_MS,
      connectionsCheckingInterval: CHECK_INTERVAL_MS,
    },
    (request, response) => void serve(request, response, address.host, hub),
  );
  server.maxConnections = MAX_CONNECTIONS;
  const bound = await listen(server, address);
  return {
    address: `http://${formatAddress({ host: address.host, port: bound.port })}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function listen(server: Server, address: ListenAddress): Promise<AddressInfo> {
  return new Promise((resolve, reject) => {
    server.once("error", (error) =>
      reject(cannotListen("the admin listener", formatAddress(address), error)),
    );
    server.listen({ host: address.host, port: address.port }, () => {
      server.removeAllListeners("error");
      // Later errors are of single connections (EMFILE on accept): no reason to end the hub.
      server.on("error", () => undefined);
      const bound = server.address();
      if (typeof bound === "object" && bound !== null) resolve(bound);
    });
  });
}

async function serve(
  request: IncomingMessage,
  response: ServerResponse,
  boundHost: string,
  hub: AdminView,
): Promise<void> {
  let answer: Answer;
  try {
    answer = await answerFor(request, boundHost, hub);
  } catch (error) {
    const sentence =
      error instanceof UserError ? error.message : "the hub failed to answer; its log says why";
    answer = { status: error instanceof UserError ? 409 : 500, body: { error: sentence } };
  }
  respond(request, response, answer);
}

function answerFor(request: IncomingMessage, boundHost: string, hub: AdminView): Answer | Promise<Answer> {
  const refusal = refuse(request, boundHost);
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
  const local = isLoopback(request.socket.remoteAddress ?? "");
  if (!page.remote && !local) {
    return {
      status: 403,
      body: {
        error: `${path} is shown to callers on the hub's own machine alone; /livez and /readyz are for all`,
      },
    };
  }
  return page.answer(hub, local);
}

/**
 * Keeps web pages out. A page of another site can make a browser call loopback: with its own name as Host once that
 * name resolves here (DNS rebinding), or with its Origin. Tools send neither.
 */
function refuse(request: IncomingMessage, boundHost: string): Answer | undefined {
  const host = request.headers.host;
  if (host !== undefined && !isOwnHost(hostName(host), boundHost)) {
    return {
      status: 421,
      body: { error: `Host ${host} is not served here; allowed: an IP address, localhost, ${boundHost}` },
    };
  }
  if (request.url?.startsWith("/") !== true) {
    return { status: 400, body: { error: "the request target must be a path" } };
  }
  const origin = request.headers.origin;
  if (
    origin !== undefined &&
    (host === undefined || origin.toLowerCase() !== `http://${host.toLowerCase()}`)
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

function respond(request: IncomingMessage, response: ServerResponse, answer: Answer): void {
  const asText = answer.text !== undefined && prefersText(request.headers.accept);
  const body = asText && answer.text !== undefined ? answer.text() : JSON.stringify(answer.body, null, 2);
  const bytes = Buffer.from(`${body}\n`);
  response.writeHead(answer.status, {
    "content-type": asText ? "text/plain; charset=utf-8" : "application/json",
    "content-length": String(bytes.length),
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "content-security-policy": "default-src 'none'",
    vary: "accept",
    ...answer.headers,
  });
  response.end(request.method === "HEAD" ? undefined : bytes);
}

/** Text only for who names it: scripts send no Accept, or any, and read JSON. */
function prefersText(accept: string | undefined): boolean {
  if (accept === undefined) return false;
  const types = accept.split(",").map((part) => part.split(";", 1)[0]?.trim().toLowerCase());
  return types.includes("text/plain") && !types.includes("application/json");
}

function index(): { pages: Record<string, string> } {
  return { pages: Object.fromEntries([...PAGES].map(([path, page]) => [path, page.about])) };
}

function indexText(): string {
  return textTable([...PAGES].map(([path, page]) => [path, page.about])).join("\n");
}

/** An upstream that is down does not make the hub unready: its other upstreams would go dark with it. */
function readyz(hub: AdminView, local: boolean): Answer {
  const problems = (local ? hub.upstreams() : []).flatMap(({ name, problem }) =>
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
  const notes = await hub.reload();
  return {
    status: 200,
    body: { reloaded: true, notes },
    text: () => ["reloaded", ...notes].join("\n"),
  };
}

/** Keys whose values are nobody's to read. Digests are masked too: a weak key can be guessed from one. */
const SECRET_KEY = /token|secret|password|sha256|credential/i;

function masked(config: object): unknown {
  return JSON.parse(
    JSON.stringify(config, (key, value: unknown) =>
      SECRET_KEY.test(key) && (typeof value === "string" || typeof value === "number") ? "***" : value,
    ),
  );
}

function routes(hub: AdminView): Answer {
  const rows = hub.routes();
  return {
    status: 200,
    body: { routes: rows },
    text: () => textTable(rows.map((row) => [row.verb, row.path, row.method, row.upstream])).join("\n"),
  };
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
          ...textTable(row.endpoints.map((endpoint) => [`  ${endpoint.address}`, endpoint.state])),
          ...row.services.map((service) => `  ${service}`),
        ])
        .join("\n"),
  };
}
