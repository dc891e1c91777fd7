import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { BinaryWriter } from "@bufbuild/protobuf/wire";
import { MethodOptionsSchema } from "@bufbuild/protobuf/wkt";
import { assemble } from "#src/hub/plans/assembly.js";
import { schemaFromFiles } from "#src/schema/types/schema.js";
import { defaultConfig } from "#src/settings/from-args.js";
import { echoFile, filesOf, method } from "../schema/support/files.js";

const handler = (): never => assert.fail("nobody calls");

test("what is wrong with an upstream's schema is told, with the upstream's name", () => {
  const schema = { ...schemaFromFiles(new Map()), warnings: ["service a.B is left out: it is broken"] };
  const shop = { config: { name: "shop" }, cluster: { handler }, schema, problem: undefined };
  const { warnings } = assemble(defaultConfig(), [shop], [], []);
  assert.deepEqual(warnings, ['upstream "shop": service a.B is left out: it is broken']);
});

test("selectors of methods are not called unknown while an upstream is not known itself", () => {
  const config = {
    ...defaultConfig(),
    methods: [
      {
        selector: "shop.v1.Shop",
        auth: undefined,
        roles: undefined,
        deadlineMs: undefined,
        idempotent: undefined,
        quota: undefined,
        forms: undefined,
        http: undefined,
      },
    ],
  };
  const shop = { config: { name: "shop" }, cluster: { handler }, schema: undefined };
  assert.deepEqual(assemble(config, [{ ...shop, problem: "it is down" }], [], []).warnings, []);
  const empty = { ...shop, schema: schemaFromFiles(new Map()), problem: undefined };
  assert.deepEqual(assemble(config, [empty], [], []).warnings, ["methods: no upstream has shop.v1.Shop"]);
  assert.deepEqual(assemble(config, [{ ...empty, remembered: 1 }], [], []).warnings, []);
});

/** MethodOptions whose google.api.http has so many additional bindings, each with this template. */
function ruleWith(bindings: number, template: string) {
  const rule = new BinaryWriter().uint32(18).string("/ok");
  const additional = new BinaryWriter().uint32(18).string(template).finish();
  for (let i = 0; i < bindings; i++) rule.uint32(90).bytes(additional);
  const options = create(MethodOptionsSchema);
  options.$unknown = [{ no: 72295728, wireType: 2, data: new BinaryWriter().bytes(rule.finish()).finish() }];
  return options;
}

test("however many problems a schema has, those told are few and short, and one line counts the others", () => {
  const table = [
    [250_000, "/x{"],
    [250_000, "/ok"],
    [3, `/${"x{".repeat(1_000_000)}`],
  ] as const;
  for (const [bindings, template] of table) {
    const say = method("Say", ".a.Text", { options: ruleWith(bindings, template) });
    const many = Array.from({ length: 100 }, (_, i) => ({ name: `Echo${i}`, method: [say] }));
    const service = bindings > 1000 ? [{ name: "Echo", method: [say] }] : many;
    const schema = schemaFromFiles(filesOf(echoFile("a", { service })));
    const shop = { config: { name: "shop" }, cluster: { handler }, schema, problem: undefined };
    const { warnings, routes } = assemble(defaultConfig(), [shop], [], []);
    assert.ok(warnings.length > 0 && warnings.length <= 200, `${warnings.length} warnings`);
    assert.ok(warnings.join("").length < 100_000, `${warnings.join("").length} characters`);
    assert.match(warnings.join("\n"), /and \d+ more problems of HTTP rules/);
    if (bindings > 1000) assert.match(warnings.join("\n"), /250000 additional_bindings/);
    assert.ok(routes.some(({ path }) => path === "/ok"));
  }
});
