// The codec says what @bufbuild/protobuf says, over schemas and messages made by chance, but for the differences that
// stand here with their reason. FUZZ_RUNS=20000 runs longer.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type DescMessage, type FileRegistry, fromBinary, toJson } from "@bufbuild/protobuf";
import fc from "fast-check";
import { Codecs } from "#src/transcoding/codec/codecs.js";
import { Random } from "./support/random.js";
import { BytesMaker } from "./support/random-bytes.js";
import { randomSchema } from "./support/random-schema.js";

const RUNS = Number(process.env.FUZZ_RUNS ?? 300);
const MESSAGES_PER_SCHEMA = 8;

function messageOf(registry: FileRegistry, name: string): DescMessage {
  const desc = registry.getMessage(name);
  assert.ok(desc !== undefined);
  return desc;
}

function attempt<T>(run: () => T): { readonly value: T } | { readonly error: string } {
  try {
    return { value: run() };
  } catch (e) {
    return { error: String(e) };
  }
}

/** Floats are told apart no finer than they are, -0 is 0, and an Any's type stands anywhere. */
function normal(json: unknown): unknown {
  if (typeof json === "number") return Math.fround(json) === 0 ? json + 0 : Number(json.toPrecision(6));
  if (Array.isArray(json)) return json.map(normal);
  if (typeof json !== "object" || json === null) return json;
  return Object.fromEntries(
    Object.entries(json)
      .map(([name, value]) => [name, normal(value)] as const)
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  );
}

const PRINTS = [
  { ours: {}, theirs: {} },
  { ours: { emitDefaults: true }, theirs: { alwaysEmitImplicit: true } },
  { ours: { protoNames: true }, theirs: { useProtoFieldName: true } },
  { ours: { enumsAsNumbers: true }, theirs: { enumAsInteger: true } },
] as const;

describe("bytes → JSON", () => {
  it("prints what the reference prints, or both refuse", () => {
    let printed = 0;
    fc.assert(
      fc.property(fc.noShrink(fc.integer()), (seed) => {
        const random = new Random(seed);
        const { registry, messages } = randomSchema(random);
        const maker = new BytesMaker(random, registry);
        const print = random.pick(PRINTS);
        const codecs = new Codecs(registry, { print: print.ours });
        for (let i = 0; i < MESSAGES_PER_SCHEMA; i++) {
          const desc = messageOf(registry, random.pick(messages));
          let bytes = maker.message(desc);
          if (random.chance(0.1)) bytes = bytes.subarray(0, random.int(bytes.length));
          const theirs = attempt(() => toJson(desc, fromBinary(desc, bytes), { registry, ...print.theirs }));
          const ours = attempt(() => codecs.of(desc).decode(bytes));
          const hex = `${desc.typeName} ${Buffer.from(bytes).toString("hex")}`;
          if ("error" in ours) {
            assert.ok(ours.error.startsWith("DecodeError"), `${ours.error}: ${hex}`);
            assert.ok("error" in theirs, `only ours refuses: ${ours.error}: ${hex}`);
            continue;
          }
          const json: unknown = JSON.parse(ours.value.toString());
          // A Value without a value is null in a Struct of theirs, and an error elsewhere.
          if ("error" in theirs && theirs.error.includes("Value must have a value")) continue;
          // The content of an Any that cannot be printed is base64, and does not take the rest with it.
          if ("error" in theirs && JSON.stringify(json).includes('"@type"')) continue;
          if (!("value" in theirs))
            assert.fail(`only theirs refuses: ${theirs.error}, ours ${JSON.stringify(json)}: ${hex}`);
          assert.deepEqual(normal(json), normal(theirs.value), hex);
          printed++;
        }
      }),
      { numRuns: RUNS },
    );
    assert.ok(printed > RUNS * 2, `only ${printed} messages could be printed: the test tests little`);
  });
});
