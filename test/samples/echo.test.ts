// The services for benchmark and end-to-end tests do as they are told.
import assert from "node:assert/strict";
import { once } from "node:events";
import { after, before, describe, test } from "node:test";
import { Metadata, type StatusObject, status } from "@grpc/grpc-js";
import { Record as EchoRecord, EchoServiceClient } from "#generated/bench/v1/echo.js";
import {
  BehaviorServiceClient,
  BidiStreamRequest as Bidi,
  type BidiStreamRequest,
  type BidiStreamResponse,
  ClientStreamRequest,
  type ClientStreamResponse,
  ServerStreamRequest,
  type ServerStreamResponse,
  UnaryRequest,
} from "#generated/test/v1/behavior.js";
import type { RunningSample } from "#src/samples/common/serve.js";
import { RECORD } from "#src/samples/echo/echo.js";
import { startEcho } from "#src/samples/echo/server.js";
import { call, failureOf, fieldsOf, insecure, isServiceError } from "./client.js";

let server: RunningSample;
let echo: EchoServiceClient;
let client: BehaviorServiceClient;

before(async () => {
  server = await startEcho({ instance: "echo-1" });
  const unlimited = { "grpc.max_receive_message_length": -1 };
  echo = new EchoServiceClient(server.address, insecure, unlimited);
  client = new BehaviorServiceClient(server.address, insecure, unlimited);
});

after(async () => {
  echo.close();
  client.close();
  await server.close();
});

function metadataOf(entries: Readonly<Record<string, string | Buffer>>): Metadata {
  const metadata = new Metadata();
  for (const [key, value] of Object.entries(entries)) metadata.set(key, value);
  return metadata;
}

describe("bench.v1.EchoService", () => {
  test("gives back what it gets, however large", async () => {
    const payload = Buffer.alloc(5 * 1024 * 1024, 7);
    const { response } = await call(echo, echo.echo, { text: "grüß", payload });
    assert.equal(response.text, "grüß");
    assert.ok(response.payload.equals(payload));
  });

  test("has a record of some 330 bytes", async () => {
    const size = EchoRecord.encode(RECORD).finish().length;
    assert.ok(size >= 300 && size <= 360, `${size} bytes`);
    const { response } = await call(echo, echo.getRecord, { name: "records/42" });
    assert.deepEqual(response, { ...RECORD, name: "records/42" });
    const updated = await call(echo, echo.updateRecord, { record: RECORD });
    assert.deepEqual(updated.response, RECORD);
    assert.deepEqual(fieldsOf(await failureOf(call(echo, echo.updateRecord, {}))), ["record"]);
  });

  test("lists as many records as asked for", async () => {
    const { response } = await call(echo, echo.listRecords, { pageSize: 310 });
    assert.deepEqual(response.records, new Array(310).fill(RECORD));
    const error = await failureOf(call(echo, echo.listRecords, { pageSize: -1 }));
    assert.deepEqual(fieldsOf(error), ["page_size"]);
  });

  test("streams as many records as asked for", async () => {
    let count = 0;
    for await (const record of echo.streamRecords({ count: 1000 })) {
      assert.equal(record.name, RECORD.name);
      count++;
    }
    assert.equal(count, 1000);
    const stream = echo.streamRecords({ count: -1 });
    stream.resume();
    const [error] = await once(stream, "error");
    assert.ok(isServiceError(error));
    assert.deepEqual(fieldsOf(error), ["count"]);
  });
});

const TOLD = { code: status.DATA_LOSS, message: "as told: 100 % ü", details: [] };

describe("test.v1.BehaviorService", () => {
  test("Unary gives back payload and metadata, and tells what it saw", async () => {
    const binary = Buffer.from([0, 1, 254, 255]);
    const metadata = metadataOf({
      "x-echo-a": "1",
      "x-echo-b-bin": binary,
      "x-trail-c": "3",
      "x-other": "4",
    });
    const request = UnaryRequest.fromPartial({ payload: binary });
    const { response, headers, trailers } = await call(client, client.unary, request, metadata, {
      deadline: Date.now() + 60_000,
    });
    assert.ok(response.payload.equals(binary));
    assert.deepEqual(headers.get("x-echo-a"), ["1"]);
    assert.deepEqual(headers.get("x-echo-b-bin"), [binary]);
    assert.deepEqual(trailers.get("x-trail-c"), ["3"]);
    const seen = new Map(response.seen?.metadata.map(({ key, value }) => [key, value]));
    assert.equal(seen.get("x-other"), "4");
    assert.equal(seen.get("x-echo-b-bin"), "AAH+/w==");
    assert.equal(response.seen?.instance, "echo-1");
    const left = Number(response.seen?.timeLeft?.seconds);
    assert.ok(left >= 58 && left <= 60, `${left} s`);
  });

  test("Unary sees no deadline where there is none", async () => {
    const { response } = await call(client, client.unary, UnaryRequest.create());
    assert.equal(response.seen?.timeLeft, undefined);
  });

  test("Unary makes payloads of any size", async () => {
    const request = UnaryRequest.fromPartial({ behavior: { responseBytes: 3 * 1024 * 1024 } });
    const { response } = await call(client, client.unary, request);
    assert.equal(response.payload.length, 3 * 1024 * 1024);
  });

  for (const kind of ["refuse", "fail"] as const) {
    test(`Unary ends as requested by \`${kind}\`, with trailers`, async () => {
      const request = UnaryRequest.fromPartial({ behavior: { [kind]: TOLD } });
      const error = await failureOf(call(client, client.unary, request, metadataOf({ "x-trail-t": "1" })));
      assert.deepEqual([error.code, error.details], [TOLD.code, TOLD.message]);
      assert.deepEqual(error.metadata.get("x-trail-t"), ["1"]);
    });
  }

  test("Unary waits as long as requested: the deadline comes first", async () => {
    const request = UnaryRequest.fromPartial({ behavior: { delay: { seconds: 30n } } });
    const error = await failureOf(
      call(client, client.unary, request, new Metadata(), { deadline: Date.now() + 100 }),
    );
    assert.equal(error.code, status.DEADLINE_EXCEEDED);
  });

  test("ServerStream sends so many responses and then fails as requested", async () => {
    const stream = client.serverStream(
      ServerStreamRequest.fromPartial({
        behavior: { responseCount: 5, responseBytes: 10, interval: { nanos: 1_000_000 }, fail: TOLD },
      }),
      metadataOf({ "x-echo-a": "1", "x-trail-t": "2" }),
    );
    const seen: ServerStreamResponse[] = [];
    stream.on("data", (response: ServerStreamResponse) => seen.push(response));
    const [[headers], [error]] = await Promise.all([once(stream, "metadata"), once(stream, "error")]);
    assert.deepEqual(headers.get("x-echo-a"), ["1"]);
    assert.ok(isServiceError(error));
    assert.equal(error.code, TOLD.code);
    assert.deepEqual(error.metadata.get("x-trail-t"), ["2"]);
    assert.deepEqual(
      seen.map(({ index, payload }) => [index, payload.length]),
      [0, 1, 2, 3, 4].map((i) => [i, 10]),
    );
    assert.deepEqual(
      seen.map((response) => response.seen !== undefined),
      [true, false, false, false, false],
    );
  });

  test("ServerStream sends its headers before anything else if requested", async () => {
    const stream = client.serverStream(
      ServerStreamRequest.fromPartial({ behavior: { headersFirst: true, delay: { seconds: 30n } } }),
    );
    stream.on("error", () => {});
    await once(stream, "metadata");
    stream.cancel();
  });

  test("ClientStream counts, and can stop early", async () => {
    const run = (stopAfter: number): Promise<ClientStreamResponse> =>
      new Promise((resolve, reject) => {
        const stream = client.clientStream((error, response) =>
          error === null ? resolve(response) : reject(error),
        );
        for (let i = 0; i < 10; i++) {
          const behavior = i === 0 ? { stopAfter } : undefined;
          stream.write(ClientStreamRequest.fromPartial({ behavior, payload: Buffer.alloc(i) }));
        }
        if (stopAfter === 0) stream.end();
      });
    assert.deepEqual(await run(0).then((r) => [r.requestCount, r.requestBytes]), [10n, 45n]);
    // The request is never ended: the answer comes while it still streams.
    assert.deepEqual(await run(3).then((r) => [r.requestCount, r.requestBytes]), [3n, 3n]);
  });

  test("ClientStream without a request is answered, and refuses as requested", async () => {
    const empty = await new Promise<ClientStreamResponse>((resolve, reject) => {
      client.clientStream((error, response) => (error === null ? resolve(response) : reject(error))).end();
    });
    assert.equal(empty.requestCount, 0n);
    const refused = await new Promise<unknown>((resolve) => {
      const stream = client.clientStream((error) => resolve(error));
      stream.write(ClientStreamRequest.fromPartial({ behavior: { refuse: TOLD } }));
    });
    assert.ok(isServiceError(refused) && refused.code === TOLD.code);
  });

  test("BidiStream answers each request at once, and ends when requested", async () => {
    const stream = client.bidiStream(metadataOf({ "x-trail-t": "1" }));
    const ended = once(stream, "status");
    const send = async (request: BidiStreamRequest): Promise<BidiStreamResponse> => {
      const answered = once(stream, "data");
      stream.write(request);
      return (await answered)[0];
    };
    const first = await send(Bidi.fromPartial({ behavior: { stopAfter: 2 }, payload: Buffer.from("a") }));
    assert.deepEqual([first.index, first.payload.toString()], [0n, "a"]);
    assert.equal(first.seen?.instance, "echo-1");
    const second = await send(Bidi.fromPartial({ payload: Buffer.from("b") }));
    assert.deepEqual([second.index, second.payload.toString(), second.seen], [1n, "b", undefined]);
    const [end]: StatusObject[] = await ended;
    assert.equal(end?.code, status.OK);
    assert.deepEqual(end?.metadata.get("x-trail-t"), ["1"]);
  });

  test("BidiStream takes many large messages both ways", async () => {
    const stream = client.bidiStream();
    const payload = Buffer.alloc(100_000, 1);
    for (let i = 0; i < 50; i++) stream.write(Bidi.fromPartial({ payload }));
    stream.end();
    let index = 0n;
    for await (const response of stream) {
      assert.equal(response.index, index++);
      assert.equal(response.payload.length, payload.length);
    }
    assert.equal(index, 50n);
  });
});
