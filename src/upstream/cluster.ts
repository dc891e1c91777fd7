// A cluster: the endpoints that serve the same services, and the Handler that sends calls to them.
import { type Clock, systemClock } from "../core/clock.js";
import type { Handler } from "../core/sink.js";
import { type Balancer, RoundRobin } from "./balancer.js";
import { Endpoint, type EndpointOptions } from "./endpoint.js";
import { UpstreamCall } from "./upstream-call.js";

export interface ClusterOptions {
  readonly name: string;
  readonly endpoints: readonly Pick<EndpointOptions, "address" | "secureAuthority" | "dial">[];
  /** An endpoint has become ready, or has stopped being so. */
  readonly onChange?: (endpoint: Endpoint) => void;
  readonly clock?: Clock;
  readonly random?: () => number;
}

export class Cluster {
  readonly name: string;
  readonly endpoints: readonly Endpoint[];
  readonly balancer: Balancer;
  readonly clock: Clock;
  /** What a call to this cluster says it is doing. */
  readonly stage: string;

  constructor(options: ClusterOptions) {
    this.name = options.name;
    this.stage = `waiting for upstream "${options.name}"`;
    this.clock = options.clock ?? systemClock;
    this.endpoints = options.endpoints.map(
      ({ address, secureAuthority, dial }) =>
        new Endpoint({
          address,
          secureAuthority,
          dial,
          clock: this.clock,
          random: options.random ?? Math.random,
          onChange: (endpoint) => options.onChange?.(endpoint),
        }),
    );
    this.balancer = new RoundRobin(this.endpoints);
  }

  /** Sends a call to one of the endpoints. */
  readonly handler: Handler = (call, response) => {
    const upstreamCall = new UpstreamCall(this, call, response);
    upstreamCall.start();
    return upstreamCall;
  };

  /** Calls that wait for a connection. */
  get pending(): number {
    let waiting = 0;
    for (const endpoint of this.endpoints) waiting += endpoint.waiters;
    return waiting;
  }

  /** Connects to every endpoint, and keeps connected. */
  connect(): void {
    for (const endpoint of this.endpoints) endpoint.connect();
  }

  drain(): void {
    for (const endpoint of this.endpoints) endpoint.drain();
  }

  close(): void {
    for (const endpoint of this.endpoints) endpoint.close();
  }
}
