// The response to a plain HTTP request: head and fields, compression, ETag and 304, trailers, keep-alive comments, and
// a failure in whatever form is still possible. The Transcoding writes the body to it (`BodyTaker`).
import type { Transform } from "node:stream";
import type { Call } from "../../../call/call.js";
import { type Gateway, type Snapshot, visibleStatus } from "../../../call/gateway.js";
import { Code, encodeGrpcMessage, Status } from "../../../call/status/status.js";
import type { Transcoding } from "../../../call/transcoding.js";
import { barrier } from "../../../kit/barrier.js";
import { type Field, field, type Headers } from "../../../kit/headers.js";
import { inSlices } from "../../../kit/in-slices.js";
import { etagOf, hashingEtag, MAX_ETAG_INLINE_BYTES } from "../../../kit/text/etag.js";
import type { Exchange } from "../../carriers/exchange.js";
import { fitsHeaderListLimit } from "../../carriers/header-list-limit.js";
import { Heartbeat } from "../../carriers/heartbeat.js";
import type { CallResponse, ResponseOwner } from "../transcoded/call-response.js";
import { NO_OWNER } from "../transcoded/call-response.js";
import {
  type Coding,
  encoderOf,
  encodeWholeBody,
  isCompressible,
  responseCoding,
} from "../transcoded/content-coding.js";
import { codedTag, matchesTag } from "./etag.js";
import { addRetryAndChallenge, failureFields } from "./failure-fields.js";
import { fieldOf, isBodyless, NO_SNIFF, replace, withCors, withoutContent } from "./response-fields.js";
import type { RestHead } from "./rest-head.js";
import { addErrorFields, addFields } from "./rest-headers.js";

/** Printed output that may be buffered for a slow client before the service is held back. */
const MAX_UNSENT_BYTES = 64 * 1024;
/** Proxies and load balancers close silent connections after a minute; half of that is a safe margin. */
const KEEP_ALIVE_MS = 30_000;
const JSON_CONTENT = field("content-type", "application/json");
/** Formats, of failures too, depend on Accept: a cache must not serve one client's to another (RFC 9110 §12.5.5). */
const VARY_ACCEPT = field("vary", "accept");
const VARY_ENCODING = field("vary", "accept-encoding");
/** For streams: their content is valid only now. */
const NO_STORE = field("cache-control", "no-store");

export class RestResponse implements CallResponse {
  owner: ResponseOwner = NO_OWNER;
  success = 200;
  /** Accept, or its replacement: the format of failures. */
  accept: string | undefined;
  metadata: Headers | undefined = undefined;
  trailing: Headers | undefined = undefined;
  call: Call | undefined = undefined;
  ended = false;

  private readonly gateway: Gateway;
  private readonly snapshot: Snapshot;
  private readonly exchange: Exchange;
  private readonly restHead: RestHead;
  private headSent = false;
  /** Printed and written, not yet sent by the connection. */
  private unsent = 0;
  /** The head of the one write of a whole body, once it is known. */
  private wholeType: string | undefined = undefined;
  private wholeFields: readonly Field[] = [];
  private encoder: Transform | undefined = undefined;
  private heartbeat: Heartbeat | undefined = undefined;

  constructor(gateway: Gateway, snapshot: Snapshot, exchange: Exchange, restHead: RestHead) {
    this.gateway = gateway;
    this.snapshot = snapshot;
    this.exchange = exchange;
    this.restHead = restHead;
    this.accept = restHead.accept;
  }

  get begun(): boolean {
    return this.headSent;
  }

  get full(): boolean {
    return this.unsent > MAX_UNSENT_BYTES;
  }

  sent(bytes: number): void {
    this.unsent -= bytes;
    this.owner.onRoom();
  }

  // ---------------------------------------------------------------- BodyTaker: the response's body

  head(contentType: string, fields: readonly Field[], length: number | undefined): void {
    if (this.ended || this.headSent) return;
    if (length !== undefined) {
      // The head depends on the body.
      this.wholeType = contentType;
      this.wholeFields = fields;
      return;
    }
    const all = this.responseFields(contentType, fields);
    if (fieldOf(all, "cache-control") === undefined) all.push(NO_STORE);
    const status = this.success;
    const bodyless = this.exchange.head.method === "HEAD" || isBodyless(status);
    const coding = this.codingOf(contentType, Number.POSITIVE_INFINITY, all);
    if (coding !== undefined) all.push(field("content-encoding", coding));
    if (coding !== undefined && !bodyless) this.encodeBody(coding);
    this.respond(status, all, bodyless);
    if (bodyless)
      this.owner.stopService(new Status(Code.CANCELLED, "nothing of the answer is wanted but its head"));
    else if (!this.ended && this.owner.keepAlive !== undefined)
      this.heartbeat = new Heartbeat(
        this.gateway.timers,
        KEEP_ALIVE_MS,
        barrier(() => this.sendKeepAlive(), this.fault),
      );
  }

  private sendKeepAlive(): void {
    const comment = this.owner.keepAlive;
    // If output is waiting, the stream is not idle.
    if (comment !== undefined && this.unsent === 0) this.write(comment, false);
  }

  write(bytes: Buffer, last: boolean): void {
    if (this.ended) return;
    if (this.wholeType !== undefined) {
      this.respondWhole(this.wholeType, bytes);
      return;
    }
    if (bytes.length > 0) {
      if (!last || this.encoder !== undefined) this.unsent += bytes.length;
      if (this.encoder === undefined) this.exchange.write(bytes, 0, bytes.length, false);
      else
        this.encoder.write(
          bytes,
          barrier(() => this.sent(bytes.length), this.fault),
        );
    }
    if (last) this.endBody(undefined);
    else this.owner.onRoom();
  }

  failed(status: Status, inBody: boolean): void {
    if (this.ended) return;
    if (!this.headSent) this.refuse(status);
    else if (inBody) this.endBody(status);
    else this.breakOff();
    this.owner.stopService(status);
  }

  readonly fault = (error: unknown): void => this.owner.onFault(error);

  private breakOff(): void {
    if (this.ended) return;
    this.close();
    this.exchange.reset();
  }

  /** A page of the hub: its fields, those that the steps have added behind them, and its body. */
  page({ fields }: Headers, body: Buffer): void {
    const added = this.call?.responseHeaders;
    this.metadata = added;
    const own = fields.slice(0, fields.length - (added?.fields.length ?? 0));
    const contentType = fieldOf(own, "content-type") ?? "application/octet-stream";
    const others = own.filter((f) => f.name !== "content-type");
    this.head(contentType, others, body.length);
    this.write(body, true);
  }

  /** A body that is completely known. */
  private respondWhole(contentType: string, body: Buffer): void {
    const { http } = this.snapshot;
    const { method } = this.exchange.head;
    const all = this.responseFields(contentType, this.wholeFields);
    // For a stream it is not known yet: there it is a trailer.
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
      // Compressed, it no longer equals the bytes for which the service set the tag (RFC 9110 §8.8.3.3).
      if (coding !== undefined && !own.startsWith("W/")) replace(all, field("etag", `W/${own}`));
      this.respondUnlessKnown(own, all, body, coding);
    } else if (!http.etag) this.packWhole(status, all, body, coding);
    else if (body.length <= MAX_ETAG_INLINE_BYTES) this.respondTagged(etagOf(body), all, body, coding);
    else {
      const onTag = (etag: string): void => {
        if (!this.ended) this.respondTagged(etag, all, body, coding);
      };
      inSlices(hashingEtag(body)).then(barrier(onTag, this.fault), this.fault);
    }
  }

  private respondTagged(etag: string, all: Field[], body: Buffer, coding: Coding | undefined): void {
    all.push(field("etag", coding === undefined ? etag : codedTag(etag, coding)));
    this.respondUnlessKnown(etag, all, body, coding);
  }

  /** 304 if the client has the body. */
  private respondUnlessKnown(etag: string, all: Field[], body: Buffer, coding: Coding | undefined): void {
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
    encodeWholeBody(body, coding, barrier(onPacked, this.fault));
  }

  private sendWhole(status: number, fields: Field[], body: Buffer): void {
    const bodyless = this.exchange.head.method === "HEAD" || body.length === 0;
    if (this.restHead.takesTrailers && !bodyless && this.announceTrailers(fields)) {
      this.respond(status, fields, false);
      this.exchange.write(body, 0, body.length, false);
      this.endStream(undefined);
      return;
    }
    fields.push(field("content-length", String(body.length)));
    addFields(fields, this.trailing, this.snapshot.http.metadata.trailerPrefix);
    // Without a prefix they may have the names of the format's.
    for (const f of this.wholeFields) replace(fields, f);
    this.respond(status, fields, bodyless);
    if (bodyless) return;
    this.exchange.write(body, 0, body.length, true);
    this.close();
  }

  /** Trailing metadata after a whole body; false if there is none. */
  private announceTrailers(fields: Field[]): boolean {
    const trailers: Field[] = [];
    addFields(trailers, this.trailing, this.trailerPrefix);
    if (trailers.length === 0) return false;
    const names = ["grpc-status", ...new Set(trailers.map((f) => f.name))];
    fields.push(field("trailer", names.join(", ")));
    return true;
  }

  /** Fields of every success response, and the service's metadata. */
  private responseFields(contentType: string, own: readonly Field[]): Field[] {
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

  /** Caches store responses to these (RFC 9110 §9.2.3). */
  private get isCacheable(): boolean {
    const { method } = this.exchange.head;
    return method === "GET" || method === "HEAD";
  }

  /** The coding of the body, if any; other clients may get another one (Vary). */
  private codingOf(contentType: string, bytes: number, fields: Field[]): Coding | undefined {
    const { compression } = this.snapshot.http;
    if (compression === undefined || bytes === 0 || !isCompressible(contentType)) return undefined;
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
      this.exchange.write(packed, 0, packed.length, false);
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
    if (!fitsHeaderListLimit(this.exchange.maxHeaderListBytes, fields)) {
      this.headSent = true;
      this.exchange.reset();
      this.exchange.handler.onGone("the answer's header fields are more than the client takes");
      return;
    }
    this.exchange.respond(status, fields, end);
    // Not before: an exchange that threw has sent nothing, and the client must still get a response.
    this.headSent = true;
    if (end) this.close();
  }

  /** @param failure undefined: success */
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

  /** In the format that the client requested. */
  refuse(status: Status, form?: Transcoding): void {
    if (this.ended) return;
    const { head } = this.exchange;
    const { http, rest } = this.snapshot;
    const shown = visibleStatus(this.call, status, this.gateway.edge.hints);
    const accept = http.errorForm === "problem" ? "application/problem+json" : this.accept;
    const error = rest.renderError(shown, accept, head.target);
    const { contentType } = error;
    const own = contentType === JSON_CONTENT.value ? form?.firstFailure?.(error.body) : undefined;
    const body = own ?? error.body;
    const empty = http.errorForm === "empty";
    let all = failureFields(
      shown,
      empty ? undefined : contentType,
      empty ? 0 : body.length,
      http.statusHeaders,
    );
    addErrorFields(all, this.metadata, http.metadata.responsePrefix);
    // Only for the hub's own: a service's status has none.
    if (status.metadata !== undefined) all.push(...status.metadata.fields);
    addErrorFields(all, this.trailing, http.metadata.trailerPrefix);
    addRetryAndChallenge(all, status);
    if (this.isCacheable) all.push(VARY_ACCEPT);
    if (http.cors !== undefined) all = withCors(all, http.cors, this.restHead.origin);
    const bodyless = empty || head.method === "HEAD";
    this.respond(status.http, all, bodyless);
    if (bodyless) return;
    this.exchange.write(body, 0, body.length, true);
    this.close();
  }

  /** Nothing more is written. */
  close(): void {
    this.ended = true;
    this.heartbeat?.stop();
    this.encoder?.destroy();
    this.owner.onResponded();
  }
}
