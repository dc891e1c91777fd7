// The config as people read it of a running hub: in the keys and the notation of the file, and without its secrets.
import assert from "node:assert/strict";
import { describe, it, test } from "node:test";
import { isSecret, masked } from "#src/config/mask.js";
import { defaultConfig, withOverrides } from "#src/settings/from-args.js";
import { configJsonSchema } from "#src/settings/json-schema.js";
import { configOf, parseConfig } from "#src/settings/load.js";
import { secretsOf } from "#src/settings/secrets.js";
import { writtenOf } from "#src/settings/written.js";

function read(text: string, env: Record<string, string> = {}) {
  const result = parseConfig(Buffer.from(text), {
    file: "linchpin.yaml",
    directory: "/etc/linchpin",
    env,
    checkPath: () => undefined,
  });
  assert.ok(result.ok, JSON.stringify(result));
  return result.config;
}

/** As the file has it: in a literal the linter takes it for a template. */
const variable = (name: string): string => `\${${name}}`;

const FILE = `
listen: { address: "\${HOST:-127.0.0.1}:8080" }
admin: { address: 127.0.0.1:9901, token: "\${ADMIN_TOKEN}" }
upstreams:
  library: &same { endpoints: ["\${LIBRARY}"], pending: { max: 10 } }
  other: *same
drain: { grace: 1.5m }
limits:
  maxMessage: 512KiB
  connectionsPerAddress: \${MANY}
`;
const ENV = { ADMIN_TOKEN: "0123456789abcdef", LIBRARY: "library:50051", MANY: "7" };
const LIBRARY = { endpoints: [variable("LIBRARY")], pending: { max: 10 } };

test("a file is shown as it stands: its keys, durations and sizes, and variables by name", () => {
  assert.deepEqual(writtenOf(read(FILE, ENV)), {
    listen: { address: `${variable("HOST:-127.0.0.1")}:8080` },
    admin: { address: "127.0.0.1:9901", token: variable("ADMIN_TOKEN") },
    upstreams: { library: LIBRARY, other: LIBRARY },
    drain: { grace: "1.5m" },
    limits: { maxMessage: "512KiB", connectionsPerAddress: variable("MANY") },
  });
});

test("values that the command line replaced are shown as given there, beside the others", () => {
  const targets = ["library=http://10.0.0.1:50051", "new=https://new.example"];
  const flags = { targets, listen: "127.0.0.1:1", admin: "127.0.0.1:2" };
  assert.deepEqual(writtenOf(withOverrides(read(FILE, ENV), flags)), {
    listen: { address: "127.0.0.1:1" },
    admin: { address: "127.0.0.1:2", token: variable("ADMIN_TOKEN") },
    upstreams: {
      library: { ...LIBRARY, endpoints: ["10.0.0.1:50051"] },
      other: LIBRARY,
      new: { endpoints: ["new.example:443"], tls: true },
    },
    drain: { grace: "1.5m" },
    limits: { maxMessage: "512KiB", connectionsPerAddress: variable("MANY") },
  });
});

test("without a file it has the command line's values, and the hub's addresses", () => {
  const config = withOverrides(defaultConfig(), {
    targets: ["a=127.0.0.1:1", "a=127.0.0.1:2"],
    admin: "off",
    schemaCache: "/var/cache/hub",
  });
  assert.deepEqual(writtenOf(config), {
    listen: "127.0.0.1:8080",
    admin: "off",
    schemaCache: "/var/cache/hub",
    upstreams: { a: { endpoints: ["127.0.0.1:1", "127.0.0.1:2"] } },
  });
});

test("an upstream without a schema keeps its services where a target replaces its endpoints", () => {
  const file = `upstreams: { a: { endpoints: ["a:1"], schema: none, services: [b.C] } }`;
  const { upstreams } = writtenOf(withOverrides(read(file, {}), { targets: ["a=a:2"] }));
  assert.deepEqual(upstreams, { a: { endpoints: ["a:2"], schema: "none", services: ["b.C"] } });
});

test("of a program it is the object that it gave", () => {
  const given = { listen: "127.0.0.1:0", admin: false, upstreams: { a: { endpoints: ["a:1"] } } };
  assert.deepEqual(writtenOf(configOf(given)), given);
});

describe("secrets are masked", () => {
  const cases: readonly (readonly [what: string, tree: unknown, shown: unknown])[] = [
    [
      "under their keys",
      { token: "abc", apiKey: "d", password: 7 },
      { token: "***", apiKey: "***", password: "***" },
    ],
    ["in lists under them", { tokens: ["a", "b"] }, { tokens: ["***", "***"] }],
    ["digests too", [{ name: "web", sha256: "00ff" }], [{ name: "web", sha256: "***" }]],
    [
      "but no names of files",
      { tokenFile: "/run/token", passwordFile: "p" },
      { tokenFile: "/run/token", passwordFile: "p" },
    ],
    ["but no names of variables", { token: variable("TOKEN") }, { token: variable("TOKEN") }],
    ["defaults of variables too", { token: variable("TOKEN:-abc") }, { token: "***" }],
    ["but no switches", { credentials: true, token: null }, { credentials: true, token: null }],
    [
      "but no keys that are names with such a word in them",
      { "a.TokenService": { deadline: "2s", token: "x" } },
      { "a.TokenService": { deadline: "2s", token: "***" } },
    ],
    [
      "in URLs",
      ["https://me:pass@host/x", "redis://:p@ss@h:1/0"],
      ["https://***@host/x", "redis://***@h:1/0"],
    ],
    ["in URLs within text", "see https://me@h/ and x", "see https://***@h/ and x"],
    [
      "in parameters of URLs",
      "https://h/keys?sig=a&version=1&api-key=b;access_token=c#d",
      "https://h/keys?sig=***&version=1&api-key=***;access_token=***#d",
    ],
    ["but nothing else", "dns:///b/c?x=1 me@example.org", "dns:///b/c?x=1 me@example.org"],
  ];
  for (const [what, tree, shown] of cases) it(what, () => assert.deepEqual(masked(tree), shown));
});

test("errors repeat no user and no password of a URL", () => {
  const url = "http://me:hunter2@127.0.0.1:1";
  const upstreams = { a: { endpoints: [url] } };
  const jwt = [{ issuer: "i", audiences: ["a"], jwks: url }];
  const config = { listen: url, admin: url, upstreams, interceptors: { auth: { jwt } } };
  const errors = [
    () => configOf(config),
    () => read(JSON.stringify(config)),
    () => withOverrides(defaultConfig(), { targets: [url] }),
    () => withOverrides(defaultConfig(), { targets: [], listen: url }),
    () => withOverrides(defaultConfig(), { targets: [], admin: url }),
  ];
  for (const error of errors)
    assert.throws(error, ({ message }: Error) => message.includes("http") && !message.includes("hunter2"));
});

test("each path that a section calls secret is that of a key", () => {
  const secrets = secretsOf();
  assert.ok(secrets.length > 1);
  for (const path of secrets) {
    let nodes: unknown[] = [configJsonSchema()];
    for (const part of path)
      nodes = nodes
        .flatMap((node) => [Object(node), ...(Object(node).anyOf ?? [])])
        .flatMap((node) =>
          part === "*" ? [node.items, node.additionalProperties] : [node.properties?.[part]],
        )
        .filter((node) => typeof node === "object" && node !== null);
    assert.ok(nodes.length > 0, path.join("."));
  }
});

/** Keys with a word of secrets in them that hold none: paths of files, names, and what has keys of its own. */
const NO_SECRETS = ["apiKeys", "key", "keys", "passwordFile", "tokenFile"];

test("each key of the file that may hold a secret is one of those that are masked", () => {
  const found: string[] = [];
  const walk = (node: unknown, key: string): void => {
    if (typeof node !== "object" || node === null) return;
    for (const [name, inner] of Object.entries(node)) {
      if (name !== "properties" || typeof inner !== "object" || inner === null) {
        walk(inner, key);
        continue;
      }
      for (const [own, child] of Object.entries(inner)) {
        if (/key|token|secret|pass|sha\d|cred|digest|cookie|private|salt/i.test(own)) found.push(own);
        walk(child, own);
      }
    }
  };
  walk(configJsonSchema(), "");
  const open = [...new Set(found)].filter((name) => !isSecret(name)).sort();
  assert.deepEqual(
    open.filter((name) => !NO_SECRETS.includes(name)),
    [],
  );
  assert.ok(found.includes("token") && found.includes("sha256"), found.join(", "));
});
