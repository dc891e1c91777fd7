// Targets and flags of the command line become the same Config as a file.
import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { UserError } from "#src/kit/text/user-error.js";
import { defaultConfig, type Overrides, withOverrides } from "#src/settings/from-args.js";
import type { Config } from "#src/settings/sections.js";
import { UPSTREAM_DEFAULTS } from "#src/upstream/upstream-keys.js";

const FILE = fileURLToPath(import.meta.url);
const FOLDER = fileURLToPath(new URL(".", import.meta.url));

const BASE: Config = {
  ...defaultConfig(),
  upstreams: [
    {
      name: "library",
      endpoints: [{ host: "a", port: 1 }],
      schema: { kind: "protoset", file: "/x" },
      ...UPSTREAM_DEFAULTS,
    },
    {
      name: "other",
      endpoints: [{ host: "b", port: 2 }],
      schema: { kind: "reflection" },
      ...UPSTREAM_DEFAULTS,
    },
  ],
};

function upstreams(targets: readonly string[], base = defaultConfig()): string[] {
  return withOverrides(base, { targets }).upstreams.map(
    ({ name, endpoints, schema }) =>
      `${name} ${endpoints.map((e) => ("host" in e ? `${e.host}|${e.port}` : e.path)).join()} ${schema.kind}`,
  );
}

for (const [targets, expected] of [
  [["127.0.0.1:50051"], ["127.0.0.1-50051 127.0.0.1|50051 reflection"]],
  [["[::1]:50051"], ["1-50051 ::1|50051 reflection"]],
  [["library=h:1"], ["library h|1 reflection"]],
  [
    ["library=h:1", "library=h:2", "o=h:3"],
    ["library h|1,h|2 reflection", "o h|3 reflection"],
  ],
  [
    ["h:1", "h:2"],
    ["h-1 h|1 reflection", "h-2 h|2 reflection"],
  ],
] as const) {
  test(`${targets.join(" ")} without a file`, () => assert.deepEqual(upstreams(targets), expected));
}

test("over a file, a target replaces the endpoints of its name, or joins", () => {
  assert.deepEqual(upstreams(["library=h:9", "new=h:1"], BASE), [
    "library h|9 protoset",
    "other b|2 reflection",
    "new h|1 reflection",
  ]);
  assert.deepEqual(upstreams([], BASE), ["library a|1 protoset", "other b|2 reflection"]);
});

test("listen and admin replace those of the file", () => {
  const config = withOverrides(BASE, { targets: [], listen: "0.0.0.0:0", admin: "off" });
  assert.deepEqual(config.listen, [{ address: { host: "0.0.0.0", port: 0 }, tls: undefined }]);
  assert.equal(config.admin, undefined);
  assert.deepEqual(withOverrides(BASE, { targets: [] }), BASE);
});

test("--protoset and --proto are the schema of every target", () => {
  const protoset = withOverrides(defaultConfig(), { targets: ["a:1", "b:1"], protoset: FILE });
  assert.deepEqual(
    protoset.upstreams.map((u) => u.schema),
    [
      { kind: "protoset", file: FILE },
      { kind: "protoset", file: FILE },
    ],
  );
  const protos = withOverrides(defaultConfig(), { targets: ["a:1"], protoDirs: [FOLDER] });
  assert.deepEqual(protos.upstreams[0]?.schema, { kind: "protos", dirs: [FOLDER] });
});

const REFUSED: readonly (readonly [Overrides, RegExp])[] = [
  [{ targets: ["nowhere"] }, /^a target must be HOST:PORT, as in 127\.0\.0\.1:50051, not "nowhere"$/],
  [
    { targets: ["https://h/x"] },
    /^a target must be https:\/\/HOST or https:\/\/HOST:PORT, and no more, not "https:\/\/h\/x"$/,
  ],
  [{ targets: ["a b=h:1"] }, /the NAME must be a name of 1 to 63/],
  [{ targets: ["=h:1"] }, /the NAME must be/],
  [{ targets: ["hub=h:1"] }, /is not hub/],
  [{ targets: ["h:1", "h:1"] }, /^the target h:1 is given twice$/],
  [{ targets: ["h:1"], listen: ":80" }, /^--listen must name the host as well: 127\.0\.0\.1:80/],
  [{ targets: ["h:1"], admin: "x" }, /^--admin must be HOST:PORT/],
  [{ targets: ["h:1"], protoset: "/nowhere" }, /^--protoset: \/nowhere: no such file or directory$/],
  [{ targets: ["h:1"], protoset: FOLDER }, /^--protoset: .* is a directory, not a file$/],
  [{ targets: ["h:1"], protoDirs: [FILE] }, /^--proto: .* is no directory$/],
  [{ targets: ["h:1"], protoset: FILE, protoDirs: [FOLDER] }, /exclude each other/],
  [{ targets: [], protoset: FILE }, /are for targets/],
];

for (const [overrides, message] of REFUSED) {
  test(`refused in one sentence: ${JSON.stringify(overrides)}`, () => {
    assert.throws(
      () => withOverrides(defaultConfig(), overrides),
      (error) => error instanceof UserError && message.test(error.message) && !error.message.includes("\n"),
    );
  });
}
