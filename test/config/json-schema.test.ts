// The JSON Schema says what the loader holds: every key described, every default true, every example valid.
import assert from "node:assert/strict";
import { test } from "node:test";
import { configJsonSchema } from "#src/settings/json-schema.js";
import { parseConfig } from "#src/settings/load.js";
import { sampleConfig } from "#src/settings/sample.js";

type Node = Readonly<Record<string, unknown>>;

function isNode(value: unknown): value is Node {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Every property of the schema, with its path. */
function* properties(node: unknown, path = ""): Generator<[string, Node]> {
  if (!isNode(node)) return;
  if (isNode(node.properties)) {
    for (const [key, child] of Object.entries(node.properties)) {
      const at = path === "" ? key : `${path}.${key}`;
      if (isNode(child)) yield [at, child];
      yield* properties(child, at);
    }
  }
  yield* properties(node.additionalProperties, `${path}.*`);
  yield* properties(node.items, `${path}[]`);
  for (const option of Array.isArray(node.anyOf) ? node.anyOf : [])
    yield* properties(option, `${path}[form]`);
}

const SCHEMA = configJsonSchema();
const ALL = [...properties(SCHEMA)];

/** The second laid over the first, mappings one in the other. */
function merged(below: unknown, above: unknown): unknown {
  if (!isNode(below) || !isNode(above)) return above;
  const both: Record<string, unknown> = { ...below };
  for (const [key, value] of Object.entries(above)) both[key] = merged(both[key], value);
  return both;
}

function loads(text: string): string | undefined {
  const result = parseConfig(Buffer.from(text), {
    file: "c",
    directory: "/",
    env: {},
    checkPath: () => undefined,
  });
  return result.ok ? undefined : JSON.stringify(result.errors);
}

test("it names itself, and forbids unknown keys", () => {
  assert.equal(SCHEMA.$schema, "https://json-schema.org/draft/2020-12/schema");
  assert.equal(SCHEMA.title, "linchpin.yaml");
  assert.equal(SCHEMA.additionalProperties, false);
  assert.deepEqual(SCHEMA.required, ["upstreams"]);
});

test("every key is described, but for the five verbs of a rule", () => {
  const bare = ALL.filter(([path, node]) => typeof node.description !== "string" && !/rules\[\]/.test(path));
  assert.deepEqual(
    bare.map(([path]) => path),
    [],
  );
});

test("every default and example loads", () => {
  // Beside what a section must have, whatever else is in it.
  const up = {
    listen: { address: "127.0.0.1:8443", tls: { cert: "a.crt", key: "a.key", clientCa: "ca.crt" } },
    upstreams: { a: { endpoints: ["h:1"] } },
    interceptors: { auth: { apiKeys: { file: "keys.yaml" } } },
    http: { cors: { origins: ["https://app.example.com"] } },
  };
  let tried = 0;
  for (const [path, node] of ALL) {
    if (/[*[]/.test(path)) continue;
    const examples = Array.isArray(node.examples) ? node.examples : [];
    for (const value of [...("default" in node ? [node.default] : []), ...examples]) {
      const nested = path.split(".").reduceRight<unknown>((inner, key) => ({ [key]: inner }), value);
      assert.equal(loads(JSON.stringify(merged(up, nested))), undefined, path);
      tried++;
    }
  }
  assert.ok(tried > 20, `only ${tried} values`);
});

test("every key that may be left out has a default, or does nothing", () => {
  const without = ALL.filter(([path, node]) => !("default" in node) && !/[*[]/.test(path));
  assert.deepEqual(
    without.map(([path]) => path),
    [
      "upstreams",
      "interceptors.auth",
      "interceptors.auth.apiKeys",
      "interceptors.auth.apiKeys.file",
      "interceptors.auth.mtls",
      "interceptors.auth.forward.identity",
      "interceptors.auth.forward.roles",
      "http.cors",
      "http.cors.origins",
      "http.cors.headers",
      "schemaCache",
    ],
  );
});

test("the file that init writes has the keys of upstreams, of methods and of the lists", () => {
  const text = sampleConfig({ library: { endpoints: ["h:1"] }, orders: { endpoints: ["h:2"] } });
  for (const line of [
    "#     connections:",
    "#       idle: 60s",
    "#     - name: per-consumer",
    "#         rolesClaim: roles",
    "#     idempotent: true",
    "#     forms: true   # an example; none by default",
    '#       location: "/v1/{name}"   # an example; none by default',
    "#     origins: [ https://app.example ]   # an example; none by default",
    "#   http1ReadRate: 240",
  ])
    assert.equal(text.split("\n").filter((one) => one === line).length, 1, line);
});

test("the file that init writes loads, as it is and with every comment taken away", () => {
  const text = sampleConfig({ library: { endpoints: ["h:1"] } });
  assert.equal(text.split("\n")[0], "# yaml-language-server: $schema=./linchpin.schema.json");
  assert.equal(loads(text), undefined);
  const live = text
    .split("\n")
    .slice(2)
    .map((line) => line.replace(/^# (?! *##)/, ""));
  assert.ok(live.includes("listen: 127.0.0.1:8080") && live.includes("    default: 15s"));
  // The example of mtls needs a listener that asks clients for certificates.
  assert.match(
    loads(live.join("\n")) ?? "",
    /^[^}]*"interceptors\.auth\.mtls","message":"needs a listener with tls\.clientCa[^}]*}]$/,
  );
  const tls = "listen: { address: 127.0.0.1:8443, tls: { cert: a.crt, key: a.key, clientCa: ca.crt } }";
  assert.equal(loads(live.map((line) => (line.startsWith("listen:") ? tls : line)).join("\n")), undefined);
});
