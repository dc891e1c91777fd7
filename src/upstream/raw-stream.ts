// A bidirectional call made by the hub itself, with messages framed and split: schema/ learns through it.
import { Call, type Method } from "../call/call.js";
import { frameMessage, type MessageOwner, MessageSplitter } from "../call/messages.js";
import type { Abort, Handler, Sink, Source } from "../call/sink.js";
import { RpcError } from "../call/status/rpc-error.js";
import { Code, Status, statusFromTrailers } from "../call/status/status.js";
import type { Clock } from "../kit/clock.js";
import { Headers } from "../kit/headers.js";

/** The largest message that the hub accepts for itself, in bytes: descriptors of a large service. */
const MAX_MESSAGE_BYTES = 64 * 1024 * 1024;

/** Bytes of messages that wait to be read: beyond them the server gets no further credit. */
const MAX_WAITING_BYTES = 4 * 1024 * 1024;

/** Calls `/package.Service/Method` as a bidirectional stream. */
export function openRawStream(handler: Handler, path: string, clock: Clock): RawStream {
  return new RawStream(handler, path, clock);
}

export class RawStream implements Sink, Source, MessageOwner {
  private readonly request: Sink;
  private response: Source | undefined = undefined;
  private splitter: MessageSplitter | undefined = undefined;
  private readonly arrived: Uint8Array[] = [];
  /** Bytes in `arrived`. */
  private waiting = 0;
  /** Bytes that were read and not yet given back as credit. */
  private owed = 0;
  private wake: (() => void) | undefined = undefined;
  private status: Status | undefined = undefined;

  constructor(handler: Handler, path: string, clock: Clock) {
    const end = path.lastIndexOf("/");
    const method: Method = {
      service: path.slice(1, end),
      name: path.slice(end + 1),
      path,
      kind: "bidi_streaming",
      idempotent: false,
      descriptor: undefined,
    };
    const headers = Headers.of(["content-type", "application/grpc"], ["user-agent", "linchpin"]);
    const peer = { address: "hub", protocol: "grpc" } as const;
    this.request = handler(new Call(method, path, "linchpin", peer, headers, clock.now()), this);
    this.request.open(this);
  }

  send(message: Uint8Array): void {
    if (this.status !== undefined) return;
    const frame = frameMessage(message);
    this.request.data(frame, 0, frame.length, false);
  }

  end(): void {
    if (this.status === undefined) this.request.data(Buffer.alloc(0), 0, 0, true);
  }

  cancel(): void {
    if (this.status !== undefined) return;
    const status = new Status(Code.CANCELLED, "cancelled by the hub");
    this.request.abort({ status, by: "hub", sent: "maybe" });
    this.finish(status);
  }

  /** Each message as it arrives; throws an RpcError when the call fails. */
  readonly messages: AsyncIterable<Uint8Array> = {
    [Symbol.asyncIterator]: () => ({
      next: async (): Promise<IteratorResult<Uint8Array>> => {
        for (;;) {
          const message = this.arrived.shift();
          if (message !== undefined) {
            this.waiting -= message.length;
            this.giveCredit();
            return { done: false, value: message };
          }
          if (this.status !== undefined) {
            if (this.status.code === Code.OK) return { done: true, value: undefined };
            throw new RpcError(this.status.code, this.status.message);
          }
          await new Promise<void>((resolve) => {
            this.wake = resolve;
          });
        }
      },
      return: async (): Promise<IteratorResult<Uint8Array>> => {
        this.cancel();
        return { done: true, value: undefined };
      },
    }),
  };

  private giveCredit(): void {
    if (this.owed === 0 || this.waiting > MAX_WAITING_BYTES) return;
    const bytes = this.owed;
    this.owed = 0;
    this.response?.consumed(bytes);
  }

  private notify(): void {
    const wake = this.wake;
    this.wake = undefined;
    wake?.();
  }

  private finish(status: Status): void {
    if (this.status !== undefined) return;
    this.status = status;
    this.notify();
  }

  // ---------------------------------------------------------------- Sink: the response

  open(source: Source): void {
    this.response = source;
  }

  headers(headers: Headers, end: boolean): void {
    if (end) this.finish(statusFromTrailers(headers));
    else this.splitter = new MessageSplitter(MAX_MESSAGE_BYTES, headers.get("grpc-encoding"));
  }

  data(chunk: Buffer, start: number, end: number): void {
    const problem = this.splitter?.push(chunk, start, end, this);
    this.owed += end - start;
    this.giveCredit();
    if (problem !== undefined && this.status === undefined) {
      this.request.abort({ status: problem, by: "hub", sent: "maybe" });
      this.finish(problem);
    }
    this.notify();
  }

  onMessage(message: Buffer): void {
    this.arrived.push(Uint8Array.from(message));
    this.waiting += message.length;
  }

  trailers(headers: Headers): void {
    const status = statusFromTrailers(headers);
    const cut = status.code === Code.OK && this.splitter?.atBoundary === false;
    this.finish(cut ? new Status(Code.INTERNAL, "the last message was cut short") : status);
  }

  abort(cause: Abort): void {
    // The call is the hub's own: details go to its log.
    this.finish(cause.status.withHint());
  }

  // ---------------------------------------------------------------- Source: few bytes are sent

  consumed(): void {}
}
