// HPACK: blocks of our encoder, changed, for our decoder; and the same lists as they are, through table sizes that change.
import assert from "node:assert/strict";
import { HpackDecoder, HpackError } from "#src/http2/hpack/decoder.js";
import { HpackEncoder, MAX_BEGIN_BYTES, maxFieldBytes } from "#src/http2/hpack/encoder.js";
import { mutated } from "./mutate.js";
import { Random } from "./random.js";
import type { Running, Target } from "./target.js";

const NAMES = [
  ":method",
  ":path",
  ":status",
  "content-type",
  "x-request-id",
  "authorization",
  "cookie",
  "x",
  "te",
];
const VALUES = [
  "",
  "POST",
  "/a.B/C",
  "200",
  "application/grpc",
  "trailers",
  "a".repeat(200),
  "ü\u0001",
  "deadbeef-1234",
];
const MAX_LIST_BYTES = 16 * 1024;
const MAX_FIELDS = 64;

type Pairs = [name: string, value: string][];

function listOf(random: Random): Pairs {
  return Array.from({ length: random.below(12) }, (): [string, string] => [
    random.pick(NAMES),
    random.chance(80) ? random.pick(VALUES) : random.bytes(random.below(30)).toString("latin1"),
  ]);
}

function encoded(encoder: HpackEncoder, list: Pairs, sensitive: boolean): Buffer {
  const out = Buffer.alloc(list.reduce((sum, [n, v]) => sum + maxFieldBytes(n, v), MAX_BEGIN_BYTES));
  let at = encoder.begin(out, 0);
  for (const [name, value] of list) at = encoder.field(out, at, name, value, sensitive);
  return Buffer.from(out.subarray(0, at));
}

/** Blocks of one connection, in order. */
function conversation(random: Random): { decoder: HpackDecoder; blocks: Buffer[]; lists: Pairs[] } {
  const maxTableBytes = random.pick([0, 64, 4096, 65_536]);
  const encoder = new HpackEncoder();
  const lists = Array.from({ length: 1 + random.below(4) }, () => listOf(random));
  const blocks = lists.map((list) => {
    if (random.chance(30))
      encoder.setPeerTableSize(random.pick([0, 1, 100, maxTableBytes].filter((n) => n <= maxTableBytes)));
    return encoded(encoder, list, random.chance(20));
  });
  const decoder = new HpackDecoder({
    // The encoder may use the protocol's first size until it is told another.
    maxTableBytes: Math.max(maxTableBytes, 4096),
    maxListBytes: MAX_LIST_BYTES,
    maxFields: MAX_FIELDS,
  });
  return { decoder, blocks, lists };
}

export const hpack: Target = {
  name: "HPACK",
  parallel: 1,
  share: 60,
  async start(): Promise<Running> {
    return {
      async one(seed) {
        const random = new Random(seed);
        const { decoder, blocks, lists } = conversation(random);
        if (random.chance(30)) {
          for (const [i, block] of blocks.entries()) {
            const { fields } = decoder.decode(block, 0, block.length);
            assert.deepEqual(
              fields.map(({ name, value }) => [name, value]),
              lists[i],
            );
          }
          return;
        }
        for (const block of blocks) {
          const b =
            block.length === 0 || random.chance(10)
              ? random.bytes(1 + random.below(60))
              : mutated([block], random);
          try {
            const { fields, listBytes, tooLarge } = decoder.decode(b, 0, b.length);
            let bytes = 0;
            for (const { name, value } of fields) bytes += name.length + value.length + 32;
            assert.ok(bytes <= MAX_LIST_BYTES && fields.length <= MAX_FIELDS, "no more is kept than may be");
            assert.ok(tooLarge ? listBytes >= bytes : listBytes === bytes);
          } catch (error) {
            if (error instanceof HpackError) return; // the connection is over
            throw error;
          }
        }
      },
      async check() {},
      async stop() {},
    };
  },
};
