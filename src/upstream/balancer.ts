// Which endpoint takes a call.
import type { Call } from "../core/call.js";
import type { Endpoint } from "./endpoint.js";

export interface Balancer {
  /**
   * An endpoint that is ready, or one that is full or about to be ready (the call waits for it); undefined when
   * none of those that are not in `tried` is either.
   */
  pick(call: Call, tried: readonly Endpoint[]): Endpoint | undefined;
}

/** Each ready endpoint with room in turn. While there is none, one that is full; then one that is connecting. */
export class RoundRobin implements Balancer {
  private readonly endpoints: readonly Endpoint[];
  private next = 0;

  constructor(endpoints: readonly Endpoint[]) {
    this.endpoints = endpoints;
  }

  pick(_call: Call, tried: readonly Endpoint[]): Endpoint | undefined {
    const { endpoints } = this;
    const count = endpoints.length;
    let full: Endpoint | undefined;
    let hope: Endpoint | undefined;
    for (let i = 0; i < count; i++) {
      const at = (this.next + i) % count;
      const endpoint = endpoints[at];
      if (endpoint === undefined || tried.includes(endpoint)) continue;
      if (endpoint.available() !== undefined) {
        this.next = at + 1;
        return endpoint;
      }
      const state = endpoint.state;
      if (state === "ready") full ??= endpoint;
      else if (state !== "backoff") hope ??= endpoint;
    }
    return full ?? hope;
  }
}
