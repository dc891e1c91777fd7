// One call of grpc.health.v1.Health/Watch on a given connection, separate from the calls of clients: it is not an
// attempt, so it is not counted as one.
import { BinaryReader, BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { frameMessage, MessageSplitter } from "../../call/messages.js";
import { Code, codeFromHttpStatus, codeName, statusFromTrailers } from "../../call/status/status.js";
import { isGrpcContentType } from "../../call/wire/grpc-content-type.js";
import type { Connection } from "../../http2/connection.js";
import { checkResponse } from "../../http2/frames/messages.js";
import type { HeaderBlock } from "../../http2/hpack/decoder.js";
import type { Stream, StreamHandler, StreamReset } from "../../http2/stream.js";
import { ErrorCode } from "../../http2/wire/protocol.js";
import { Headers } from "../../kit/headers.js";

const PATH = "/grpc.health.v1.Health/Watch";
/** A status is two bytes; some servers may add fields of their own. */
const MAX_MESSAGE_BYTES = 64 * 1024;
/** Of HealthCheckResponse.ServingStatus. */
const SERVING = 1;
const STATUSES = ["UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"];

/** A connection of an endpoint, as its health checks use it. */
export interface WatchedLink {
  readonly connection: Connection;
  /** Over TLS: the `:authority`. */
  readonly secureAuthority: string | undefined;
  /** Open streams of the hub's own: they do not count as calls. */
  own: number;
}

/** The notifications of a stream; none after `ended`. */
export interface HealthStreamOwner {
  /** Its status. @param problem undefined: SERVING */
  said(problem: string | undefined): void;
  /** The method is not implemented: the service does not report its health. */
  unimplemented(): void;
  ended(why: string): void;
  /** The connection has ended, which says nothing about the service. */
  lost(): void;
}

export class HealthStream implements StreamHandler {
  private readonly link: WatchedLink;
  private readonly owner: HealthStreamOwner;
  private stream: Stream | undefined = undefined;
  private splitter: MessageSplitter | undefined = undefined;

  private constructor(link: WatchedLink, owner: HealthStreamOwner) {
    this.link = link;
    this.owner = owner;
  }

  /** undefined: the connection has no room. */
  static open(
    link: WatchedLink,
    address: string,
    service: string,
    owner: HealthStreamOwner,
  ): HealthStream | undefined {
    const self = new HealthStream(link, owner);
    const stream = link.connection.open(self);
    if (stream === undefined) return undefined;
    self.stream = stream;
    link.own++;
    self.ask(stream, address, service);
    return self;
  }

  private ask(stream: Stream, address: string, service: string): void {
    if (!stream.beginHeaders()) return;
    const { secureAuthority } = this.link;
    stream.header(":method", "POST", false);
    stream.header(":scheme", secureAuthority === undefined ? "http" : "https", false);
    stream.header(":path", PATH, false);
    stream.header(":authority", secureAuthority ?? address, false);
    stream.header("te", "trailers", false);
    stream.header("content-type", "application/grpc", false);
    stream.header("user-agent", "linchpin", false);
    stream.endHeaders(false);
    const request = new BinaryWriter();
    if (service !== "") request.uint32((1 << 3) | WireType.LengthDelimited).string(service);
    const frame = frameMessage(request.finish());
    stream.sendData(frame, 0, frame.length, true);
  }

  /** Its owner gets no further notifications. Idempotent. */
  close(): void {
    const { stream } = this;
    if (stream === undefined) return;
    this.leave();
    stream.reset(ErrorCode.CANCEL);
  }

  private leave(): void {
    if (this.stream === undefined) return;
    this.stream = undefined;
    this.link.own--;
  }

  private fail(why: string): void {
    this.close();
    this.owner.ended(why);
  }

  private endsWith(trailers: Headers): void {
    const { code, message } = statusFromTrailers(trailers);
    this.close();
    if (code === Code.UNIMPLEMENTED) this.owner.unimplemented();
    else this.owner.ended(`it ended with ${codeName(code)}${message === "" ? "" : `: ${message}`}`);
  }

  // ---------------------------------------------------------------- StreamHandler

  onHeaders(_stream: Stream, block: HeaderBlock, end: boolean): void {
    if (this.stream === undefined) return;
    const head = checkResponse(block);
    if (typeof head === "string") return; // checked by the connection before
    const headers = new Headers(head.fields);
    if (end && headers.get("grpc-status") !== undefined) {
      this.endsWith(headers);
      return;
    }
    const type = headers.get("content-type");
    if (head.status !== 200 || type === undefined || !isGrpcContentType(type)) {
      this.close();
      // As in gRPC clients: a 404 means that the method is not implemented.
      if (head.status !== 200 && codeFromHttpStatus(head.status) === Code.UNIMPLEMENTED)
        this.owner.unimplemented();
      else this.owner.ended(`it was not answered in gRPC (HTTP status ${head.status})`);
      return;
    }
    this.splitter = new MessageSplitter(MAX_MESSAGE_BYTES, headers.get("grpc-encoding"));
    if (end) this.fail("it ended without a status");
  }

  onData(stream: Stream, chunk: Buffer, start: number, end: number, last: boolean): void {
    if (this.stream === undefined) return;
    stream.consumed(end - start);
    const problem = this.splitter?.push(chunk, start, end, this);
    if (problem !== undefined) this.fail(problem.message);
    else if (last) this.fail("it ended without a status");
  }

  onMessage(message: Buffer): void {
    if (this.stream === undefined) return;
    const status = statusIn(message);
    if (status === undefined) this.fail("what it said is no HealthCheckResponse");
    else this.owner.said(status === SERVING ? undefined : `it says ${STATUSES[status] ?? status}`);
  }

  onTrailers(_stream: Stream, block: HeaderBlock): void {
    if (this.stream !== undefined) this.endsWith(new Headers(block.fields));
  }

  onReset(_stream: Stream, { by, reason }: StreamReset): void {
    if (this.stream === undefined) return;
    this.leave();
    if (by === "connection") this.owner.lost();
    else this.owner.ended(`it was broken off: ${reason}`);
  }

  onSent(): void {}
}

/** undefined: the bytes are not a valid message of that type. */
function statusIn(message: Uint8Array): number | undefined {
  try {
    const reader = new BinaryReader(message);
    let status = 0;
    while (reader.pos < reader.len) {
      const [field, wire] = reader.tag();
      if (field === 1 && wire === WireType.Varint) status = reader.int32();
      else reader.skip(wire, field);
    }
    return status;
  } catch {
    return undefined;
  }
}
