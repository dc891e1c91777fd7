import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { formatTimeout, parseTimeout } from "#src/call/wire/timeout.js";

describe("grpc-timeout", () => {
  const cases: [value: string, ms: number | undefined][] = [
    ["1H", 3_600_000],
    ["1000H", 3_600_000_000], // beyond 2^31 ms: no wrap
    ["99999999H", 99_999_999 * 3_600_000],
    ["2M", 120_000],
    ["3S", 3000],
    ["4m", 4],
    ["5u", 0.005],
    ["6n", 0.000006],
    ["0m", 0],
    ["00000001S", 1000],
    ["99999999n", 99.999999],
    ["100000000n", undefined], // 9 digits
    ["000000001S", undefined],
    ["", undefined],
    ["S", undefined],
    ["1", undefined],
    ["12", undefined],
    ["+1S", undefined],
    ["-1S", undefined],
    [" 1S", undefined],
    ["1S ", undefined],
    ["1 S", undefined],
    ["1.5S", undefined],
    ["1e3m", undefined],
    ["0x1S", undefined],
    ["1s", undefined],
    ["1h", undefined],
    ["1ms", undefined],
    ["1SS", undefined],
    ["1µ", undefined],
    ["١S", undefined],
    ["1S\0", undefined],
    ["1__proto__", undefined],
  ];
  for (const [value, ms] of cases) {
    it(`${JSON.stringify(value)} is ${ms ?? "refused"}`, () => assert.equal(parseTimeout(value), ms));
  }

  it("refuses whatever the grammar does not name", () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 12 }), (value) => {
        assert.equal(parseTimeout(value) !== undefined, /^[0-9]{1,8}[HMSmun]$/.test(value));
      }),
      { numRuns: 2000 },
    );
  });

  const formats: [ms: number, value: string][] = [
    [0, "1n"],
    [-5, "1n"],
    [0.0001, "1n"],
    [0.5, "500u"],
    [1, "1000u"],
    [999.9999, "999999u"],
    [1000, "1000m"],
    [15_000.7, "15000m"],
    [99_999_999, "99999999m"],
    [100_000_000, "100000S"],
    [1e15, "99999999S"],
    [Number.POSITIVE_INFINITY, "99999999S"],
  ];
  for (const [ms, value] of formats) {
    it(`${ms} ms left is written ${value}`, () => assert.equal(formatTimeout(ms), value));
  }

  it("never writes more time than is left, nor much less", () => {
    fc.assert(
      fc.property(fc.double({ min: 0.001, max: 9e10, noNaN: true }), (ms) => {
        const read = parseTimeout(formatTimeout(ms));
        assert.ok(read !== undefined);
        assert.ok(read <= ms * (1 + 1e-12), `${ms} became ${read}`);
        // µs below a second, ms below 10^8 ms, seconds above.
        const unit = ms < 1000 ? 0.001 : ms < 1e8 ? 1 : 1000;
        assert.ok(ms - read <= unit * (1 + 1e-9), `${ms} became ${read}`);
      }),
      { numRuns: 2000 },
    );
  });
});
