// Streams of the samples wait for slow readers, and stop when nobody reads any more.
import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { Server, ServerCredentials } from "@grpc/grpc-js";
import {
  type Record as EchoRecord,
  Record as EchoRecordType,
  EchoServiceClient,
  EchoServiceService,
} from "#generated/bench/v1/echo.js";
import { serverStreaming, unary } from "#src/samples/common/handlers.js";
import { call, failureOf, insecure } from "./client.js";

const LARGE = EchoRecordType.fromPartial({ summary: "x".repeat(16 * 1024) });

interface Watch {
  yielded: number;
  ended: Promise<void>;
}

/** A server whose stream never ends by itself, and tells what becomes of it. */
async function endless(): Promise<{ client: EchoServiceClient; watch: Watch; close(): void }> {
  const ended = withResolvers();
  const watch: Watch = { yielded: 0, ended: ended.promise };
  const server = new Server();
  server.addService(EchoServiceService, {
    echo: unary(() => {
      throw new TypeError("secret");
    }),
    getRecord: unary(() => LARGE),
    updateRecord: unary(() => LARGE),
    streamRecords: serverStreaming(async function* (): AsyncGenerator<EchoRecord> {
      try {
        for (;;) {
          watch.yielded++;
          yield LARGE;
        }
      } finally {
        ended.resolve();
      }
    }),
  });
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  const client = new EchoServiceClient(`127.0.0.1:${port}`, insecure);
  return {
    client,
    watch,
    close: () => {
      client.close();
      server.forceShutdown();
    },
  };
}

function withResolvers(): { promise: Promise<void>; resolve: () => void } {
  let resolve = (): void => {};
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}

test("the server asks for no more responses than a slow reader takes", async (t) => {
  const { client, watch, close } = await endless();
  t.after(close);
  const stream = client.streamRecords({ count: 1 });
  stream.on("error", () => {});
  await once(stream, "data");
  stream.pause();
  // Until two looks in a row, 100 ms apart, see no progress.
  let before = -1;
  while (before !== watch.yielded) {
    before = watch.yielded;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  assert.ok(watch.yielded < 500, `${watch.yielded} responses of 16 KiB`);
  stream.cancel();
  await watch.ended;
});

test("the server stops when the caller cancels", async (t) => {
  const { client, watch, close } = await endless();
  t.after(close);
  const stream = client.streamRecords({ count: 1 });
  stream.on("error", () => {});
  await once(stream, "data");
  stream.cancel();
  await watch.ended;
});

test("the server stops when the deadline passes", async (t) => {
  const { client, watch, close } = await endless();
  t.after(close);
  const stream = client.streamRecords({ count: 1 }, { deadline: Date.now() + 1000 });
  stream.on("error", () => {});
  stream.resume();
  await watch.ended;
});

test("what a handler throws unawares reaches the caller as INTERNAL without its text", async (t) => {
  t.mock.method(console, "error", () => {});
  const { client, close } = await endless();
  t.after(close);
  const error = await failureOf(call(client, client.echo, { text: "", payload: Buffer.alloc(0) }));
  assert.equal(error.code, 13);
  assert.doesNotMatch(error.details, /secret/);
});
