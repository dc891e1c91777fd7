// Byte streams made wrong: bits, bytes and ranges, and where they are HTTP/2 its frames and their heads. And cut to pieces.
import { PREFACE } from "#src/http2/wire/protocol.js";
import type { Random } from "./random.js";

/** Values that parsers stumble over. */
const ODD = [0, 1, 0x7f, 0x80, 0xff, 0x0a, 0x0d, 0x20, 0x22, 0x25, 0x2f, 0x3a, 0x5c, 0x7b, 0x7d];
const MAX_BYTES = 64 * 1024;

interface Span {
  readonly start: number;
  readonly end: number;
}

/** The frames behind the preface, as their lengths say; empty for what is no HTTP/2. */
function framesOf(b: Buffer): Span[] {
  if (!b.subarray(0, PREFACE.length).equals(PREFACE)) return [];
  const spans: Span[] = [];
  for (let at = PREFACE.length; at + 9 <= b.length; ) {
    const end = at + 9 + b.readUIntBE(at, 3);
    if (end > b.length) break;
    spans.push({ start: at, end });
    at = end;
  }
  return spans;
}

function spliced(b: Buffer, { start, end }: Span, replacement: Buffer): Buffer {
  return Buffer.concat([b.subarray(0, start), replacement, b.subarray(end)]);
}

function range(b: Buffer, random: Random): Span {
  const start = random.below(b.length);
  return { start, end: Math.min(b.length, start + 1 + random.below(random.chance(80) ? 16 : 512)) };
}

type Mutation = (b: Buffer, random: Random, others: readonly Buffer[]) => Buffer;

const ON_BYTES: readonly Mutation[] = [
  (b, random) => set(b, random.below(b.length), (old) => old ^ (1 << random.below(8))),
  (b, random) => set(b, random.below(b.length), () => random.below(256)),
  (b, random) => set(b, random.below(b.length), () => random.pick(ODD)),
  (b, random) => set(b, random.below(b.length), (old) => old + (random.chance(50) ? 1 : -1)),
  (b, random) => spliced(b, range(b, random), Buffer.alloc(0)),
  (b, random) => {
    const span = range(b, random);
    return spliced(b, { start: span.end, end: span.end }, b.subarray(span.start, span.end));
  },
  (b, random) => {
    const at = random.below(b.length);
    return spliced(b, { start: at, end: at }, random.bytes(1 + random.below(8)));
  },
  (b, random) => b.subarray(0, 1 + random.below(b.length)),
  // The rest of another conversation.
  (b, random, others) => {
    const other = random.pick(others);
    return Buffer.concat([b.subarray(0, random.below(b.length)), other.subarray(random.below(other.length))]);
  },
];

const onFrame =
  (change: (b: Buffer, frame: Span, random: Random, frames: readonly Span[]) => Buffer): Mutation =>
  (b, random) => {
    const frames = framesOf(b);
    return frames.length === 0 ? b : change(b, random.pick(frames), random, frames);
  };

const ON_FRAMES: readonly Mutation[] = [
  onFrame((b, frame) => spliced(b, frame, Buffer.alloc(0))),
  onFrame((b, { start, end }) => spliced(b, { start, end: start }, b.subarray(start, end))),
  // Two that change places.
  onFrame((b, one, random, frames) => {
    const other = random.pick(frames);
    if (one.start === other.start) return b;
    const [first, last] = one.start < other.start ? [one, other] : [other, one];
    const part = (span: Span): Buffer => b.subarray(span.start, span.end);
    return spliced(spliced(b, last, part(first)), first, part(last));
  }),
  // The length lies, or is odd.
  onFrame((b, { start, end }, random) => {
    const length = end - start - 9;
    const lie = random.pick([0, 1, 4, 5, 8, length + 1, Math.max(0, length - 1), 16_384, 16_385, 0xffffff]);
    const copy = Buffer.from(b);
    copy.writeUIntBE(lie, start, 3);
    return copy;
  }),
  onFrame((b, { start }, random) => set(b, start + 3, () => random.below(random.chance(90) ? 11 : 256))),
  onFrame((b, { start }, random) =>
    set(b, start + 4, (old) => old ^ random.pick([0x1, 0x4, 0x8, 0x20, 0xff])),
  ),
  onFrame((b, { start }, random) => {
    const copy = Buffer.from(b);
    copy.writeUInt32BE(random.pick([0, 1, 2, 3, 5, 7, 0x7fffffff, 0x80000001]), start + 5);
    return copy;
  }),
  // Its payload, filled with what grows numbers large.
  onFrame((b, { start, end }, random) => {
    const copy = Buffer.from(b);
    copy.fill(random.pick([0, 0x7f, 0x80, 0xff]), start + 9, end);
    return copy;
  }),
];

function set(b: Buffer, at: number, to: (old: number) => number): Buffer {
  const copy = Buffer.from(b);
  copy[at] = to(copy[at] ?? 0);
  return copy;
}

/** One of the recordings, wrong in one to four places. */
export function mutated(recordings: readonly Buffer[], random: Random): Buffer {
  let b = random.pick(recordings);
  for (let left = 1 + random.below(4); left > 0 && b.length > 0; left--) {
    const isHttp2 = b.subarray(0, 3).equals(PREFACE.subarray(0, 3));
    // The preface is three lines of a hundred; what is behind it is worth more.
    const mutation = random.pick(isHttp2 && random.chance(70) ? ON_FRAMES : ON_BYTES);
    b = mutation(b, random, recordings).subarray(0, MAX_BYTES);
  }
  return b;
}

/** In pieces: whole, in two, in bytes of one each, or anyhow. */
export function pieces(b: Buffer, random: Random): Buffer[] {
  switch (random.below(4)) {
    case 0:
      return [b];
    case 1: {
      const at = random.below(b.length + 1);
      return [b.subarray(0, at), b.subarray(at)].filter((piece) => piece.length > 0);
    }
    case 2:
      if (b.length <= 1000) return Array.from(b, (byte) => Buffer.of(byte));
      return [b];
    default: {
      const parts: Buffer[] = [];
      for (let at = 0; at < b.length; ) {
        const end = Math.min(b.length, at + 1 + random.below(random.chance(50) ? 20 : 2000));
        parts.push(b.subarray(at, end));
        at = end;
      }
      return parts;
    }
  }
}
