import assert from "node:assert/strict";
import { test } from "node:test";
import { methodConfig } from "#src/config/method-config.js";
import { unknownSelectors } from "#src/hub/plans/unknown-selectors.js";
import { defaultConfig } from "#src/settings/from-args.js";
import { methodOf } from "../support/sinks.js";

const PATHS = ["/shop.v1.Shop/GetOrder", "/shop.v1.Shop/Watch"];
const NOTHING = {
  auth: undefined,
  roles: undefined,
  deadlineMs: undefined,
  idempotent: undefined,
  quota: undefined,
  forms: undefined,
  http: undefined,
};

const CASES: readonly (readonly [selector: string, told: readonly string[]])[] = [
  ["shop.v1.Shop", []],
  ["shop.v1.Shop/Watch", []],
  ["linchpin.Pages/Docs", []],
  ["grpc.health.v1.Health/Check", []],
  ["shop.v1.Shop.Watch", ["methods: no upstream has shop.v1.Shop.Watch; did you mean shop.v1.Shop/Watch?"]],
  ["shop.v1.Shop/watch", ["methods: no upstream has shop.v1.Shop/watch; did you mean shop.v1.Shop/Watch?"]],
  ["shop.*", []],
  ["shop.v1.*", []],
  ["shop.v2.*", ["methods: no upstream has shop.v2.*; did you mean shop.v1.*?"]],
  ["other.v2.Thing/Do", ["methods: no upstream has other.v2.Thing/Do"]],
];
for (const [selector, told] of CASES) {
  test(`methods: ${selector} ${told.length === 0 ? "is fine" : "is reported as unknown"}`, () => {
    const config = { ...defaultConfig(), methods: [{ ...NOTHING, selector }] };
    assert.deepEqual(unknownSelectors(config, PATHS), told);
  });
}

test("methods of a service that nothing describes are not unknown, whatever their names", () => {
  const undescribed = new Set(["old.v1.Orders"]);
  for (const [selector, count] of [
    ["old.v1.Orders", 0],
    ["old.v1.Orders/Anything", 0],
    ["old.v1.*", 0],
    ["old.v1.Order", 1],
    ["old.v2.*", 1],
  ] as const) {
    const config = { ...defaultConfig(), methods: [{ ...NOTHING, selector }] };
    assert.equal(unknownSelectors(config, PATHS, undescribed).length, count, selector);
  }
});

test("of many unknown ones the first are named, the rest counted", () => {
  const methods = Array.from({ length: 10_000 }, (_, i) => ({ ...NOTHING, selector: `a.B/M${i}` }));
  const told = unknownSelectors({ ...defaultConfig(), methods }, PATHS);
  assert.equal(told.length, 11);
  assert.match(told[10] ?? "", /9990 more/);
});

test("settings of a method: the nearest key that has one, up to the packages around it", () => {
  const deadlines = { "a.b.C/D": 1, "a.b.C": undefined, "a.b.*": 3, "a.*": 4 };
  const configured = Object.entries(deadlines).map(([selector, deadlineMs]) => ({
    ...NOTHING,
    selector,
    deadlineMs,
  }));
  const deadlineOf = methodConfig(configured)((own) => own?.deadlineMs);
  for (const [path, expected] of [
    ["/a.b.C/D", 1],
    ["/a.b.C/E", 3],
    ["/a.b.q.C/E", 3],
    ["/a.C/D", 4],
    ["/ab.C/D", undefined],
    ["/C/D", undefined],
  ] as const)
    assert.equal(deadlineOf(methodOf(path)), expected, path);
});
