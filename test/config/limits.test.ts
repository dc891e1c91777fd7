// `limits:` of the config file: table, JSON Schema and docs/security.md say the same, and every limit can be set.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { formatErrors } from "#src/config/config-error.js";
import { CLIENT_LIMITS } from "#src/config/listener-limits.js";
import type { Limit } from "#src/http2/wire/limits.js";
import { defaultConfig } from "#src/settings/from-args.js";
import { configJsonSchema } from "#src/settings/json-schema.js";
import { limitTables, TABLES_BEGIN, TABLES_END } from "#src/settings/limits-page.js";
import { parseConfig } from "#src/settings/load.js";
import { limitDefault } from "#src/settings/sections/limits.js";
import type { Config } from "#src/settings/sections.js";

const TABLE = Object.entries<Limit>(CLIENT_LIMITS);
const SETTABLE = TABLE.flatMap(([name, limit]) =>
  limit.key === undefined ? [] : [{ name, key: limit.key, limit }],
);

function load(limits: string): { limits: Config["limits"] } | string {
  const result = parseConfig(Buffer.from(`upstreams: { a: { endpoints: [h:1] } }\nlimits: {${limits}}\n`), {
    file: "c",
    directory: "/",
    env: {},
    checkPath: () => undefined,
  });
  return result.ok ? { limits: result.config.limits } : formatErrors(result.errors);
}

/** As a file writes it. */
function written(limit: Limit, value: number): string {
  return String(limitDefault({ ...limit, value }));
}

/** Limits that must be raised with one another. */
const WITH: Readonly<Record<string, string>> = {
  maxHeaderList: "maxHeaderBlock: 2MiB, maxContinuations: 1000",
  maxHeaderBlock: "maxHeaderList: 4KiB, maxContinuations: 1000",
  maxContinuations: "maxHeaderBlock: 32KiB, maxHeaderList: 4KiB",
  maxQueued: "maxProcessQueued: 64GiB",
  maxProcessQueued: "maxQueued: 1MiB",
};

describe("the limits of clients", () => {
  test("have each a key, a default within its range, a reason and a source", () => {
    for (const [name, { value, min, max, reason, source }] of TABLE) {
      assert.ok(value >= min && value <= max && min > 0, name);
      assert.match(reason, /\.$/, name);
      assert.notEqual(source, "", name);
    }
    assert.equal(new Set(SETTABLE.map(({ key }) => key)).size, SETTABLE.length);
    assert.deepEqual(
      TABLE.filter(([, { key }]) => key === undefined).map(([name]) => name),
      ["http1Pipelined", "maxBlankBytes", "maxInterimResponses", "unreadMs"],
    );
  });

  test("are in the JSON Schema with their defaults and reasons", () => {
    const schema = configJsonSchema();
    const { limits } = schema.properties as Record<string, { properties: Record<string, object> }>;
    const { maxMessage: _, ...properties } = limits?.properties ?? {};
    assert.deepEqual(
      Object.entries(properties).map(([key, node]) => [
        key,
        Reflect.get(node, "default"),
        Reflect.get(node, "description"),
      ]),
      SETTABLE.map(({ key, limit }) => [key, limitDefault(limit), limit.reason]),
    );
  });

  test("are in docs/security.md (node tools/write-limits.mjs)", () => {
    const page = readFileSync("docs/security.md", "utf8");
    const made = page.slice(page.indexOf(TABLES_BEGIN) + TABLES_BEGIN.length, page.indexOf(TABLES_END));
    // The formatter pads its columns.
    const plain = (text: string): string => text.replace(/-+ \|/g, "--- |").replace(/ +\|/g, " |");
    assert.equal(plain(made).trim(), plain(limitTables()).trim());
  });

  test("have their defaults if they are missing, with a file and without", () => {
    const loaded = load("");
    assert.ok(typeof loaded !== "string", String(loaded));
    assert.deepEqual(loaded.limits, defaultConfig().limits);
    for (const [name, { value }] of TABLE) assert.equal(Reflect.get(loaded.limits, name), value, name);
  });

  for (const { name, key, limit } of SETTABLE) {
    test(`${key} takes the ends of its range, and nothing beyond`, () => {
      const { min, max, unit } = limit;
      const off = max === Number.POSITIVE_INFINITY;
      const top = off ? 3_600_000 : max;
      for (const value of [min, top, ...(off ? [max] : [])]) {
        const text = `${key}: ${written(limit, value)}${WITH[key] === undefined ? "" : `, ${WITH[key]}`}`;
        const loaded = load(text);
        assert.ok(typeof loaded !== "string", `${text}: ${loaded}`);
        assert.equal(Reflect.get(loaded.limits, name), value);
      }
      const wrong = unit === "bytes" ? [min - 1, max + 1, `"4 m"`, "true"] : ["0.5", min - 1, `"x"`, "true"];
      if (unit !== "bytes" && unit !== "ms") wrong.push(max + 1);
      if (!off) wrong.push("none");
      for (const value of wrong) {
        const text = unit === "ms" && typeof value === "number" ? `${value}ms` : String(value);
        const problem = load(`${key}: ${text}, ${WITH[key] ?? ""}`);
        assert.ok(typeof problem === "string", `${key}: ${text} was taken`);
        assert.match(problem, new RegExp(`^c:2:${12 + key.length}: limits\\.${key}: must `, "m"), text);
      }
    });
  }

  for (const [what, text, place] of [
    ["a header block smaller than the list it carries", "maxHeaderList: 256KiB", "maxHeaderBlock"],
    ["fewer frames than a header block needs", "maxContinuations: 3", "enough maxContinuations"],
    ["less for all connections than for one", "maxProcessQueued: 32MiB", "maxProcessQueued"],
  ] as const) {
    test(`${what} is an error`, () => {
      assert.match(String(load(text)), new RegExp(`^c:2:9: limits: must have .*${place}`));
    });
  }
});
