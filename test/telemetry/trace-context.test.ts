// traceparent and tracestate are read to the letter of W3C Trace Context, whatever a client sends.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { randomHex } from "#src/telemetry/tracing/span-record.js";
import {
  joinTracestate,
  parentIdOf,
  traceFlags,
  traceIdOf,
  traceparent,
} from "#src/telemetry/tracing/trace-context.js";

const TRACE = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT = "00f067aa0ba902b7";

describe("traceparent", () => {
  for (const [value, flags] of [
    [`00-${TRACE}-${PARENT}-01`, 1],
    [`00-${TRACE}-${PARENT}-00`, 0],
    [`00-${TRACE}-${PARENT}-ff`, 255],
    // Later versions: the four known parts, and what may follow them after a dash (§4.3).
    [`01-${TRACE}-${PARENT}-01`, 1],
    [`fe-${TRACE}-${PARENT}-01-what-the-future-will-be`, 1],
    [`cc-${TRACE}-${PARENT}-09`, 9],
    [`01-${TRACE}-${PARENT}-01.x`, -1],
    [`01-${TRACE}-${PARENT}-011`, -1],
    [`ff-${TRACE}-${PARENT}-01`, -1],
    [`00-${TRACE}-${PARENT}-01-`, -1],
    [`00-${TRACE}-${PARENT}-01 `, -1],
    [` 00-${TRACE}-${PARENT}-01`, -1],
    [`00-${TRACE}-${PARENT}-0`, -1],
    [`00-${TRACE}-${PARENT}-0g`, -1],
    [`00-${TRACE.toUpperCase()}-${PARENT}-01`, -1],
    [`00-${TRACE}-${PARENT.toUpperCase()}-01`, -1],
    [`00-${TRACE}-${PARENT}-0A`, -1],
    [`0x-${TRACE}-${PARENT}-01`, -1],
    [`00-${"0".repeat(32)}-${PARENT}-01`, -1],
    [`00-${TRACE}-${"0".repeat(16)}-01`, -1],
    [`00_${TRACE}-${PARENT}-01`, -1],
    [`00-${TRACE}_${PARENT}-01`, -1],
    [`00-${TRACE}-${PARENT}_01`, -1],
    [`00-${TRACE}-${PARENT}-01,00-${TRACE}-${PARENT}-01`, -1],
    [`00-${TRACE.slice(1)}-${PARENT}-01`, -1],
    ["", -1],
    ["00", -1],
  ] as const) {
    test(`"${value}" has flags ${flags}`, () => assert.equal(traceFlags(value), flags));
  }

  test("accepts exactly what the grammar allows", () => {
    const grammar =
      /^(?!ff)(?:00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}|(?!00)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?)$/s;
    const part = fc.constantFrom(
      "0",
      "f",
      "a",
      "-",
      "G",
      TRACE,
      PARENT,
      "00",
      "01",
      "ff",
      "0".repeat(32),
      " ",
    );
    const near = fc
      .tuple(part, part, part, part, fc.constantFrom("", "-x", "x"))
      .map(([v, t, p, f, rest]) => `${v}-${t}-${p}-${f}${rest}`);
    const mutated = fc.tuple(fc.nat(56), fc.string({ maxLength: 2 })).map(([at, text]) => {
      const valid = `00-${TRACE}-${PARENT}-01`;
      return valid.slice(0, at) + text + valid.slice(at + 1);
    });
    fc.assert(
      fc.property(fc.oneof(near, mutated, fc.string()), (value) => {
        assert.equal(traceFlags(value) >= 0, grammar.test(value), value);
      }),
      { numRuns: 3000 },
    );
  });

  test("what we write reads back", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 255 }), (flags) => {
        const [trace, parent] = [randomHex(16), randomHex(8)];
        const value = traceparent(trace, parent, flags);
        assert.equal(traceFlags(value), flags);
        assert.equal(traceIdOf(value), trace);
        assert.equal(parentIdOf(value), parent);
      }),
    );
  });
});

describe("tracestate", () => {
  for (const [values, joined] of [
    [["a=1"], "a=1"],
    [["a=1", "b=2"], "a=1,b=2"],
    [["a=1 , b=2\t"], "a=1 , b=2\t"],
    [["a=1,,b=2"], "a=1,,b=2"],
    [["fw529a3039@dt=FfEA"], "fw529a3039@dt=FfEA"],
    [["a*/_-9=x y"], "a*/_-9=x y"],
    [[""], undefined],
    [["a"], undefined],
    [["=1"], undefined],
    [["A=1"], undefined],
    [["a=1=2"], undefined],
    [["a=é"], undefined],
    [["a=1", "a=2"], undefined],
    [[Array.from({ length: 33 }, (_, i) => `k${i}=1`).join(",")], undefined],
    [[`a=${"x".repeat(257)}`], undefined],
    [[`a=${"x".repeat(600)}`], undefined],
  ] as const) {
    test(`${JSON.stringify(values).slice(0, 60)} is ${joined === undefined ? "dropped" : "kept"}`, () =>
      assert.equal(joinTracestate(values), joined));
  }

  test("is kept within its bounds, whatever comes", () => {
    fc.assert(
      fc.property(fc.array(fc.string()), (values) => {
        const joined = joinTracestate(values);
        assert.ok(joined === undefined || (joined.length <= 512 && /^[\t -~]+$/.test(joined)));
      }),
    );
  });
});
