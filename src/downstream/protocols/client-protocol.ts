// What a client protocol is to the listener: which requests are its own, and how they are served and refused. One folder
// here for each, and an entry in accept/protocols.ts.
import type { Gateway } from "../../call/gateway.js";
import type { Status } from "../../call/status/status.js";
import type { Exchange, ExchangeHead } from "../carriers/exchange.js";

export interface ClientProtocol {
  /** For people: in what the log says of a fault. */
  readonly name: string;
  /**
   * Over HTTP/2 its clients may be silent for any time within a request (streams of gRPC). Otherwise, and over HTTP/1.1
   * always, a body is to go on arriving until its answer begins (`limits.bodyTimeout`).
   */
  readonly pauses: boolean;
  /** Whether a request is of this protocol. Asked in the list's order, for each request: by its head alone. */
  claims(head: ExchangeHead): boolean;
  /**
   * Serves the request: makes its Call and runs that, and sets `exchange.handler` before it returns. What it throws
   * ends in the handler's `onFault`, or in `reject` where there is no handler yet.
   */
  open(gateway: Gateway, exchange: Exchange): void;
  /**
   * Answers a request that was read and is not served (its Host is wrong, it has too many fields): as a Call of no
   * method, for limits, the access log and metrics are for it too. Otherwise as `open`.
   */
  refuse(gateway: Gateway, exchange: Exchange, status: Status): void;
  /**
   * Answers what never becomes a Call, in the protocol's own form: a head that is too large, that nobody can read or
   * that does not arrive (the exchange's head then has what is known of it, which may be nothing), a fault of the hub.
   */
  reject(gateway: Gateway, exchange: Exchange, status: Status): void;
}
