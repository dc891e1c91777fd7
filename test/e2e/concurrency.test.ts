// Many calls at once: on one connection as far as the config lets them, and over many connections.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { status } from "@grpc/grpc-js";
import { BidiStreamRequest } from "#generated/test/v1/behavior.js";
import { behaviorClient, callUnary, streamed } from "./support/grpc.js";
import { http, VERSIONS } from "./support/http.js";
import { startHub, startHubWithConfig } from "./support/hub.js";
import { startService } from "./support/service.js";

const scope = { after };
const service = await startService(scope, "behavior");

/** Opens bidirectional calls on one connection; `answered` counts those that are open and have been answered. */
function openMany(client: ReturnType<typeof behaviorClient>, count: number) {
  let answered = 0;
  let look = (): void => {};
  const calls = Array.from({ length: count }, (_, i) => {
    const call = client.bidiStream();
    const outcome = streamed(call, () => {
      answered++;
      look();
    });
    call.write(BidiStreamRequest.fromPartial({ payload: Buffer.from(String(i)) }));
    return { call, outcome };
  });
  const until = (wanted: number): Promise<void> =>
    new Promise((resolve) => {
      look = () => {
        if (answered >= wanted) resolve();
      };
      look();
    });
  return { calls, until, answered: () => answered };
}

test("1,000 streams are open at once on one connection, and each gets its own", async (t) => {
  const hub = await startHubWithConfig(
    t,
    `{ upstreams: { behavior: { endpoints: ["${service.address}"] } }, limits: { maxConcurrentStreams: 1000 } }`,
  );
  const { calls, until } = openMany(behaviorClient(t, hub.address), 1000);
  await until(1000);
  for (const { call } of calls) {
    call.write(BidiStreamRequest.fromPartial({ payload: Buffer.from("last") }));
    call.end();
  }
  const outcomes = await Promise.all(calls.map(({ outcome }) => outcome));
  for (const [i, { code, messages }] of outcomes.entries()) {
    assert.equal(code, status.OK);
    assert.deepEqual(
      messages.map(({ payload }) => payload.toString()),
      [String(i), "last"],
    );
  }
});

test("by default 256 are open on one connection, and the next follow as they end", async (t) => {
  const hub = await startHub(t, [`behavior=${service.address}`]);
  const client = behaviorClient(t, hub.address);
  const { calls, until, answered } = openMany(client, 300);
  await until(256);
  // Another connection's calls are not held up, and show that the 257th had its time.
  for (let i = 0; i < 20; i++) await callUnary(behaviorClient(t, hub.address), {});
  assert.equal(answered(), 256);
  for (const { call } of calls) call.end();
  await until(300);
  for (const { outcome } of calls) assert.equal((await outcome).code, status.OK);
});

test("100 connections with 20 calls each, and JSON clients beside them", async (t) => {
  const hub = await startHub(t, [`behavior=${service.address}`]);
  const grpc = Array.from({ length: 100 }, async (_, i) => {
    const client = behaviorClient(t, hub.address);
    for (let j = 0; j < 4; j++) {
      const words = Array.from({ length: 5 }, (_, k) => `${i}-${j}-${k}`);
      const outcomes = await Promise.all(
        words.map((word) => callUnary(client, { payload: Buffer.from(word) })),
      );
      assert.deepEqual(
        outcomes.map(({ messages }) => messages[0]?.payload.toString()),
        words,
      );
    }
  });
  const json = Array.from({ length: 100 }, async (_, i) => {
    const payload = Buffer.from(`json ${i}`).toString("base64");
    const answer = await http(VERSIONS[i % 2] ?? "2", hub.address, "/test/v1/unary", {
      body: JSON.stringify({ payload }),
    });
    assert.equal(answer.status, 200, answer.text);
    assert.ok(answer.text.includes(payload));
  });
  await Promise.all([...grpc, ...json]);
});
