import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Call, Method, MethodKind } from "#src/call/call.js";
import { Code, Status } from "#src/call/status/status.js";
import { type DeadlineOptions, deadline } from "#src/interceptors/deadline/deadline.js";
import { Headers } from "#src/kit/headers.js";
import { callOf } from "../support/sinks.js";

const NOW = 5000;
const none = (_method: Method): undefined => undefined;

function start(
  options: Partial<DeadlineOptions>,
  kind: MethodKind,
  timeout?: string,
): { call: Call; verdict: unknown } {
  const headers = timeout === undefined ? Headers.of() : Headers.of(["grpc-timeout", timeout]);
  const call = callOf({ kind, headers, startedAt: NOW });
  const interceptor = deadline({ defaultMs: 15_000, maxMs: undefined, forMethod: none, ...options });
  const step = interceptor.plan(call.method);
  return { call, verdict: step?.start?.(call) };
}

describe("the deadline of a call", () => {
  const cases: [
    what: string,
    options: Partial<DeadlineOptions>,
    kind: MethodKind,
    timeout: string | undefined,
    ms: number | undefined,
  ][] = [
    ["what the caller asks for", {}, "unary", "2S", 2000],
    ["fractions of a millisecond", {}, "unary", "1500u", 1.5],
    ["longer than the default, where asked", {}, "unary", "1H", 3_600_000],
    ["beyond 2^31 ms without a wrap", {}, "unary", "1000H", 3_600_000_000],
    ["the default for unary", {}, "unary", undefined, 15_000],
    ["none for a server stream", {}, "server_streaming", undefined, undefined],
    ["none for a client stream", {}, "client_streaming", undefined, undefined],
    ["none for a bidi stream", {}, "bidi_streaming", undefined, undefined],
    ["none for a method that no schema knows", {}, "unknown", undefined, undefined],
    ["what a stream asks for", {}, "bidi_streaming", "3S", 3000],
    ["none where there is no default", { defaultMs: undefined }, "unary", undefined, undefined],
    ["the method's own default", { forMethod: () => 700 }, "unary", undefined, 700],
    [
      "the method's own default, for a stream too",
      { forMethod: () => 700 },
      "bidi_streaming",
      undefined,
      700,
    ],
    ["none where the method says none", { forMethod: () => "none" }, "unary", undefined, undefined],
    ["what the caller asks for, over the method's own", { forMethod: () => 700 }, "unary", "2S", 2000],
    ["no more than max", { maxMs: 1000 }, "unary", "2S", 1000],
    ["less than max", { maxMs: 1000 }, "unary", "2m", 2],
    ["max, where the default is longer", { maxMs: 1000 }, "unary", undefined, 1000],
    ["max, where there is none", { maxMs: 1000 }, "bidi_streaming", undefined, 1000],
    ["max, where the method says none", { maxMs: 1000, forMethod: () => "none" }, "unary", undefined, 1000],
  ];
  for (const [what, options, kind, timeout, ms] of cases) {
    it(`is ${what}`, () => {
      const { call, verdict } = start(options, kind, timeout);
      assert.equal(verdict, undefined);
      assert.equal(call.deadline, ms === undefined ? undefined : NOW + ms);
      assert.equal(call.deadlineCapped, what.includes("max") && !what.startsWith("less"));
    });
  }

  for (const timeout of ["", "abc", "-1S", "123456789m", "1.5S", "1S,2S"]) {
    it(`of ${JSON.stringify(timeout)} is refused, and the message says what is allowed`, () => {
      const { verdict } = start({}, "unary", timeout);
      assert.ok(verdict instanceof Status);
      assert.equal(verdict.code, Code.INVALID_ARGUMENT);
      assert.match(verdict.message, /1 to 8 digits and one of H M S m u n/);
    });
  }

  it("that is not valid is not repeated at length", () => {
    const { verdict } = start({}, "unary", "9".repeat(10_000));
    assert.ok(verdict instanceof Status && verdict.message.length < 150);
  });

  it("that has passed on arrival refuses the call", () => {
    const { verdict } = start({}, "unary", "0n");
    assert.ok(verdict instanceof Status);
    assert.equal(verdict.code, Code.DEADLINE_EXCEEDED);
  });
});
