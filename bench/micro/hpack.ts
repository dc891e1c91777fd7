// HPACK alone: nanoseconds per header block, as gRPC clients send them. Run: node build/bench/micro/hpack.js [case]
import { HpackDecoder } from "#src/http2/hpack/decoder.js";
import { HpackEncoder } from "#src/http2/hpack/encoder.js";
import { huffmanEncode } from "#src/http2/hpack/huffman.js";

type Pair = readonly [name: string, value: string];

const REQUEST: readonly Pair[] = [
  [":method", "POST"],
  [":scheme", "http"],
  [":path", "/helloworld.Greeter/SayHello"],
  [":authority", "127.0.0.1:50051"],
  ["content-type", "application/grpc"],
  ["user-agent", "grpc-go/1.64.0 ghz/0.120.0"],
  ["te", "trailers"],
  ["grpc-accept-encoding", "gzip,deflate"],
];
const RESPONSE: readonly Pair[] = [
  [":status", "200"],
  ["content-type", "application/grpc"],
];
const TRAILERS: readonly Pair[] = [
  ["grpc-status", "0"],
  ["grpc-message", ""],
];

const ROUNDS = 7;
const ROUND_NS = 200_000_000;

/** Runs `work` (which does `blocks` blocks) in rounds; prints the median of the rounds per block. */
function measure(name: string, blocks: number, work: () => void): void {
  const wanted = process.argv[2];
  if (wanted !== undefined && !name.startsWith(wanted)) return;
  const perRound: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const start = process.hrtime.bigint();
    let done = 0;
    let spent = 0;
    while (spent < ROUND_NS) {
      for (let i = 0; i < 20; i++) work();
      done += 20 * blocks;
      spent = Number(process.hrtime.bigint() - start);
    }
    perRound.push(spent / done);
  }
  perRound.sort((a, b) => a - b);
  const median = perRound[perRound.length >> 1] ?? 0;
  process.stdout.write(`${name.padEnd(46)} ${median.toFixed(0).padStart(6)} ns\n`);
}

/** The time left as grpc-go sends it with a deadline of 20 s: another value nearly each time. */
const timeout = (i: number): string => `${19_999_999 - ((i * 7919) % 400_000)}u`;

/** Indexes everything, as grpc-go's encoder does: an own little encoder, for ours has another policy. */
function indexEverything(count: number): Buffer[] {
  const table: Pair[] = [];
  let bytes = 0;
  const blocks: Buffer[] = [];
  for (let i = 0; i < count; i++) {
    const out = Buffer.alloc(1024);
    let at = 0;
    for (const [name, value] of [...REQUEST, ["grpc-timeout", timeout(i)] as const]) {
      const fixed = { POST: 0x83, http: 0x86 }[value];
      if (fixed !== undefined) {
        out[at++] = fixed;
        continue;
      }
      const whole = table.findIndex(([n, v]) => n === name && v === value);
      if (whole >= 0) {
        at = integer(out, at, 0x80, 0x7f, 62 + whole);
        continue;
      }
      const named = table.findIndex(([n]) => n === name);
      at = integer(out, at, 0x40, 0x3f, named >= 0 ? 62 + named : 0);
      if (named < 0) at = string(out, at, name);
      at = string(out, at, value);
      table.unshift([name, value]);
      bytes += name.length + value.length + 32;
      while (bytes > 4096) {
        const [n, v] = table.pop() ?? ["", ""];
        bytes -= n.length + v.length + 32;
      }
    }
    blocks.push(out.subarray(0, at));
  }
  return blocks;
}

function integer(out: Buffer, at: number, type: number, mask: number, value: number): number {
  if (value < mask) {
    out[at] = type | value;
    return at + 1;
  }
  out[at] = type | mask;
  out[at + 1] = value - mask;
  return at + 2;
}

function string(out: Buffer, at: number, text: string): number {
  const packed = Buffer.alloc(256);
  const length = huffmanEncode(text, packed, 0);
  const offset = integer(out, at, 0x80, 0x7f, length);
  packed.copy(out, offset, 0, length);
  return offset + length;
}

function encode(encoder: HpackEncoder, out: Buffer, pairs: readonly Pair[]): number {
  let at = encoder.begin(out, 0);
  for (let i = 0; i < pairs.length; i++) {
    const pair = pairs[i];
    if (pair !== undefined) at = encoder.field(out, at, pair[0], pair[1], false);
  }
  return at;
}

/** A block as our encoder writes it once it has seen it a few times, and a decoder that has followed. */
function settled(pairs: readonly Pair[]): { decoder: HpackDecoder; block: Buffer } {
  const encoder = new HpackEncoder();
  const decoder = new HpackDecoder();
  const out = Buffer.alloc(4096);
  let end = 0;
  for (let i = 0; i < 6; i++) {
    end = encode(encoder, out, pairs);
    decoder.decode(out, 0, end);
  }
  return { decoder, block: out.subarray(0, end) };
}

const ghzBlocks = indexEverything(20_000);
const ghzBytes = Buffer.concat(ghzBlocks);
measure("decode ghz request, timeout indexed each time", ghzBlocks.length, () => {
  // One buffer for all, as a socket's chunk is.
  const decoder = new HpackDecoder();
  let at = 0;
  for (let i = 0; i < ghzBlocks.length; i++) {
    const end = at + (ghzBlocks[i]?.length ?? 0);
    decoder.decode(ghzBytes, at, end);
    at = end;
  }
});

for (const [name, pairs] of [
  ["request", REQUEST],
  ["response", RESPONSE],
  ["trailers", TRAILERS],
] as const) {
  const { decoder, block } = settled(pairs);
  measure(`decode identical ${name} (${block.length} bytes)`, 1000, () => {
    for (let i = 0; i < 1000; i++) decoder.decode(block, 0, block.length);
  });
}

{
  // Literals without indexing, another timeout and trace with each call: what the block memory cannot help.
  const encoder = new HpackEncoder();
  const decoder = new HpackDecoder();
  const out = Buffer.alloc(4 << 20);
  const ends: number[] = [];
  let at = 0;
  for (let i = 0; i < 2000; i++) {
    const start = at;
    for (const [name, value] of REQUEST) at = encoder.field(out, at, name, value, false);
    at = encoder.field(out, at, "grpc-timeout", timeout(i), false);
    const span = (i * 0x9e3779b1).toString(16).padStart(16, "0").slice(-16);
    at = encoder.field(out, at, "traceparent", `00-4bf92f3577b34da6${span}-${span}-01`, false);
    if (i < 20) {
      decoder.decode(out, start, at);
      at = 0;
    } else ends.push(at);
  }
  measure("decode request, raw timeout and traceparent", ends.length, () => {
    let start = 0;
    for (let i = 0; i < ends.length; i++) {
      const end = ends[i] ?? 0;
      decoder.decode(out, start, end);
      start = end;
    }
  });
}

{
  const encoder = new HpackEncoder();
  const out = Buffer.alloc(4096);
  const timeouts = Array.from({ length: 1000 }, (_, i) => timeout(i));
  measure("encode request: 8 stable fields, 1 changing", timeouts.length, () => {
    for (let i = 0; i < timeouts.length; i++) {
      const at = encode(encoder, out, REQUEST);
      encoder.field(out, at, "grpc-timeout", timeouts[i] ?? "", false);
    }
  });
  measure("encode request: 8 stable fields", 1000, () => {
    for (let i = 0; i < 1000; i++) encode(encoder, out, REQUEST);
  });
  const token = `Bearer ${"eyJhbGciOiJSUzI1NiIs".repeat(30)}`;
  measure("encode request: the same and a token of 607", 1000, () => {
    for (let i = 0; i < 1000; i++) {
      const at = encode(encoder, out, REQUEST);
      encoder.field(out, at, "authorization", token, false);
    }
  });
}

{
  const encoder = new HpackEncoder();
  const out = Buffer.alloc(4096);
  measure("encode response and trailers", 1000, () => {
    for (let i = 0; i < 1000; i++) {
      encode(encoder, out, RESPONSE);
      encode(encoder, out, TRAILERS);
    }
  });
}
