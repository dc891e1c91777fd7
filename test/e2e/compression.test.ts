// Compressed messages: as bytes they pass for gRPC clients, and for JSON clients the hub opens them. The service
// is written on node:http2, so that what is on the wire is what the test says.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type IncomingHttpHeaders } from "node:http2";
import type { AddressInfo } from "node:net";
import { after, describe, test } from "node:test";
import { deflateSync, gzipSync } from "node:zlib";
import { compressionAlgorithms, status } from "@grpc/grpc-js";
import { UnaryRequest, UnaryResponse } from "#generated/test/v1/behavior.js";
import { behaviorClient, callUnary } from "./support/grpc.js";
import { http, VERSIONS } from "./support/http.js";
import { startHub } from "./support/hub.js";
import { ROOT } from "./support/program.js";

const payload = Buffer.alloc(3 * 1024 * 1024, "squeeze me ");
const answer = Buffer.from(UnaryResponse.encode(UnaryResponse.fromPartial({ payload })).finish());

/** How the service answers, and what it was sent. */
let encoding = "identity";
let asked: { headers: IncomingHttpHeaders; body: Buffer } | undefined;

const ENCODERS: Readonly<Record<string, (bytes: Buffer) => Buffer>> = {
  identity: (bytes) => bytes,
  gzip: (bytes) => gzipSync(bytes),
  deflate: (bytes) => deflateSync(bytes),
  "x-unheard-of": (bytes) => bytes,
};

const service = createServer();
service.on("stream", async (stream, headers) => {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  asked = { headers, body: Buffer.concat(chunks) };
  const compressed = encoding !== "identity";
  const message = ENCODERS[encoding]?.(answer) ?? answer;
  const prefix = Buffer.alloc(5);
  prefix[0] = compressed ? 1 : 0;
  prefix.writeUInt32BE(message.length, 1);
  stream.respond(
    { ":status": 200, "content-type": "application/grpc", ...(compressed && { "grpc-encoding": encoding }) },
    { waitForTrailers: true },
  );
  stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
  stream.end(Buffer.concat([prefix, message]));
});
service.listen(0, "127.0.0.1");
await once(service, "listening");
const { port } = service.address() as AddressInfo;

const scope = { after };
const hub = await startHub(scope, [`behavior=127.0.0.1:${port}`, `--protoset=${ROOT}generated/image.binpb`]);
after(() => service.close());

for (const algorithm of ["gzip", "deflate"] as const) {
  describe(algorithm, () => {
    test("a compressed request is passed on unchanged", async () => {
      encoding = "identity";
      const client = behaviorClient(scope, hub.address, {
        "grpc.default_compression_algorithm": compressionAlgorithms[algorithm],
      });
      const { code, details } = await callUnary(client, { payload });
      assert.equal(code, status.OK, details);
      assert.equal(asked?.headers["grpc-encoding"], algorithm);
      const plain = Buffer.from(UnaryRequest.encode(UnaryRequest.fromPartial({ payload })).finish());
      assert.equal(asked?.body[0], 1);
      assert.ok((asked?.body.length ?? 0) < plain.length / 10, "it is small on the wire");
    });

    test("an answer reaches a gRPC client", async () => {
      encoding = algorithm;
      const { code, details, messages } = await callUnary(behaviorClient(scope, hub.address), {});
      assert.equal(code, status.OK, details);
      assert.ok(messages[0]?.payload.equals(payload));
    });

    for (const version of VERSIONS) {
      test(`an answer reaches a JSON client over HTTP/${version}, opened`, async () => {
        encoding = algorithm;
        const {
          status: code,
          text,
          headers,
        } = await http(version, hub.address, "/test/v1/unary", { body: "{}" });
        assert.equal(code, 200, text.slice(0, 300));
        assert.equal(Reflect.get(Object(JSON.parse(text)), "payload"), payload.toString("base64"));
        assert.equal(headers["grpc-encoding"], undefined);
      });
    }
  });
}

test("an unsupported compression is an error for a JSON client, which names it", async () => {
  encoding = "x-unheard-of";
  const { status: code, text } = await http("1.1", hub.address, "/test/v1/unary", { body: "{}" });
  assert.ok(code === 500 || code === 501, String(code));
  assert.match(text, /x-unheard-of/);
});

test("a call of a JSON client is passed on without compression unless it is requested", async () => {
  encoding = "identity";
  await http("2", hub.address, "/test/v1/unary", { body: "{}", headers: { "accept-encoding": "br" } });
  assert.equal(asked?.headers["grpc-encoding"], undefined);
  assert.equal(asked?.body[0], 0);
});
