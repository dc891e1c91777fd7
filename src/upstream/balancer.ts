// Which endpoint takes a call.
import type { Call } from "../core/call.js";
import type { Endpoint } from "./endpoint.js";

export interface Balancer {
  /**
   * An endpoint that is ready, or one that is about to be (the call waits for it); undefined when none of
   * those that are not in `tried` is either.
   */
  pick(call: Call, tried: readonly Endpoint[]): Endpoint | undefined;
}

/** Each ready endpoint in turn. While none is ready, one that is connecting. */
export class RoundRobin implements Balancer {
  private readonly endpoints: readonly Endpoint[];
  private next = 0;

  constructor(endpoints: readonly Endpoint[]) {
    this.endpoints = endpoints;
  }

  pick(_call: Call, tried: readonly Endpoint[]): Endpoint | undefined {
    const { endpoints } = this;
    const count = endpoints.length;
    let hope: Endpoint | undefined;
    for (let i = 0; i < count; i++) {
      const at = (this.next + i) % count;
      const endpoint = endpoints[at];
      if (endpoint === undefined || tried.includes(endpoint)) continue;
      const state = endpoint.state;
      if (state === "ready") {
        this.next = at + 1;
        return endpoint;
      }
      if (state !== "backoff") hope ??= endpoint;
    }
    return hope;
  }
}
