// The config's part about sockets: every form of it, and every error with its place.
import assert from "node:assert/strict";
import { createHash, generateKeyPairSync } from "node:crypto";
import { after, describe, test } from "node:test";
import { formatErrors } from "#src/config/config-error.js";
import { UserError } from "#src/kit/text/user-error.js";
import { defaultConfig, withOverrides } from "#src/settings/from-args.js";
import { loadConfig, parseConfig } from "#src/settings/load.js";
import { Authority, folder, write } from "../support/authority.js";

const authority = new Authority("a CA");
const one = authority.server();
const two = authority.server();
const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 });
const dir = folder({ after });
const TOKEN = "0123456789abcdef";
const DIGEST = createHash("sha256").update(TOKEN).digest("hex");

write(dir, {
  "a.crt": one.cert,
  "a.key": one.key,
  "b.crt": two.cert,
  "b.key": two.key,
  "ca.crt": authority.cert,
  "bad.crt": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
  "locked.key": rsa.privateKey
    .export({ type: "pkcs8", format: "pem", cipher: "aes-256-cbc", passphrase: "x" })
    .toString(),
  "old-locked.key": rsa.privateKey
    .export({ type: "pkcs1", format: "pem", cipher: "aes-256-cbc", passphrase: "x" })
    .toString(),
  "public.pem": rsa.publicKey.export({ type: "spki", format: "pem" }).toString(),
  "both.pem": one.cert + one.key,
  "der.crt": "0\x82\x01",
  empty: "",
  token: `${TOKEN}\n`,
  short: "abc\n",
});

const UP = "upstreams: { a: { endpoints: [h:1] } }\n";

function parse(text: string, readsFiles = true) {
  return parseConfig(Buffer.from(text), {
    file: "c",
    directory: dir,
    env: {},
    checkPath: () => undefined,
    readsFiles,
  });
}

function configOf(text: string) {
  const result = parse(text);
  if (result.ok) return result.config;
  throw new assert.AssertionError({ message: formatErrors(result.errors) });
}

const PAIR = { cert: `${dir}/a.crt`, key: `${dir}/a.key` };
const TCP = { host: "127.0.0.1", port: 1 };

describe("listen", () => {
  const FORMS: readonly (readonly [string, unknown])[] = [
    ["127.0.0.1:1", [{ address: TCP, tls: undefined }]],
    ["unix:/run/x.sock", [{ address: { path: "/run/x.sock" }, tls: undefined }]],
    ["{ address: 127.0.0.1:1 }", [{ address: TCP, tls: undefined }]],
    [
      "{ address: 127.0.0.1:1, tls: { cert: a.crt, key: a.key } }",
      [{ address: TCP, tls: { ...PAIR, clientCa: undefined, clientAuth: "require" } }],
    ],
    [
      "[127.0.0.1:0, { address: 127.0.0.1:0, tls: { cert: both.pem, key: both.pem, clientCa: ca.crt, clientAuth: request } }]",
      [
        { address: { host: "127.0.0.1", port: 0 }, tls: undefined },
        {
          address: { host: "127.0.0.1", port: 0 },
          tls: {
            cert: `${dir}/both.pem`,
            key: `${dir}/both.pem`,
            clientCa: `${dir}/ca.crt`,
            clientAuth: "request",
          },
        },
      ],
    ],
  ];
  for (const [text, listen] of FORMS) {
    // What asks clients for certificates needs somebody who looks at them.
    const mtls = text.includes("clientCa") ? "interceptors: { auth: { mtls: {} } }\n" : "";
    test(text, () => assert.deepEqual(configOf(`${UP}${mtls}listen: ${text}\n`).listen, listen));
  }

  test("over it, --listen replaces the address alone", () => {
    const base = configOf(`${UP}listen: { address: 127.0.0.1:1, tls: { cert: a.crt, key: a.key } }\n`);
    const [listener] = withOverrides(base, { targets: [], listen: "127.0.0.1:2" }).listen;
    assert.deepEqual(listener?.address, { host: "127.0.0.1", port: 2 });
    assert.equal(listener?.tls?.cert, PAIR.cert);
    const many = configOf(`${UP}listen: [127.0.0.1:1, 127.0.0.1:2]\n`);
    assert.throws(() => withOverrides(many, { targets: [], listen: "127.0.0.1:3" }), /this one has 2/);
    const unix = withOverrides(defaultConfig(), { targets: [], listen: "unix:/run/x" });
    assert.deepEqual(unix.listen, [{ address: { path: "/run/x" }, tls: undefined }]);
  });
});

describe("admin", () => {
  const FORMS: readonly (readonly [string, unknown])[] = [
    ["127.0.0.1:1", TCP],
    ["off", undefined],
    ["{ address: 127.0.0.1:1 }", TCP],
    [
      `{ address: 0.0.0.0:1, token: ${JSON.stringify(TOKEN)} }`,
      { host: "0.0.0.0", port: 1, tokenSha256: DIGEST },
    ],
    ["{ address: 0.0.0.0:1, tokenFile: token }", { host: "0.0.0.0", port: 1, tokenSha256: DIGEST }],
    [
      "{ address: 127.0.0.1:1, tls: { cert: a.crt, key: a.key } }",
      { ...TCP, tls: { ...PAIR, clientCa: undefined, clientAuth: "require" } },
    ],
  ];
  for (const [text, admin] of FORMS) {
    test(text, () => assert.deepEqual(configOf(`${UP}admin: ${text}\n`).admin, admin));
  }

  test("--admin keeps the file's token, and needs one off loopback", () => {
    const base = configOf(`${UP}admin: { address: 127.0.0.1:1, token: "${TOKEN}" }\n`);
    assert.deepEqual(withOverrides(base, { targets: [], admin: "0.0.0.0:2" }).admin, {
      host: "0.0.0.0",
      port: 2,
      tokenSha256: DIGEST,
    });
    assert.throws(
      () => withOverrides(defaultConfig(), { targets: [], admin: "0.0.0.0:2" }),
      (error) => error instanceof UserError && /so needs a token/.test(error.message),
    );
  });
});

describe("an upstream's tls", () => {
  const off = { ca: undefined, cert: undefined, key: undefined, serverName: undefined };
  const FORMS: readonly (readonly [string, unknown])[] = [
    ["true", { ...off, dangerouslyTrustAnyServer: false }],
    ["{}", { ...off, dangerouslyTrustAnyServer: false }],
    ["false", undefined],
    [
      "{ ca: ca.crt, cert: a.crt, key: a.key, serverName: up.example }",
      { ca: `${dir}/ca.crt`, ...PAIR, serverName: "up.example", dangerouslyTrustAnyServer: false },
    ],
    [
      "{ serverName: '::1', dangerouslyTrustAnyServer: true }",
      { ...off, serverName: "::1", dangerouslyTrustAnyServer: true },
    ],
  ];
  for (const [text, tls] of FORMS) {
    test(text, () => {
      const { upstreams } = configOf(`upstreams: { a: { endpoints: [h:1], tls: ${text} } }`);
      assert.deepEqual(upstreams[0]?.tls, tls);
    });
  }
});

describe("an error has its position", () => {
  const tls = (inner: string): string => `${UP}listen: { address: h:1, tls: { ${inner} } }`;
  const up = (inner: string): string => `upstreams: { a: { endpoints: [h:1], tls: ${inner} } }`;
  const TABLE: readonly (readonly [string, string, readonly RegExp[]])[] = [
    [
      "a file that is not there",
      tls("cert: no.crt, key: a.key"),
      [/^c:2:38: listen\.tls\.cert: .*no\.crt: no such file$/],
    ],
    [
      "a key of another certificate",
      tls("cert: a.crt, key: b.key"),
      [/^c:2:50: listen\.tls\.key: .*b\.key does not match the first certificate in .*a\.crt$/],
    ],
    [
      "a key where the certificate should be",
      tls("cert: a.key, key: a.key"),
      [/tls\.cert: .*a\.key holds private key, where a certificate should be/],
    ],
    [
      "both the wrong way round",
      tls("cert: a.key, key: a.crt"),
      [/tls\.cert: .*holds private key/, /tls\.key: .*holds certificate, where a private key should be/],
    ],
    ["a public key", tls("cert: a.crt, key: public.pem"), [/tls\.key: .*holds public key, where/]],
    [
      "a certificate that is damaged",
      tls("cert: bad.crt, key: a.key"),
      [/tls\.cert: .*certificate 1 of 1 cannot be read/],
    ],
    [
      "DER",
      tls("cert: der.crt, key: a.key"),
      [/tls\.cert: .*is not a PEM file.*looks like DER: openssl x509/],
    ],
    [
      "an empty file",
      tls("cert: empty, key: empty"),
      [
        /tls\.cert: .*is not a PEM file with a certificate/,
        /tls\.key: .*is not a PEM file with a private key/,
      ],
    ],
    ["a directory", tls("cert: ., key: a.key"), [/tls\.cert: .*is a directory/]],
    [
      "a key with a passphrase",
      tls("cert: a.crt, key: locked.key"),
      [/tls\.key: .*has a passphrase.*openssl pkey -in .*locked\.key/],
    ],
    [
      "an old key with a passphrase",
      tls("cert: a.crt, key: old-locked.key"),
      [/tls\.key: .*has a passphrase/],
    ],
    [
      "a CA that is a key",
      tls("cert: a.crt, key: a.key, clientCa: a.key"),
      [/tls\.clientCa: .*holds private key/],
    ],
    ["no key", tls("cert: a.crt"), [/^c:2:25: listen\.tls\.key: is missing: must be a path$/]],
    [
      "clientAuth without clientCa",
      tls("cert: a.crt, key: a.key, clientAuth: require"),
      [/listen\.tls\.clientAuth: needs clientCa/],
    ],
    [
      "another clientAuth",
      tls("cert: a.crt, key: a.key, clientCa: ca.crt, clientAuth: maybe"),
      [/clientAuth: must be require or request, not maybe/],
    ],
    [
      "an unknown key",
      tls("cert: a.crt, key: a.key, clientCA: ca.crt"),
      [/listen\.tls\.clientCA: unknown key \(did you mean clientCa\?\)/],
    ],
    [
      "an address that is none",
      `${UP}listen: { address: nowhere }`,
      [/^c:2:20: listen\.address: must be HOST:PORT/],
    ],
    [
      "one of a list",
      `${UP}listen: [h:1, { address: ":2" }, h:x]`,
      [/^c:2:26: listen\[1\]\.address: must name the host/, /^c:2:34: listen\[2\]: must be HOST:PORT/],
    ],
    [
      "a file in a list",
      `${UP}listen: [h:1, { address: h:2, tls: { cert: no.crt, key: a.key } }]`,
      [/^c:2:44: listen\[1\]\.tls\.cert: .*no such file/],
    ],
    ["an address twice", `${UP}listen: [h:1, h:2, h:1]`, [/^c:2:20: listen\[2\]: stands twice/]],
    ["no address", `${UP}listen: []`, [/listen: must have from 1 to 64 addresses/]],
    [
      "a socket without its full path",
      `${UP}listen: unix:x.sock`,
      [/listen: must name a socket by its full path/],
    ],
    ["a socket's path that is too long", `${UP}listen: unix:/${"x".repeat(107)}`, [/at most 107 bytes/]],
    [
      "admin off loopback without a token",
      `${UP}admin: 0.0.0.0:1`,
      [/^c:2:8: admin: can be reached by other machines, and so needs a token/],
    ],
    [
      "a token that is short",
      `${UP}admin: { address: h:1, token: hunter2 }`,
      [
        /^c:2:\d+: admin\.token: must be 16 to 1024 visible ASCII characters; openssl rand -hex 32 makes one$/,
      ],
    ],
    [
      "a short token in a file",
      `${UP}admin: { address: 127.0.0.1:1, tokenFile: short }`,
      [/admin\.tokenFile: the token in it must be 16/],
    ],
    [
      "a token file that is not there",
      `${UP}admin: { address: 0.0.0.0:1, tokenFile: no }`,
      [/^c:2:\d+: admin\.tokenFile: .*no such file/],
    ],
    [
      "a token twice",
      `${UP}admin: { address: h:1, token: "${TOKEN}", tokenFile: token }`,
      [/admin\.tokenFile: must not stand beside token/],
    ],
    ["an upstream's CA that is not there", up("{ ca: no.crt }"), [/upstreams\.a\.tls\.ca: .*no such file/]],
    [
      "an upstream's certificate without its key",
      up("{ cert: a.crt }"),
      [/upstreams\.a\.tls: must have both cert and key, or neither/],
    ],
    [
      "an upstream's key that does not fit",
      up("{ cert: a.crt, key: b.key }"),
      [/upstreams\.a\.tls\.key: .*does not match the first certificate/],
    ],
    ["a name that is none", up("{ serverName: 'a b' }"), [/tls\.serverName: must be a host name/]],
    [
      "trust that makes the CA useless",
      up("{ ca: ca.crt, dangerouslyTrustAnyServer: true }"),
      [/dangerouslyTrustAnyServer: makes ca useless/],
    ],
    [
      "tls as text",
      up("yes please"),
      [/upstreams\.a\.tls: must be true, or \{ ca, cert, key, serverName \}, not yes please/],
    ],
  ];
  for (const [what, text, expected] of TABLE) {
    test(what, () => {
      const result = parse(`${text}\n`);
      const errors = result.ok ? [] : formatErrors(result.errors).split("\n");
      assert.equal(errors.length, expected.length, errors.join("\n"));
      for (const [i, pattern] of expected.entries()) assert.match(errors[i] ?? "", pattern);
      for (const error of errors) assert.ok(!error.includes("hunter2"));
    });
  }

  test("when a file is loaded", () => {
    const { config } = write(dir, { config: tls("cert: a.crt, key: b.key") });
    assert.throws(
      () => loadConfig(config, {}),
      /config:2:50: listen\.tls\.key: .*does not match the first certificate/,
    );
  });
});

describe("https:// targets", () => {
  const of = (...targets: string[]) =>
    withOverrides(defaultConfig(), { targets }).upstreams.map(({ name, endpoints, tls }) => [
      name,
      ...endpoints.map((e) => ("host" in e ? `${e.host} ${e.port}` : e.path)),
      tls !== undefined,
    ]);
  test("are called over TLS, by default on port 443", () => {
    assert.deepEqual(of("https://h.example"), [["h.example-443", "h.example 443", true]]);
    assert.deepEqual(of("https://h:8443/"), [["h-8443", "h 8443", true]]);
    assert.deepEqual(of("https://[::1]"), [["1-443", "::1 443", true]]);
    assert.deepEqual(of("https://[::1]:1"), [["1-1", "::1 1", true]]);
    assert.deepEqual(of("a=https://h", "a=https://i"), [["a", "h 443", "i 443", true]]);
    assert.deepEqual(of("a=https://h", "b=h:1"), [
      ["a", "h 443", true],
      ["b", "h 1", false],
    ]);
  });

  test("over a file, TLS that it asks for stays", () => {
    const base = configOf("upstreams: { a: { endpoints: [h:1], tls: { ca: ca.crt } } }");
    for (const target of ["a=i:2", "a=https://i:2"]) {
      const [upstream] = withOverrides(base, { targets: [target] }).upstreams;
      assert.equal(upstream?.tls?.ca, `${dir}/ca.crt`);
      assert.deepEqual(upstream?.endpoints, [{ host: "i", port: 2 }]);
    }
  });

  for (const target of [
    "https://",
    "https://h/x",
    "https://h?x",
    "https://u@h",
    "https://h:0",
    "https://::1",
    "http://h/x",
    "http://",
    "grpcs://h:1",
  ]) {
    test(`${target} is refused`, () => assert.throws(() => of(target), UserError));
  }
  test("http:// is clear text, port 80 where none is named", () => {
    const [a, b] = withOverrides(defaultConfig(), { targets: ["a=http://h:1", "http://i"] }).upstreams;
    assert.deepEqual([a?.name, a?.endpoints, a?.tls], ["a", [{ host: "h", port: 1 }], undefined]);
    assert.deepEqual([b?.endpoints, b?.tls], [[{ host: "i", port: 80 }], undefined]);
  });
  test("are all so within one upstream, or none is", () => {
    assert.throws(
      () => of("a=https://h", "a=i:1"),
      /the targets of a must all be https:\/\/, or none of them/,
    );
  });
});
