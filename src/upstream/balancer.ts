// Which endpoint takes a call.
import type { Call } from "../call/call.js";
import type { Endpoint } from "./endpoint.js";
import type { Link } from "./link.js";

export interface Balancer {
  /** A connection with room for the call; undefined while there is none: the call waits until there is. */
  pick(call: Call): Link | undefined;
}

/** Each endpoint with room in turn. */
export class RoundRobin implements Balancer {
  private readonly endpoints: readonly Endpoint[];
  private next = 0;

  constructor(endpoints: readonly Endpoint[]) {
    this.endpoints = endpoints;
  }

  pick(): Link | undefined {
    const { endpoints } = this;
    const count = endpoints.length;
    for (let i = 0; i < count; i++) {
      const at = (this.next + i) % count;
      const link = endpoints[at]?.available();
      if (link === undefined) continue;
      this.next = at + 1;
      return link;
    }
    for (const endpoint of endpoints) {
      const link = endpoint.lastResort();
      if (link !== undefined) return link;
    }
    return undefined;
  }
}
