// Deadlines as users meet them: what the client asks for, what the config says, what the service is left with.
import assert from "node:assert/strict";
import { connect } from "node:http2";
import { after, describe, test } from "node:test";
import { status } from "@grpc/grpc-js";
import type { Seen } from "#generated/test/v1/behavior.js";
import { behaviorClient, callBidiStream, callServerStream, callUnary, metadataOf } from "./support/grpc.js";
import { http, VERSIONS } from "./support/http.js";
import { startHub, startHubWithConfig } from "./support/hub.js";
import { startService } from "./support/service.js";

const scope = { after };
const service = await startService(scope, "behavior");
const plain = await startHub(scope, [`behavior=${service.address}`]);
const configured = await startHubWithConfig(
  scope,
  `
upstreams:
  behavior: { endpoints: ["${service.address}"] }
interceptors:
  deadline: { default: 20s, max: 40s }
methods:
  test.v1.BehaviorService/Unary: { deadline: 300ms }
  test.v1.BehaviorService/ServerStream: { deadline: 30s }
`,
);

const client = behaviorClient(scope, plain.address);
const configuredClient = behaviorClient(scope, configured.address);
const FOREVER = { seconds: 3600n, nanos: 0 };
const UNARY = "/test/v1/unary";
const endless = JSON.stringify({ behavior: { delay: "3600s" } });

function leftMs(seen: Seen | undefined): number | undefined {
  const left = seen?.timeLeft;
  return left === undefined ? undefined : Number(left.seconds) * 1000 + left.nanos / 1e6;
}

/** The time that the service had left lies within 5 s below what it was to be. */
function assertLeft(seen: Seen | undefined, ms: number): void {
  const left = leftMs(seen);
  // Clocks of two processes may differ by a little.
  assert.ok(left !== undefined && left > ms - 5_000 && left < ms + 100, `${left} ms left, not ${ms}`);
}

const within = (ms: number): { deadline: number } => ({ deadline: Date.now() + ms });

describe("the client's deadline", { concurrency: true }, () => {
  test("gRPC: it passes, and the service is cancelled", async () => {
    const { code } = await callUnary(
      client,
      { behavior: { delay: FOREVER } },
      { metadata: metadataOf([["x-call-id", "grpc"]]), options: within(5_000) },
    );
    assert.equal(code, status.DEADLINE_EXCEEDED);
    await service.program.stdout.waitFor(/^cancelled unary grpc$/);
  });

  test("gRPC, a stream: the messages before it come", async () => {
    const { code, messages } = await callServerStream(
      client,
      { behavior: { responseCount: 2, interval: FOREVER } },
      { options: within(5_000) },
    );
    assert.equal(code, status.DEADLINE_EXCEEDED);
    assert.equal(messages.length, 1);
  });

  test("gRPC: the time left is passed on", async () => {
    const { messages } = await callUnary(client, {}, { options: within(30_000) });
    assertLeft(messages[0]?.seen, 30_000);
  });

  // Sent by hand: a client that enforces nothing shows that the hub does.
  test("gRPC: the hub ends the call by itself", async () => {
    const { trailers } = await rawGrpc(plain.address, "100m");
    assert.equal(trailers["grpc-status"], String(status.DEADLINE_EXCEEDED));
  });

  const MALFORMED = ["1", "S", "1s", "123456789S", "-1S", "+1S", "1.5S", "1 S", "0x1S", "1SS", "m1", "１S"];
  for (const timeout of MALFORMED) {
    test(`gRPC: the timeout ${JSON.stringify(timeout)} is INVALID_ARGUMENT, and quoted`, async () => {
      const { trailers } = await rawGrpc(plain.address, Buffer.from(timeout).toString("latin1"));
      assert.equal(trailers["grpc-status"], String(status.INVALID_ARGUMENT));
      assert.match(String(trailers["grpc-message"]), /grpc-timeout/);
    });
  }

  for (const timeout of ["0S", "0n", "1n"]) {
    test(`gRPC: a timeout of ${timeout} has passed`, async () => {
      const { trailers } = await rawGrpc(plain.address, timeout);
      assert.equal(trailers["grpc-status"], String(status.DEADLINE_EXCEEDED));
    });
  }

  for (const timeout of ["99999999H", "5M", "60S", "60000m", "60000000u"]) {
    test(`gRPC: a timeout of ${timeout} is one`, async () => {
      const { trailers } = await rawGrpc(plain.address, timeout, true);
      assert.equal(trailers["grpc-status"], "0");
    });
  }

  for (const version of VERSIONS) {
    for (const headers of [{ "grpc-timeout": "100m" }, { "x-request-timeout": "0.1" }]) {
      const [name] = Object.keys(headers);
      test(`JSON over HTTP/${version}, by ${name}: 504`, async () => {
        const answer = await http(version, plain.address, UNARY, { body: endless, headers: { ...headers } });
        assert.equal(answer.status, 504, answer.text);
        assert.match(answer.text, /"code":\s*4/);
      });
    }

    test(`JSON over HTTP/${version}: a malformed timeout is 400`, async () => {
      for (const headers of [{ "grpc-timeout": "1s" }, { "x-request-timeout": "soon" }]) {
        const answer = await http(version, plain.address, UNARY, { body: "{}", headers: { ...headers } });
        assert.equal(answer.status, 400, answer.text);
        assert.match(answer.text, /-timeout/);
      }
    });

    test(`JSON over HTTP/${version}: it also ends a stream that has begun`, async () => {
      const body = JSON.stringify({ behavior: { responseCount: 2, interval: "3600s" } });
      const answer = await http(version, plain.address, "/test/v1/server-stream", {
        body,
        headers: { "grpc-timeout": "5S", accept: "application/x-ndjson" },
      });
      assert.equal(answer.status, 200);
      assert.match(answer.text, /^\{.*\}\n\{"error":\{"code":4,.*\}\}\n$/);
    });
  }
});

describe("without one from the client", () => {
  test("unary calls have 15 s", async () => {
    const { messages } = await callUnary(client, {});
    assertLeft(messages[0]?.seen, 15_000);
  });

  test("streams have none", async () => {
    const { messages } = await callBidiStream(client, [{}]);
    assert.equal(leftMs(messages[0]?.seen), undefined);
  });
});

describe("the config's", () => {
  test("a method's own is enforced: DEADLINE_EXCEEDED", async () => {
    const { code } = await callUnary(configuredClient, { behavior: { delay: FOREVER } });
    assert.equal(code, status.DEADLINE_EXCEEDED);
  });

  for (const version of VERSIONS) {
    test(`a method's own is enforced over HTTP/${version}: 504`, async () => {
      const answer = await http(version, configured.address, UNARY, { body: endless });
      assert.equal(answer.status, 504, answer.text);
    });
  }

  test("a method's own may be of a stream", async () => {
    const { messages } = await callServerStream(configuredClient, { behavior: { responseCount: 1 } });
    assertLeft(messages[0]?.seen, 30_000);
  });

  test("the client may ask for more than a method's own", async () => {
    const { messages } = await callUnary(configuredClient, {}, { options: within(10_000) });
    assertLeft(messages[0]?.seen, 10_000);
  });

  test("max caps what a client asks for", async () => {
    const { messages } = await callUnary(configuredClient, {}, { options: within(3_600_000) });
    assertLeft(messages[0]?.seen, 40_000);
  });

  test("max caps streams that ask for nothing", async () => {
    const { messages } = await callBidiStream(configuredClient, [{}]);
    assertLeft(messages[0]?.seen, 40_000);
  });
});

/** A unary gRPC call over node:http2 with a timeout as it is written; `well`: one that the service answers. */
function rawGrpc(
  address: string,
  timeout: string,
  well = false,
): Promise<{ trailers: Record<string, unknown> }> {
  return new Promise((resolve, reject) => {
    const session = connect(`http://${address}`);
    session.on("error", reject);
    const stream = session.request({
      ":method": "POST",
      ":path": "/test.v1.BehaviorService/Unary",
      "content-type": "application/grpc",
      te: "trailers",
      "grpc-timeout": timeout,
    });
    let trailers: Record<string, unknown> = {};
    const take = (fields: Record<string, unknown>): void => {
      trailers = { ...trailers, ...fields };
    };
    stream.on("response", take);
    stream.on("trailers", take);
    stream.on("error", reject);
    stream.on("close", () => {
      session.close();
      resolve({ trailers });
    });
    stream.resume();
    // UnaryRequest { behavior { delay { seconds: 3600 } } }
    const message = well ? [] : [0x0a, 5, 0x0a, 3, 0x08, 0x90, 0x1c];
    stream.end(Buffer.from([0, 0, 0, 0, message.length, ...message]));
  });
}
