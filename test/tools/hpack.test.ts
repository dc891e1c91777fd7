// Our HPACK beside Go's (golang.org/x/net/http2/hpack, what grpc-go has): each reads what the other wrote, and both come
// to the same end with blocks that are wrong. Beside nghttp2's it stands in test/http2/hpack.
import assert from "node:assert/strict";
import { test } from "node:test";
import { HpackDecoder, HpackError } from "#src/http2/hpack/decoder.js";
import { HpackEncoder, MAX_BEGIN_BYTES, maxFieldBytes } from "#src/http2/hpack/encoder.js";
import { mutated } from "../fuzz/mutate.js";
import { Random } from "../fuzz/random.js";
import { program, run } from "./support/programs.js";

interface Field {
  readonly name: string;
  readonly value: string;
  readonly sensitive: boolean;
}

/** What came of a conversation: the fields of each block that was read, and why the next one was not. */
interface Read {
  readonly lists: readonly (readonly Field[])[];
  readonly error: string;
}

const CONVERSATIONS = 2000;
const MAX_BLOCKS = 12;
/** Sizes that hold nothing, one entry, a few, and more than the protocol's first table. */
const TABLE_BYTES = [0, 1, 33, 64, 200, 1000, 4096, 65_536];
/** Of no concern here: what a block may come to. */
const LIMITS = { maxListBytes: 1 << 24, maxFields: 1 << 16 };

const NAMES = [
  ":method",
  ":path",
  ":status",
  "content-type",
  "te",
  "authorization",
  "cookie",
  "x",
  "x-name-of-some-length",
];
const VALUES = [
  "",
  "POST",
  "/a.B/C",
  "200",
  "application/grpc",
  "trailers",
  "v".repeat(300),
  "deflate, gzip;q=1.0",
];

function someFields(random: Random): Field[] {
  return Array.from({ length: random.below(10) }, () => ({
    name: random.chance(80) ? random.pick(NAMES) : `x-${random.bytes(random.below(12)).toString("hex")}`,
    value: random.chance(70) ? random.pick(VALUES) : random.bytes(random.below(60)).toString("latin1"),
    sensitive: random.chance(15),
  }));
}

function encoded(encoder: HpackEncoder, list: readonly Field[]): Buffer {
  const out = Buffer.alloc(
    list.reduce((sum, { name, value }) => sum + maxFieldBytes(name, value), MAX_BEGIN_BYTES),
  );
  let at = encoder.begin(out, 0);
  for (const { name, value, sensitive } of list) at = encoder.field(out, at, name, value, sensitive);
  return out.subarray(0, at);
}

function readByUs(blocks: readonly Buffer[], tableBytes: number): Read {
  const decoder = new HpackDecoder({ maxTableBytes: tableBytes, ...LIMITS });
  const lists: Field[][] = [];
  for (const block of blocks) {
    try {
      const { fields } = decoder.decode(block, 0, block.length);
      lists.push(fields.map(({ name, value, sensitive }) => ({ name, value, sensitive })));
    } catch (error) {
      if (!(error instanceof HpackError)) throw error;
      return { lists, error: error.message };
    }
  }
  return { lists, error: "" };
}

const hex = (text: string) => Buffer.from(text, "latin1").toString("hex");
const text = (digits: unknown) => Buffer.from(String(digits), "hex").toString("latin1");

/** What Go makes of each conversation, in their order. */
async function byGo(conversations: readonly object[]): Promise<Record<string, unknown>[]> {
  const input = conversations.map((talk) => JSON.stringify(talk)).join("\n");
  const { code, stdout, stderr } = await run(program("linchpin-peer-go"), ["hpack"], input);
  assert.equal(code, 0, stderr);
  const lines = stdout.trimEnd().split("\n");
  assert.equal(lines.length, conversations.length);
  return lines.map((line) => JSON.parse(line));
}

async function readByGo(
  talks: readonly { blocks: readonly Buffer[]; tableBytes: number }[],
): Promise<Read[]> {
  const results = await byGo(
    talks.map(({ blocks, tableBytes }) => ({ tableBytes, blocks: blocks.map((b) => b.toString("hex")) })),
  );
  return results.map(({ lists, error }) => {
    assert.ok(lists === null || Array.isArray(lists));
    return {
      error: String(error),
      lists: (lists ?? []).map((list: Record<string, unknown>[]) =>
        list.map((f) => ({ name: text(f.name), value: text(f.value), sensitive: f.sensitive === true })),
      ),
    };
  });
}

test("Go reads what we wrote, through changes of the table's size", async () => {
  const talks = Array.from({ length: CONVERSATIONS }, (_, seed) => {
    const random = new Random(seed);
    const encoder = new HpackEncoder({ maxTableBytes: random.pick(TABLE_BYTES) });
    const lists: Field[][] = [];
    const blocks: Buffer[] = [];
    for (let i = 1 + random.below(MAX_BLOCKS); i > 0; i--) {
      if (random.chance(25)) encoder.setPeerTableSize(random.pick(TABLE_BYTES));
      const list = someFields(random);
      lists.push(list);
      blocks.push(encoded(encoder, list));
    }
    return { lists, blocks, tableBytes: Math.max(...TABLE_BYTES) };
  });
  for (const [i, got] of (await readByGo(talks)).entries()) {
    const lists = talks[i]?.lists ?? [];
    assert.deepEqual({ ...got, lists: plain(got.lists) }, { lists: plain(lists), error: "" }, `seed ${i}`);
    // What the caller marks stays marked; we mark more than that.
    for (const [j, list] of lists.entries())
      for (const [k, { sensitive }] of list.entries())
        if (sensitive)
          assert.equal(got.lists[j]?.[k]?.sensitive, true, `seed ${i}: field ${k} of block ${j}`);
  }
});

function plain(lists: Read["lists"]): (readonly [string, string])[][] {
  return lists.map((list) => list.map(({ name, value }) => [name, value] as const));
}

/** Blocks as Go writes them; its encoder tells its size when that changes. */
async function writtenByGo(): Promise<{ lists: Field[][]; blocks: Buffer[]; tableBytes: number }[]> {
  const talks = Array.from({ length: CONVERSATIONS }, (_, seed) => {
    const random = new Random(seed);
    return Array.from({ length: 1 + random.below(MAX_BLOCKS) }, () => ({
      tableBytes: random.chance(25) ? random.pick(TABLE_BYTES) : null,
      fields: someFields(random),
    }));
  });
  const results = await byGo(
    talks.map((steps) => ({
      steps: steps.map(({ tableBytes, fields }) => ({
        tableBytes,
        fields: fields.map(({ name, value, sensitive }) => ({
          name: hex(name),
          value: hex(value),
          sensitive,
        })),
      })),
    })),
  );
  return results.map(({ blocks }, i) => {
    assert.ok(Array.isArray(blocks));
    return {
      lists: (talks[i] ?? []).map(({ fields }) => fields),
      blocks: blocks.map((block) => Buffer.from(String(block), "hex")),
      tableBytes: Math.max(...TABLE_BYTES),
    };
  });
}

test("we read what Go wrote, marks included", async () => {
  for (const [i, { lists, blocks, tableBytes }] of (await writtenByGo()).entries())
    assert.deepEqual(readByUs(blocks, tableBytes), { lists, error: "" }, `seed ${i}`);
});

/** All that Go takes and we do not, while its table is empty: RFC 7541 §4.2 has size updates at a block's beginning only. */
const ONLY_WE_REFUSE = "a table size update follows a field";

test("both reject the same blocks, and decode the same", async () => {
  const written = await writtenByGo();
  const talks = written.map(({ blocks }, seed) => {
    const random = new Random(~seed);
    return {
      tableBytes: random.pick([4096, 65_536]),
      blocks: blocks.map((block) => {
        if (random.chance(75)) return block;
        return block.length === 0 || random.chance(10)
          ? random.bytes(1 + random.below(60))
          : mutated([block], random);
      }),
    };
  });
  const theirs = await readByGo(talks);
  let refused = 0;
  let changed = 0;
  for (const [i, { blocks, tableBytes }] of talks.entries()) {
    const ours = readByUs(blocks, tableBytes);
    const go = theirs[i];
    assert.ok(go !== undefined);
    const until = Math.min(ours.lists.length, go.lists.length);
    assert.deepEqual(ours.lists.slice(0, until), go.lists.slice(0, until), `seed ${i}`);
    changed += ours.lists
      .slice(0, until)
      .filter((_, j) => !blocks[j]?.equals(written[i]?.blocks[j] ?? Buffer.of())).length;
    if (ours.lists.length === go.lists.length) {
      assert.equal(ours.error === "", go.error === "", `seed ${i}: ${ours.error} | ${go.error}`);
      if (ours.error !== "") refused++;
      continue;
    }
    // One of them went on where the other stopped.
    const why = `seed ${i}, block ${until}: ${ours.error} | ${go.error}: ${blocks[until]?.toString("hex")}`;
    assert.ok(ours.lists.length < go.lists.length && ours.error === ONLY_WE_REFUSE, why);
  }
  assert.ok(refused > CONVERSATIONS / 10, `${refused} conversations ended with what both refuse`);
  assert.ok(changed > CONVERSATIONS / 10, `${changed} blocks were changed and yet right for both`);
  console.log(`# ${refused} conversations refused by both, ${changed} changed blocks read the same by both`);
});
