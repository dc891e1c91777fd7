// What one address may take: calls per time, and calls at once, whoever the caller says it is.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ErrorInfo } from "#generated/google/rpc/error_details.js";
import type { Call } from "#src/call/call.js";
import type { Outcome, Step } from "#src/call/interceptor.js";
import { Code, Status } from "#src/call/status/status.js";
import { addressLimit } from "#src/interceptors/address-limit/address-limit.js";
import type { AddressLimitConfig } from "#src/interceptors/address-limit/kind.js";
import { NO_METERS } from "#src/kit/meters.js";
import { Retained } from "#src/kit/retained.js";
import { FakeClock } from "../support/fake-clock.js";
import { callOf } from "../support/sinks.js";

const OUTCOME: Outcome = {
  code: 0,
  by: "upstream",
  trailers: undefined,
  cause: undefined,
  durationMs: 1,
  requestBytes: 0,
  responseBytes: 0,
};

class Rig {
  readonly clock = new FakeClock(1000);
  readonly retained = new Retained();
  private readonly log = { info() {}, warn() {}, error() {} };

  step(config: Partial<AddressLimitConfig>): Step | undefined {
    const context = { clock: this.clock, log: this.log, retained: this.retained, meters: NO_METERS };
    this.retained.begin();
    const interceptor = addressLimit({ rate: undefined, concurrent: undefined, ...config }, context);
    this.retained.commit();
    return interceptor.plan(callOf().method);
  }
}

function from(ip: string): Call {
  const address = ip.includes(":") ? `[${ip}]:1` : `${ip}:1`;
  return callOf({ peer: { address, protocol: "grpc" } });
}

function admits(step: Step | undefined, call: Call): boolean {
  return step?.start?.(call) === undefined;
}

describe("an address", () => {
  it("has no limit by default, and no step", () => {
    assert.equal(new Rig().step({}), undefined);
  });

  it("makes as many calls as its rate allows, whatever others do", () => {
    const rig = new Rig();
    const step = rig.step({ rate: { count: 2, perMs: 1000 } });
    assert.deepEqual(
      [1, 2, 3].map(() => admits(step, from("10.0.0.1"))),
      [true, true, false],
    );
    assert.ok(admits(step, from("10.0.0.2")));
    rig.clock.advance(500);
    assert.ok(admits(step, from("10.0.0.1")));
  });

  it("is a /64 where it is IPv6, and the client's where a proxy stands between", () => {
    const step = new Rig().step({ rate: { count: 1, perMs: 1000 } });
    assert.ok(admits(step, from("2001:db8::1")));
    assert.ok(!admits(step, from("2001:db8::2")));
    assert.ok(admits(step, from("2001:db8:0:1::1")));
    const behind = (ip: string): Call =>
      callOf({ peer: { address: "127.0.0.1:1", protocol: "rest", ip, trusted: true } });
    assert.ok(admits(step, behind("1.2.3.4")));
    assert.ok(admits(step, behind("1.2.3.5")));
    assert.ok(!admits(step, behind("1.2.3.4")));
  });

  it("has so many calls running at once; each that ends makes room, refused ones too", () => {
    const step = new Rig().step({ concurrent: 2 });
    const [first, second, third] = [from("10.0.0.1"), from("10.0.0.1"), from("10.0.0.1")];
    assert.deepEqual(
      [first, second, third].map((call) => admits(step, call)),
      [true, true, false],
    );
    assert.ok(admits(step, from("10.0.0.2")));
    // The runner ends every started step, that of the refused call as well.
    step?.end?.(third, OUTCOME);
    assert.ok(!admits(step, third));
    step?.end?.(third, OUTCOME);
    step?.end?.(first, OUTCOME);
    assert.ok(admits(step, third));
  });

  it("spends no token on a call that cannot run", () => {
    const step = new Rig().step({ concurrent: 1, rate: { count: 2, perMs: 1e9 } });
    const [first, second] = [from("10.0.0.1"), from("10.0.0.1")];
    assert.ok(admits(step, first));
    for (let i = 0; i < 5; i++) {
      assert.ok(!admits(step, second));
      step?.end?.(second, OUTCOME);
    }
    step?.end?.(first, OUTCOME);
    assert.ok(admits(step, second));
  });

  it("gets the limit, and when to retry", () => {
    const rig = new Rig();
    for (const [config, says, seconds] of [
      [{ rate: { count: 1, perMs: 2500 } }, /too many calls from this address/, "3"],
      [{ concurrent: 1 }, /more than 1 calls of this address run at once/, "1"],
    ] as const) {
      const step = rig.step(config);
      assert.ok(admits(step, from("10.0.0.1")));
      const status = step?.start?.(from("10.0.0.1"));
      assert.ok(status instanceof Status);
      assert.deepEqual([status.code, status.http], [Code.RESOURCE_EXHAUSTED, 429]);
      assert.match(status.message, says);
      assert.equal(status.metadata?.get("retry-after"), seconds);
      const [info] = status.details;
      assert.equal(info && ErrorInfo.decode(info.value).reason, "ADDRESS_LIMIT_EXCEEDED");
    }
  });

  it("keeps its running calls over a reload that changes the limit", () => {
    const rig = new Rig();
    const before = rig.step({ concurrent: 2 });
    const [first, second] = [from("10.0.0.1"), from("10.0.0.1")];
    assert.ok(admits(before, first) && admits(before, second));
    const after = rig.step({ concurrent: 3 });
    assert.ok(admits(after, from("10.0.0.1")));
    assert.ok(!admits(after, second));
  });
});
