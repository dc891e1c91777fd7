// The codec says what @bufbuild/protobuf says, over schemas and messages made by chance, but for the differences that
// stand here with their reason. FUZZ_RUNS=20000 runs longer.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  type DescMessage,
  type FileRegistry,
  fromBinary,
  fromJsonString,
  toBinary,
  toJson,
} from "@bufbuild/protobuf";
import fc from "fast-check";
import { AnyOrderPrinter } from "#src/transcoding/codec/any-order.js";
import { BytesOut } from "#src/transcoding/codec/bytes-out.js";
import { Codecs } from "#src/transcoding/codec/codecs.js";
import { parseJson } from "#src/transcoding/messages/json.js";
import { Random } from "./support/random.js";
import { BytesMaker } from "./support/random-bytes.js";
import { JsonMaker } from "./support/random-json.js";
import { randomSchema } from "./support/random-schema.js";

const RUNS = Number(process.env.FUZZ_RUNS ?? 150);
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
        // A type that came out of order once is never taken the short way again.
        const inOrder = new Codecs(registry, { print: print.ours });
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
          const ordered = attempt(() => toBinary(desc, fromBinary(desc, bytes)));
          if ("value" in ordered) {
            const again = inOrder.of(desc).decode(ordered.value).toString();
            assert.deepEqual(normal(JSON.parse(again)), normal(theirs.value), `in order: ${hex}`);
            // Not a byte tells which way a message was printed.
            const out = new BytesOut();
            new AnyOrderPrinter(inOrder.plans, out).print(inOrder.plans.of(desc), undefined, ordered.value);
            assert.equal(again, out.take().toString(), `in any order: ${hex}`);
          }
          printed++;
        }
      }),
      { numRuns: RUNS, includeErrorInReport: true },
    );
    assert.ok(printed > RUNS * 2, `only ${printed} messages could be printed: the test tests little`);
  });
});

describe("bytes with faults", () => {
  it("print as JSON, or are refused as bytes that do not fit", () => {
    let refused = 0;
    fc.assert(
      fc.property(fc.noShrink(fc.integer()), (seed) => {
        const random = new Random(seed);
        const { registry, messages } = randomSchema(random);
        const maker = new BytesMaker(random, registry);
        const codecs = new Codecs(registry);
        for (let i = 0; i < MESSAGES_PER_SCHEMA; i++) {
          const desc = messageOf(registry, random.pick(messages));
          const bytes = Uint8Array.from(maker.message(desc));
          for (let k = 1 + random.int(3); k > 0; k--) bytes[random.int(bytes.length)] = random.int(256);
          const result = attempt(() => codecs.of(desc).decode(bytes));
          if ("value" in result) JSON.parse(result.value.toString());
          else {
            assert.match(result.error, /^DecodeError/, Buffer.from(bytes).toString("hex"));
            refused++;
          }
        }
      }),
      { numRuns: RUNS, includeErrorInReport: true },
    );
    assert.ok(refused > RUNS, `only ${refused} were refused: the faults are none`);
  });
});

/** Bytes by what they say: the order of fields and of a map's entries may differ. */
function meaning<T>(desc: DescMessage, registry: FileRegistry, bytes: T): unknown {
  return bytes instanceof Uint8Array ? toJson(desc, fromBinary(desc, bytes), { registry }) : bytes;
}

/**
 * Where one takes what the other refuses. `problem` is what the one says that refuses; `text` what the JSON has.
 * Everything else is a fault of ours.
 */
const ACCEPTED: readonly { who: "ours" | "theirs"; refuses: RegExp; why: string }[] = [
  {
    who: "ours",
    refuses: /expected an integer as key, got "01"/,
    why: "two spellings of one key would be one entry of two",
  },
  {
    who: "ours",
    refuses: /a number that a double can hold, got 1e400/,
    why: "it would be Infinity, which is a string",
  },
  {
    who: "ours",
    refuses: /expected the key "true" or "false", got "01"/,
    why: "a bool is not said by a number",
  },
  {
    who: "ours",
    refuses: /expected (?:an integer|a number).*, got "(?: 1|0x10)"/,
    why: "JavaScript's reading of a number is none of JSON's",
  },
  {
    who: "ours",
    refuses: /expected (?:a number|an integer|a string|true or false|base64).*, got null$/,
    why: "an Any's content is a value: null there is none of a wrapper's",
  },
  { who: "ours", refuses: /got "2024-02-30T00:00:00Z"/, why: "there is no such day, or no such field" },
  {
    who: "ours",
    refuses: /expected field paths in lowerCamelCase/,
    why: "these characters are in no field's name",
  },
  { who: "ours", refuses: /expected base64 .*got "===="/, why: "padding of nothing" },
  {
    who: "theirs",
    refuses: /expected bigint \(u?int64\): 1e2 out of range/,
    why: "ProtoJSON takes an integer with an exponent in a string, whatever its width",
  },
  {
    who: "theirs",
    refuses: /oneof set multiple times/,
    why: "null unsets: it makes no member of a oneof, of whatever type",
  },
];

describe("JSON → bytes", () => {
  for (const strangeness of [0, 0.03]) {
    it(`takes and refuses what the reference does, ${strangeness === 0 ? "right JSON" : "with faults"}`, () => {
      let taken = 0;
      fc.assert(
        fc.property(fc.noShrink(fc.integer()), (seed) => {
          const random = new Random(seed);
          const { registry, messages } = randomSchema(random);
          const maker = new JsonMaker(random, registry, strangeness);
          const ignore = random.chance(0.3);
          const codecs = new Codecs(registry, { unknownFields: ignore ? "ignore" : "reject" });
          const options = { registry, ignoreUnknownFields: ignore, recursionLimit: 300 };
          for (let i = 0; i < MESSAGES_PER_SCHEMA; i++) {
            const desc = messageOf(registry, random.pick(messages));
            const text = maker.message(desc);
            const theirs = attempt(() => toBinary(desc, fromJsonString(desc, text, options)));
            const ours = codecs.of(desc).encodeText(Buffer.from(text));
            const parsed = parseJson(text);
            // The two ways in, from the text and from a tree, must be one.
            const tree = "value" in parsed ? codecs.of(desc).encode(parsed.value) : parsed;
            assert.deepEqual(meaning(desc, registry, tree), meaning(desc, registry, ours), text);
            if (!(ours instanceof Uint8Array)) {
              const said = "path" in ours ? `${ours.path}: ${ours.problem}` : ours.problem;
              if ("error" in theirs || ACCEPTED.some((a) => a.who === "ours" && a.refuses.test(said)))
                continue;
              assert.fail(`only ours refuses: ${said}: ${desc.typeName} ${text}`);
            }
            if (!("value" in theirs)) {
              if (ACCEPTED.some((a) => a.who === "theirs" && a.refuses.test(theirs.error))) continue;
              assert.fail(`only theirs refuses: ${theirs.error}: ${desc.typeName} ${text}`);
            }
            taken++;
            // null unsets an extension as it does a field; the reference sets it to its default.
            if (/"\[[\w.]+\]": ?null/.test(text)) continue;
            if (Buffer.compare(ours, theirs.value) === 0) continue;
            assert.deepEqual(
              meaning(desc, registry, ours),
              meaning(desc, registry, theirs.value),
              `${desc.typeName} ${text}`,
            );
          }
        }),
        { numRuns: RUNS, includeErrorInReport: true },
      );
      assert.ok(taken > RUNS * 2, `only ${taken} messages were taken: the test tests little`);
    });
  }
});
