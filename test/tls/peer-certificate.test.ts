// Who a client certificate names, and whom a crafted one does not.
import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { describe, test } from "node:test";
import fc from "fast-check";
import { alternativeNames, certificateName } from "#src/tls/peer-certificate.js";
import { Authority, type CertificateOptions } from "../support/authority.js";

const authority = new Authority("test CA");

function nameIn(options: CertificateOptions): string | undefined {
  return certificateName(new X509Certificate(authority.issue(options).cert))?.name;
}

const ID = "spiffe://example.org/ns/shop/sa/web";

describe("a certificate names", () => {
  const TABLE: readonly (readonly [string, CertificateOptions, string | undefined])[] = [
    ["the SPIFFE id before all else", { cn: "c", names: { dns: ["d.example"], uri: [ID] } }, ID],
    ["a trust domain alone", { names: { uri: ["spiffe://example.org"] } }, "spiffe://example.org"],
    ["the first DNS name", { cn: "c", names: { dns: ["One.example", "two.example"] } }, "one.example"],
    ["the DNS name beside a URI of another kind", { names: { dns: ["d"], uri: ["https://x/"] } }, "d"],
    ["the common name where there is nothing else", { cn: "Ann Web" }, "Ann Web"],
    ["the common name beside an address", { cn: "web", names: { ip: ["10.0.0.1"] } }, "web"],
    ["a common name in any script", { cn: "Zoë 网" }, "Zoë 网"],
    ["nobody", {}, undefined],
    ["nobody with two common names", { cn: ["a", "b"] }, undefined],
    ["nobody with two SPIFFE ids", { names: { uri: [ID, "spiffe://other/x"] } }, undefined],
    ["nobody with a SPIFFE id and a URI", { names: { uri: ["https://x/", ID] } }, undefined],
    ["nobody by a SPIFFE id in the common name", { cn: ID }, undefined],
    ["nobody by a common name that breaks lines", { cn: "web\nadmin" }, undefined],
    ["nobody by a common name that turns text round", { cn: "web\u202enimda" }, undefined],
    ["nobody by a wildcard", { cn: "c", names: { dns: ["*.example"] } }, undefined],
  ];
  for (const [what, options, name] of TABLE) test(what, () => assert.equal(nameIn(options), name));

  // A SPIFFE id that is none never falls back to a weaker name.
  for (const uri of [
    "spiffe://",
    "spiffe:///path",
    "spiffe://Example.org/x",
    "SPIFFE://example.org/x",
    "spiffe://example.org/",
    "spiffe://example.org//x",
    "spiffe://example.org/a/../b",
    "spiffe://example.org/x?y",
    "spiffe://example.org/x#y",
    "spiffe://user@example.org/x",
    "spiffe://example.org:8443/x",
    "spiffe://example.org/x y",
    "spiffe://example.org/%41",
    `spiffe://example.org/${"x".repeat(2048)}`,
  ]) {
    test(`nobody by ${uri.slice(0, 60)}`, () => {
      assert.equal(nameIn({ cn: "c", names: { uri: [uri], dns: ["d"] } }), undefined);
    });
  }

  // CVE-2021-44532: a name that, printed, looks like more than one.
  for (const names of [
    { dns: [`evil.example, URI:${ID}`] },
    { dns: [`evil.example", URI:${ID}, DNS:"x`] },
    { dns: ['"', `URI:${ID}`] },
    { dns: ["evil.example\0.good.example"] },
    { dns: ["evil.example\\u002c DNS:good.example"] },
    { uri: [`https://x/, URI:${ID}`] },
    { uri: [`https://x/", URI:${ID}, DNS:"x`], dns: ["x, y"] },
    { email: [`a@b, URI:${ID}`], dns: ["x'y"] },
  ]) {
    test(`nobody that is only written into another name: ${JSON.stringify(names)}`, () => {
      const found = nameIn({ names });
      assert.equal(found, undefined);
    });
  }

  test("and its fingerprint is the SHA-256 of all its bytes", () => {
    const x509 = new X509Certificate(authority.issue({ cn: "c" }).cert);
    assert.match(certificateName(x509)?.fingerprint ?? "", /^[0-9a-f]{64}$/);
  });
});

test("whatever stands in a name, only that name is read", () => {
  fc.assert(
    fc.property(
      fc.array(fc.string({ minLength: 1, maxLength: 40 }), { minLength: 1, maxLength: 3 }),
      (dns) => {
        const x509 = new X509Certificate(authority.issue({ names: { dns } }).cert);
        const names = alternativeNames(x509.subjectAltName ?? "");
        // IA5String is of ASCII; what is not comes out as its bytes.
        const expected = dns.map((name) => ({ kind: "DNS", value: Buffer.from(name).toString("latin1") }));
        if (names !== undefined) assert.deepEqual(names, expected);
      },
    ),
    { numRuns: 200 },
  );
});

test("text that is no list of names is believed in no part", () => {
  for (const text of ["DNS:a,DNS:b", 'DNS:"a', 'DNS:"a"b', "a", 'DNS:"\\x"', "DNS:a, DNS"]) {
    assert.equal(alternativeNames(text), undefined, text);
  }
});
