// Circuit breakers of an upstream: how many unary calls, and how many streams, may run at a time. Calls beyond that are
// rejected at once, so that a service that has slowed down does not get ever more.
import type { Attempt, AttemptObserver } from "../../call/attempt.js";
import type { Call } from "../../call/call.js";
import { refusal } from "../../call/status/reasons.js";
import type { Status } from "../../call/status/status.js";
import type { Counter } from "../../kit/meters.js";

export interface BreakerConfig {
  /** Unary calls; undefined: no limit. */
  readonly calls: number | undefined;
  /** Streaming calls, and those of unknown kind; undefined: no limit. */
  readonly streams: number | undefined;
}

export const BREAKERS = ["calls", "streams"] as const;
export type BreakerName = (typeof BREAKERS)[number];

/** The state of one breaker. */
export interface BreakerState {
  readonly name: BreakerName;
  readonly active: number;
  readonly max: number;
}

interface Breaker {
  readonly name: BreakerName;
  max: number;
  /** By attempt: an attempt that began before the breaker was configured is never counted, not even at its end. */
  readonly active: Set<Attempt>;
  readonly refusals: Counter;
}

export class Breakers implements AttemptObserver {
  private readonly upstream: string;
  private readonly breakers: Readonly<Record<BreakerName, Breaker>>;

  /** @param refusals counts rejected calls */
  constructor(upstream: string, config: BreakerConfig, refusals: (name: BreakerName) => Counter) {
    this.upstream = upstream;
    const breaker = (name: BreakerName): Breaker => ({
      name,
      max: Number.POSITIVE_INFINITY,
      active: new Set(),
      refusals: refusals(name),
    });
    this.breakers = { calls: breaker("calls"), streams: breaker("streams") };
    this.configure(config);
  }

  /** Takes over other limits. Running calls beyond them end normally. */
  configure(config: BreakerConfig): void {
    for (const name of BREAKERS) this.breakers[name].max = config[name] ?? Number.POSITIVE_INFINITY;
  }

  get states(): BreakerState[] {
    return BREAKERS.flatMap((name) => {
      const { max, active } = this.breakers[name];
      return Number.isFinite(max) ? [{ name, active: active.size, max }] : [];
    });
  }

  /** Why a call may not begin now; undefined: it may. */
  refuses(call: Call): Status | undefined {
    const { name, max, active, refusals } = this.of(call);
    if (active.size < max) return undefined;
    refusals.add();
    const { upstream } = this;
    const message = `upstream "${upstream}" has ${max} ${name} running, and takes no more`;
    return refusal("BREAKER_OPEN", message, {
      info: { upstream, breaker: name },
      hint: `; upstreams.${upstream}.breakers.${name} is the limit`,
    });
  }

  private of({ method }: Call): Breaker {
    return method.kind === "unary" ? this.breakers.calls : this.breakers.streams;
  }

  // ---------------------------------------------------------------- AttemptObserver

  begin(attempt: Attempt): void {
    this.of(attempt.call).active.add(attempt);
  }

  end(attempt: Attempt): void {
    this.of(attempt.call).active.delete(attempt);
  }
}
