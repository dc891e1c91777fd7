// Peers that say how large a header list they take (RFC 9113 §6.5.2), and may end their whole connection over a larger one:
// the hub looks at it before it sends, and only the call that is too large fails.
import assert from "node:assert/strict";
import {
  type ClientHttp2Session,
  connect,
  createServer,
  type IncomingHttpHeaders,
  type ServerHttp2Stream,
} from "node:http2";
import { type AddressInfo, connect as connectTcp } from "node:net";
import { after, describe, test } from "node:test";
import { frameMessage } from "#src/call/messages.js";
import { Code } from "#src/call/status/status.js";
import { http } from "./support/http.js";
import { startHub } from "./support/hub.js";
import { ROOT } from "./support/program.js";

const LIMIT = 2048;
const EMPTY = frameMessage(Buffer.alloc(0));

/** Of each call that came. */
let seen: IncomingHttpHeaders[] = [];

/** Answers with so much metadata, or such a message, as the request asks for. */
function answer(stream: ServerHttp2Stream, head: IncomingHttpHeaders): void {
  seen.push(head);
  // The hub resets what is too large for it.
  stream.on("error", () => {});
  const long = (name: string): string => "y".repeat(Number(head[name] ?? 0));
  stream.on("wantTrailers", () =>
    stream.sendTrailers({
      "grpc-status": head["x-code"] ?? "0",
      "grpc-message": `%C3%BC${long("x-message")}`,
      "x-trailing": long("x-trailing"),
      "x-last": "1",
    }),
  );
  stream.respond(
    { "content-type": "application/grpc", "x-leading": long("x-leading") },
    { waitForTrailers: true },
  );
  stream.resume();
  stream.end(EMPTY);
}

const server = createServer({
  settings: { maxHeaderListSize: LIMIT },
  maxSendHeaderBlockLength: 2 * 1024 ** 2,
});
let connections = 0;
server.on("session", () => connections++);
server.on("stream", answer);
await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
const { port } = server.address() as AddressInfo;
const hub = await startHub({ after }, [
  `small=127.0.0.1:${port}`,
  `--protoset=${ROOT}/generated/image.binpb`,
]);
// The hub keeps its connection: it is waited for no longer than the hub lives.
after(() => server.close());

const session = (limit?: number): ClientHttp2Session => {
  const client = connect(
    `http://${hub.address}`,
    limit === undefined ? {} : { settings: { maxHeaderListSize: limit } },
  );
  after(() => client.close());
  return client;
};

interface Seen {
  readonly code: number;
  readonly message: string;
  readonly fields: IncomingHttpHeaders;
}

function call(client: ClientHttp2Session, headers: Record<string, string> = {}): Promise<Seen> {
  return new Promise((resolve, reject) => {
    const stream = client.request({
      ":method": "POST",
      ":path": "/test.v1.BehaviorService/Unary",
      "content-type": "application/grpc",
      te: "trailers",
      ...headers,
    });
    let fields: IncomingHttpHeaders = {};
    stream.on("response", (head) => {
      fields = head;
    });
    stream.on("trailers", (trailers) => {
      fields = { ...fields, ...trailers };
    });
    stream.on("error", reject);
    stream.on("close", () =>
      resolve({
        code: Number(fields["grpc-status"]),
        message: String(fields["grpc-message"] ?? ""),
        fields,
      }),
    );
    stream.resume();
    stream.end(EMPTY);
  });
}

describe("a service takes header lists of 2 KiB", () => {
  const client = session();

  test("a call with more is refused, the service does not hear of it, and others continue", async () => {
    assert.equal((await call(client)).code, Code.OK);
    seen = [];
    const [large, small] = await Promise.all([call(client, { "x-large": "z".repeat(LIMIT) }), call(client)]);
    assert.equal(large.code, Code.RESOURCE_EXHAUSTED);
    assert.match(large.message, /metadata are more than the 2048 bytes that upstream "small" takes/);
    assert.equal(small.code, Code.OK);
    assert.deepEqual(
      seen.map((head) => "x-large" in head),
      [false],
    );
  });

  test("JSON clients get 431", async () => {
    const headers = { "x-large": "z".repeat(LIMIT) };
    const { status, text } = await http("1.1", hub.address, "/test/v1/unary", { body: "{}", headers });
    assert.equal(status, 431, text);
    assert.match(text, /HEADERS_TOO_LARGE/);
  });

  test("up to the limit they pass", async () => {
    const { code } = await call(client, { "x-large": "z".repeat(LIMIT / 2) });
    assert.equal(code, Code.OK);
  });
});

describe("a service sends more metadata than the hub takes", () => {
  const client = session();
  for (const where of ["x-leading", "x-trailing", "x-message"])
    test(`200 KB in ${where} fail that call alone: others on its connection go on`, async () => {
      assert.equal((await call(client)).code, Code.OK);
      const before = connections;
      const [large, ...small] = await Promise.all([
        call(client, { [where]: "200000" }),
        ...[1, 2, 3].map(() => call(client)),
      ]);
      assert.notEqual(large.code, Code.OK);
      assert.deepEqual(
        small.map(({ code }) => code),
        [Code.OK, Code.OK, Code.OK],
      );
      assert.equal((await call(client)).code, Code.OK);
      assert.equal(connections, before, "the connection to the service is kept");
    });
});

describe("a client takes header lists of 2 KiB", () => {
  const client = session(LIMIT);

  test("a status keeps its code, the beginning of its message, and what else there is room for", async () => {
    const { code, message, fields } = await call(client, { "x-code": "5", "x-message": "5000" });
    assert.equal(code, Code.NOT_FOUND);
    assert.match(message, /^%C3%BCy{1500,2000}$/);
    assert.equal(fields["x-trailing"], undefined);
  });

  test("trailing metadata that are too large are left out, the rest is not", async () => {
    const { code, message, fields } = await call(client, { "x-trailing": "5000" });
    assert.deepEqual([code, message], [Code.OK, "%C3%BC"]);
    assert.deepEqual([fields["x-trailing"], fields["x-last"]], [undefined, "1"]);
  });

  test("leading metadata that are too large end the call, and no other", async () => {
    const [large, small] = await Promise.all([call(client, { "x-leading": "5000" }), call(client)]);
    assert.equal(large.code, Code.RESOURCE_EXHAUSTED);
    assert.match(large.message, /metadata are more than the 2048 bytes that the client takes/);
    assert.equal(small.code, Code.OK);
  });

  test("metadata in a JSON answer that are too large end the request, and no other", async () => {
    const ask = (headers: Record<string, string>): Promise<number | undefined> =>
      new Promise((resolve) => {
        const stream = client.request({
          ":method": "POST",
          ":path": "/test/v1/unary",
          "content-type": "application/json",
          ...headers,
        });
        let status: number | undefined;
        stream.on("response", (head) => {
          status = head[":status"];
        });
        stream.on("error", () => {});
        stream.on("close", () => resolve(status));
        stream.resume();
        stream.end("{}");
      });
    assert.deepEqual(await Promise.all([ask({ "x-leading": "5000" }), ask({})]), [undefined, 200]);
  });
});

test("a call without a host gets the address of the endpoint", async () => {
  seen = [];
  const [host = "", tcpPort] = hub.address.split(":");
  const socket = connectTcp(Number(tcpPort), host);
  socket.write("GET /test/v1/unary HTTP/1.0\r\n\r\n");
  const answer = (await socket.toArray()).join("");
  assert.match(answer, /^HTTP\/1\.1 200 /);
  assert.equal(seen[0]?.[":authority"], `127.0.0.1:${port}`);
});
