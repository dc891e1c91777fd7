// Connects an upstream's endpoints, a few in each turn of the event loop: thousands at once would block it for seconds
// and take a write buffer each.
import { attempt } from "../../kit/faults.js";

/** Each costs some 0.1 ms. Upstreams with fewer endpoints are connected at once. */
const AT_ONCE = 64;

export class Connector {
  private endpoints: readonly { connect(): void }[] = [];
  private next = 0;
  private turn: NodeJS.Immediate | undefined = undefined;

  /** Connects those that are not connected; replaces the list of the previous run. */
  start(endpoints: readonly { connect(): void }[]): void {
    this.stop();
    this.endpoints = endpoints;
    this.step();
  }

  stop(): void {
    clearImmediate(this.turn);
    this.turn = undefined;
    this.endpoints = [];
    this.next = 0;
  }

  private step(): void {
    const end = this.next + AT_ONCE;
    for (; this.next < end; this.next++) {
      const endpoint = this.endpoints[this.next];
      if (endpoint !== undefined) attempt("while connecting to an endpoint", () => endpoint.connect());
    }
    if (this.next >= this.endpoints.length) this.stop();
    else this.turn = setImmediate(() => this.step());
  }
}
