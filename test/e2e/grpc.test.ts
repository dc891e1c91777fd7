// gRPC through the hub, as generated clients see it: every kind of streaming, metadata, statuses, large and
// compressed messages. The hub and the service are processes of their own.
import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { compressionAlgorithms, Metadata, status } from "@grpc/grpc-js";
import {
  type Behavior,
  BidiStreamRequest,
  ClientStreamRequest,
  type ClientStreamResponse,
} from "#generated/test/v1/behavior.js";
import {
  behaviorClient,
  type CallInit,
  callBidiStream,
  callClientStream,
  callServerStream,
  callUnary,
  metadataOf,
  type Outcome,
  single,
  streamed,
} from "./support/grpc.js";
import { startHub } from "./support/hub.js";
import { startService } from "./support/service.js";

const scope = { after };
const service = await startService(scope, "behavior", { instance: "one" });
const hub = await startHub(scope, [`behavior=${service.address}`]);
const client = behaviorClient(scope, hub.address);

const text = (...words: string[]): Buffer[] => words.map((word) => Buffer.from(word));

describe("every kind of streaming", () => {
  test("unary: the message comes back", async () => {
    const { code, messages } = await callUnary(client, { payload: Buffer.from("hello") });
    assert.equal(code, status.OK);
    assert.deepEqual(
      messages.map(({ payload }) => payload),
      text("hello"),
    );
  });

  test("server streaming: each message, in order", async () => {
    const { code, messages } = await callServerStream(client, {
      behavior: { responseCount: 500 },
      payload: Buffer.from("x"),
    });
    assert.equal(code, status.OK);
    assert.deepEqual(
      messages.map(({ index }) => index),
      [...Array(500).keys()],
    );
  });

  test("client streaming: all that was sent arrives", async () => {
    const requests = Array.from({ length: 500 }, (_, i) => ({ payload: Buffer.alloc(i, "y") }));
    const { code, messages } = await callClientStream(client, requests);
    assert.equal(code, status.OK);
    assert.equal(messages[0]?.requestCount, 500n);
    assert.equal(messages[0]?.requestBytes, (500n * 499n) / 2n);
  });

  test("bidirectional streaming: each answer comes before the next request is sent", async () => {
    const call = client.bidiStream();
    const words = text("one", "two", "three", "four");
    const outcome = streamed(call, ({ payload }, count) => {
      assert.deepEqual(payload, words[count - 1]);
      const next = words[count];
      if (next === undefined) call.end();
      else call.write(BidiStreamRequest.fromPartial({ payload: next }));
    });
    call.write(BidiStreamRequest.fromPartial({ payload: words[0] ?? Buffer.alloc(0) }));
    const { code, messages } = await outcome;
    assert.equal(code, status.OK);
    assert.deepEqual(
      messages.map(({ payload }) => payload),
      words,
    );
  });

  test("streams without a single message", async () => {
    const outcomes = await Promise.all([
      callServerStream(client, {}),
      callClientStream(client, []),
      callBidiStream(client, []),
    ]);
    assert.deepEqual(
      outcomes.map(({ code }) => code),
      [status.OK, status.OK, status.OK],
    );
    assert.deepEqual(
      outcomes.map(({ messages }) => messages.length),
      [0, 1, 0],
    );
  });
});

/** The four kinds, each told to behave in the same way. */
const KINDS: Readonly<
  Record<string, (behavior: Partial<Behavior>, init?: CallInit) => Promise<Outcome<unknown>>>
> = {
  unary: (behavior, init) => callUnary(client, { behavior }, init),
  "server streaming": (behavior, init) => callServerStream(client, { behavior }, init),
  "client streaming": (behavior, init) => callClientStream(client, [{ behavior }, {}], init),
  "bidirectional streaming": (behavior, init) => callBidiStream(client, [{ behavior }, {}], init),
};

for (const [kind, call] of Object.entries(KINDS)) {
  describe(kind, () => {
    test("metadata passes both ways: text, binary, repeated", async () => {
      const bytes = Buffer.from([0, 1, 2, 0xfe, 0xff]);
      const metadata = metadataOf([
        ["x-echo-word", "one"],
        ["x-echo-word", "two, and a comma"],
        ["x-echo-bytes-bin", bytes],
        ["x-echo-bytes-bin", Buffer.from("second")],
        ["x-echo-empty-bin", Buffer.alloc(0)],
        ["x-trail-word", "end"],
        ["x-trail-bytes-bin", bytes],
      ]);
      const { code, headers, trailers } = await call({ responseCount: 1 }, { metadata });
      assert.equal(code, status.OK);
      assert.deepEqual(headers?.get("x-echo-word").join(", "), "one, two, and a comma");
      assert.deepEqual(headers?.get("x-echo-bytes-bin"), [bytes, Buffer.from("second")]);
      assert.deepEqual(headers?.get("x-echo-empty-bin"), [Buffer.alloc(0)]);
      assert.deepEqual(headers?.get("x-served-by"), ["one"]);
      assert.deepEqual(trailers.get("x-trail-word"), ["end"]);
      assert.deepEqual(trailers.get("x-trail-bytes-bin"), [bytes]);
    });

    test("an error before any message: code, message in any script, trailers", async () => {
      const message = "nothing here: 100 % niente, ничего, 何もない\n";
      const metadata = metadataOf([["x-trail-why", "asked for"]]);
      const outcome = await call(
        { refuse: { code: status.NOT_FOUND, message, details: [] }, responseCount: 3 },
        { metadata },
      );
      assert.equal(outcome.code, status.NOT_FOUND);
      assert.equal(outcome.details, message);
      assert.deepEqual(outcome.messages, []);
      assert.deepEqual(outcome.trailers.get("x-trail-why"), ["asked for"]);
    });

    for (let code = 1; code <= 16; code++) {
      test(`${status[code]} passes`, async () => {
        const outcome = await call({ refuse: { code, message: `as asked: ${code}`, details: [] } });
        assert.equal(outcome.code, code);
        assert.equal(outcome.details, `as asked: ${code}`);
      });
    }

    test("3 MiB each way", async () => {
      const bytes = 3 * 1024 * 1024;
      const { code, messages } = await call({ responseBytes: bytes, responseCount: 2 });
      assert.equal(code, status.OK);
      assert.ok(messages.length > 0);
      for (const message of messages) {
        const payload = Reflect.get(Object(message), "payload");
        assert.ok(payload instanceof Buffer && payload.length === bytes);
      }
    });
  });
}

describe("errors after messages", () => {
  test("server streaming: the messages come, then the error", async () => {
    const { code, details, messages, trailers } = await callServerStream(
      client,
      {
        behavior: { responseCount: 3, fail: { code: status.ABORTED, message: "that was all", details: [] } },
      },
      { metadata: metadataOf([["x-trail-count", "3"]]) },
    );
    assert.equal(messages.length, 3);
    assert.equal(code, status.ABORTED);
    assert.equal(details, "that was all");
    assert.deepEqual(trailers.get("x-trail-count"), ["3"]);
  });

  test("bidirectional streaming: the same", async () => {
    const fail = { code: status.DATA_LOSS, message: "lost", details: [] };
    const { code, messages } = await callBidiStream(client, [{ behavior: { fail } }, {}, {}]);
    assert.equal(messages.length, 3);
    assert.equal(code, status.DATA_LOSS);
  });

  test("details of a status pass as bytes", async () => {
    const details = [{ typeUrl: "type.example.com/some.Detail", value: Buffer.from([1, 2, 3, 255]) }];
    const { trailers } = await callUnary(client, {
      behavior: { refuse: { code: status.FAILED_PRECONDITION, message: "no", details } },
    });
    const [bin] = trailers.get("grpc-status-details-bin");
    assert.ok(Buffer.isBuffer(bin) && bin.includes(Buffer.from("type.example.com/some.Detail")));
  });
});

describe("an answer while the request still streams", () => {
  test("client streaming: the client has it without having ended", async () => {
    const outcome = await single<ClientStreamResponse>((callback) => {
      const call = client.clientStream(new Metadata(), {}, callback);
      call.on("error", () => {});
      call.write(ClientStreamRequest.fromPartial({ behavior: { stopAfter: 2 } }));
      call.write(ClientStreamRequest.fromPartial({ payload: Buffer.alloc(10) }));
      return call;
    });
    assert.equal(outcome.code, status.OK, outcome.details);
    assert.equal(outcome.messages[0]?.requestCount, 2n);
  });

  test("bidirectional streaming: the same", async () => {
    const call = client.bidiStream();
    const outcome = streamed(call);
    call.write(BidiStreamRequest.fromPartial({ behavior: { stopAfter: 1 }, payload: Buffer.from("last") }));
    const { code, messages } = await outcome;
    assert.equal(code, status.OK);
    assert.deepEqual(
      messages.map(({ payload }) => payload),
      text("last"),
    );
  });

  test("a refusal while the client uploads much", async () => {
    const refuse = { code: status.RESOURCE_EXHAUSTED, message: "enough", details: [] };
    const requests = Array.from({ length: 64 }, () => ({
      behavior: { refuse },
      payload: Buffer.alloc(256 * 1024),
    }));
    const { code, details } = await callClientStream(client, requests);
    assert.equal(code, status.RESOURCE_EXHAUSTED, details);
    assert.equal(details, "enough");
  });
});

describe("large and compressed messages", () => {
  const large = Buffer.alloc(3 * 1024 * 1024, "three MiB ");

  test("3 MiB up and down in one unary call", async () => {
    const { messages } = await callUnary(client, { payload: large });
    assert.ok(messages[0]?.payload.equals(large));
  });

  test("3 MiB up and down in each message of a stream", async () => {
    const { code, messages } = await callBidiStream(client, [{ payload: large }, { payload: large }]);
    assert.equal(code, status.OK);
    assert.deepEqual(
      messages.map(({ payload }) => payload.equals(large)),
      [true, true],
    );
  });

  for (const algorithm of ["gzip", "deflate"] as const) {
    test(`${algorithm} requests arrive, and say what they are`, async () => {
      const compressing = behaviorClient(scope, hub.address, {
        "grpc.default_compression_algorithm": compressionAlgorithms[algorithm],
      });
      const { code, messages } = await callUnary(compressing, { payload: large });
      assert.equal(code, status.OK);
      assert.ok(messages[0]?.payload.equals(large));
      const metadata = messages[0]?.seen?.metadata ?? [];
      const streamedCall = await callBidiStream(compressing, [{ payload: large }, { payload: large }]);
      assert.equal(streamedCall.messages.length, 2);
      assert.ok(metadata.every(({ key }) => key !== "content-encoding"));
    });
  }
});

test("many calls at once over one connection do not mix", async () => {
  const outcomes = await Promise.all(
    Array.from({ length: 200 }, (_, i) =>
      callUnary(
        client,
        { payload: Buffer.from(`call ${i}`) },
        { metadata: metadataOf([["x-echo-id", String(i)]]) },
      ),
    ),
  );
  for (const [i, { messages, headers }] of outcomes.entries()) {
    assert.equal(messages[0]?.payload.toString(), `call ${i}`);
    assert.deepEqual(headers?.get("x-echo-id"), [String(i)]);
  }
});
