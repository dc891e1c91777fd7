import assert from "node:assert/strict";
import type {
  ClientHttp2Session,
  ClientHttp2Stream,
  IncomingHttpHeaders,
  OutgoingHttpHeaders,
} from "node:http2";
import { constants } from "node:http2";
import { afterEach, describe, it } from "node:test";
import { frameMessage } from "#src/call/messages.js";
import { Code, Status } from "#src/call/status/status.js";
import { isGrpc } from "#src/downstream/protocols/grpc/grpc.js";
import { abortOf } from "../../../support/sinks.js";
import { turns, until } from "../../../support/until.js";
import { Rig } from "../../support/rig.js";

const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean();
});

async function started(): Promise<{ rig: Rig; session: ClientHttp2Session }> {
  const rig = await new Rig().start();
  cleanups.push(() => rig.listener.close());
  const session = rig.http2();
  cleanups.push(() => session.destroy());
  return { rig, session };
}

class Client {
  readonly stream: ClientHttp2Stream;
  headers: IncomingHttpHeaders = {};
  trailers: IncomingHttpHeaders = {};
  body = Buffer.alloc(0);
  closed = false;
  headersEnded = false;

  constructor(session: ClientHttp2Session, headers: OutgoingHttpHeaders = {}) {
    const all = {
      ":method": "POST",
      ":path": "/test.v1.Test/unary",
      "content-type": "application/grpc",
      te: "trailers",
    };
    this.stream = session.request({ ...all, ...headers });
    this.stream.on("response", (h, flags) => {
      this.headers = h;
      this.headersEnded = (flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0;
    });
    this.stream.on("trailers", (t) => {
      this.trailers = t;
    });
    this.stream.on("data", (chunk: Buffer) => {
      this.body = Buffer.concat([this.body, chunk]);
    });
    this.stream.on("error", () => {});
    this.stream.on("close", () => {
      this.closed = true;
    });
  }

  send(content: string, end = false): this {
    const frame = frameMessage(Buffer.from(content));
    if (end) this.stream.end(frame);
    else this.stream.write(frame);
    return this;
  }

  async done(): Promise<this> {
    await until(() => this.closed, "the end of the stream");
    return this;
  }
}

describe("what is gRPC", () => {
  const cases: [type: string | undefined, grpc: boolean][] = [
    ["application/grpc", true],
    ["application/grpc+proto", true],
    ["application/grpc+json", true],
    ["application/grpc;charset=utf-8", true],
    ["application/grpc ; x=y", true],
    ["application/grpc-web", false],
    ["application/grpc-web+proto", false],
    ["application/grpc-web-text", false],
    ["application/grpcx", false],
    ["application/json", false],
    ["text/plain; application/grpc", false],
    ["", false],
    [undefined, false],
  ];
  for (const [type, grpc] of cases) {
    it(`${type ?? "no content-type"}: ${grpc ? "yes" : "no"}`, () => {
      const fields = type === undefined ? [] : [{ name: "content-type", value: type, sensitive: false }];
      assert.equal(isGrpc(fields), grpc);
    });
  }
});

describe("a gRPC call", () => {
  it("carries messages and metadata both ways untouched: repeated names, -bin, order", async () => {
    const { rig, session } = await started();
    rig.onRequest = (call) => {
      call
        .open([
          ["x-back", "1"],
          ["x-back", "2"],
          ["data-bin", "AAEC/w"],
          ["content-length", "13"],
        ])
        .message("answer")
        .end(0, ["x-after", "word"], ["more-bin", "/w"]);
    };
    const client = new Client(session, {
      "x-many": ["1", "2"],
      "trace-bin": "AAEC/w==",
      "grpc-timeout": "5S",
      "user-agent": "test",
    });
    await client.send("question", true).done();
    const [seen] = rig.calls;
    assert.ok(seen);
    assert.equal(seen.call.path, "/test.v1.Test/unary");
    assert.match(seen.call.peer.address, /^127\.0\.0\.1:\d+$/);
    assert.deepEqual(seen.call.headers.getAll("x-many"), ["1", "2"]);
    assert.equal(seen.call.headers.get("trace-bin"), "AAEC/w==");
    assert.equal(seen.call.headers.get("grpc-timeout"), "5S");
    assert.ok(seen.call.headers.fields.every((f) => !f.name.startsWith(":")));
    assert.equal(seen.request.body, String(frameMessage(Buffer.from("question"))));
    assert.equal(client.headers[":status"], 200);
    assert.equal(client.headers["x-back"], "1, 2");
    assert.equal(client.headers["data-bin"], "AAEC/w");
    assert.equal(client.headers["content-length"], undefined);
    assert.deepEqual(client.body, frameMessage(Buffer.from("answer")));
    assert.equal(client.trailers["grpc-status"], "0");
    assert.equal(client.trailers["x-after"], "word");
    assert.equal(client.trailers["more-bin"], "/w");
    assert.equal(client.stream.rstCode, 0);
  });

  it("streams both ways at once", async () => {
    const { rig, session } = await started();
    rig.onCall = (call) => {
      call.open();
      let echoed = 0;
      const echo = call.request.onEvent;
      call.request.onEvent = (event) => {
        if (event.startsWith("data:") && call.request.chunks.length > echoed) {
          const chunk = call.request.chunks[echoed++];
          if (chunk !== undefined && chunk.length > 0) call.raw(chunk);
        }
        echo(event);
      };
    };
    rig.onRequest = (call) => call.end();
    const client = new Client(session, { ":path": "/test.v1.Test/chat" });
    for (let i = 0; i < 10; i++) {
      client.send(`message ${i}`);
      await until(() => client.body.length === (i + 1) * 14, `echo ${i}`);
    }
    client.stream.end();
    await client.done();
    assert.equal(client.trailers["grpc-status"], "0");
  });

  it("passes a trailers-only answer as one HEADERS frame", async () => {
    const { rig, session } = await started();
    rig.onRequest = (call) => call.trailersOnly(5, ["grpc-message", "no%20book"]);
    const client = await new Client(session).send("q", true).done();
    assert.ok(client.headersEnded);
    assert.equal(client.headers["grpc-status"], "5");
    assert.equal(client.headers["grpc-message"], "no%20book");
  });

  it("without a body reaches the service as it is", async () => {
    const { rig, session } = await started();
    const client = new Client(session);
    client.stream.end();
    await client.done();
    assert.deepEqual(rig.calls[0]?.request.events, ["open", "data:!"]);
  });

  it("that is refused gets a trailers-only answer, with details and metadata", async () => {
    const { rig, session } = await started();
    const details = [{ typeUrl: "type.googleapis.com/google.rpc.RetryInfo", value: Buffer.from([1, 2, 3]) }];
    rig.steps.push({
      name: "quota",
      start: () => new Status(Code.RESOURCE_EXHAUSTED, "zu viel: ä", { details }),
    });
    const client = new Client(session).send("q");
    await client.done();
    assert.ok(client.headersEnded);
    assert.equal(client.headers[":status"], 200);
    assert.equal(client.headers["content-type"], "application/grpc");
    assert.equal(client.headers["grpc-status"], "8");
    assert.equal(client.headers["grpc-message"], "zu viel: %C3%A4");
    assert.match(String(client.headers["grpc-status-details-bin"]), /^[A-Za-z0-9+/]+$/);
    assert.equal(
      client.stream.rstCode,
      constants.NGHTTP2_NO_ERROR,
      "the client is asked to stop, not told of an error",
    );
    assert.equal(rig.calls.length, 0);
  });

  it("by GET is refused, once the steps have admitted it", async () => {
    const { rig, session } = await started();
    const codes: number[] = [];
    rig.steps.push({ name: "log", end: (_call, { code }) => codes.push(code) });
    const client = new Client(session, { ":method": "GET" });
    client.stream.end();
    await client.done();
    assert.equal(client.headers["grpc-status"], "13");
    assert.match(String(client.headers["grpc-message"]), /POST, not GET/);
    assert.equal(rig.calls.length, 0);
    assert.deepEqual(codes, [13]);
  });

  it("that fails before its headers is trailers-only; after them, trailers after what was sent", async () => {
    const { rig, session } = await started();
    rig.onRequest = (call) => call.response.abort(abortOf(Code.UNAVAILABLE, "upstream", "gone"));
    const before = await new Client(session).send("q", true).done();
    assert.ok(before.headersEnded);
    assert.equal(before.headers["grpc-status"], "14");
    rig.onRequest = (call) => {
      call.open().message("one");
      call.response.abort(abortOf(Code.UNAVAILABLE, "upstream", "gone"));
    };
    const after = await new Client(session).send("q", true).done();
    assert.deepEqual(after.body, frameMessage(Buffer.from("one")));
    assert.equal(after.trailers["grpc-status"], "14");
    assert.equal(after.trailers["grpc-message"], "gone");
  });

  it("whose deadline expires gets DEADLINE_EXCEEDED, in mid-stream too", async () => {
    const { rig, session } = await started();
    rig.steps.push({
      name: "deadline",
      start: (call) => {
        call.deadline = call.startedAt + 100;
        return undefined;
      },
    });
    rig.onRequest = (call) => call.open().message("one");
    const client = new Client(session).send("q", true);
    await until(() => client.body.length > 0, "the first message");
    rig.clock.advance(110);
    await client.done();
    assert.equal(client.trailers["grpc-status"], "4");
    assert.equal(rig.calls[0]?.request.aborted?.status.code, Code.DEADLINE_EXCEEDED);
  });

  it("that the client cancels is cancelled at the service, before and after headers", async () => {
    const { rig, session } = await started();
    // Node's client ends its side before it resets the stream.
    rig.onRequest = () => {};
    for (const answer of [false, true]) {
      rig.onCall = (call) => {
        if (answer) call.open();
      };
      const before = rig.calls.length;
      const client = new Client(session).send("part");
      await until(() => rig.calls.length > before, "the call");
      client.stream.close(constants.NGHTTP2_CANCEL);
      const seen = rig.calls.at(-1);
      await until(() => seen?.request.aborted !== undefined, "the abort");
      assert.equal(seen?.request.aborted?.by, "client");
      assert.equal(seen?.request.aborted?.status.code, Code.CANCELLED);
      assert.match(seen?.request.aborted?.status.message ?? "", /CANCEL/);
    }
  });

  it("ends for all calls of a connection that breaks", async () => {
    const { rig, session } = await started();
    for (let i = 0; i < 5; i++) new Client(session).send("part");
    await until(() => rig.calls.length === 5, "the calls");
    session.destroy();
    await until(() => rig.calls.every((c) => c.request.aborted?.by === "client"), "all aborted");
  });

  it("answered before its request has ended stops the client without an error", async () => {
    const { rig, session } = await started();
    rig.onCall = (call) => call.open().message("enough").end();
    const client = new Client(session).send("part one");
    await client.done();
    assert.equal(client.trailers["grpc-status"], "0");
    assert.equal(client.stream.rstCode, constants.NGHTTP2_NO_ERROR);
    assert.deepEqual(client.body, frameMessage(Buffer.from("enough")));
  });

  it("gives the service's credit as the client reads, and not before", async () => {
    const { rig, session } = await started();
    const chunk = Buffer.alloc(16 * 1024);
    rig.onRequest = (call) => {
      call.open();
      for (let i = 0; i < 64; i++) call.raw(chunk);
      call.end();
    };
    const client = new Client(session);
    client.stream.pause();
    client.send("q", true);
    await until(() => (rig.calls[0]?.taken ?? 0) >= 65_535, "a window");
    await turns(30);
    // A client of Node 22 and later reads 64 KiB ahead, and so gives one window more.
    assert.ok((rig.calls[0]?.taken ?? 0) <= 2 * 65_535);
    client.stream.resume();
    await client.done();
    assert.equal(rig.calls[0]?.taken, 64 * chunk.length);
    assert.equal(client.body.length, 64 * chunk.length);
    assert.equal(client.trailers["grpc-status"], "0");
  });

  it("holds the client back while the service does not read", async () => {
    const { rig, session } = await started();
    rig.onCall = () => {};
    const client = new Client(session);
    client.stream.write(Buffer.alloc(256 * 1024));
    await until(() => (rig.calls[0]?.request.body.length ?? 0) >= 65_535, "a window");
    await turns(30);
    assert.equal(rig.calls[0]?.request.body.length, 65_535);
    rig.calls[0]?.request.source?.consumed(65_535);
    await until(() => (rig.calls[0]?.request.body.length ?? 0) > 65_535, "more");
  });
});
