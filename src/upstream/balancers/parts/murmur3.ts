// MurmurHash3 (x86, 32 bits), placed in the public domain by Austin Appleby: distributes well, and needs no 64-bit
// arithmetic, for which JavaScript only has BigInt.

/** @param seed 32 bits; default 0 */
export function murmur3(bytes: Uint8Array, length: number, seed = 0): number {
  let hash = seed;
  const whole = length & ~3;
  for (let i = 0; i < whole; i += 4) {
    const word =
      (bytes[i] ?? 0) |
      ((bytes[i + 1] ?? 0) << 8) |
      ((bytes[i + 2] ?? 0) << 16) |
      ((bytes[i + 3] ?? 0) << 24);
    hash ^= scrambled(word);
    hash = (Math.imul((hash << 13) | (hash >>> 19), 5) + 0xe6546b64) | 0;
  }
  let rest = 0;
  for (let i = length - 1; i >= whole; i--) rest = (rest << 8) | (bytes[i] ?? 0);
  if (whole < length) hash ^= scrambled(rest);
  return mixed(hash ^ length);
}

function scrambled(word: number): number {
  const k = Math.imul(word, 0xcc9e2d51);
  return Math.imul((k << 15) | (k >>> 17), 0x1b873593);
}

/** The final mix: a permutation of all 32-bit numbers that moves near ones far apart. */
export function mixed(number: number): number {
  let hash = number;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

const SCRATCH = Buffer.alloc(1024);

/** Hash of a text's UTF-8. */
export function hashOf(text: string, seed = 0): number {
  // A UTF-16 code unit is at most three bytes.
  if (text.length * 3 > SCRATCH.length) {
    const bytes = Buffer.from(text);
    return murmur3(bytes, bytes.length, seed);
  }
  return murmur3(SCRATCH, SCRATCH.write(text), seed);
}
