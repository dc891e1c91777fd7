// The Huffman code of HPACK (RFC 7541 §5.2, appendix B): decoding a byte at a time, encoding by table.

const EOS = 256;

// The length in bits of each symbol's code, 0..255 and then EOS. The code is canonical (equal lengths count
// upwards in symbol order), so the lengths alone give the codes of appendix B.
// biome-ignore format: a table, sixteen symbols a row
const CODE_BITS: readonly number[] = [
  13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28,
  28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
  6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6,
  5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
  13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
  7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
  15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5,
  6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28,
  20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23,
  24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
  22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23,
  21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
  26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25,
  19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
  20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23,
  26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
  30,
];

const CODE_LENGTHS = Uint8Array.from(CODE_BITS);
const CODES = canonicalCodes();

// One entry per (state, byte): bits 0-7 and 8-15 the symbols that end within the byte, 16-23 the next state,
// 24-25 how many symbols end; negative when the byte cannot follow. No code is shorter than 5 bits, so never more
// than two symbols end in one byte.
const STEP = new Int32Array(256 * 256);
// 1 for the states a string may end in: fewer than 8 bits of padding, all ones (RFC 7541 §5.2).
const MAY_END = new Uint8Array(256);
buildDecoder();

function canonicalCodes(): Uint32Array {
  const codes = new Uint32Array(257);
  let next = 0;
  for (let bits = 5; bits <= 30; bits++) {
    for (let symbol = 0; symbol <= EOS; symbol++) if (CODE_LENGTHS[symbol] === bits) codes[symbol] = next++;
    next *= 2;
  }
  return codes;
}

function buildDecoder(): void {
  // The code as a tree: children[2 * node + bit] is a node, or -1 - symbol for a leaf. 257 leaves make 256
  // inner nodes, so a node fits a byte.
  const children = new Int16Array(512);
  let nodes = 1;
  for (let symbol = 0; symbol <= EOS; symbol++) {
    const bits = CODE_LENGTHS[symbol] ?? 0;
    const code = CODES[symbol] ?? 0;
    let node = 0;
    for (let i = bits - 1; i > 0; i--) {
      const branch = 2 * node + ((code >>> i) & 1);
      if (children[branch] === 0) children[branch] = nodes++;
      node = children[branch] ?? 0;
    }
    children[2 * node + (code & 1)] = -1 - symbol;
  }
  for (let state = 0; state < 256; state++) {
    for (let byte = 0; byte < 256; byte++) STEP[state * 256 + byte] = step(children, state, byte);
  }
  for (let depth = 0, node = 0; depth < 8; depth++) {
    MAY_END[node] = 1;
    node = children[2 * node + 1] ?? 0;
  }
}

function step(children: Int16Array, state: number, byte: number): number {
  let node = state;
  let symbols = 0;
  let count = 0;
  for (let i = 7; i >= 0; i--) {
    const child = children[2 * node + ((byte >>> i) & 1)] ?? 0;
    if (child >= 0) {
      node = child;
      continue;
    }
    const symbol = -1 - child;
    if (symbol === EOS) return -1;
    symbols |= symbol << (8 * count);
    count++;
    node = 0;
  }
  return (count << 24) | (node << 16) | symbols;
}

/** The room that `length` Huffman-coded bytes may need, with the byte of slack that `huffmanDecode` asks for. */
export function huffmanDecodedRoom(length: number): number {
  return Math.floor((length * 8) / 5) + 2;
}

/**
 * Decodes `buf[start, end)` to the beginning of `out`, which has `huffmanDecodedRoom(end - start)` bytes.
 * Returns the number of bytes, or -1 when the coding is wrong: EOS within, or padding too long or not all ones.
 */
export function huffmanDecode(buf: Uint8Array, start: number, end: number, out: Uint8Array): number {
  let state = 0;
  let length = 0;
  for (let i = start; i < end; i++) {
    const entry = STEP[(state << 8) | (buf[i] ?? 0)] ?? -1;
    if (entry < 0) return -1;
    // Both symbols are stored, even if fewer ended: cheaper than a branch.
    out[length] = entry;
    out[length + 1] = entry >> 8;
    length += entry >> 24;
    state = (entry >> 16) & 0xff;
  }
  return MAY_END[state] === 1 ? length : -1;
}

/** The length in bytes of `text` (ISO-8859-1) once Huffman-coded. */
export function huffmanLength(text: string): number {
  let bits = 0;
  for (let i = 0; i < text.length; i++) bits += CODE_LENGTHS[text.charCodeAt(i) & 0xff] ?? 0;
  return Math.ceil(bits / 8);
}

/** Writes `text` (ISO-8859-1) Huffman-coded at `at`; returns the offset behind it. */
export function huffmanEncode(text: string, out: Uint8Array, at: number): number {
  let held = 0; // its low `bits` bits are still to be written; what stands above them is written already
  let bits = 0;
  let offset = at;
  for (let i = 0; i < text.length; i++) {
    const symbol = text.charCodeAt(i) & 0xff;
    let code = CODES[symbol] ?? 0;
    let length = CODE_LENGTHS[symbol] ?? 0;
    if (length > 24) {
      // Up to 7 bits held and 30 more do not fit into 32: the first part is written before.
      length -= 16;
      held = (held << length) | (code >>> 16);
      bits += length;
      while (bits >= 8) {
        bits -= 8;
        out[offset++] = held >>> bits;
      }
      code &= 0xffff;
      length = 16;
    }
    held = (held << length) | code;
    bits += length;
    while (bits >= 8) {
      bits -= 8;
      out[offset++] = held >>> bits;
    }
  }
  if (bits > 0) out[offset++] = (held << (8 - bits)) | (0xff >>> bits);
  return offset;
}
