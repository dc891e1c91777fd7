// Bodies are packed anew each time, but those that are kept, which are packed once in each coding.
import assert from "node:assert/strict";
import { test } from "node:test";
import { brotliDecompressSync, gunzipSync, inflateSync } from "node:zlib";
import { type Coding, encodeWholeBody } from "#src/downstream/protocols/transcoded/content-coding.js";
import { keepPackedForms } from "#src/kit/packed-forms.js";

const unpackers: readonly (readonly [Coding, (packed: Buffer) => Buffer])[] = [
  ["gzip", gunzipSync],
  ["deflate", inflateSync],
  ["br", brotliDecompressSync],
];

const pack = (body: Buffer, coding: Coding): Promise<Buffer> =>
  new Promise((resolve) => encodeWholeBody(body, coding, (packed) => resolve(packed ?? assert.fail())));

for (const [coding, unpack] of unpackers) {
  test(`${coding}: a kept body is packed once, however many ask at once, and another one each time`, async () => {
    const kept = Buffer.alloc(100_000, "document ");
    keepPackedForms(kept);
    const forms = await Promise.all([pack(kept, coding), pack(kept, coding)]);
    forms.push(await pack(kept, coding));
    assert.equal(new Set(forms).size, 1, "the very same bytes");
    assert.deepEqual(unpack(forms[0] ?? assert.fail()), kept);
    const other = Buffer.from(kept);
    assert.equal(new Set([await pack(other, coding), await pack(other, coding)]).size, 2);
  });
}
