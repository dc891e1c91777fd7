// The answer to a plain HTTP request, as its client gets it: head and fields, packing, ETag and 304, trailers, keep-alive
// comments, and a failure in whatever way is still open. The Transcoding writes the body to it (`BodyTaker`).
import type { Transform } from "node:stream";
import type { Call } from "../../../call/call.js";
import { type Gateway, type Snapshot, shownTo } from "../../../call/gateway.js";
import type { CorsPolicy } from "../../../call/http-policy.js";
import { Code, encodeGrpcMessage, encodeStatusProto, Status } from "../../../call/status/status.js";
import { retrySeconds } from "../../../call/status/status-details.js";
import type { BodyTaker, Transcoding } from "../../../call/transcoding.js";
import { barrier } from "../../../kit/barrier.js";
import { type Field, field, type Headers } from "../../../kit/headers.js";
import { inSlices } from "../../../kit/in-slices.js";
import { etagOf, hashingEtag, MAX_TAGGED_AT_ONCE } from "../../../kit/text/etag.js";
import type { Exchange } from "../../carriers/exchange.js";
import { Heartbeat } from "../../carriers/heartbeat.js";
import { type Coding, encoderOf, encodeWhole, isCompressible, responseCoding } from "./content-coding.js";
import { addCorsFields } from "./cors.js";
import { codedTag, matchesTag } from "./etag.js";
import type { RestHead } from "./rest-head.js";
import { addErrorFields, addFields } from "./rest-headers.js";

/** Printed output that may wait for a slow client before the service is held back. */
const MAX_UNSENT_BYTES = 64 * 1024;
/** Proxies and load balancers close what is silent for a minute; half of that is far enough from it. */
const KEEP_ALIVE_MS = 30_000;
/** Details in a header field: clients take some 8 KiB of fields at least, and node:http 16. More is left out. */
const MAX_DETAILS_CHARACTERS = 4096;
const JSON_CONTENT = field("content-type", "application/json");
/** Formats, of failures too, are by Accept: a cache must not give one client's to another (RFC 9110 §12.5.5). */
const VARY_ACCEPT = field("vary", "accept");
const VARY_ENCODING = field("vary", "accept-encoding");
export const NO_SNIFF: Field = field("x-content-type-options", "nosniff");
/** Of a 401 that says nothing itself: there must be a challenge (RFC 9110 §15.5.2). */
const BEARER = field("www-authenticate", "Bearer");
/** Of streams: what comes is of this moment. */
const NO_STORE = field("cache-control", "no-store");

/** The call that is answered. */
export interface AnswerOwner {
  /** A comment that keeps an idle stream open; undefined where its format has none. */
  readonly keepAlive: Buffer | undefined;
  /** The client has taken something: the service may go on. */
  onRoom(): void;
  /** The answer is complete, or broken off: whoever still works on it stops. */
  onAnswered(): void;
  /** Nothing more of the service's answer is wanted; its call may have ended by itself. */
  stopService(status: Status): void;
  /** A callback of the answer's threw: the call ends. */
  onFault(error: unknown): void;
}

export class RestAnswer implements BodyTaker {
  /** Of a good answer. */
  success = 200;
  /** Accept, or what counts in its place: in which form failures are told. */
  accept: string | undefined;
  /** What the service said before its messages, and after them. */
  metadata: Headers | undefined = undefined;
  trailing: Headers | undefined = undefined;
  /** The call that is answered, where there is one. */
  call: Call | undefined = undefined;
  /** The answer is complete, or the client has left. */
  ended = false;

  private readonly gateway: Gateway;
  private readonly snapshot: Snapshot;
  private readonly exchange: Exchange;
  private readonly restHead: RestHead;
  private readonly owner: AnswerOwner;
  private headSent = false;
  /** Printed and written, not yet taken by the connection. */
  private unsent = 0;
  /** What the one write of a whole body is, once its head is known. */
  private wholeType: string | undefined = undefined;
  private wholeFields: readonly Field[] = [];
  private encoder: Transform | undefined = undefined;
  private heartbeat: Heartbeat | undefined = undefined;

  constructor(
    gateway: Gateway,
    snapshot: Snapshot,
    exchange: Exchange,
    restHead: RestHead,
    owner: AnswerOwner,
  ) {
    this.gateway = gateway;
    this.snapshot = snapshot;
    this.exchange = exchange;
    this.restHead = restHead;
    this.owner = owner;
    this.accept = restHead.accept;
  }

  /** Its head has gone. */
  get begun(): boolean {
    return this.headSent;
  }

  /** The client is slow: the service is to wait. */
  get full(): boolean {
    return this.unsent > MAX_UNSENT_BYTES;
  }

  /** So many bytes have gone to the connection. */
  sent(bytes: number): void {
    this.unsent -= bytes;
    this.owner.onRoom();
  }

  // ---------------------------------------------------------------- BodyTaker: the answer's body

  head(contentType: string, fields: readonly Field[], length: number | undefined): void {
    if (this.ended || this.headSent) return;
    if (length !== undefined) {
      // What stands in the head depends on the body.
      this.wholeType = contentType;
      this.wholeFields = fields;
      return;
    }
    const all = this.answerFields(contentType, fields);
    if (fieldOf(all, "cache-control") === undefined) all.push(NO_STORE);
    const status = this.success;
    const bodyless = this.exchange.head.method === "HEAD" || isBodyless(status);
    const coding = this.codingOf(contentType, Number.POSITIVE_INFINITY, all);
    if (coding !== undefined) all.push(field("content-encoding", coding));
    if (coding !== undefined && !bodyless) this.encodeBody(coding);
    this.respond(status, all, bodyless);
    if (bodyless)
      this.owner.stopService(new Status(Code.CANCELLED, "nothing of the answer is wanted but its head"));
    else if (this.owner.keepAlive !== undefined)
      this.heartbeat = new Heartbeat(
        this.gateway.timers,
        KEEP_ALIVE_MS,
        barrier(() => this.sendKeepAlive(), this.fault),
      );
  }

  private sendKeepAlive(): void {
    const comment = this.owner.keepAlive;
    // Where something waits to be sent, the stream is not idle.
    if (comment !== undefined && this.unsent === 0) this.write(comment, false);
  }

  write(bytes: Buffer, last: boolean): void {
    if (this.ended) return;
    if (this.wholeType !== undefined) {
      this.answerWhole(this.wholeType, bytes);
      return;
    }
    if (bytes.length > 0) {
      if (!last || this.encoder !== undefined) this.unsent += bytes.length;
      if (this.encoder === undefined) this.exchange.write(bytes, false);
      else
        this.encoder.write(
          bytes,
          barrier(() => this.sent(bytes.length), this.fault),
        );
    }
    if (last) this.endBody(undefined);
    else this.owner.onRoom();
  }

  failed(status: Status, told: boolean): void {
    if (this.ended) return;
    if (!this.headSent) this.refuse(status);
    else if (told || this.exchange.framed === true) this.endBody(status);
    else this.breakOff();
    this.owner.stopService(status);
  }

  readonly fault = (error: unknown): void => this.owner.onFault(error);

  private breakOff(): void {
    if (this.ended) return;
    this.close();
    this.exchange.reset();
  }

  /** A body that is known to its last byte. */
  private answerWhole(contentType: string, body: Buffer): void {
    const { http } = this.snapshot;
    const { method } = this.exchange.head;
    const all = this.answerFields(contentType, this.wholeFields);
    // Of a stream nobody knows it yet: there it is a trailer.
    if (http.statusHeaders) all.push(field("grpc-status", "0"));
    const status = this.success;
    if (isBodyless(status)) {
      addFields(all, this.trailing, http.metadata.trailerPrefix);
      this.respond(status, withoutContent(all), true);
      return;
    }
    const coding = this.codingOf(contentType, body.length, all);
    if (status !== 200 || (method !== "GET" && method !== "HEAD")) {
      this.packWhole(status, all, body, coding);
      return;
    }
    const own = fieldOf(all, "etag");
    if (own !== undefined) {
      // Packed, it is no longer byte for byte what the service has given the tag to (RFC 9110 §8.8.3.3).
      if (coding !== undefined && !own.startsWith("W/")) replace(all, field("etag", `W/${own}`));
      this.answerUnlessKnown(own, all, body, coding);
    } else if (!http.etag) this.packWhole(status, all, body, coding);
    else if (body.length <= MAX_TAGGED_AT_ONCE) this.answerTagged(etagOf(body), all, body, coding);
    else {
      const onTag = (etag: string): void => {
        if (!this.ended) this.answerTagged(etag, all, body, coding);
      };
      inSlices(hashingEtag(body)).then(barrier(onTag, this.fault), this.fault);
    }
  }

  private answerTagged(etag: string, all: Field[], body: Buffer, coding: Coding | undefined): void {
    all.push(field("etag", coding === undefined ? etag : codedTag(etag, coding)));
    this.answerUnlessKnown(etag, all, body, coding);
  }

  /** 304 where the client has the body. */
  private answerUnlessKnown(etag: string, all: Field[], body: Buffer, coding: Coding | undefined): void {
    const { ifNoneMatch } = this.restHead;
    if (ifNoneMatch !== undefined && matchesTag(ifNoneMatch, etag))
      this.respond(304, withoutContent(all), true);
    else this.packWhole(200, all, body, coding);
  }

  private packWhole(status: number, all: Field[], body: Buffer, coding: Coding | undefined): void {
    if (coding === undefined) {
      this.sendWhole(status, all, body);
      return;
    }
    const onPacked = (packed: Buffer | undefined): void => {
      if (this.ended) return;
      if (packed !== undefined) all.push(field("content-encoding", coding));
      this.sendWhole(status, all, packed ?? body);
    };
    encodeWhole(body, coding, barrier(onPacked, this.fault));
  }

  private sendWhole(status: number, fields: Field[], body: Buffer): void {
    const bodyless = this.exchange.head.method === "HEAD" || body.length === 0;
    if (this.restHead.takesTrailers && !bodyless && this.announceTrailers(fields)) {
      this.respond(status, fields, false);
      this.exchange.write(body, false);
      this.endStream(undefined);
      return;
    }
    fields.push(field("content-length", String(body.length)));
    addFields(fields, this.trailing, this.snapshot.http.metadata.trailerPrefix);
    // Without a prefix they may have the names of the format's.
    for (const f of this.wholeFields) replace(fields, f);
    this.respond(status, fields, bodyless);
    if (bodyless) return;
    this.exchange.write(body, true);
    this.close();
  }

  /** Trailing metadata behind a whole body; false where there is none. */
  private announceTrailers(fields: Field[]): boolean {
    const trailers: Field[] = [];
    addFields(trailers, this.trailing, this.trailerPrefix);
    if (trailers.length === 0) return false;
    const names = ["grpc-status", ...new Set(trailers.map((f) => f.name))];
    fields.push(field("trailer", names.join(", ")));
    return true;
  }

  /** What every good answer has, and the service's metadata. */
  private answerFields(contentType: string, own: readonly Field[]): Field[] {
    const { http } = this.snapshot;
    const all = [
      contentType === "application/json" ? JSON_CONTENT : field("content-type", contentType),
      NO_SNIFF,
    ];
    addFields(all, this.metadata, http.metadata.responsePrefix);
    for (const f of own) replace(all, f);
    if (this.isCacheable) all.push(VARY_ACCEPT);
    return http.cors === undefined ? all : withCors(all, http.cors, this.restHead.origin);
  }

  /** Caches keep answers to these (RFC 9110 §9.2.3). */
  private get isCacheable(): boolean {
    const { method } = this.exchange.head;
    return method === "GET" || method === "HEAD";
  }

  /** How the body is packed, if at all; whoever else asks for the same may get it otherwise (Vary). */
  private codingOf(contentType: string, bytes: number, fields: Field[]): Coding | undefined {
    const { compression } = this.snapshot.http;
    const { head } = this.exchange;
    if (compression === undefined || head.webSocket === true || bytes === 0 || !isCompressible(contentType))
      return undefined;
    const big = bytes >= compression.minBytes;
    const { coding, must } = responseCoding(this.restHead.acceptEncoding);
    if (big || must) fields.push(VARY_ENCODING);
    if (this.restHead.mayBeForged || fieldOf(fields, "cache-control")?.includes("no-transform") === true)
      return undefined;
    return big || must ? coding : undefined;
  }

  private encodeBody(coding: Coding): void {
    const encoder = encoderOf(coding);
    this.encoder = encoder;
    const onPacked = (packed: Buffer): void => {
      if (this.ended) return;
      this.unsent += packed.length;
      this.exchange.write(packed, false);
    };
    encoder.on("data", barrier(onPacked, this.fault));
    encoder.on(
      "error",
      barrier(() => this.breakOff(), this.fault),
    );
  }

  private endBody(failure: Status | undefined): void {
    const { encoder } = this;
    if (encoder === undefined) {
      this.endStream(failure);
      return;
    }
    const onEnd = (): void => {
      if (!this.ended) this.endStream(failure);
    };
    encoder.on("end", barrier(onEnd, this.fault));
    encoder.end();
  }

  /** Sends the head; `end`: it is all. */
  respond(status: number, fields: readonly Field[], end: boolean): void {
    const info = this.call?.http;
    if (info !== undefined) info.status = status;
    this.exchange.respond(status, fields, end);
    // Not before: an exchange that threw has sent nothing, and the client is still to be answered.
    this.headSent = true;
    if (end) this.close();
  }

  /** @param failure undefined: all went well */
  private endStream(failure: Status | undefined): void {
    const fields = [field("grpc-status", String(failure?.code ?? Code.OK))];
    if (failure !== undefined && failure.message !== "")
      fields.push(field("grpc-message", encodeGrpcMessage(failure.message)));
    addFields(fields, this.trailing, this.trailerPrefix);
    this.exchange.trailers(fields);
    this.close();
  }

  /** Of names that are HTTP trailers. */
  private get trailerPrefix(): string {
    const { trailerPrefix, prefixTrailers } = this.snapshot.http.metadata;
    return prefixTrailers ? trailerPrefix : "";
  }

  // ---------------------------------------------------------------- failures

  /**
   * The answer is this status, as the caller may see it, in the form that he asked for.
   * @param form of a service's failure before its first message
   */
  refuse(status: Status, form?: Transcoding): void {
    if (this.ended) return;
    const { head } = this.exchange;
    const { http, rest } = this.snapshot;
    const shown = shownTo(this.call, status, this.gateway.edge.hints);
    const accept = http.errorForm === "problem" ? "application/problem+json" : this.accept;
    const error = rest.renderError(shown, accept, head.target);
    const { contentType } = error;
    const own = contentType === JSON_CONTENT.value ? form?.firstFailure?.(error.body) : undefined;
    const body = own ?? error.body;
    const empty = http.errorForm === "empty";
    let all = [field("content-length", String(empty ? 0 : body.length)), NO_SNIFF];
    if (!empty) all.push(field("content-type", contentType));
    if (http.statusHeaders) {
      all.push(field("grpc-status", String(shown.code)));
      if (shown.message !== "") all.push(field("grpc-message", encodeGrpcMessage(shown.message)));
      if (shown.details.length > 0) {
        const details = Buffer.from(encodeStatusProto(shown)).toString("base64");
        if (details.length <= MAX_DETAILS_CHARACTERS) all.push(field("grpc-status-details-bin", details));
      }
    }
    addErrorFields(all, this.metadata, http.metadata.responsePrefix);
    // The hub's own: a service's status has none.
    if (status.metadata !== undefined) all.push(...status.metadata.fields);
    addErrorFields(all, this.trailing, http.metadata.trailerPrefix);
    if (status.http === 401 && fieldOf(all, "www-authenticate") === undefined) all.push(BEARER);
    if ((status.http === 429 || status.http === 503) && fieldOf(all, "retry-after") === undefined) {
      const seconds = retrySeconds(status.details);
      if (seconds !== undefined) all.push(field("retry-after", String(seconds)));
    }
    if (this.isCacheable) all.push(VARY_ACCEPT);
    if (http.cors !== undefined) all = withCors(all, http.cors, this.restHead.origin);
    const bodyless = empty || head.method === "HEAD";
    this.respond(status.http, all, bodyless);
    if (bodyless) return;
    this.exchange.write(body, true);
    this.close();
  }

  /** Nothing more is written. */
  close(): void {
    this.ended = true;
    this.heartbeat?.stop();
    this.encoder?.destroy();
    this.owner.onAnswered();
  }
}

function fieldOf(fields: readonly Field[], name: string): string | undefined {
  for (const f of fields) if (f.name === name) return f.value;
  return undefined;
}

/** A download by RFC 6266 to the letter: browsers show what they cannot read. */
const ATTACHMENT = /^attachment[ \t]*(?:;.*)?$/i;

/** Puts a field of the format in place of the service's own, but for a download that the service gives a name. */
function replace(fields: Field[], own: Field): void {
  const theirs = fields.filter((f) => f.name === own.name);
  const [one] = theirs;
  if (own.name === "content-disposition" && theirs.length === 1 && ATTACHMENT.test(one?.value ?? "")) return;
  for (const f of theirs) fields.splice(fields.indexOf(f), 1);
  fields.push(own);
}

/** What pages of other sites may do is the hub's to say: the service's word on it is left out. */
function withCors(fields: readonly Field[], policy: CorsPolicy, origin: string | undefined): Field[] {
  const all = fields.filter((f) => !f.name.startsWith("access-control-"));
  addCorsFields(all, policy, origin);
  return all;
}

function isBodyless(status: number): boolean {
  return status === 204 || status === 205;
}

function withoutContent(fields: readonly Field[]): Field[] {
  return fields.filter((f) => f.name !== "content-type" && f.name !== "content-disposition");
}
