// HTTP/2 frames made and read by hand: a peer for the engine's tests that may break any rule.
import assert from "node:assert/strict";
import type { Duplex } from "node:stream";
import { errorName, Flag, FrameType, PREFACE } from "#src/http2/wire/protocol.js";

export interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly id: number;
  readonly payload: Buffer;
}

export type Fields = readonly (readonly [string, string])[];

export function frame(type: number, flags: number, id: number, payload: Buffer | string = ""): Buffer {
  const body = typeof payload === "string" ? Buffer.from(payload, "latin1") : payload;
  const head = Buffer.alloc(9);
  head.writeUIntBE(body.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(id, 5);
  return Buffer.concat([head, body]);
}

export function u32(...values: number[]): Buffer {
  const b = Buffer.alloc(values.length * 4);
  values.forEach((value, i) => {
    b.writeUInt32BE(value, i * 4);
  });
  return b;
}

export function settings(...pairs: (readonly [number, number])[]): Buffer {
  const b = Buffer.alloc(pairs.length * 6);
  pairs.forEach(([id, value], i) => {
    b.writeUInt16BE(id, i * 6);
    b.writeUInt32BE(value, i * 6 + 2);
  });
  return frame(FrameType.SETTINGS, 0, 0, b);
}

export const SETTINGS_ACK = frame(FrameType.SETTINGS, Flag.ACK, 0);

/** What a client says first. */
export const HELLO = Buffer.concat([PREFACE, settings()]);

function integer(value: number): Buffer {
  if (value < 127) return Buffer.from([value]);
  const bytes = [127];
  let rest = value - 127;
  for (; rest >= 128; rest >>= 7) bytes.push((rest & 127) | 128);
  bytes.push(rest);
  return Buffer.from(bytes);
}

/** A header block of plain literals: no table, no Huffman. */
export function block(fields: Fields): Buffer {
  const parts: Buffer[] = [];
  for (const [name, value] of fields) {
    const n = Buffer.from(name, "latin1");
    const v = Buffer.from(value, "latin1");
    parts.push(Buffer.from([0]), integer(n.length), n, integer(v.length), v);
  }
  return Buffer.concat(parts);
}

export const REQUEST: Fields = [
  [":method", "POST"],
  [":scheme", "http"],
  [":path", "/s/m"],
  [":authority", "test"],
];

/** A request's HEADERS; `flags` in place of END_HEADERS. */
export function headers(
  id: number,
  fields: Fields = REQUEST,
  options: { end?: boolean; flags?: number } = {},
): Buffer {
  const flags = options.flags ?? Flag.END_HEADERS;
  return frame(FrameType.HEADERS, flags | (options.end === true ? Flag.END_STREAM : 0), id, block(fields));
}

export function data(id: number, payload: Buffer | string, end = false): Buffer {
  return frame(FrameType.DATA, end ? Flag.END_STREAM : 0, id, payload);
}

export function padded(
  type: number,
  flags: number,
  id: number,
  payload: Buffer | string,
  pad: number,
): Buffer {
  const body = typeof payload === "string" ? Buffer.from(payload, "latin1") : payload;
  return frame(type, flags | Flag.PADDED, id, Buffer.concat([Buffer.from([pad]), body, Buffer.alloc(pad)]));
}

export const rst = (id: number, code: number): Buffer => frame(FrameType.RST_STREAM, 0, id, u32(code));
export const windowUpdate = (id: number, bytes: number): Buffer =>
  frame(FrameType.WINDOW_UPDATE, 0, id, u32(bytes));
export const ping = (text = "12345678", flags = 0): Buffer => frame(FrameType.PING, flags, 0, text);
export const goaway = (lastId: number, code = 0): Buffer => frame(FrameType.GOAWAY, 0, 0, u32(lastId, code));

/** The frames of a byte stream, as they become complete. */
export class FrameReader {
  private rest: Buffer = Buffer.alloc(0);
  private prefaceLeft: number;

  constructor(afterPreface: boolean) {
    this.prefaceLeft = afterPreface ? PREFACE.length : 0;
  }

  read(chunk: Buffer): Frame[] {
    let b = Buffer.concat([this.rest, chunk]);
    if (this.prefaceLeft > 0) {
      if (b.length < PREFACE.length) {
        this.rest = b;
        return [];
      }
      assert.deepEqual(b.subarray(0, PREFACE.length), PREFACE);
      b = b.subarray(PREFACE.length);
      this.prefaceLeft = 0;
    }
    const frames: Frame[] = [];
    while (b.length >= 9) {
      const length = b.readUIntBE(0, 3);
      if (b.length < 9 + length) break;
      const payload = Buffer.from(b.subarray(9, 9 + length));
      frames.push({ type: b[3] ?? 0, flags: b[4] ?? 0, id: b.readUInt32BE(5), payload });
      b = b.subarray(9 + length);
    }
    this.rest = b;
    return frames;
  }
}

/** What comes at all has come by then, and the runner has not given up yet. */
const PATIENCE_MS = 60_000;
/** Also where a test has put others in their place. */
const real = { setTimeout, clearTimeout };

/** The other end of an engine's connection, driven frame by frame. */
export class RawPeer {
  readonly socket: Duplex;
  /** All that came. */
  readonly frames: Frame[] = [];
  /** The engine closed its side. */
  ended = false;
  private readonly reader: FrameReader;
  private wake: () => void = () => {};

  /** `role` is this peer's own. */
  constructor(socket: Duplex, role: "client" | "server") {
    this.socket = socket;
    this.reader = new FrameReader(role === "server");
    socket.on("data", (chunk: Buffer) => {
      this.frames.push(...this.reader.read(chunk));
      this.wake();
    });
    const over = (): void => {
      this.ended = true;
      this.wake();
    };
    socket.on("end", over);
    socket.on("close", over);
    socket.on("error", over);
  }

  send(...parts: Buffer[]): void {
    this.socket.write(Buffer.concat(parts));
  }

  /** Waits until `found` gives something. Rejects when the connection ends first, or after a minute. */
  async until<T>(what: string, found: () => T | undefined): Promise<T> {
    let late = false;
    const timer = real
      .setTimeout(() => {
        late = true;
        this.wake();
      }, PATIENCE_MS)
      .unref();
    try {
      for (;;) {
        const result = found();
        if (result !== undefined) return result;
        if (this.ended) throw new Error(`the connection ended before ${what}; it sent ${this.describe()}`);
        if (late)
          throw new Error(`${what} did not come in ${PATIENCE_MS / 1000} s; it sent ${this.describe()}`);
        await new Promise<void>((resolve) => {
          this.wake = resolve;
        });
      }
    } finally {
      real.clearTimeout(timer);
    }
  }

  find(type: number, id?: number, flags = 0): Frame | undefined {
    return this.frames.find(
      (f) => f.type === type && (id === undefined || f.id === id) && (f.flags & flags) === flags,
    );
  }

  /** The first frame of that type (and stream, and with those flags), waiting for it. */
  frame(type: number, id?: number, flags = 0): Promise<Frame> {
    return this.until(`frame ${typeName(type)} on ${id ?? "any stream"}`, () => this.find(type, id, flags));
  }

  /** DATA bytes that came on a stream. */
  bytes(id: number): number {
    let sum = 0;
    for (const f of this.frames) if (f.type === FrameType.DATA && f.id === id) sum += f.payload.length;
    return sum;
  }

  body(id: number): Buffer {
    return Buffer.concat(
      this.frames.filter((f) => f.type === FrameType.DATA && f.id === id).map((f) => f.payload),
    );
  }

  async over(): Promise<void> {
    while (!this.ended) {
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
    }
  }

  /** A PING there and back: what was sent before has been handled. Returns once the answer is here. */
  async roundTrip(): Promise<void> {
    const text = String(this.pings++).padStart(8, "0");
    this.send(ping(text));
    await this.until("the answer to a PING", () =>
      this.frames.find(
        (f) => f.type === FrameType.PING && f.flags === Flag.ACK && f.payload.toString() === text,
      ),
    );
  }
  private pings = 0;

  describe(): string {
    return this.frames.map(describeFrame).join(", ") || "nothing";
  }
}

export function typeName(type: number): string {
  return Object.entries(FrameType).find(([, value]) => value === type)?.[0] ?? `0x${type.toString(16)}`;
}

/** e.g. `RST_STREAM(3, PROTOCOL_ERROR)` */
export function describeFrame(f: Frame): string {
  if (f.type === FrameType.RST_STREAM) return `RST_STREAM(${f.id}, ${errorName(f.payload.readUInt32BE(0))})`;
  if (f.type === FrameType.GOAWAY) {
    const debug = f.payload.subarray(8).toString();
    return `GOAWAY(${f.payload.readUInt32BE(0)}, ${errorName(f.payload.readUInt32BE(4))}${debug && `, "${debug}"`})`;
  }
  return `${typeName(f.type)}(${f.id}, flags ${f.flags}, ${f.payload.length} bytes)`;
}
