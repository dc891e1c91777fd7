import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { BinaryWriter } from "@bufbuild/protobuf/wire";
import { MethodOptions_IdempotencyLevel, MethodOptionsSchema } from "@bufbuild/protobuf/wkt";
import { assemble } from "#src/hub/plans/assembly.js";
import { schemaFromFiles } from "#src/schema/types/schema.js";
import { defaultConfig } from "#src/settings/from-args.js";
import { configOf } from "#src/settings/load.js";
import type { RetryPolicy } from "#src/upstream/retry/policy/policy.js";
import { echoFile, filesOf, method } from "../schema/support/files.js";

const handler = (): never => assert.fail("nobody calls");

test("errors of an upstream's schema are reported, with the upstream's name", () => {
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

test("routes say how their calls are retried, and retries that make no attempt are warned of", () => {
  const config = {
    ...defaultConfig(),
    ...configOf({
      upstreams: { shop: { endpoints: ["h:1"], retries: { attempts: 2 } } },
      methods: {
        "a.Echo/Ask": { retries: { attempts: 4 } },
        "a.Echo/Say": { idempotent: true, retries: { hedge: { delay: "50ms" } } },
        "a.Echo/Tell": { retries: { attempts: 4 } },
        "a.Echo/Hear": { retries: false },
        "a.Other/Do": { retries: { dangerouslyRepeatAnyCall: true } },
      },
    }),
  };
  const idempotent = create(MethodOptionsSchema, {
    idempotencyLevel: MethodOptions_IdempotencyLevel.NO_SIDE_EFFECTS,
  });
  const methods = [
    method("Ask", ".a.Text", { options: idempotent }),
    method("Say", ".a.Text"),
    method("Tell", ".a.Text"),
    method("Hear", ".a.Text", { options: idempotent }),
    method("Look", ".a.Text", { options: idempotent }),
  ];
  const described = schemaFromFiles(filesOf(echoFile("a", { service: [{ name: "Echo", method: methods }] })));
  const schema = { ...described, undescribed: ["a.Other"] };
  const policies: RetryPolicy[] = [];
  const shop = {
    config: { name: "shop" },
    cluster: { handler },
    handlerFor: (policy: RetryPolicy) => {
      policies.push(policy);
      return handler;
    },
    schema,
    problem: undefined,
  };
  const { routes, warnings, explain } = assemble(config, [shop], [], []);
  const second = (name: string): string | undefined => explain("POST", `/a.Echo/${name}`)[1];
  assert.equal(second("Ask"), "  retries: 4 attempts on UNAVAILABLE");
  assert.match(second("Tell") ?? "", /^ {2}retries: none: the method is not idempotent/);
  assert.deepEqual(
    Object.fromEntries(routes.filter(({ verb }) => verb === "gRPC").map((row) => [row.method, row.retries])),
    {
      "a.Echo/Ask": "4 attempts on UNAVAILABLE",
      "a.Echo/Say": "2 attempts side by side, after 50ms each, or on UNAVAILABLE",
      "a.Echo/Tell": undefined,
      "a.Echo/Hear": undefined,
      "a.Echo/Look": "2 attempts on UNAVAILABLE",
      "a.Other/Do": undefined,
      "a.Other/*": undefined,
    },
  );
  assert.deepEqual(
    policies.map(({ attempts }) => attempts),
    [4, 2, 2],
    "a handler is made for each method with a policy, and for no other",
  );
  assert.deepEqual(
    warnings.filter((warning) => warning.includes("retries")),
    [
      "methods, a.Echo/Tell: retries has no effect: the method is not idempotent, or has only one attempt (idempotent: true says that it may be called twice)",
      "methods, a.Other/Do: retries has no effect: no schema describes the method",
    ],
  );
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

test("however many problems a schema has, few and short ones are reported, and one line counts the others", () => {
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
