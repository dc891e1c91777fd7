// JSON to protobuf and back, beside @bufbuild/protobuf: time per message and the ratio, medians of interleaved rounds.
// `node build/bench/micro/codec.js [ROUNDS]`
import { readFileSync } from "node:fs";
import {
  createFileRegistry,
  type DescMessage,
  fromBinary,
  fromJsonString,
  toBinary,
  toJsonString,
} from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { Codecs } from "#src/transcoding/codec/codecs.js";

const ROUNDS = Number(process.argv[2] ?? 15);
const ROUND_MS = 40;
/** What the codec is to stay under. */
const BAR = 1 / 3;
const KIB = 1024;

const BOOK = {
  name: "books/moby-dick",
  title: "Moby-Dick; or, The Whale",
  authors: ["Herman Melville"],
  genre: "GENRE_FICTION",
  publishYear: 1851,
  isbn: "9780142437247",
  otherTitles: [{ languageCode: "de", title: "Moby-Dick oder Der Wal" }],
  labels: { edition: "penguin", binding: "paper" },
  createTime: "2024-05-01T10:00:00Z",
  loanCount: "41",
};

const registry = createFileRegistry(
  fromBinary(
    FileDescriptorSetSchema,
    readFileSync(new URL("../../../generated/image.binpb", import.meta.url)),
  ),
);
const codecs = new Codecs(registry);

interface Case {
  readonly name: string;
  readonly desc: DescMessage;
  readonly text: string;
}

function make(name: string, type: string, json: unknown): Case {
  const desc = registry.getMessage(type);
  if (desc === undefined) throw new Error(`${type} is not in the image`);
  return { name, desc, text: JSON.stringify(json) };
}

const books = (bytes: number): unknown => ({
  books: Array.from({ length: Math.ceil(bytes / JSON.stringify(BOOK).length) }, () => BOOK),
});
const CASES: readonly Case[] = [
  make("echo, 64 bytes", "bench.v1.EchoRequest", { text: "x".repeat(53) }),
  make("book, 330 bytes", "library.v1.Book", BOOK),
  make("list, 100 KiB", "library.v1.ListBooksResponse", books(100 * KIB)),
  make("list, 4 MiB", "library.v1.ListBooksResponse", books(4 * KIB * KIB)),
];

/** Microseconds per call, over a round. */
function measure(run: () => unknown, calls: number): number {
  const start = process.hrtime.bigint();
  for (let i = 0; i < calls; i++) run();
  return Number(process.hrtime.bigint() - start) / 1000 / calls;
}

function callsPerRound(run: () => unknown): number {
  const until = performance.now() + 2 * ROUND_MS;
  let calls = 0;
  while (performance.now() < until) {
    run();
    calls++;
  }
  return Math.max(1, Math.round(calls / 2));
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}

function compare(name: string, theirs: () => unknown, ours: () => unknown): void {
  const [theirCalls, ourCalls] = [callsPerRound(theirs), callsPerRound(ours)];
  const rounds = Array.from(
    { length: ROUNDS },
    () => [measure(theirs, theirCalls), measure(ours, ourCalls)] as const,
  );
  const [reference, codec] = [median(rounds.map(([t]) => t)), median(rounds.map(([, o]) => o))];
  // Of each round, so that what slows the machine down for a while falls on both.
  const ratio = median(rounds.map(([t, o]) => o / t));
  const cells = [
    reference.toFixed(2).padStart(12),
    codec.toFixed(2).padStart(12),
    ratio.toFixed(2).padStart(8),
  ];
  console.log(`${name.padEnd(34)}${cells.join("")}  ${ratio <= BAR ? "" : "above a third"}`);
}

console.log(`${"µs per message".padEnd(34)}   reference       codec   ratio`);
for (const { name, desc, text } of CASES) {
  const codec = codecs.of(desc);
  const json = Buffer.from(text);
  const bytes = toBinary(desc, fromJsonString(desc, text));
  const mine = codec.encodeText(json);
  // Fields stand in the order of the text, in ours.
  const same =
    mine instanceof Uint8Array && Buffer.compare(toBinary(desc, fromBinary(desc, mine)), bytes) === 0;
  if (!same) throw new Error(`${name} differs`);
  compare(
    `${name}: JSON to protobuf`,
    () => toBinary(desc, fromJsonString(desc, json.toString())),
    () => codec.encodeText(json),
  );
  compare(
    `${name}: protobuf to JSON`,
    () => Buffer.from(toJsonString(desc, fromBinary(desc, bytes))),
    () => codec.decode(bytes),
  );
}
