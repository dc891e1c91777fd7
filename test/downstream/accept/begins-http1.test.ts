import assert from "node:assert/strict";
import { METHODS } from "node:http";
import { describe, it } from "node:test";
import fc from "fast-check";
import { beginsHttp1 } from "#src/downstream/accept/begins-http1.js";

const says = (text: string): boolean | undefined => beginsHttp1(Buffer.from(text, "latin1"));

describe("the first bytes of a connection", () => {
  const cases: [bytes: string, http1: boolean | undefined][] = [
    ["GET / HTTP/1.1\r\n", true],
    ["CONNECT example.com:443 HTTP/1.1\r\n", true],
    ["OPTIONS * HTTP/1.1\r\n", true],
    ["PURGE /books HTTP/1.1\r\n", true],
    ["MY-OWN_VERB /books HTTP/1.1\r\n", true],
    ["MY-OWN_VERB http://example.com/ HTTP/1.1\r\n", true],
    ["\r\nGET / HTTP/1.1\r\n", true],
    // Wrong, but it is HTTP that was meant: to be told so.
    ["GET books\r\n", true],
    ["GET  / HTTP/1.1\r\n", true],
    ["get / HTTP/1.1\r\n", true],
    // Not yet told.
    ["G", undefined],
    ["GET", undefined],
    ["MY-OWN_VERB ", undefined],
    ["x".repeat(32), undefined],
    // Neither.
    ["x".repeat(33), false],
    ["INVALID CONNECTION PREFACE\r\n\r\n", false],
    ["SSH-2.0-OpenSSH_9.9\r\n", false],
    ["HELO example.com\r\n", false],
    [" GET / HTTP/1.1\r\n", false],
    ["\0\0\0\x04\0\0\0\0\0", false],
    ["\x80GET / HTTP/1.1\r\n", false],
  ];
  for (const [bytes, http1] of cases)
    it(`${JSON.stringify(bytes)}: ${http1 ?? "more are needed"}`, () => {
      assert.equal(says(bytes), http1);
    });

  it("give the same result in whatever pieces they arrive", () => {
    const bytes = fc.oneof(
      fc.string({ unit: "binary-ascii", minLength: 1 }),
      fc.tuple(fc.constantFrom(...METHODS, "VERB", "x".repeat(40)), fc.string()).map(([m, r]) => `${m} ${r}`),
    );
    fc.assert(
      fc.property(bytes, (text) => {
        const whole = says(text);
        for (let length = 1; length < text.length; length++) {
          const early = says(text.slice(0, length));
          if (early !== undefined) assert.equal(early, whole, `after ${length} bytes`);
        }
      }),
    );
  });
});
