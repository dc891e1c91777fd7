// Passes each request to the protocol that claims it, and has each rejection rendered in that protocol's format.
import type { Gateway } from "../../call/gateway.js";
import { hubFault } from "../../call/status/hub-fault.js";
import type { Status } from "../../call/status/status.js";
import { contain } from "../../kit/barrier.js";
import { reportFault } from "../../kit/faults.js";
import { respondBare } from "../carriers/bare-response.js";
import { type Exchange, type ExchangeHead, NO_HANDLER } from "../carriers/exchange.js";
import type { ClientProtocol } from "../protocols/client-protocol.js";

export class Requests {
  readonly #gateway: Gateway;
  readonly #protocols: readonly ClientProtocol[];
  readonly #last: ClientProtocol;

  /** @param protocols in the order in which they may claim a request; the last one takes the rest */
  constructor(gateway: Gateway, protocols: readonly [...ClientProtocol[], ClientProtocol]) {
    this.#gateway = gateway;
    this.#protocols = protocols;
    this.#last = protocols[protocols.length - 1] ?? protocols[0];
  }

  protocolOf(head: ExchangeHead): ClientProtocol {
    for (let i = 0; i < this.#protocols.length; i++) {
      const protocol = this.#protocols[i];
      if (protocol?.claims(head) === true) return protocol;
    }
    return this.#last;
  }

  /** Never throws; nor do the others below. */
  open(exchange: Exchange, protocol?: ClientProtocol): void {
    let taking = protocol;
    try {
      taking ??= this.protocolOf(exchange.head);
      taking.open(this.#gateway, exchange);
    } catch (error) {
      this.#failed(exchange, taking, error);
    }
  }

  /** The request was read, and is not served. */
  refuse(exchange: Exchange, status: Status): void {
    let taking: ClientProtocol | undefined;
    try {
      taking = this.protocolOf(exchange.head);
      taking.refuse(this.#gateway, exchange, status);
    } catch (error) {
      this.#failed(exchange, taking, error);
    }
  }

  /** There is no request, or it cannot be served. */
  reject(exchange: Exchange, status: Status): void {
    try {
      this.protocolOf(exchange.head).reject(this.#gateway, exchange, status);
    } catch (error) {
      reportFault("while a request was rejected", error);
      respondBare(exchange, status);
    }
  }

  #failed(exchange: Exchange, taking: ClientProtocol | undefined, cause: unknown): void {
    const { handler } = exchange;
    if (handler !== NO_HANDLER) {
      contain(cause, (fault) => handler.onFault(fault));
      return;
    }
    const where = `while a request of ${taking?.name ?? "some protocol"} was taken over`;
    this.reject(exchange, hubFault("the hub failed while it read the request", where, cause));
  }
}
