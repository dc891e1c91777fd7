// Requests by their grammar to a hub in a process of its own, with real services behind it: each is answered, in the form
// that it says, and no failure is the hub's own. The hub goes on.
import assert from "node:assert/strict";
import { isUtf8 } from "node:buffer";
import { Agent, request as request1 } from "node:http";
import { type ClientHttp2Session, connect } from "node:http2";
import { status } from "@grpc/grpc-js";
import { XMLValidator } from "fast-xml-parser";
import { behaviorClient, callUnary } from "../e2e/support/grpc.js";
import { http } from "../e2e/support/http.js";
import { startHubWithConfig } from "../e2e/support/hub.js";
import { type Kind, startService } from "../e2e/support/service.js";
import { type Asked, requestOf } from "./grammar/requests.js";
import { Random } from "./random.js";
import type { Running, Target } from "./target.js";

const SERVICES: readonly Kind[] = ["library", "behavior", "kinds", "files"];
/** No call takes as long, but it would end then. */
const DEADLINE = "60s";
/** Services send back what they were sent, in headers and in trailers: more than node's client takes by default. */
const MAX_ANSWER_HEADER_BYTES = 256 * 1024;

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly trailers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
}

export const grammar: Target = {
  name: "requests by their grammar",
  parallel: 16,
  share: 50,
  soakShare: 100,
  async start(): Promise<Running> {
    const endings: (() => Promise<void>)[] = [];
    // The services would tell of each header that grpc-js does not take, and what programs say is kept.
    process.env.GRPC_VERBOSITY = "NONE";
    const scope = { after: (ending: () => Promise<void>) => void endings.push(ending) };
    const services = await Promise.all(SERVICES.map((kind) => startService(scope, kind)));
    const upstreams = SERVICES.map((kind, at) => `  ${kind}: { endpoints: ["${services[at]?.address}"] }\n`);
    const hub = await startHubWithConfig(
      scope,
      `upstreams:\n${upstreams.join("")}interceptors: { deadline: { default: ${DEADLINE}, max: ${DEADLINE} } }\n`,
    );
    const client = behaviorClient(scope, hub.address);
    const agent = new Agent({ keepAlive: true });
    const sessions = new Sessions(hub.address);
    const ended = hub.program.exited.then(({ code, signal }) => {
      throw new Error(`the hub ended with ${code ?? signal}: ${hub.program.stderr.text.slice(-2000)}`);
    });
    const waiting = new Set<(error: Error) => void>();
    ended.catch((error: Error) => {
      for (const fail of waiting) fail(error);
    });
    /** Fails when the hub ends. Not by Promise.race: `ended` would keep a million answers. */
    const unlessEnded = <T>(answer: Promise<T>): Promise<T> =>
      new Promise((resolve, reject) => {
        waiting.add(reject);
        void answer.then(resolve, reject).finally(() => waiting.delete(reject));
      });
    return {
      async one(seed) {
        const asked = requestOf(new Random(seed));
        const about = `${asked.over} ${asked.method} ${asked.path} ${JSON.stringify(asked.headers)} ${asked.body?.toString("latin1")}`;
        try {
          const answer = asked.over === "HTTP/1.1" ? ask1(agent, hub.address, asked) : sessions.ask(asked);
          judge(asked, await unlessEnded(answer));
        } catch (error) {
          if (closedEarly(asked, error)) return;
          throw new Error(`${error instanceof Error ? error.message : error}\n${about.slice(0, 4000)}`);
        }
      },
      async check() {
        const outcome = await callUnary(client, { payload: Buffer.from("honest") });
        assert.equal(outcome.code, status.OK, outcome.details);
        const answer = await http("1.1", hub.address, "/v1/books");
        assert.equal(answer.status, 200, answer.text);
      },
      async stop() {
        agent.destroy();
        sessions.close();
        for (const ending of endings.reverse()) await ending();
        const exit = await hub.program.exited;
        assert.equal(exit.code, 0, `the hub ended with ${JSON.stringify(exit)}`);
      },
    };
  },
};

/**
 * What node's HTTP/1.1 parser does not take is answered at once, and its connection closed: a client that still sends its
 * body may learn of that first (RFC 9112, 9.6).
 */
function closedEarly({ over, path, body }: Asked, error: unknown): boolean {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  const refused = over === "HTTP/1.1" && /[\x80-\xff]/.test(path);
  return refused && body !== undefined && (code === "ECONNRESET" || code === "EPIPE");
}

function ask1(agent: Agent, address: string, { method, path, headers, body }: Asked): Promise<Answer> {
  const [host = "", port = ""] = address.split(":");
  return new Promise((resolve, reject) => {
    const length = body === undefined ? {} : { "content-length": String(body.length) };
    const request = request1({
      host,
      port,
      agent,
      method,
      path,
      headers: { ...headers, ...length },
      maxHeaderSize: MAX_ANSWER_HEADER_BYTES,
    });
    request.on("error", reject);
    request.on("response", (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("error", reject);
      response.on("end", () => {
        const { statusCode = 0, headers, trailers } = response;
        resolve({ status: statusCode, headers, trailers, body: Buffer.concat(chunks) });
      });
    });
    request.end(body);
  });
}

/** A connection that all share; another when the hub has ended it. */
class Sessions {
  private readonly address: string;
  private session: ClientHttp2Session | undefined;

  constructor(address: string) {
    this.address = address;
  }

  ask({ method, path, headers, body }: Asked): Promise<Answer> {
    if (this.session === undefined || this.session.closed || this.session.destroyed) {
      this.session = connect(`http://${this.address}`).on("error", () => {});
    }
    // What Node lets through besides breaks RFC 9113, 8.2.2.
    const { te, ...others } = headers;
    const fields = te === "trailers" ? headers : others;
    const stream = this.session.request(
      { ":method": method, ":path": path, ...fields },
      { endStream: body === undefined },
    );
    return new Promise((resolve, reject) => {
      const chunks: Buffer[] = [];
      let head: Answer["headers"] = {};
      let trailers: Answer["trailers"] = {};
      stream.on("response", (received) => {
        head = Object.fromEntries(Object.entries(received).map(([name, value]) => [name, value as string]));
      });
      stream.on("trailers", (received) => {
        trailers = Object.fromEntries(
          Object.entries(received).map(([name, value]) => [name, value as string]),
        );
      });
      stream.on("data", (chunk: Buffer) => chunks.push(chunk));
      let ended = false;
      stream.on("end", () => {
        ended = true;
      });
      stream.on("error", reject);
      stream.on("close", () => {
        if (!ended || head[":status"] === undefined)
          reject(new Error(`no answer: reset by ${stream.rstCode}`));
        else
          resolve({ status: Number(head[":status"]), headers: head, trailers, body: Buffer.concat(chunks) });
      });
      if (body !== undefined) stream.end(body);
    });
  }

  close(): void {
    this.session?.destroy();
  }
}

/** Codes that say that something is wrong with who answers, and not with the call. */
const FAULTS: readonly number[] = [status.UNKNOWN, status.INTERNAL, status.UNAVAILABLE, status.DATA_LOSS];

function judge(asked: Asked, answer: Answer): void {
  const said = `answered ${answer.status} ${JSON.stringify(answer.headers)} ${answer.body.toString("utf8").slice(0, 2000)}`;
  const timed = "grpc-timeout" in asked.headers || "x-request-timeout" in asked.headers;
  if (asked.over === "gRPC" && /^application\/grpc/.test(String(answer.headers["content-type"]))) {
    const code = Number(answer.trailers["grpc-status"] ?? answer.headers["grpc-status"]);
    assert.ok(code >= 0 && code <= 16, `no status: ${said}`);
    assert.ok(code !== status.DEADLINE_EXCEEDED || timed, said);
    assert.ok(!FAULTS.includes(code) || asked.serviceMayFail, said);
    return;
  }
  assert.ok(answer.status >= 200 && answer.status < 600, said);
  // 501: a method of HTTP that the hub does not know.
  const allowed = asked.serviceMayFail || answer.status === 501 || (answer.status === 504 && timed);
  assert.ok(answer.status < 500 || allowed, said);
  if (answer.body.length > 0 && !isBytes(asked)) wellFormed(answer, said);
}

/** The body of the answer is what the service says, whatever type it gives to it. */
function isBytes({ path }: Asked): boolean {
  return /^\/(?:kinds\/copy|test\/v1\/files?)\b/.test(path.replace(/^\/+[./]*/, "/"));
}

function wellFormed({ headers, body }: Answer, said: string): void {
  const type = String(headers["content-type"]);
  if (/protobuf|grpc/.test(type) || headers["content-encoding"] !== undefined) return;
  assert.ok(isUtf8(body), `no UTF-8: ${said}`);
  const text = body.toString("utf8");
  if (/\bxml\b/.test(type)) assert.equal(XMLValidator.validate(text), true, said);
  else if (type.includes("ndjson")) for (const line of text.split("\n").filter(Boolean)) JSON.parse(line);
  else if (/\bjson\b/.test(type)) assert.doesNotThrow(() => JSON.parse(text), said);
}
