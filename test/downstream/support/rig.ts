// A listener whose services are functions of the test, and plain clients for it.

import { request as httpRequest, type IncomingHttpHeaders, type OutgoingHttpHeaders } from "node:http";
import { type ClientHttp2Session, connect as connectHttp2 } from "node:http2";
import { connect, type Socket } from "node:net";
import type { Call, MethodKind } from "#src/call/call.js";
import type { Edge, Gateway } from "#src/call/gateway.js";
import type { HttpPolicy } from "#src/call/http-policy.js";
import type { Step } from "#src/call/interceptor.js";
import { frameMessage } from "#src/call/messages.js";
import type { RestRoutes } from "#src/call/rest.js";
import { RunningCalls } from "#src/call/running-calls.js";
import type { Sink } from "#src/call/sink.js";
import { Code, Status } from "#src/call/status/status.js";
import { Listener, type ListenerOptions } from "#src/downstream/accept/listener.js";
import { SendMemory } from "#src/http2/send-memory.js";
import { DEFAULT_LIMITS } from "#src/http2/wire/limits.js";
import { Headers } from "#src/kit/headers.js";
import { matcherOf } from "#src/kit/net/ip.js";
import { TimerWheel } from "#src/kit/timer-wheel.js";
import { FakeClock } from "../../support/fake-clock.js";
import { methodOf, RecordingSink } from "../../support/sinks.js";
import { type Pace, statusText, textTranscoding } from "./transcoding.js";

/** A call as the service sees it. */
export class ServiceCall {
  readonly request = new RecordingSink();
  readonly call: Call;
  readonly response: Sink;
  /** Bytes of the answer that the client's side has taken. */
  taken = 0;

  constructor(call: Call, response: Sink) {
    this.call = call;
    this.response = response;
  }

  open(headers: readonly (readonly [string, string])[] = []): this {
    this.response.open({
      consumed: (bytes) => {
        this.taken += bytes;
      },
      cancel: () => {},
    });
    this.response.headers(Headers.of(["content-type", "application/grpc"], ...headers), false);
    return this;
  }

  raw(bytes: Buffer): this {
    this.response.data(bytes, 0, bytes.length, false);
    return this;
  }

  message(content: string | Buffer): this {
    return this.raw(frameMessage(Buffer.from(content)));
  }

  end(code = 0, ...trailers: (readonly [string, string])[]): void {
    this.response.trailers(Headers.of(["grpc-status", String(code)], ...trailers));
  }

  trailersOnly(code: number, ...fields: (readonly [string, string])[]): void {
    this.response.open({ consumed: () => {}, cancel: () => {} });
    const all = [["content-type", "application/grpc"], ["grpc-status", String(code)], ...fields] as const;
    this.response.headers(Headers.of(...all), true);
  }
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

const KINDS: Record<string, MethodKind> = {
  "/unary": "unary",
  "/stream": "server_streaming",
  "/upload": "client_streaming",
  "/chat": "bidi_streaming",
  "/only-get": "unary",
  "/options": "unary",
};

export class Rig {
  readonly clock = new FakeClock(1000);
  readonly calls: ServiceCall[] = [];
  readonly listener: Listener;
  /** What waits for its clients. */
  readonly memory = new SendMemory(DEFAULT_LIMITS.maxProcessQueuedBytes);
  readonly steps: Step[] = [];
  readonly preflightSteps: Step[] = [];
  readonly http: Mutable<HttpPolicy> = {
    metadata: {
      requestPrefix: "",
      standardPrefix: "",
      responsePrefix: "",
      trailerPrefix: "grpc-trailer-",
      prefixTrailers: false,
    },
    cors: undefined,
    compression: undefined,
    etag: false,
    statusHeaders: false,
    errorForm: "status",
  };
  readonly pace: Pace = { later: false, behind: false, success: 200, fields: [] };
  /** What the service does once it sees the call, or all of its request. */
  onCall: (call: ServiceCall) => void = () => {};
  onRequest: (call: ServiceCall) => void = (call) => call.open().message("answer").end();
  address = "";

  constructor(
    options: Partial<ListenerOptions> = {},
    maxMessageBytes = 1024 * 1024,
    edge: Partial<Edge> = {},
  ) {
    const rest: RestRoutes = {
      match: (sent, target, override) => {
        const verb = sent === "POST" ? (override ?? sent) : sent;
        const path = target.split("?")[0] ?? "";
        const kind = KINDS[path];
        if (kind === undefined) {
          const status = new Status(Code.NOT_FOUND, `no route for ${path}`);
          return { kind: "miss", allow: [], status, hints: () => ["GET /unary"] };
        }
        const known = path === "/only-get" ? verb === "GET" : verb !== "OPTIONS" || path === "/options";
        if (verb === "PUT" || !known) {
          const status = new Status(Code.UNIMPLEMENTED, "not by PUT", { http: 405 });
          return { kind: "miss", allow: ["GET", "HEAD"], status, hints: () => [] };
        }
        return {
          kind: "match",
          method: methodOf(`/test.v1.Test${path}`, kind),
          route: path,
          open: (request) => textTranscoding(request, kind, this.pace),
        };
      },
      matchWebSocket: (target) => rest.match("GET", target),
      renderStatus: statusText,
      renderError: (status) => ({ contentType: "application/json", body: Buffer.from(statusText(status)) }),
    };
    const handler = (call: Call, response: Sink): Sink => {
      const seen = new ServiceCall(call, response);
      this.calls.push(seen);
      seen.request.onEvent = (event) => {
        if (event.endsWith("!")) this.onRequest(seen);
      };
      this.onCall(seen);
      return seen.request;
    };
    const gateway: Gateway = {
      timers: new TimerWheel(this.clock),
      calls: new RunningCalls(),
      maxMessageBytes,
      maxUnpackRatio: 200,
      edge: {
        trusts: matcherOf([]),
        hints: "auto",
        connectionsPerAddress: 1024,
        webSocketOrigins: [],
        ...edge,
      },
      snapshot: {
        rest,
        http: this.http,
        preflight: {
          method: methodOf("//_OTHER", "unknown"),
          steps: this.preflightSteps,
          attemptObservers: [],
          handler,
        },
        planFor: (path) => {
          const kind = KINDS[`/${path.split("/")[2]}`] ?? "unknown";
          const named = path === "" ? "//_OTHER" : path;
          return { method: methodOf(named, kind), steps: this.steps, attemptObservers: [], handler };
        },
      },
    };
    this.listener = new Listener(gateway, {
      memory: this.memory,
      host: "127.0.0.1",
      port: 0,
      ...options,
      limits: { maxConcurrentStreams: 100, ...options.limits },
    });
  }

  async start(): Promise<this> {
    this.address = await this.listener.listen();
    return this;
  }

  get port(): number {
    return Number(this.address.split(":")[1]);
  }

  socket(): Socket {
    const socket = connect(this.port, "127.0.0.1");
    socket.on("error", () => {});
    return socket;
  }

  /** Sends bytes as they are; resolves with all that comes until the end. */
  raw(bytes: string | Buffer, cuts = false): Promise<string> {
    return new Promise((resolve) => {
      const socket = this.socket();
      let all = "";
      socket.on("data", (chunk) => {
        all += chunk.toString("latin1");
      });
      socket.on("close", () => resolve(all));
      const body = Buffer.from(bytes);
      if (!cuts) {
        socket.write(body);
        return;
      }
      socket.setNoDelay(true);
      let at = 0;
      const next = (): void => {
        if (at < body.length) socket.write(body.subarray(at, ++at), () => setImmediate(next));
      };
      next();
    });
  }

  http2(): ClientHttp2Session {
    const session = connectHttp2(`http://${this.address}`);
    session.on("error", () => {});
    return session;
  }
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly trailers: Record<string, string | undefined>;
  readonly body: string;
  /** The body as it came. */
  readonly bytes: Buffer;
}

export interface Asked {
  readonly method?: string;
  readonly path: string;
  readonly headers?: OutgoingHttpHeaders;
  readonly body?: string | Buffer;
}

/** One request by node's HTTP/1.1 client, on a connection of its own. */
export function ask1(rig: Rig, { method = "POST", path, headers = {}, body }: Asked): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(
      { host: "127.0.0.1", port: rig.port, method, path, headers, agent: false },
      (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("error", reject);
        response.on("end", () => {
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            trailers: response.trailers,
            ...bodyOf(chunks),
          });
        });
      },
    );
    request.on("error", reject);
    request.end(body);
  });
}

/** One request by node's HTTP/2 client. */
export function ask2(rig: Rig, { method = "POST", path, headers = {}, body }: Asked): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const session = rig.http2();
    const stream = session.request({ ...headers, ":method": method, ":path": path });
    let head: Record<string, unknown> = {};
    let trailers: Record<string, string | undefined> = {};
    const chunks: Buffer[] = [];
    stream.on("response", (h) => {
      head = h;
    });
    stream.on("trailers", (t) => {
      trailers = Object.fromEntries(Object.entries(t).map(([k, v]) => [k, String(v)]));
    });
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    stream.on("error", reject);
    stream.on("close", () => {
      session.close();
      resolve({
        status: Number(head[":status"] ?? 0),
        headers: head as IncomingHttpHeaders,
        trailers,
        ...bodyOf(chunks),
      });
    });
    stream.end(body);
  });
}

function bodyOf(chunks: Buffer[]): Pick<Answer, "body" | "bytes"> {
  const bytes = Buffer.concat(chunks);
  return { bytes, body: bytes.toString("utf8") };
}
