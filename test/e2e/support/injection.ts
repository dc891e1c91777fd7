// Injects a throw at every function that a call comes by, one after the other, and looks what becomes of that call, of
// the others, and of the process.
import assert from "node:assert/strict";
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { Agent, request as request1 } from "node:http";
import { type ClientHttp2Session, connect as connect2 } from "node:http2";
import { connect } from "node:net";
import { fileURLToPath } from "node:url";
import { gunzipSync, gzipSync } from "node:zlib";
import { WebSocket } from "ws";
import { ServerReflectionRequest } from "#generated/grpc/reflection/v1/reflection.js";
import { BidiStreamRequest, ServerStreamRequest, UnaryRequest } from "#generated/test/v1/behavior.js";
import { frameMessage } from "#src/call/messages.js";
import { fileOf } from "./hub.js";
import type { Ask, Started, Told } from "./injected-hub.js";
import { instrumented, type Place } from "./instrumented.js";
import type { Scope } from "./program.js";
import { startService } from "./service.js";

/** A call that is not answered by then never is. Nothing here takes a second by itself. */
const PATIENCE_MS = 20_000;

/** How a call ended. `text`: what its client was told. */
export interface Outcome {
  /** answered: with a status, or by trailers; broken: its stream or connection was ended; silent: neither. */
  readonly kind: "answered" | "broken" | "silent";
  readonly text: string;
}

export interface Scenario {
  readonly name: string;
  /** One answer comes for it: a throw of the call's own code is to become that answer. */
  readonly unary?: boolean;
  run(rig: InjectionRig): Promise<Outcome>;
}

const answered = (text: string): Outcome => ({ kind: "answered", text });
const broken = (text: string): Outcome => ({ kind: "broken", text });

export class InjectionRig {
  readonly places: readonly Place[];
  readonly address: string;
  readonly adminAddress: string;
  readonly child: ChildProcess;
  private session: ClientHttp2Session | undefined = undefined;
  private neighbour: Bystander | undefined = undefined;

  private constructor(places: readonly Place[], { url, adminUrl }: Started, child: ChildProcess) {
    this.places = places;
    this.address = url.replace("http://", "");
    this.adminAddress = adminUrl.replace("http://", "");
    this.child = child;
  }

  static async start(scope: Scope): Promise<InjectionRig> {
    const { folder, places } = instrumented(scope);
    const service = await startService(scope, "behavior");
    const config = await fileOf(
      scope,
      "linchpin.yaml",
      `listen: 127.0.0.1:0
admin: 127.0.0.1:0
upstreams: { behavior: { endpoints: ["${service.address}"] } }
interceptors:
  deadline: { default: 10s }
  addressLimit: { rate: 1000000/s }
`,
    );
    const script = fileURLToPath(new URL("injected-hub.js", import.meta.url));
    const child = fork(script, [folder, config], {
      execArgv: [],
      stdio: ["ignore", "inherit", "inherit", "ipc"],
    });
    const [started] = await Promise.race([
      once(child, "message"),
      once(child, "exit").then(() => assert.fail("the hub did not start")),
    ]);
    const rig = new InjectionRig(places, started, child);
    scope.after(async () => {
      rig.session?.destroy();
      if (child.exitCode !== null) return;
      child.kill();
      await once(child, "exit");
    });
    return rig;
  }

  /** What has happened since the last time; from now on `place` throws once. */
  async ask(place: number): Promise<Told> {
    const gone: Told = { seen: [], fired: true, log: [], escaped: ["the process has ended"] };
    if (!this.child.connected) return gone;
    const ask: Ask = { arm: place };
    return new Promise((resolve) => {
      const settle = (told: Told): void => {
        this.child.removeListener("message", settle).removeListener("exit", onExit);
        resolve(told);
      };
      const onExit = (): void => settle(gone);
      this.child.on("message", settle).on("exit", onExit);
      this.child.send(ask);
    });
  }

  /** The connection of HTTP/2 that scenarios share. */
  get http2(): ClientHttp2Session {
    if (this.session === undefined || this.session.destroyed || this.session.closed) {
      this.session = connect2(`http://${this.address}`);
      this.session.on("error", () => {});
      this.neighbour = new Bystander(this.session);
    }
    return this.session;
  }

  /** The connection is made, and the call beside the scenarios is answered. */
  async settle(): Promise<void> {
    for (let tries = 0; tries < 5; tries++) {
      if (this.http2.destroyed === false && (await this.neighbourLives())) return;
      this.renew();
    }
    assert.fail("no call is answered any more");
  }

  /** Whether the call that runs beside the scenarios, on their connection, goes on. */
  async neighbourLives(): Promise<boolean> {
    return (await this.neighbour?.roundTrip()) ?? true;
  }

  /** Another neighbour: its connection, or the service's, was ended. */
  renew(): void {
    this.session?.destroy();
    this.session = undefined;
    this.neighbour = undefined;
  }
}

const grpcHead = (path: string) => ({
  ":method": "POST",
  ":path": path,
  "content-type": "application/grpc",
  te: "trailers",
});

/** A stream that is open all the time, and asked now and then. */
export class Bystander {
  private readonly stream;
  private readonly message = frameMessage(BidiStreamRequest.encode(BidiStreamRequest.create()).finish());
  private over = false;

  constructor(session: ClientHttp2Session) {
    this.stream = session.request(grpcHead("/test.v1.BehaviorService/BidiStream"));
    const end = (): void => {
      this.over = true;
    };
    this.stream.on("error", end).on("close", end).on("end", end);
    this.stream.resume();
  }

  async roundTrip(): Promise<boolean> {
    if (this.over) return false;
    return new Promise<boolean>((resolve) => {
      const settle = (lives: boolean): void => {
        clearTimeout(timer);
        this.stream.removeListener("data", onData).removeListener("close", onClose);
        resolve(lives);
      };
      const onData = (): void => settle(true);
      const onClose = (): void => settle(false);
      const timer = setTimeout(onClose, PATIENCE_MS);
      this.stream.on("data", onData).on("close", onClose);
      this.stream.write(this.message);
    });
  }
}

// ---------------------------------------------------------------- clients

function within(outcome: Promise<Outcome>): Promise<Outcome> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<Outcome>((resolve) => {
    timer = setTimeout(() => resolve({ kind: "silent", text: "no answer" }), PATIENCE_MS);
  });
  return Promise.race([outcome, late]).finally(() => clearTimeout(timer));
}

interface Asked {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
}

/** Over HTTP/1.1, on a connection of its own. */
function http1(
  address: string,
  path: string,
  { method = "GET", headers = {}, body }: Asked = {},
): Promise<Outcome> {
  return within(
    new Promise((resolve) => {
      const [host, port] = address.split(":");
      const agent = new Agent();
      const asked = request1({ host, port, path, method, headers, agent }, (response) => {
        const pieces: Buffer[] = [];
        response.on("data", (piece: Buffer) => pieces.push(piece));
        response.on("error", (error) => resolve(broken(`${response.statusCode} ${error.message}`)));
        response.on("end", () =>
          resolve(answered(`${response.statusCode} ${bodyOf(pieces, response.headers)}`)),
        );
      });
      asked.on("error", (error) => resolve(broken(error.message)));
      asked.end(body);
    }),
  );
}

/** Over the shared connection of HTTP/2. */
function http2(
  rig: InjectionRig,
  path: string,
  { method = "GET", headers = {}, body }: Asked = {},
): Promise<Outcome> {
  return within(
    new Promise((resolve) => {
      const stream = rig.http2.request({ ":method": method, ":path": path, ...headers });
      let status = 0;
      let fields: Record<string, unknown> = {};
      const pieces: Buffer[] = [];
      stream.on("response", (head) => {
        status = head[":status"] ?? 0;
        fields = head;
      });
      stream.on("data", (piece: Buffer) => pieces.push(piece));
      stream.on("error", (error) => resolve(broken(`${status} ${error.message}`)));
      stream.on("end", () => resolve(answered(`${status} ${bodyOf(pieces, fields)}`)));
      stream.on("close", () => resolve(broken("closed")));
      stream.end(body);
    }),
  );
}

function bodyOf(pieces: readonly Buffer[], headers: Readonly<Record<string, unknown>>): string {
  const body = Buffer.concat(pieces);
  try {
    return String(headers["content-encoding"] === "gzip" ? gunzipSync(body) : body);
  } catch {
    return "(cut short)";
  }
}

function grpc(rig: InjectionRig, path: string, message: Uint8Array, headers = {}): Promise<Outcome> {
  return within(
    new Promise((resolve) => {
      const stream = rig.http2.request({ ...grpcHead(path), ...headers });
      const told = (fields: Record<string, unknown>): void => {
        const status = fields["grpc-status"];
        if (status !== undefined) resolve(answered(`${status} ${fields["grpc-message"] ?? ""}`));
      };
      stream.on("response", told).on("trailers", told).resume();
      stream.on("error", (error) => resolve(broken(error.message)));
      stream.on("close", () => resolve(broken("closed without trailers")));
      stream.end(frameMessage(message));
    }),
  );
}

/** Bytes on a bare connection, until it ends. */
function bare(rig: InjectionRig, bytes: string): Promise<Outcome> {
  return within(
    new Promise((resolve) => {
      const [host, port] = rig.address.split(":");
      const socket = connect({ host: host ?? "", port: Number(port) });
      let said = "";
      socket.setEncoding("latin1").on("data", (text: string) => {
        said += text;
      });
      socket.on("error", () => {});
      socket.on("close", () => resolve(said === "" ? broken("closed") : answered(said)));
      socket.end(bytes);
    }),
  );
}

function webSocket(rig: InjectionRig): Promise<Outcome> {
  return within(
    new Promise((resolve) => {
      const socket = new WebSocket(`ws://${rig.address}/test/v1/bidi-stream`);
      let asked = 0;
      const ask = (): void => {
        if (asked++ < 3) socket.send('{"payload": "aGVsbG8="}');
        else socket.send("");
      };
      socket.on("open", ask).on("message", ask);
      socket.on("error", (error) => resolve(broken(error.message)));
      socket.on("close", (code, reason) => resolve(answered(`${code} ${reason}`)));
    }),
  );
}

// ---------------------------------------------------------------- what is called

const UNARY = "/test/v1/unary";
const STREAM = "/test/v1/server-stream";
const JSON_TYPE = { "content-type": "application/json" };
const HELLO = JSON.stringify({ payload: Buffer.from("hello").toString("base64") });
const LARGE = JSON.stringify({ payload: Buffer.alloc(1_000_000, 7).toString("base64") });
const LINES = `${HELLO}\n`.repeat(5);
const SERVICE = "/test.v1.BehaviorService";
const unary = UnaryRequest.encode(UnaryRequest.fromPartial({ payload: Buffer.from("hello") })).finish();
const threeAnswers = ServerStreamRequest.encode(
  ServerStreamRequest.fromPartial({ behavior: { responseBytes: 1000, responseCount: 3 } }),
).finish();
const slow = UnaryRequest.encode(UnaryRequest.fromPartial({ behavior: { delay: { seconds: 5n } } })).finish();
const listServices = ServerReflectionRequest.encode(
  ServerReflectionRequest.fromPartial({ messageRequest: { $case: "listServices", value: "" } }),
).finish();
const query = (count: number): string =>
  `${STREAM}?behavior.responseCount=${count}&behavior.responseBytes=100`;

export const SCENARIOS: readonly Scenario[] = [
  { name: "gRPC, one message", unary: true, run: (rig) => grpc(rig, `${SERVICE}/Unary`, unary) },
  { name: "gRPC, a stream", run: (rig) => grpc(rig, `${SERVICE}/ServerStream`, threeAnswers) },
  {
    name: "gRPC, a deadline that passes",
    unary: true,
    run: (rig) => grpc(rig, `${SERVICE}/Unary`, slow, { "grpc-timeout": "30m" }),
  },
  { name: "gRPC, an unknown method", unary: true, run: (rig) => grpc(rig, "/a.B/C", unary) },
  { name: "health", unary: true, run: (rig) => grpc(rig, "/grpc.health.v1.Health/Check", new Uint8Array()) },
  {
    name: "reflection",
    run: (rig) => grpc(rig, "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", listServices),
  },
  {
    name: "JSON over HTTP/1.1",
    unary: true,
    run: (rig) => http1(rig.address, UNARY, { method: "POST", headers: JSON_TYPE, body: HELLO }),
  },
  {
    name: "a query over HTTP/1.1",
    unary: true,
    run: (rig) => http1(rig.address, `${UNARY}?payload=aGVsbG8=`),
  },
  {
    name: "JSON read by node:http",
    unary: true,
    run: (rig) =>
      http1(rig.address, UNARY, { method: "POST", headers: { ...JSON_TYPE, te: "trailers" }, body: HELLO }),
  },
  {
    name: "JSON over HTTP/2",
    unary: true,
    run: (rig) => http2(rig, UNARY, { method: "POST", headers: JSON_TYPE, body: HELLO }),
  },
  {
    name: "gzip both ways",
    unary: true,
    run: (rig) =>
      http1(rig.address, UNARY, {
        method: "POST",
        headers: { ...JSON_TYPE, "content-encoding": "gzip", "accept-encoding": "gzip" },
        body: gzipSync(JSON.stringify({ behavior: { responseBytes: 10_000 } })),
      }),
  },
  {
    name: "a large message, in threads",
    unary: true,
    run: (rig) => http1(rig.address, UNARY, { method: "POST", headers: JSON_TYPE, body: LARGE }),
  },
  {
    name: "XML both ways",
    unary: true,
    run: (rig) =>
      http1(rig.address, UNARY, {
        method: "POST",
        headers: { "content-type": "application/xml", accept: "application/xml" },
        body: "<UnaryRequest><payload>aGVsbG8=</payload></UnaryRequest>",
      }),
  },
  { name: "a JSON stream", run: (rig) => http1(rig.address, query(3)) },
  {
    name: "NDJSON, packed",
    run: (rig) =>
      http2(rig, query(3), { headers: { accept: "application/x-ndjson", "accept-encoding": "gzip" } }),
  },
  {
    name: "events",
    run: (rig) => http1(rig.address, query(3), { headers: { accept: "text/event-stream" } }),
  },
  {
    name: "an upload of NDJSON",
    run: (rig) =>
      http2(rig, "/test/v1/client-stream", {
        method: "POST",
        headers: { "content-type": "application/x-ndjson" },
        body: LINES,
      }),
  },
  { name: "a WebSocket", run: (rig) => webSocket(rig) },
  { name: "no route", unary: true, run: (rig) => http1(rig.address, "/nowhere") },
  {
    name: "a body that does not fit",
    unary: true,
    run: (rig) => http2(rig, UNARY, { method: "POST", headers: JSON_TYPE, body: '{"no": 1}' }),
  },
  {
    name: "a deadline that passes, JSON",
    unary: true,
    run: (rig) =>
      http1(rig.address, `${UNARY}?behavior.delay=5s`, { headers: { "x-request-timeout": "0.03" } }),
  },
  { name: "a page", unary: true, run: (rig) => http1(rig.address, "/healthz") },
  { name: "the OpenAPI document", unary: true, run: (rig) => http2(rig, "/openapi.json") },
  { name: "the admin listener", unary: true, run: (rig) => http1(rig.adminAddress, "/metrics") },
  { name: "CONNECT", run: (rig) => bare(rig, "CONNECT a:1 HTTP/1.1\r\nhost: a\r\n\r\n") },
  { name: "no request", run: (rig) => bare(rig, "GET / HTTP/1.1\r\nhost: a b\r\n\r\n") },
  {
    name: "a client that leaves",
    run: async (rig) => {
      const stream = rig.http2.request(grpcHead(`${SERVICE}/Unary`));
      stream.on("error", () => {});
      stream.end(frameMessage(slow));
      await new Promise((resolve) => setTimeout(resolve, 10));
      stream.close(8);
      return answered("left");
    },
  },
];
