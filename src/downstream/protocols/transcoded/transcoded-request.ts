// The request of a transcoded call, from the exchange to the service: its body is decompressed and read, only as fast
// as the reader and the service consume it, and credit is returned to the client for what was consumed.
import type { Transform } from "node:stream";
import { frameMessage } from "../../../call/messages.js";
import type { Abort, Sink, Source } from "../../../call/sink.js";
import { refusal } from "../../../call/status/reasons.js";
import type { Status } from "../../../call/status/status.js";
import { badRequest } from "../../../call/status/status-details.js";
import {
  type MessageTaker,
  maxTextBytes,
  type RequestReader,
  type Transcoding,
} from "../../../call/transcoding.js";
import { barrier } from "../../../kit/barrier.js";
import { MESSAGE_BYTES, SLICES } from "../../../kit/slices.js";
import type { Exchange } from "../../carriers/exchange.js";
import { BodySlices, type BodySlicesOwner } from "./body-slices.js";
import { type Coding, decoderOf } from "./content-coding.js";

/** Messages that may be buffered for a slow service before the client is held back. */
const MAX_WAITING_BYTES = 64 * 1024;
const NO_BYTES: Buffer = Buffer.alloc(0);

export interface RequestLimits {
  /** Bytes of one message. */
  readonly maxMessageBytes: number;
  /** How much larger than its compressed size a stream's body may become, as a factor. */
  readonly maxUnpackRatio: number;
}

export interface TranscodedRequestOptions {
  readonly exchange: Exchange;
  readonly transcoding: Transcoding;
  readonly coding: Coding | "identity";
  readonly limits: RequestLimits;
  /** Of the method, without its slash: for people. */
  readonly method: string;
  /** It takes exactly one message, which is sent with the end of the request in one piece. */
  readonly takesOne: boolean;
}

export interface TranscodedRequestOwner {
  /** Nothing more of the request is wanted. */
  readonly over: boolean;
  /** The request is invalid: the call cannot continue. */
  fail(status: Status, by: Abort["by"], sent: Abort["sent"]): void;
  /** Something threw, in a turn of its own. */
  onFault(error: unknown): void;
}

export class TranscodedRequest implements BodySlicesOwner, MessageTaker, Source {
  private readonly owner: TranscodedRequestOwner;
  private readonly exchange: Exchange;
  private readonly reader: RequestReader;
  private readonly slices: BodySlices;
  private readonly decoder: Transform | undefined;
  private readonly method: string;
  private readonly takesOne: boolean;
  /** Read from the client, and not credited because the service is slow. */
  private owed = 0;
  /** Input and output of the decoder, in bytes. */
  private packed = 0;
  private unpacked = 0;

  private service: Sink | undefined = undefined;
  private frame: Buffer | undefined = undefined;
  private sentMessages = 0;
  /** Passed to the service, not yet consumed by it. */
  private waiting = 0;

  constructor(owner: TranscodedRequestOwner, options: TranscodedRequestOptions) {
    const { exchange, transcoding, coding, limits, method, takesOne } = options;
    this.owner = owner;
    this.exchange = exchange;
    this.method = method;
    this.takesOne = takesOne;
    this.reader = transcoding.reader(this);
    this.slices = new BodySlices(this, this.reader.form, SLICES);
    this.decoder = coding === "identity" ? undefined : this.unpacker(coding, limits);
  }

  /** The receiver of the messages. Set before the first byte of the body. */
  sendTo(service: Sink): void {
    this.service = service;
    service.open(this);
  }

  push(chunk: Buffer, start: number, end: number, last: boolean): void {
    const { decoder, owner } = this;
    // A body without a byte counts as none, however the client ends it: HTTP/1.1 says so in the head, HTTP/2 may say so
    // later.
    const empty = last && end === start && this.packed === 0;
    if (owner.over) this.repay(end - start);
    else if (decoder !== undefined && !empty) {
      this.packed += end - start;
      if (end > start) {
        const written = barrier(
          () => this.repay(end - start),
          (error) => owner.onFault(error),
        );
        decoder.write(chunk.subarray(start, end), written);
      }
      if (last) decoder.end();
    } else this.slices.push(chunk, start, end, last);
  }

  /**
   * Decompresses the body: at one time only as much as the reader consumes, so that a small body cannot expand without
   * bound here. Up to the size of a message there is no ratio; a stream continues only while it is below the ratio to
   * what was sent.
   */
  private unpacker(coding: Coding, { maxMessageBytes, maxUnpackRatio }: RequestLimits): Transform {
    const { owner, reader, slices } = this;
    const decoder = decoderOf(coding);
    const faulty = (error: unknown): void => owner.onFault(error);
    const onPlain = (plain: Buffer): void => {
      this.unpacked += plain.length;
      const most = Math.max(maxTextBytes(maxMessageBytes), this.packed * maxUnpackRatio);
      if (this.unpacked > most && !owner.over && reader.form !== "collected")
        this.refuse(tooPacked(maxUnpackRatio));
      if (!owner.over) slices.push(plain, 0, plain.length, false);
      if (owner.over) decoder.destroy();
      else if (this.holdsClient || slices.behind) decoder.pause();
    };
    const onEnd = (): void => {
      if (!owner.over) slices.push(NO_BYTES, 0, 0, true);
    };
    const onError = (): void => {
      if (!owner.over) this.refuse(notCoded(coding));
    };
    decoder.on("data", barrier(onPlain, faulty));
    decoder.on("end", barrier(onEnd, faulty));
    decoder.on("error", barrier(onError, faulty));
    return decoder;
  }

  // ---------------------------------------------------------------- BodySlicesOwner

  get holdsClient(): boolean {
    return !this.owner.over && (this.waiting > MAX_WAITING_BYTES || this.reader.behind);
  }

  onSlice(chunk: Buffer, start: number, end: number, last: boolean): void {
    if (!this.owner.over) this.reader.push(chunk, start, end, last);
    this.repay(this.decoder === undefined ? end - start : 0);
  }

  onFault(error: unknown): void {
    this.owner.onFault(error);
  }

  // ---------------------------------------------------------------- MessageTaker

  message(message: Uint8Array): void {
    if (this.owner.over) return;
    const frame = frameMessage(message);
    if (this.takesOne) {
      if (this.frame === undefined) this.frame = frame;
      else this.refuse(this.oneMessage("more than one"));
      return;
    }
    this.sentMessages++;
    SLICES.spend(MESSAGE_BYTES);
    this.waiting += frame.length;
    this.service?.data(frame, 0, frame.length, false);
    this.repay(0);
  }

  end(): void {
    if (this.owner.over) return;
    let frame = NO_BYTES;
    if (this.takesOne) {
      if (this.frame === undefined) {
        this.refuse(this.oneMessage("none"));
        return;
      }
      frame = this.frame;
      this.frame = undefined;
    }
    this.waiting += frame.length;
    this.service?.data(frame, 0, frame.length, true);
  }

  refuse(status: Status): void {
    this.owner.fail(status, "client", this.sentMessages === 0 ? "never" : "maybe");
  }

  fault(error: unknown): void {
    this.owner.onFault(error);
  }

  private oneMessage(sent: string): Status {
    return refusal("INVALID_REQUEST", `${this.method} takes one message: the request has ${sent}`);
  }

  // ---------------------------------------------------------------- Source: the request's credit

  consumed(bytes: number): void {
    this.waiting -= bytes;
    // The receiver of messages expects no further ones meanwhile.
    if (this.slices.behind) this.slices.soon();
    else this.repay(0);
  }

  cancel(): void {}

  /** Credits these bytes and those before them, unless the client must wait. */
  private repay(bytes: number): void {
    this.owed += bytes;
    if (this.holdsClient) return;
    const { slices, decoder } = this;
    slices.go();
    if (this.holdsClient) return;
    if (decoder?.isPaused() === true && !slices.behind) decoder.resume();
    const { owed } = this;
    if (owed === 0) return;
    this.owed = 0;
    this.exchange.consumed(owed);
  }

  /** The response is complete: further input is dropped. */
  stop(): void {
    this.reader.stop();
    const unread = this.slices.stop();
    if (unread > 0 && this.decoder === undefined) this.exchange.consumed(unread);
    this.decoder?.destroy();
  }
}

function notCoded(coding: string): Status {
  const description = `the body is not what Content-Encoding says: ${coding}`;
  return refusal("INVALID_REQUEST", description, { details: [badRequest([{ field: "", description }])] });
}

function tooPacked(ratio: number): Status {
  const description = `the body unpacks to more than ${ratio} times what was sent`;
  return refusal("MESSAGE_TOO_LARGE", description, { info: { limit: String(ratio) } });
}
