// interceptors.auth and the access rules of methods: what is wrong is told at its place, and no key is ever repeated.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { formatErrors } from "#src/config/config-error.js";
import { parseConfig } from "#src/settings/load.js";

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

/** What asks for protection that nothing gives, and what would give it. */
const PAIR = "cert: a.crt, key: a.key";
const AUTH = `interceptors: { auth: { apiKeys: ${KEYS} } }`;
const quota = (key: string): string => `quota: [{ name: q, key: [ip, ${key}], rate: 1/s }]`;
for (const [name, unmet, errors, met, embedded = errors] of [
  [
    "a method that needs a credential",
    "methods: { a.B: { auth: required }, a.B/C: { auth: none } }",
    [
      '2:25: methods["a.B"].auth: needs interceptors.auth: without it everybody may call, with any credential',
    ],
    AUTH,
  ],
  [
    "a method that refuses wrong credentials",
    "methods:\n  a.B/C: { deadline: 1s, auth: optional }",
    [
      '3:32: methods["a.B/C"].auth: needs interceptors.auth: without it everybody may call, with any credential',
    ],
    AUTH,
  ],
  [
    "roles, in each place",
    "methods:\n  a.B: { roles: [x] }\n  a.C: { roles: [x], auth: required }",
    [
      '3:17: methods["a.B"].roles: needs interceptors.auth: without it nobody has a role',
      '4:17: methods["a.C"].roles: needs interceptors.auth: without it nobody has a role',
      '4:28: methods["a.C"].auth: needs interceptors.auth: without it everybody may call, with any credential',
    ],
    AUTH,
  ],
  [
    "the cost of a call that nothing counts",
    "methods: { a.B: { quota: { cost: 2 } }, a.C: { quota: none } }",
    ['2:26: methods["a.B"].quota: needs interceptors.quota: without it nothing counts the calls'],
    `interceptors: { ${quota("method")} }`,
  ],
  [
    "a quota of identities",
    `interceptors: { ${quota("identity")} }`,
    [
      "2:46: interceptors.quota[0].key[1]: needs interceptors.auth: without it nobody has an identity; ip counts by address",
    ],
    `interceptors: { auth: { apiKeys: ${KEYS} }, ${quota("identity")} }`,
    [],
  ],
  [
    "a quota of API keys, where tokens alone are taken",
    `interceptors: { auth: { jwt: [{ issuer: "https://a.example", audiences: [x] }] }, ${quota("apiKey")} }`,
    [
      "2:112: interceptors.quota[0].key[1]: needs interceptors.auth.apiKeys: without it nobody has a key; ip counts by address",
    ],
    `interceptors: { auth: { apiKeys: ${KEYS} }, ${quota("apiKey")} }`,
    [],
  ],
  [
    "certificates that nobody is asked for",
    `listen: [127.0.0.1:1, { address: 127.0.0.1:2, tls: { ${PAIR} } }]\ninterceptors: { auth: { mtls: {} } }`,
    [
      "3:31: interceptors.auth.mtls: needs a listener with tls.clientCa: without it no client is asked for a certificate",
    ],
    `listen: [127.0.0.1:1, { address: 127.0.0.1:2, tls: { ${PAIR}, clientCa: ca } }]\ninterceptors: { auth: { mtls: {} } }`,
  ],
  [
    "certificates that nobody looks at",
    `listen: { address: 127.0.0.1:2, tls: { ${PAIR}, clientCa: ca, clientAuth: request } }`,
    [
      "2:91: listen.tls.clientAuth: needs interceptors.auth.mtls: without it a client with a certificate is as any other; require is the default",
    ],
    `listen: { address: 127.0.0.1:2, tls: { ${PAIR}, clientCa: ca, clientAuth: require } }`,
    [],
  ],
  [
    "… in a list",
    `listen:\n  - 127.0.0.1:1\n  - { address: 127.0.0.1:2, tls: { ${PAIR}, clientCa: ca, clientAuth: request } }`,
    [
      "4:87: listen[1].tls.clientAuth: needs interceptors.auth.mtls: without it a client with a certificate is as any other; require is the default",
    ],
    `listen: [127.0.0.1:1, { address: 127.0.0.1:2, tls: { ${PAIR}, clientCa: ca, clientAuth: request } }]\ninterceptors: { auth: { mtls: {} } }`,
    [],
  ],
  [
    "certificates that the admin listener does not look at",
    `admin: { address: 127.0.0.1:2, tls: { ${PAIR}, clientCa: ca, clientAuth: request } }`,
    [
      "2:90: admin.tls.clientAuth: must be require: to the admin listener a client with a certificate is as any other",
    ],
    `admin: { address: 127.0.0.1:2, tls: { ${PAIR}, clientCa: ca } }`,
  ],
  [
    "an admin listener that others reach",
    "admin: 0.0.0.0:9901",
    [
      "2:8: admin: can be reached by other machines, and so needs a token: admin: { address, token: ... } or tokenFile",
    ],
    "admin: { address: 0.0.0.0:9901, token: 0123456789abcdef0123456789abcdef }",
  ],
  [
    "a prefix that takes what calls need",
    "http: { metadata: { standardPrefix: grpc- } }",
    [
      "2:37: http.metadata.standardPrefix: must not begin grpc-timeout: what clients send under the prefix is dropped",
    ],
    "http: { metadata: { standardPrefix: grpcgateway- } }",
  ],
  [
    "a prefix that takes API keys",
    `http: { metadata: { standardPrefix: x- } }\n${AUTH}`,
    [
      "2:37: http.metadata.standardPrefix: must not begin x-api-key: what clients send under the prefix is dropped",
    ],
    "http: { metadata: { standardPrefix: x- } }",
  ],
] as const) {
  const told = (text: string, ownInterceptors: boolean): string[] => {
    const result = parseConfig(Buffer.from(`upstreams: { a: { endpoints: [h:1] } }\n${text}\n`), {
      file: "c.yaml",
      directory: "/etc/hub",
      env: {},
      checkPath: () => undefined,
      ownInterceptors,
    });
    return result.ok ? [] : formatErrors(result.errors).replaceAll("c.yaml:", "").split("\n");
  };
  test(`refused, as nothing gives it: ${name}`, () => {
    assert.deepEqual(told(unmet, false), errors);
    const more =
      unmet.includes("interceptors:") || met.includes(unmet.split(":")[0] ?? "") ? "" : `${unmet}\n`;
    assert.deepEqual(told(`${more}${met}`, false), []);
    assert.deepEqual(told(unmet, true), embedded, "beside interceptors of a program");
  });
}

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

test("errors inside key files are reported with the others, if files are read", (t) => {
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
