// Small stand-ins for the ends of a call: a Sink that writes down what it is given, and a Source that counts.
import type { Attempt } from "#src/call/attempt.js";
import { Call, type Method, type MethodKind, type Peer } from "#src/call/call.js";
import type { Abort, Sink, Source } from "#src/call/sink.js";
import { Status } from "#src/call/status/status.js";
import { Headers } from "#src/kit/headers.js";

/** Writes down every event, and complains of one that comes after the ending. */
export class RecordingSink implements Sink {
  /** e.g. `open`, `headers`, `data:abc`, `data:abc!` (last), `trailers`, `abort:14` */
  readonly events: string[] = [];
  readonly chunks: Buffer[] = [];
  readonly aborts: Abort[] = [];
  /** Events that came after an ending. Must stay empty. */
  readonly late: string[] = [];
  source: Source | undefined = undefined;
  received: Headers | undefined = undefined;
  trailing: Headers | undefined = undefined;
  ended = false;
  /** Called after each event. */
  onEvent: (event: string) => void = () => {};

  private note(event: string, ends: boolean): void {
    if (this.ended) this.late.push(event);
    this.events.push(event);
    if (ends) this.ended = true;
    this.onEvent(event);
  }

  get aborted(): Abort | undefined {
    return this.aborts[0];
  }

  get body(): string {
    return Buffer.concat(this.chunks).toString("latin1");
  }

  open(source: Source): void {
    this.source = source;
    this.note("open", false);
  }

  headers(headers: Headers, end: boolean): void {
    this.received = headers;
    this.note(end ? "headers!" : "headers", end);
  }

  data(chunk: Buffer, start: number, end: number, last: boolean): void {
    const part = Buffer.from(chunk.subarray(start, end));
    this.chunks.push(part);
    this.note(`data:${part.toString("latin1")}${last ? "!" : ""}`, last);
  }

  trailers(headers: Headers): void {
    this.trailing = headers;
    this.note("trailers", true);
  }

  abort(cause: Abort): void {
    this.aborts.push(cause);
    this.note(`abort:${cause.status.code}`, true);
  }
}

export class RecordingSource implements Source {
  credit = 0;
  readonly cancels: Abort[] = [];

  consumed(bytes: number): void {
    this.credit += bytes;
  }

  cancel(cause: Abort): void {
    this.cancels.push(cause);
  }
}

export function methodOf(path = "/test.v1.Test/Get", kind: MethodKind = "unary"): Method {
  const [, service = "", name = ""] = path.split("/");
  return { service, name, path, kind, idempotent: false, descriptor: undefined };
}

export function callOf(
  options: { path?: string; kind?: MethodKind; headers?: Headers; startedAt?: number; peer?: Peer } = {},
): Call {
  const method = methodOf(options.path, options.kind);
  const headers = options.headers ?? Headers.of(["content-type", "application/grpc"]);
  const peer = options.peer ?? { address: "127.0.0.1:1", protocol: "grpc" };
  return new Call(method, method.path, "test", peer, headers, options.startedAt ?? 0);
}

export function text(content: string): Buffer {
  return Buffer.from(content, "latin1");
}

/** Pushes a whole text as one chunk. */
export function push(sink: Sink, content: string, last = false): void {
  const chunk = text(content);
  sink.data(chunk, 0, chunk.length, last);
}

export function abortOf(code: number, by: Abort["by"] = "client", message = "test"): Abort {
  return { status: new Status(code, message), by, sent: "maybe" };
}

/** An attempt that has begun, of no upstream. */
export function attemptOf(call: Call, number: number, address: string, startedAt: number): Attempt {
  const headers = new Headers(call.headers.fields);
  return {
    call,
    kind: number === 1 ? "first" : "transparent",
    number,
    upstream: "up",
    endpoint: { address },
    startedAt,
    headers,
    setHeader: (name, value) => headers.set(name, value),
  };
}
