// The service behind every proxy of the benchmark: bench.v1.EchoService but UpdateRecord. It must cost far less than the
// proxies, so it decodes no header: a body that asks for the record, the list or a stream of records gets it, all else
// is echoed. One write per read.
//   node build/bench/backend.js PORT
import { createServer, type Socket } from "node:net";
import { GET_RECORD, LIST, LIST_REQUEST, RECORD, STREAM_TAG } from "./record.js";

const PREFACE_BYTES = 24;
const FRAME_HEADER_BYTES = 9;
const DATA = 0;
const HEADERS = 1;
const RST_STREAM = 3;
const SETTINGS = 4;
const PING = 6;
const GOAWAY = 7;
const WINDOW_UPDATE = 8;
const END_STREAM = 1;
const ACK = 1;
const END_HEADERS = 4;
const PADDED = 8;
const DEFAULT_WINDOW = 65_535;
const MAX_WINDOW = 2 ** 31 - 1;
const MAX_CONCURRENT_STREAMS = 1000;
/** Connection credit is given back in one piece after so many bytes. */
const CREDIT_STEP = 2 ** 28;

// Like a real server, the two constant fields go into the peer's dynamic table once, then are one byte each; a peer
// that allows no table (nginx) gets literals. `grpc-status: 0` is inserted last, so it is 62 and content-type 63.
const CONTENT_TYPE = Buffer.concat([Buffer.from([31, 16]), Buffer.from("application/grpc")]);
const GRPC_STATUS = Buffer.from("\x00\x0bgrpc-status\x010", "latin1");
const LITERAL_HEADERS = Buffer.concat([Buffer.from([0x88, 0x0f, 31 - 15]), CONTENT_TYPE.subarray(1)]);
const LITERAL_TRAILERS = GRPC_STATUS;
const INSERTING_HEADERS = Buffer.concat([Buffer.from([0x88, 0x40 | 31]), CONTENT_TYPE.subarray(1)]);
const INSERTING_TRAILERS = Buffer.concat([Buffer.from([0x40]), GRPC_STATUS.subarray(1)]);
const INDEXED_HEADERS = Buffer.from([0x88, 0x80 | 63]);
const INDEXED_TRAILERS = Buffer.from([0x80 | 62]);
const TABLE_SIZE_ZERO = Buffer.from([0x20]);
const TABLE_BYTES_NEEDED = 256;
const SETTING_TABLE_SIZE = 1;
const SETTING_WINDOW = 4;

function frame(type: number, flags: number, stream: number, payload: Buffer): Buffer {
  const head = Buffer.allocUnsafe(FRAME_HEADER_BYTES);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

function uint32(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

function setting(id: number, value: number): Buffer {
  return Buffer.concat([Buffer.from([0, id]), uint32(value)]);
}

/** A message behind its gRPC prefix: not compressed, four bytes of length. */
function grpcFrame(message: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from([0]), uint32(message.length), message]);
}

const RECORD_REQUEST = grpcFrame(GET_RECORD);
const RECORD_RESPONSE = grpcFrame(RECORD);
const LIST_ANSWER = { asks: grpcFrame(LIST_REQUEST), response: grpcFrame(LIST) };
const MESSAGE_PREFIX_BYTES = 5;

/** DATA is cut to frames of the default maximum (RFC 9113 §4.2). */
const MAX_FRAME_BYTES = 16_384;
/** The records of a stream one after the other, so that every frame of it is a slice: it begins within the first. */
const RECORDS = Buffer.concat(
  new Array<Buffer>(Math.ceil(MAX_FRAME_BYTES / RECORD_RESPONSE.length) + 1).fill(RECORD_RESPONSE),
);
/** Nothing more of long answers is handed to a socket that holds so much. */
const MAX_UNSENT_BYTES = 256 * 1024;

/** An answer that did not go out at once: more than the peer's windows, or the socket, could take. */
interface Waiting {
  readonly stream: number;
  /** Bytes at an offset of the body, as many as there are in one piece. */
  readonly slice: (offset: number) => Buffer;
  readonly length: number;
  sent: number;
  credit: number;
}

const GREETING = Buffer.concat([
  frame(SETTINGS, 0, 0, Buffer.concat([setting(3, MAX_CONCURRENT_STREAMS), setting(4, MAX_WINDOW)])),
  frame(WINDOW_UPDATE, 0, 0, uint32(MAX_WINDOW - DEFAULT_WINDOW)),
]);

class Connection {
  readonly #socket: Socket;
  #tail: Buffer | undefined;
  #greeted = false;
  /** Request bytes of open streams. */
  readonly #bodies = new Map<number, Buffer[]>();
  #out: Buffer[] = [];
  readonly #waiting = new Map<number, Waiting>();
  #credit = DEFAULT_WINDOW;
  /** What a stream may send at first, by the peer's SETTINGS. */
  #window = DEFAULT_WINDOW;
  #received = 0;
  #table: "none" | "empty" | "filled" = "empty";
  #shrink = false;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on("data", (chunk: Buffer) => this.#read(chunk));
    socket.on("error", () => socket.destroy());
    socket.on("drain", () => {
      this.#sendWaiting();
      this.#flush();
    });
    socket.write(GREETING);
  }

  #read(chunk: Buffer): void {
    const input = this.#tail === undefined ? chunk : Buffer.concat([this.#tail, chunk]);
    let at = 0;
    if (!this.#greeted && input.length >= PREFACE_BYTES) {
      this.#greeted = true;
      at = PREFACE_BYTES;
    }
    while (this.#greeted && input.length - at >= FRAME_HEADER_BYTES) {
      const end = at + FRAME_HEADER_BYTES + input.readUIntBE(at, 3);
      if (end > input.length) break;
      const payload = input.subarray(at + FRAME_HEADER_BYTES, end);
      this.#frame(input[at + 3] ?? 0, input[at + 4] ?? 0, input.readUInt32BE(at + 5), payload);
      at = end;
    }
    this.#tail = at < input.length ? input.subarray(at) : undefined;
    this.#flush();
  }

  #flush(): void {
    if (this.#out.length === 0) return;
    this.#socket.write(this.#out.length === 1 ? (this.#out[0] ?? "") : Buffer.concat(this.#out));
    this.#out = [];
  }

  #frame(type: number, flags: number, stream: number, payload: Buffer): void {
    switch (type) {
      case HEADERS:
        this.#bodies.set(stream, []);
        if ((flags & END_STREAM) !== 0) this.#finish(stream);
        break;
      case DATA: {
        const body =
          (flags & PADDED) === 0 ? payload : payload.subarray(1, payload.length - (payload[0] ?? 0));
        if (body.length > 0) this.#bodies.get(stream)?.push(body);
        this.#received += payload.length;
        if (this.#received >= CREDIT_STEP) {
          this.#out.push(frame(WINDOW_UPDATE, 0, 0, uint32(this.#received)));
          this.#received = 0;
        }
        if ((flags & END_STREAM) !== 0) this.#finish(stream);
        break;
      }
      case SETTINGS:
        if ((flags & ACK) !== 0) break;
        this.#settings(payload);
        this.#out.push(frame(SETTINGS, ACK, 0, Buffer.alloc(0)));
        break;
      case PING:
        if ((flags & ACK) === 0) this.#out.push(frame(PING, ACK, 0, payload));
        break;
      case WINDOW_UPDATE: {
        if (stream === 0) this.#credit += payload.readUInt32BE(0);
        // One for a stream that waits not comes after its answer: streams are answered whole, or wait.
        const waiting = this.#waiting.get(stream);
        if (waiting !== undefined) waiting.credit += payload.readUInt32BE(0);
        this.#sendWaiting();
        break;
      }
      case RST_STREAM:
        this.#bodies.delete(stream);
        this.#waiting.delete(stream);
        break;
      case GOAWAY:
        this.#socket.end();
        break;
    }
  }

  #settings(payload: Buffer): void {
    for (let i = 0; i + 6 <= payload.length; i += 6) {
      const value = payload.readUInt32BE(i + 2);
      switch (payload.readUInt16BE(i)) {
        case SETTING_TABLE_SIZE:
          if (value >= TABLE_BYTES_NEEDED) break;
          this.#table = "none";
          this.#shrink = true;
          break;
        case SETTING_WINDOW:
          for (const waiting of this.#waiting.values()) waiting.credit += value - this.#window;
          this.#window = value;
          break;
      }
    }
  }

  #finish(stream: number): void {
    const parts = this.#bodies.get(stream);
    if (parts === undefined) return;
    this.#bodies.delete(stream);
    const request = parts.length === 1 && parts[0] !== undefined ? parts[0] : Buffer.concat(parts);
    if (request[MESSAGE_PREFIX_BYTES] === STREAM_TAG) {
      const length = readVarint(request, MESSAGE_PREFIX_BYTES + 1) * RECORD_RESPONSE.length;
      this.#answerLong(stream, length, (offset) => RECORDS.subarray(offset % RECORD_RESPONSE.length));
      return;
    }
    const { asks, response } = LIST_ANSWER;
    const body = request.equals(RECORD_REQUEST) ? RECORD_RESPONSE : request.equals(asks) ? response : request;
    if (this.#waiting.size === 0 && body.length <= Math.min(this.#credit, this.#window, MAX_FRAME_BYTES))
      this.#answer(stream, body);
    else this.#answerLong(stream, body.length, (offset) => body.subarray(offset));
  }

  /** Header blocks of an answer, for what the peer's table holds. They are sent in the order in which they are asked for. */
  #blocks(): { headers: Buffer; trailers: Buffer } {
    if (this.#table === "filled") return { headers: INDEXED_HEADERS, trailers: INDEXED_TRAILERS };
    if (this.#table === "empty") {
      this.#table = "filled";
      return { headers: INSERTING_HEADERS, trailers: INSERTING_TRAILERS };
    }
    const headers = this.#shrink ? Buffer.concat([TABLE_SIZE_ZERO, LITERAL_HEADERS]) : LITERAL_HEADERS;
    this.#shrink = false;
    return { headers, trailers: LITERAL_TRAILERS };
  }

  /** A whole answer in one buffer. */
  #answer(stream: number, body: Buffer): void {
    this.#credit -= body.length;
    const { headers, trailers } = this.#blocks();
    const out = Buffer.allocUnsafe(3 * FRAME_HEADER_BYTES + headers.length + body.length + trailers.length);
    let at = put(out, 0, HEADERS, END_HEADERS, stream, headers);
    at = put(out, at, DATA, 0, stream, body);
    put(out, at, HEADERS, END_HEADERS | END_STREAM, stream, trailers);
    this.#out.push(out);
  }

  /** An answer of any length, as the peer's windows and the socket let it go. */
  #answerLong(stream: number, length: number, slice: (offset: number) => Buffer): void {
    // Its trailers come much later, so neither block inserts: the table is the same in whichever order they go.
    const headers = this.#table === "empty" ? LITERAL_HEADERS : this.#blocks().headers;
    this.#out.push(frame(HEADERS, END_HEADERS, stream, headers));
    this.#waiting.set(stream, { stream, slice, length, sent: 0, credit: this.#window });
    this.#sendWaiting();
  }

  /** Frame by frame, in turn. */
  #sendWaiting(): void {
    let progress = true;
    while (progress && this.#credit > 0) {
      progress = false;
      for (const waiting of this.#waiting.values()) {
        if (this.#socket.writableLength > MAX_UNSENT_BYTES) return;
        const left = waiting.length - waiting.sent;
        const size = Math.min(left, waiting.credit, this.#credit, MAX_FRAME_BYTES);
        if (left > 0 && size <= 0) continue;
        progress = true;
        if (left > 0) {
          const piece = waiting.slice(waiting.sent).subarray(0, size);
          this.#out.push(frame(DATA, 0, waiting.stream, piece));
          waiting.sent += size;
          waiting.credit -= size;
          this.#credit -= size;
          // Long answers go to the socket as they are made: its length tells when it has enough.
          if (this.#out.length >= 4) this.#flush();
        }
        if (waiting.sent < waiting.length) continue;
        this.#waiting.delete(waiting.stream);
        this.#out.push(frame(HEADERS, END_HEADERS | END_STREAM, waiting.stream, LITERAL_TRAILERS));
      }
    }
  }
}

function readVarint(bytes: Buffer, at: number): number {
  let value = 0;
  for (let factor = 1; at < bytes.length; at++, factor *= 128) {
    const byte = bytes[at] ?? 0;
    value += (byte & 0x7f) * factor;
    if (byte < 128) break;
  }
  return value;
}

function put(out: Buffer, at: number, type: number, flags: number, stream: number, payload: Buffer): number {
  out.writeUIntBE(payload.length, at, 3);
  out[at + 3] = type;
  out[at + 4] = flags;
  out.writeUInt32BE(stream, at + 5);
  payload.copy(out, at + FRAME_HEADER_BYTES);
  return at + FRAME_HEADER_BYTES + payload.length;
}

const port = Number(process.argv[2] ?? 0);
createServer((socket) => new Connection(socket)).listen(port, "127.0.0.1", () => console.log("ready"));
