// Addresses to listen on and to connect to.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { formatAddress, isLoopback, parseEndpoint, parseListenAddress } from "#src/config/address.js";

type Row = readonly [text: string, expected: { host: string; port: number } | RegExp];

const BOTH: readonly Row[] = [
  ["127.0.0.1:50051", { host: "127.0.0.1", port: 50_051 }],
  ["[::1]:50051", { host: "::1", port: 50_051 }],
  ["[fe80::1%eth0]:1", { host: "fe80::1%eth0", port: 1 }],
  ["localhost:65535", { host: "localhost", port: 65_535 }],
  ["library_v2.internal:80", { host: "library_v2.internal", port: 80 }],
  ["localhost:65536", /a port from . to 65535/],
  ["localhost", /must be HOST:PORT/],
  ["localhost:", /must be HOST:PORT/],
  ["localhost:http", /must be HOST:PORT/],
  ["localhost:-1", /must be HOST:PORT/],
  ["", /must be HOST:PORT/],
  ["::1:50051", /brackets, as in \[::1\]:50051/],
  ["[::1]", /must be HOST:PORT|brackets/],
  ["[localhost]:1", /IPv6 address in its brackets/],
  ["[127.0.0.1]:1", /IPv6 address in its brackets/],
  ["256.0.0.1:1", /IP address or a host name/],
  ["127.1:1", /IP address or a host name/],
  ["-a.example:1", /IP address or a host name/],
  ["a..b:1", /IP address or a host name/],
  ["a b:1", /IP address or a host name/],
  ["user@host:1", /IP address or a host name/],
  [`${"a".repeat(64)}:1`, /IP address or a host name/],
  ["host:1\n", /must be HOST:PORT/],
];
const LISTEN: readonly Row[] = [
  ...BOTH,
  ["127.0.0.1:0", { host: "127.0.0.1", port: 0 }],
  ["0.0.0.0:8080", { host: "0.0.0.0", port: 8080 }],
  [":8080", /127\.0\.0\.1:8080 for this machine only, 0\.0\.0\.0:8080 for every interface/],
  ["8080", /127\.0\.0\.1:8080 for this machine only/],
];
const ENDPOINT: readonly Row[] = [
  ...BOTH,
  ["127.0.0.1:0", /a port from 1 to 65535/],
  [":50051", /IP address or a host name/],
  ["https://library.example", /must be HOST:PORT; the upstream's own key tls: true asks for TLS/],
  ["https://library.example:443", /must be HOST:PORT; the upstream's own key tls: true asks for TLS/],
  ["http://library.example:80", /without a scheme/],
  ["dns:///library.example:80", /without a scheme/],
];

for (const [parse, rows] of [
  [parseListenAddress, LISTEN],
  [parseEndpoint, ENDPOINT],
] as const) {
  for (const [text, expected] of rows) {
    test(`${parse.name}: ${JSON.stringify(text)}`, () => {
      const result = parse(text);
      if (expected instanceof RegExp) assert.match(result.ok ? "accepted" : result.reason, expected);
      else assert.deepEqual(result, { ok: true, value: expected });
    });
  }
}

test("what is formatted parses to the same address", () => {
  const host = fc.oneof(fc.ipV4(), fc.ipV6(), fc.domain());
  fc.assert(
    fc.property(host, fc.integer({ min: 1, max: 65_535 }), (name, port) => {
      const address = { host: name, port };
      assert.deepEqual(parseEndpoint(formatAddress(address)), { ok: true, value: address });
      assert.deepEqual(parseListenAddress(formatAddress(address)), { ok: true, value: address });
    }),
  );
});

test("no text makes a parser throw", () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[[\]:.\da-f]{0,20}$/)), (text) => {
      parseEndpoint(text);
      parseListenAddress(text);
    }),
  );
});

for (const [host, expected] of [
  ["127.0.0.1", true],
  ["127.9.9.9", true],
  ["::1", true],
  ["::ffff:127.0.0.1", true],
  ["localhost", true],
  ["LocalHost", true],
  ["a.localhost", true],
  ["0.0.0.0", false],
  ["::", false],
  ["10.0.0.1", false],
  ["127.0.0.1.example.com", false],
  ["localhost.example.com", false],
  ["", false],
] as const) {
  test(`${JSON.stringify(host)} is ${expected ? "" : "not "}loopback`, () =>
    assert.equal(isLoopback(host), expected));
}
