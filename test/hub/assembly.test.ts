import assert from "node:assert/strict";
import { test } from "node:test";
import { defaultConfig } from "#src/config/from-args.js";
import { assemble } from "#src/hub/assembly.js";
import { schemaFromFiles } from "#src/schema/schema.js";

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
});
