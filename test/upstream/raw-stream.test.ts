import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { frameMessage } from "#src/call/messages.js";
import type { Handler, Sink } from "#src/call/sink.js";
import { RpcError } from "#src/call/status/rpc-error.js";
import { Code } from "#src/call/status/status.js";
import { Headers } from "#src/kit/headers.js";
import { openRawStream, type RawStream } from "#src/upstream/raw-stream.js";
import { FakeClock } from "../support/fake-clock.js";
import { abortOf, RecordingSink, RecordingSource } from "../support/sinks.js";

function opened(): { stream: RawStream; request: RecordingSink; response: Sink; credit: RecordingSource } {
  const request = new RecordingSink();
  const credit = new RecordingSource();
  let response: Sink | undefined;
  const handler: Handler = (_call, to) => {
    response = to;
    return request;
  };
  const stream = openRawStream(handler, "/a.B/C", new FakeClock());
  assert.ok(response);
  return { stream, request, response, credit };
}

function answer(response: Sink, credit: RecordingSource, ...chunks: Buffer[]): void {
  response.open(credit);
  response.headers(Headers.of(["content-type", "application/grpc"]), false);
  for (const chunk of chunks) response.data(chunk, 0, chunk.length, false);
}

async function all(stream: RawStream): Promise<string[]> {
  const messages: string[] = [];
  for await (const message of stream.messages) messages.push(Buffer.from(message).toString());
  return messages;
}

const failsWith = (code: number) => (error: unknown) => error instanceof RpcError && error.code === code;

describe("a call of the hub itself", () => {
  it("frames sent messages, and splits received data", async () => {
    const { stream, request, response, credit } = opened();
    stream.send(Buffer.from("q"));
    stream.end();
    const body = Buffer.concat([frameMessage(Buffer.from("one")), frameMessage(Buffer.from("two"))]);
    answer(response, credit, body.subarray(0, 10), body.subarray(10));
    response.trailers(Headers.of(["grpc-status", "0"]));
    assert.deepEqual(await all(stream), ["one", "two"]);
    assert.deepEqual(request.events, [
      "open",
      `data:${frameMessage(Buffer.from("q")).toString("latin1")}`,
      "data:!",
    ]);
    assert.equal(credit.credit, body.length);
  });

  it("receives messages before and while it waits for them", async () => {
    const { stream, response, credit } = opened();
    answer(response, credit, frameMessage(Buffer.from("early")));
    const rest = all(stream);
    await new Promise((resolve) => setImmediate(resolve));
    const late = frameMessage(Buffer.from("late"));
    response.data(late, 0, late.length, false);
    response.trailers(Headers.of(["grpc-status", "0"]));
    assert.deepEqual(await rest, ["early", "late"]);
  });

  it("fails with the service's code, in trailers, trailers-only or by abort", async () => {
    const ways: [(response: Sink, credit: RecordingSource) => void, number][] = [
      [(r, c) => [answer(r, c), r.trailers(Headers.of(["grpc-status", "5"]))], Code.NOT_FOUND],
      [(r, c) => [r.open(c), r.headers(Headers.of(["grpc-status", "12"]), true)], Code.UNIMPLEMENTED],
      [(r) => r.abort(abortOf(Code.UNAVAILABLE, "upstream")), Code.UNAVAILABLE],
    ];
    for (const [way, code] of ways) {
      const { stream, response, credit } = opened();
      way(response, credit);
      await assert.rejects(all(stream), failsWith(code));
    }
  });

  it("fails when the response is truncated, and cancels at malformed frames", async () => {
    const cut = opened();
    answer(cut.response, cut.credit, frameMessage(Buffer.from("one")).subarray(0, 6));
    cut.response.trailers(Headers.of(["grpc-status", "0"]));
    await assert.rejects(all(cut.stream), failsWith(Code.INTERNAL));
    const broken = opened();
    answer(broken.response, broken.credit, Buffer.from([7, 0, 0, 0, 0]));
    await assert.rejects(all(broken.stream), failsWith(Code.INTERNAL));
    assert.equal(broken.request.aborts.length, 1);
  });

  it("is cancelled once when its reader leaves, without further notifications", async () => {
    const { stream, request, response, credit } = opened();
    answer(response, credit, frameMessage(Buffer.from("one")), frameMessage(Buffer.from("two")));
    for await (const _ of stream.messages) break;
    stream.cancel();
    stream.send(Buffer.from("late"));
    stream.end();
    assert.deepEqual(request.events, ["open", "abort:1"]);
  });

  it("gives no credit beyond its buffer, and all of it once messages are read", async () => {
    const { stream, response, credit } = opened();
    const message = frameMessage(Buffer.alloc(1024 * 1024));
    answer(response, credit, ...Array.from({ length: 10 }, () => message));
    assert.ok(credit.credit < 6 * message.length, `${credit.credit} bytes of credit`);
    response.trailers(Headers.of(["grpc-status", "0"]));
    assert.equal((await all(stream)).length, 10);
    assert.equal(credit.credit, 10 * message.length);
  });
});
