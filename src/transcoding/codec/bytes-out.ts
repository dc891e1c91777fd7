// The output of the codec: one buffer that grows, and is reused by the next message.

/** A larger buffer is given away with its content instead of being copied and kept. */
const MAX_KEPT_BYTES = 256 * 1024;
const FIRST_BYTES = 16 * 1024;
const TWO_16 = 2 ** 16;
const TWO_32 = 2 ** 32;
const BILLION = 1e9;
/** Up to this many characters a loop beats the call into native code. */
const SHORT_TEXT = 48;
/** Up to this many bytes a loop is faster than a copy, which makes a view first. */
const SHORT_COPY = 96;

/** Limit for printing one message. */
export interface Budget {
  /** Bytes of text. Checked when the buffer grows and at the end, so up to 256 KiB may be written before. */
  readonly textBytes: number;
  /** Steps of the any-order printer: bytes that it reads again, and fields of each message, set or not. */
  readonly steps: number;
}

/** A message exceeds its budget. Its bytes are not at fault. */
export class BudgetExceeded extends Error {}

function tooLong(maxBytes: number): BudgetExceeded {
  return new BudgetExceeded(`the text has more than ${maxBytes} bytes`);
}

/** `buf`, `words` and `pos` are open to the loops of the codec: code that writes there must call `ensure` first. */
export class BytesOut {
  buf: Buffer = Buffer.allocUnsafeSlow(FIRST_BYTES);
  /** The same bytes, as a view for writing several at once. */
  words: DataView = new DataView(this.buf.buffer);
  pos = 0;
  #maxBytes = Number.POSITIVE_INFINITY;
  #steps = Number.POSITIVE_INFINITY;
  readonly #double = new Float64Array(1);
  readonly #float = new Float32Array(1);
  readonly #doubleBytes = new Uint8Array(this.#double.buffer);
  readonly #floatBytes = new Uint8Array(this.#float.buffer);

  /** From here on `ensure`, `spend` and `within` throw BudgetExceeded past the budget; undefined: they never do. */
  allow(budget: Budget | undefined): void {
    this.#maxBytes = budget?.textBytes ?? Number.POSITIVE_INFINITY;
    this.#steps = budget?.steps ?? Number.POSITIVE_INFINITY;
  }

  /** Spends steps of the budget. */
  spend(steps: number): void {
    this.#steps -= steps;
    if (this.#steps < 0) throw new BudgetExceeded("a message takes too much work");
  }

  /** Checks that the output is within the budget. */
  within(): void {
    if (this.pos > this.#maxBytes) throw tooLong(this.#maxBytes);
  }

  /** Makes room for this many bytes more. */
  ensure(bytes: number): void {
    if (this.pos + bytes > this.buf.length) this.#grow(bytes);
  }

  #grow(bytes: number): void {
    if (this.pos + bytes > this.#maxBytes) throw tooLong(this.#maxBytes);
    const next = Buffer.allocUnsafeSlow(Math.max(2 * this.buf.length, this.pos + bytes));
    this.buf.copy(next, 0, 0, this.pos);
    this.#use(next);
  }

  #use(buf: Buffer): void {
    this.buf = buf;
    this.words = new DataView(buf.buffer, buf.byteOffset, buf.length);
  }

  /** The output since the start; the next message may begin. */
  take(): Buffer {
    const { buf, pos } = this;
    this.pos = 0;
    if (buf.length > MAX_KEPT_BYTES) {
      this.#use(Buffer.allocUnsafeSlow(FIRST_BYTES));
      // A buffer that is given away should not be twice as large as its content.
      return pos > buf.length / 2 ? buf.subarray(0, pos) : Buffer.from(buf.subarray(0, pos));
    }
    const copy = Buffer.allocUnsafe(pos);
    if (pos <= SHORT_COPY) for (let i = 0; i < pos; i++) copy[i] = buf[i] ?? 0;
    else buf.copy(copy, 0, 0, pos);
    return copy;
  }

  /** Drops the output. */
  reset(): void {
    this.pos = 0;
    if (this.buf.length > MAX_KEPT_BYTES) this.#use(Buffer.allocUnsafeSlow(FIRST_BYTES));
  }

  byte(value: number): void {
    this.ensure(1);
    this.buf[this.pos++] = value;
  }

  raw(bytes: Uint8Array): void {
    const length = bytes.length;
    this.ensure(length);
    if (length <= SHORT_TEXT) {
      const { buf } = this;
      let { pos } = this;
      for (let i = 0; i < length; i++) buf[pos++] = bytes[i] ?? 0;
      this.pos = pos;
    } else {
      this.buf.set(bytes, this.pos);
      this.pos += length;
    }
  }

  /** The first `bytes` of `words`, the first byte of each the highest: short, and padded. */
  padded(words: Int32Array, bytes: number): void {
    const count = words.length;
    this.ensure(4 * count);
    const to = this.words;
    const { pos } = this;
    for (let i = 0; i < count; i++) to.setInt32(pos + 4 * i, words[i] ?? 0);
    this.pos = pos + bytes;
  }

  /** source[start..end) */
  copy(source: Uint8Array, start: number, end: number): void {
    this.ensure(end - start);
    const { buf } = this;
    let { pos } = this;
    if (end - start <= SHORT_TEXT) {
      for (let i = start; i < end; i++) buf[pos++] = source[i] ?? 0;
    } else {
      buf.set(source.subarray(start, end), pos);
      pos += end - start;
    }
    this.pos = pos;
  }

  /** An unsigned number of 32 bits, or a signed one read as unsigned. */
  varint32(value: number): void {
    this.ensure(5);
    const { buf } = this;
    let { pos } = this;
    while (value > 0x7f || value < 0) {
      buf[pos++] = (value & 0x7f) | 0x80;
      value >>>= 7;
    }
    buf[pos++] = value;
    this.pos = pos;
  }

  /** The low and the high 32 bits. */
  varint64(low: number, high: number): void {
    this.ensure(10);
    const { buf } = this;
    let { pos } = this;
    low >>>= 0;
    high >>>= 0;
    while (high !== 0) {
      buf[pos++] = (low & 0x7f) | 0x80;
      low = ((low >>> 7) | (high << 25)) >>> 0;
      high >>>= 7;
    }
    while (low > 0x7f) {
      buf[pos++] = (low & 0x7f) | 0x80;
      low >>>= 7;
    }
    buf[pos++] = low;
    this.pos = pos;
  }

  /** A signed number of 32 bits as int32, which is sign-extended to 64. */
  int32(value: number): void {
    if (value >= 0) this.varint32(value);
    else this.varint64(value, -1);
  }

  fixed32(value: number): void {
    this.ensure(4);
    const { buf, pos } = this;
    buf[pos] = value;
    buf[pos + 1] = value >>> 8;
    buf[pos + 2] = value >>> 16;
    buf[pos + 3] = value >>> 24;
    this.pos = pos + 4;
  }

  double(value: number): void {
    this.#double[0] = value;
    this.ensure(8);
    // Little endian, as on every machine that Node supports but s390x, where it is reversed.
    for (let i = 0; i < 8; i++) this.buf[this.pos++] = this.#doubleBytes[LITTLE_ENDIAN ? i : 7 - i] ?? 0;
  }

  float(value: number): void {
    this.#float[0] = value;
    this.ensure(4);
    for (let i = 0; i < 4; i++) this.buf[this.pos++] = this.#floatBytes[LITTLE_ENDIAN ? i : 3 - i] ?? 0;
  }

  /** UTF-8 without a length. */
  text(value: string): void {
    const length = value.length;
    this.ensure(3 * length);
    if (length <= SHORT_TEXT) {
      const { buf, pos } = this;
      let i = 0;
      for (; i < length; i++) {
        const code = value.charCodeAt(i);
        if (code > 0x7f) break;
        buf[pos + i] = code;
      }
      if (i === length) {
        this.pos = pos + length;
        return;
      }
    }
    this.pos += this.buf.write(value, this.pos, "utf8");
  }

  /** UTF-8 after its length. */
  string(value: string): void {
    // One byte of length holds up to 127, and a UTF-16 unit takes at most 3 bytes.
    const size = value.length <= 42 ? 1 : sizeOfVarint(Buffer.byteLength(value));
    const start = this.begin(size);
    this.text(value);
    this.end(start, size);
  }

  /** Begins a part with a length prefix; `size`: the estimated bytes of the prefix. */
  begin(size: number): number {
    this.ensure(size);
    const start = this.pos;
    this.pos += size;
    return start;
  }

  /** Ends it, and returns how many bytes the length took. */
  end(start: number, size: number): number {
    const length = this.pos - start - size;
    const real = length < 0x80 ? 1 : sizeOfVarint(length);
    if (real !== size) {
      this.ensure(5);
      this.buf.copyWithin(start + real, start + size, this.pos);
    }
    const { buf } = this;
    let at = start;
    let rest = length;
    while (rest > 0x7f) {
      buf[at++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    buf[at] = rest;
    this.pos = start + real + length;
    return real;
  }

  /** The decimal digits of an integer of at most 2^53. */
  integer(value: number): void {
    this.ensure(17);
    const { buf } = this;
    let { pos } = this;
    if (value < 0) {
      buf[pos++] = 0x2d;
      value = -value;
    }
    if (value < 10) {
      buf[pos++] = 0x30 + value;
      this.pos = pos;
      return;
    }
    let digits = 2;
    for (let limit = 100; value >= limit; limit *= 10) digits++;
    let at = pos + digits;
    // Division of doubles is exact up to 2^53, of 32-bit integers it is faster.
    while (value >= TWO_32) {
      const rest = Math.floor(value / 10);
      buf[--at] = 0x30 + (value - rest * 10);
      value = rest;
    }
    value >>>= 0;
    while (at > pos) {
      const rest = (value / 10) >>> 0;
      buf[--at] = 0x30 + (value - rest * 10);
      value = rest;
    }
    this.pos = pos + digits;
  }

  /** `scaled` divided by `scale`, which is 10 to the power of `digits`: the number of decimals. */
  decimal(scaled: number, scale: number, digits: number): void {
    const whole = Math.floor(scaled / scale);
    this.integer(whole);
    this.ensure(digits + 1);
    const { buf, pos } = this;
    buf[pos] = 0x2e;
    let rest = (scaled - whole * scale) | 0;
    for (let at = pos + digits; at > pos; at--) {
      const next = (rest / 10) | 0;
      buf[at] = 0x30 + (rest - next * 10);
      rest = next;
    }
    this.pos = pos + digits + 1;
  }

  /** The decimal digits of an unsigned integer of 64 bits: its low and its high 32 bits. */
  uint64(low: number, high: number): void {
    low >>>= 0;
    high >>>= 0;
    if (high < 0x200000) {
      this.integer(high * TWO_32 + low);
      return;
    }
    // Long division by 10^9, in digits of 16 bits: remainders stay below 2^53, where a double is exact.
    let over = high;
    const first = Math.floor(over / BILLION);
    over = (over - first * BILLION) * TWO_16 + (low >>> 16);
    const second = Math.floor(over / BILLION);
    over = (over - second * BILLION) * TWO_16 + (low & 0xffff);
    const third = Math.floor(over / BILLION);
    this.integer((first * TWO_16 + second) * TWO_16 + third);
    this.ensure(9);
    const { buf, pos } = this;
    let rest = over - third * BILLION;
    for (let at = pos + 8; at >= pos; at--) {
      const next = (rest / 10) >>> 0;
      buf[at] = 0x30 + (rest - next * 10);
      rest = next;
    }
    this.pos = pos + 9;
  }
}

const LITTLE_ENDIAN = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

export function sizeOfVarint(value: number): number {
  if (value < 0x80) return 1;
  if (value < 0x4000) return 2;
  if (value < 0x200000) return 3;
  return value < 0x10000000 ? 4 : 5;
}
