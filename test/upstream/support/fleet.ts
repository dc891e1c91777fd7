// Endpoints without connections, for balancers: what they carry and how they are is in the test's hand.
import type { Attempt, AttemptOutcome } from "#src/call/attempt.js";
import type { Call } from "#src/call/call.js";
import { Headers } from "#src/kit/headers.js";
import type { BalancedEndpoint, Balancer, BalancerContext } from "#src/upstream/balancers/balancer.js";
import { EndpointLoad } from "#src/upstream/balancers/endpoint-load.js";
import type { EndpointTraits } from "#src/upstream/discovery/endpoint-source.js";
import type { FakeClock } from "../../support/fake-clock.js";
import { callOf } from "../../support/sinks.js";

export class FakeEndpoint implements BalancedEndpoint {
  readonly address: string;
  traits: EndpointTraits;
  readonly load = new EndpointLoad();
  calls = 0;
  healthy = true;
  filling = false;
  /** It has room. */
  open = true;
  picked = 0;

  constructor(address: string, traits: EndpointTraits = {}) {
    this.address = address;
    this.traits = traits;
  }
}

export function fleet(count: number, traits: (i: number) => EndpointTraits = () => ({})): FakeEndpoint[] {
  return Array.from(
    { length: count },
    (_, i) => new FakeEndpoint(`10.0.${i >> 8}.${i & 255}:50051`, traits(i)),
  );
}

/** The same numbers in each run (mulberry32). */
export function seeded(seed = 1): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

export const isOpen = ({ open }: FakeEndpoint): boolean => open;

export function attemptAt(call: Call, endpoint: FakeEndpoint | undefined, startedAt = 0): Attempt {
  const { headers } = call;
  return {
    call,
    kind: "first",
    number: endpoint === undefined ? 0 : 1,
    upstream: "library",
    endpoint,
    startedAt,
    headers,
    setHeader() {},
  };
}

export function outcomeOf(ms: number, more: Partial<AttemptOutcome> = {}): AttemptOutcome {
  return {
    code: 0,
    by: "upstream",
    sent: "maybe",
    headersMs: ms,
    durationMs: ms,
    trailers: undefined,
    ...more,
  };
}

/** What a cluster would ask. */
export type Picks = Pick<Balancer<FakeEndpoint>, "pick"> & {
  readonly observers?: readonly Pick<Balancer<FakeEndpoint>, "begin" | "headers" | "end">[];
} & Pick<Balancer<FakeEndpoint>, "begin" | "headers" | "end">;

/** A call with a key of its own, for those that look at one. */
export const keyed = (key: string | number): Call =>
  callOf({ headers: Headers.of(["x-user", `user-${key}`]) });

/** A call that is running; `end` ends it. */
export class Running {
  readonly endpoint: FakeEndpoint;
  readonly attempt: Attempt;
  private readonly picks: Picks;

  constructor(picks: Picks, endpoint: FakeEndpoint, call: Call, now: number) {
    this.picks = picks;
    this.endpoint = endpoint;
    this.attempt = attemptAt(call, endpoint, now);
    endpoint.calls++;
    endpoint.picked++;
    for (const o of [picks, ...(picks.observers ?? [])]) o.begin?.(this.attempt);
  }

  end(ms: number, more: Partial<AttemptOutcome> = {}): void {
    const outcome = outcomeOf(ms, more);
    this.endpoint.calls--;
    for (const o of [this.picks, ...(this.picks.observers ?? [])]) {
      if (outcome.headersMs !== undefined) o.headers?.(this.attempt, outcome.headersMs);
      o.end?.(this.attempt, outcome);
    }
  }
}

export function start(picks: Picks, clock: FakeClock, call = keyed(0)): Running | undefined {
  const endpoint = picks.pick(attemptAt(call, undefined), isOpen);
  return endpoint && new Running(picks, endpoint, call, clock.now());
}

/** Calls one after the other, each of another key, which take as long as it says. */
export function callsOneByOne(
  picks: Picks,
  clock: FakeClock,
  count: number,
  ms: (endpoint: FakeEndpoint) => number = () => 1,
): void {
  for (let i = 0; i < count; i++) {
    const call = start(picks, clock, keyed(i));
    if (call === undefined) throw new Error("no endpoint");
    const took = ms(call.endpoint);
    clock.advance(took);
    call.end(took);
  }
}

export function contextOf(clock: FakeClock, more: Partial<BalancerContext> = {}): BalancerContext {
  return { clock, random: seeded(), options: { by: { kind: "header", name: "x-user" } }, ...more };
}

export const pickedOf = (endpoints: readonly FakeEndpoint[]): number[] =>
  endpoints.map(({ picked }) => picked);
