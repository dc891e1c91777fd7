// The response of a call over a WebSocket: a frame for each message, and a close code at the end. Rejected before the
// handshake's response, it is plain HTTP.
import type { Call } from "../../../call/call.js";
import type { Status } from "../../../call/status/status.js";
import type { Headers } from "../../../kit/headers.js";
import type { Exchange, WebSocketUpgrade } from "../../carriers/exchange.js";
import type { RestResponse } from "../rest/rest-response.js";
import { type CallResponse, NO_OWNER, type ResponseOwner } from "../transcoded/call-response.js";

/** Close codes (RFC 6455 §7.4). A call that failed ends with 4000 + its gRPC code, in the range for applications. */
const CloseCode = { OK: 1000, STATUS: 4000 } as const;
/** Messages that may be buffered for a slow client before the service is held back. */
const MAX_UNSENT_BYTES = 64 * 1024;

export class WebSocketResponse implements CallResponse {
  success = 200;
  // After the handshake HTTP has no place for response metadata.
  metadata: Headers | undefined = undefined;
  trailing: Headers | undefined = undefined;
  private readonly exchange: Exchange;
  private readonly upgrade: WebSocketUpgrade;
  private readonly refusal: RestResponse;
  private own: ResponseOwner = NO_OWNER;
  private over = false;
  /** Written and not yet sent by the connection. */
  private unsent = 0;

  constructor(exchange: Exchange, upgrade: WebSocketUpgrade, refusal: RestResponse) {
    this.exchange = exchange;
    this.upgrade = upgrade;
    this.refusal = refusal;
  }

  get owner(): ResponseOwner {
    return this.own;
  }

  set owner(owner: ResponseOwner) {
    this.own = owner;
    this.refusal.owner = owner;
  }

  get call(): Call | undefined {
    return this.refusal.call;
  }

  set call(call: Call | undefined) {
    this.refusal.call = call;
  }

  get begun(): boolean {
    return this.upgrade.accepted || this.refusal.begun;
  }

  get ended(): boolean {
    return this.over || this.refusal.ended;
  }

  get full(): boolean {
    return this.unsent > MAX_UNSENT_BYTES;
  }

  sent(bytes: number): void {
    this.unsent -= bytes;
    this.own.onRoom();
  }

  // ---------------------------------------------------------------- BodyTaker

  head(): void {
    const info = this.call?.http;
    if (info?.status === 0) info.status = this.success;
  }

  write(bytes: Buffer, last: boolean): void {
    if (this.ended) return;
    if (bytes.length > 0) {
      this.unsent += bytes.length;
      this.exchange.write(bytes, 0, bytes.length, false);
    }
    if (last) this.end(CloseCode.OK, "");
    else this.own.onRoom();
  }

  failed(status: Status): void {
    if (this.ended) return;
    if (!this.upgrade.accepted) this.refusal.refuse(status);
    else this.end(CloseCode.STATUS + status.code, status.message);
    this.own.stopService(status);
  }

  fault(error: unknown): void {
    this.own.onFault(error);
  }

  // ---------------------------------------------------------------- how it ends

  refuse(status: Status): void {
    this.refusal.refuse(status);
  }

  private end(code: number, reason: string): void {
    this.head();
    this.upgrade.close(code, reason);
    this.close();
  }

  close(): void {
    if (this.ended) return;
    this.over = true;
    this.refusal.close();
  }
}
