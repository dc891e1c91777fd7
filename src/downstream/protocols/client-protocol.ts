// The interface of a client protocol: which requests it claims, and how they are served and rejected. Each has a folder
// here, and an entry in accept/protocols.ts.
import type { Gateway } from "../../call/gateway.js";
import type { Status } from "../../call/status/status.js";
import type { Exchange, ExchangeHead } from "../carriers/exchange.js";

/**
 * One protocol. It owes every exchange that it opens exactly one response: by its Call, or by `exchange.reset`. It gives
 * credit for the body by `exchange.consumed`, and handles `onGone` and `onFault` at any time after `open`.
 */
export interface ClientProtocol {
  /** Shown in the log of a fault. */
  readonly name: string;
  /**
   * Over HTTP/2 its clients may pause for any time within a request (streams of gRPC). Otherwise, and always over
   * HTTP/1.1, a body must progress until its response begins (`limits.bodyTimeout`).
   */
  readonly pauses: boolean;
  /**
   * Whether a request belongs to this protocol. Called in the list's order, for each request: decides by the head
   * alone, must be cheap, and must not throw.
   */
  claims(head: ExchangeHead): boolean;
  /**
   * Serves the request: makes its Call and runs it, and sets `exchange.handler` before it returns. An exception is
   * passed to the handler's `onFault`, or to `reject` if there is no handler yet.
   */
  open(gateway: Gateway, exchange: Exchange): void;
  /**
   * Responds to a request that was read and cannot be served (invalid Host, too many fields): as a Call of no method,
   * so that limits, the access log and metrics apply to it too. Otherwise like `open`.
   */
  refuse(gateway: Gateway, exchange: Exchange, status: Status): void;
  /**
   * Responds to what never becomes a Call, in the protocol's own format: a head that is too large, malformed or late
   * (the exchange's head then has its known parts, possibly none), a fault of the hub.
   */
  reject(gateway: Gateway, exchange: Exchange, status: Status): void;
}
