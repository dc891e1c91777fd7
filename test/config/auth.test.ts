// interceptors.auth and the access rules of methods: what is wrong is told at its place, and no key is ever repeated.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { formatErrors, parseConfig } from "#src/config/load.js";

const SHA256 = "e4d935ebb0c80169fc7c90b577bfe6fca5ba5ec517212becf2ec99711ed9c3ed";

function errorsOf(auth: string, methods = "{}"): string[] {
  const text = `upstreams: { a: { endpoints: [h:1] } }\nmethods: ${methods}\ninterceptors:\n  auth: ${auth}\n`;
  const result = parseConfig(Buffer.from(text), {
    file: "c.yaml",
    directory: "/etc/hub",
    env: {},
    checkPath: (path) => (path.includes("missing") ? `${path}: no such file or directory` : undefined),
  });
  return result.ok ? [] : formatErrors(result.errors).split("\n");
}

const KEYS = `{ keys: [{ name: web, sha256: ${SHA256} }] }`;

for (const [name, auth, expected] of [
  ["no way to say who one is", "{}", /interceptors\.auth: must have at least one of apiKeys, jwt and mtls/],
  ["API keys without any", "{ apiKeys: {} }", /apiKeys: must have keys or a file/],
  [
    "a key that is no digest",
    "{ apiKeys: { keys: [{ name: web, sha256: abc }] } }",
    /keys\[0\]\.sha256: must be the key's SHA-256, 64 hexadecimal digits: printf %s KEY \| sha256sum$/,
  ],
  [
    "a name with a space",
    `{ apiKeys: { keys: [{ name: a b, sha256: ${SHA256} }] } }`,
    /keys\[0\]\.name: must/,
  ],
  [
    "a role with a comma",
    `{ apiKeys: { keys: [{ name: a, sha256: ${SHA256}, roles: ["a,b"] }] } }`,
    /roles\[0\]: must be a role/,
  ],
  [
    "one key twice",
    `{ apiKeys: { keys: [{ name: a, sha256: ${SHA256} }, { name: b, sha256: ${SHA256.toUpperCase()} }] } }`,
    /keys\[1\]: is the key of an earlier entry/,
  ],
  ["a key file that is not there", "{ apiKeys: { file: missing.yaml } }", /apiKeys\.file: .*no such file/],
  [
    "keys in authorization",
    `{ apiKeys: { header: Authorization, file: k } }`,
    /apiKeys\.header: must be the name/,
  ],
  [
    "keys in a binary header",
    `{ apiKeys: { header: key-bin, file: k } }`,
    /apiKeys\.header: must be the name/,
  ],
  [
    "keys in the query",
    `{ apiKeys: { query: key, file: k } }`,
    /apiKeys\.query: unknown key; allowed: header/,
  ],
  ["an issuer without audience", "{ jwt: [{ issuer: a, jwks: f }] }", /jwt\[0\]\.audiences: is missing/],
  [
    "an issuer whose keys cannot be found",
    "{ jwt: [{ issuer: a, audiences: [x] }] }",
    /jwt\[0\]\.issuer: must be an http or https URL/,
  ],
  [
    "keys from elsewhere than the web and files",
    "{ jwt: [{ issuer: a, audiences: [x], jwks: 'ftp://h/k' }] }",
    /jwt\[0\]\.jwks: must be an http or https URL, or a file/,
  ],
  [
    "a password in the URL of the keys",
    "{ jwt: [{ issuer: a, audiences: [x], jwks: 'https://u:p@h/k' }] }",
    /jwt\[0\]\.jwks: must be/,
  ],
  [
    "one issuer twice",
    "{ jwt: [{ issuer: a, audiences: [x], jwks: f }, { issuer: a, audiences: [y], jwks: g }] }",
    /jwt\[1\]\.issuer: is named twice/,
  ],
  [
    "a shared secret as algorithm",
    "{ jwt: [{ issuer: a, audiences: [x], jwks: f, algorithms: [HS256] }] }",
    /algorithms\[0\]: must be one of RS256/,
  ],
  [
    "identity and roles in one header",
    `{ apiKeys: ${KEYS}, forward: { identity: x-a, roles: X-A } }`,
    /forward: must not have one header/,
  ],
  [
    "the identity in the header of the keys",
    `{ apiKeys: ${KEYS}, forward: { identity: x-api-key } }`,
    /forward: must not tell services/,
  ],
] as const)
  test(`refused: ${name}`, () => {
    const errors = errorsOf(auth);
    assert.equal(errors.length, 1, errors.join("\n"));
    assert.match(errors[0] ?? "", expected);
  });

for (const [name, methods, expected] of [
  ["another word", "{ a.B: { auth: maybe } }", /auth: must be one of none, optional, required/],
  ["no roles", "{ a.B: { roles: [] } }", /roles: must name at least one role/],
  [
    "roles for nobody in particular",
    "{ a.B: { auth: none, roles: [x] } }",
    /auth: must not have auth: none and/,
  ],
] as const)
  test(`refused for a method: ${name}`, () => {
    const errors = errorsOf(`{ apiKeys: ${KEYS} }`, methods);
    assert.equal(errors.length, 1, errors.join("\n"));
    assert.match(errors[0] ?? "", expected);
  });

test("roles without auth are refused", () => {
  assert.match(
    errorsOf("", "{ a.B: { roles: [x] } }").join(),
    /methods\["a\.B"\]\.roles: needs interceptors\.auth/,
  );
});

test("a key in the place of its digest, or of its entry, is not repeated", () => {
  for (const keys of [
    "[{ name: web, sha256: S3cret }]",
    "[S3cret]",
    "S3cret",
    "[{ S3cret: 1 }]",
    "[{ name: [S3cret] }]",
  ]) {
    const errors = errorsOf(`{ apiKeys: { keys: ${keys} } }`);
    assert.ok(errors.length > 0, keys);
    if (!keys.includes("S3cret:")) assert.doesNotMatch(errors.join("\n"), /S3cret/, keys);
  }
});

test("what is wrong inside the files of keys is told with the rest, where files are read", (t) => {
  const directory = mkdtempSync(join(tmpdir(), "linchpin-config-"));
  t.after(() => rmSync(directory, { recursive: true }));
  writeFileSync(join(directory, "keys.yaml"), "- { name: a, sha256: S3cret }\n");
  const text = `upstreams: { a: { endpoints: [h:1] } }
interceptors:
  auth:
    apiKeys: { file: keys.yaml }
    jwt: [{ issuer: a, audiences: [x], jwks: none.json }, { issuer: b, audiences: [x], jwks: keys.yaml }]
`;
  const options = { file: "c.yaml", directory, env: {}, checkPath: () => undefined, readsFiles: true };
  const result = parseConfig(Buffer.from(text), options);
  assert.ok(!result.ok);
  const errors = formatErrors(result.errors).split("\n");
  assert.equal(errors.length, 3);
  assert.match(
    errors[0] ?? "",
    /^c\.yaml:4:22: interceptors\.auth\.apiKeys\.file: .*keys\.yaml entry 1 sha256: must be/,
  );
  assert.match(errors[1] ?? "", /^c\.yaml:5:46: .*the keys cannot be read from .*none\.json: no such file/);
  assert.match(errors[2] ?? "", /^c\.yaml:5:94: .*keys\.yaml is no JSON Web Key Set/);
  assert.doesNotMatch(errors.join(), /S3cret/);
});
