// The service behind every proxy of the benchmark: bench.v1.EchoService's Echo and GetRecord. It must cost far less than
// the proxies, so it decodes no header: a body that asks for the record gets it, all else is echoed. One write per read.
//   node build/bench/backend.js PORT
import { createServer, type Socket } from "node:net";
import { GET_RECORD, RECORD } from "./record.js";

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
  /** Answers that wait for connection credit. Stream credit is not looked at: messages are far below its default. */
  #waiting: { stream: number; body: Buffer }[] = [];
  #credit = DEFAULT_WINDOW;
  #received = 0;
  #table: "none" | "empty" | "filled" = "empty";
  #shrink = false;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on("data", (chunk: Buffer) => this.#read(chunk));
    socket.on("error", () => socket.destroy());
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
    if (this.#out.length > 0) {
      this.#socket.write(this.#out.length === 1 ? (this.#out[0] ?? "") : Buffer.concat(this.#out));
      this.#out = [];
    }
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
        for (let i = 0; i + 6 <= payload.length; i += 6)
          if (payload.readUInt16BE(i) === 1 && payload.readUInt32BE(i + 2) < TABLE_BYTES_NEEDED) {
            this.#table = "none";
            this.#shrink = true;
          }
        this.#out.push(frame(SETTINGS, ACK, 0, Buffer.alloc(0)));
        break;
      case PING:
        if ((flags & ACK) === 0) this.#out.push(frame(PING, ACK, 0, payload));
        break;
      case WINDOW_UPDATE:
        if (stream !== 0) break;
        this.#credit += payload.readUInt32BE(0);
        while (this.#waiting.length > 0 && (this.#waiting[0]?.body.length ?? 0) <= this.#credit) {
          const next = this.#waiting.shift();
          if (next !== undefined) this.#answer(next.stream, next.body);
        }
        break;
      case RST_STREAM:
        this.#bodies.delete(stream);
        this.#waiting = this.#waiting.filter((w) => w.stream !== stream);
        break;
      case GOAWAY:
        this.#socket.end();
        break;
    }
  }

  #finish(stream: number): void {
    const parts = this.#bodies.get(stream);
    if (parts === undefined) return;
    this.#bodies.delete(stream);
    const request = parts.length === 1 && parts[0] !== undefined ? parts[0] : Buffer.concat(parts);
    const asksForRecord = request.length === RECORD_REQUEST.length && request.equals(RECORD_REQUEST);
    const body = asksForRecord ? RECORD_RESPONSE : request;
    if (this.#waiting.length > 0 || body.length > this.#credit) this.#waiting.push({ stream, body });
    else this.#answer(stream, body);
  }

  #answer(stream: number, body: Buffer): void {
    this.#credit -= body.length;
    let headers = this.#table === "filled" ? INDEXED_HEADERS : INSERTING_HEADERS;
    let trailers = this.#table === "filled" ? INDEXED_TRAILERS : INSERTING_TRAILERS;
    if (this.#table === "none") {
      headers = this.#shrink ? Buffer.concat([TABLE_SIZE_ZERO, LITERAL_HEADERS]) : LITERAL_HEADERS;
      trailers = LITERAL_TRAILERS;
      this.#shrink = false;
    } else this.#table = "filled";

    const out = Buffer.allocUnsafe(3 * FRAME_HEADER_BYTES + headers.length + body.length + trailers.length);
    let at = put(out, 0, HEADERS, END_HEADERS, stream, headers);
    at = put(out, at, DATA, 0, stream, body);
    put(out, at, HEADERS, END_HEADERS | END_STREAM, stream, trailers);
    this.#out.push(out);
  }
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
