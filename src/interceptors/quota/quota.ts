// Quotas: token buckets by identity, key, ip, method or header. Every rule that applies to a call must admit it.
import { createHash } from "node:crypto";
import type { Call, Method } from "../../call/call.js";
import type { Interceptor, InterceptorContext, Step } from "../../call/interceptor.js";
import { refuser } from "../../call/status/reasons.js";
import type { Status } from "../../call/status/status.js";
import { quotaFailure, retryInfo } from "../../call/status/status-details.js";
import { formatRate } from "../../config/rate.js";
import { selectorsOf } from "../../config/selectors.js";
import type { Clock } from "../../kit/clock.js";
import { Headers } from "../../kit/headers.js";
import type { Log } from "../../kit/log.js";
import type { Counter } from "../../kit/meters.js";
import { ipOf } from "../../kit/net/ip.js";
import { TokenBuckets } from "../kit/token-bucket.js";
import type { QuotaConfig, QuotaKey } from "./kind.js";

export interface QuotaOptions {
  readonly rules: readonly QuotaConfig[];
  /** A method's own setting: `none`, or the cost of a call; undefined: as the rules say. */
  readonly forMethod: (method: Method) => "none" | { readonly cost: number } | undefined;
}

/**
 * Counted only by rules that name them: probes must not fail under load, and the API page must not use up a caller's
 * quota.
 */
const UNCOUNTED: ReadonlySet<string> = new Set(["grpc.health.v1.Health", "linchpin.Pages"]);
/** How often a shadow rule logs. */
const SHADOW_LOG_MS = 60_000;
/** Longer keys are remembered as their hash: a header may be as long as 64 KiB. */
const MAX_KEY_LENGTH = 128;

export function quota({ rules, forMethod }: QuotaOptions, context: InterceptorContext): Interceptor {
  const all = rules.map((rule) => new Rule(rule, context));
  return {
    name: "quota",
    plan(method): Step | undefined {
      const own = forMethod(method);
      if (own === "none") return undefined;
      const applied = all
        .filter((rule) => rule.isFor(method))
        .map((rule) => ({ rule, cost: own?.cost ?? rule.config.cost, slot: 0 }));
      return applied.length === 0 ? undefined : new QuotaStep(applied, context.clock);
    },
  };
}

/** A rule as it is for one method. */
interface Applied {
  readonly rule: Rule;
  readonly cost: number;
  /** The call's bucket, from the query to taking: within one call of `start`. */
  slot: number;
}

class QuotaStep implements Step {
  readonly name = "quota";
  private readonly rules: readonly Applied[];
  private readonly shadows: readonly Applied[];
  private readonly clock: Clock;
  /** RateLimit-Policy of the rules that send it; the same in every response. */
  private readonly policies: string;

  constructor(rules: readonly Applied[], clock: Clock) {
    this.rules = rules.filter(({ rule }) => !rule.config.shadow);
    this.shadows = rules.filter(({ rule }) => rule.config.shadow);
    this.clock = clock;
    this.policies = this.rules
      .filter(({ rule }) => rule.config.headers)
      .map(({ rule }) => rule.policy)
      .join(", ");
  }

  start(call: Call): Status | undefined {
    const { rules, shadows } = this;
    const now = this.clock.now();
    // All rules are queried before tokens are taken: a rejected call takes nothing.
    let worst: Applied | undefined;
    let worstMs = 0;
    for (const applied of rules) {
      const { rule } = applied;
      applied.slot = rule.buckets.slotOf(rule.keyOf(call));
      const waitMs = rule.buckets.waitMs(applied.slot, applied.cost, now);
      if (waitMs > worstMs) {
        worst = applied;
        worstMs = waitMs;
      }
    }
    if (worst !== undefined) return worst.rule.refuse(call, worst, worstMs, now);
    for (const { rule, slot, cost } of rules) {
      rule.buckets.take(slot, cost, now);
      rule.admitted.add();
    }
    if (this.policies !== "") {
      call.addResponseHeader("ratelimit", this.limits(now));
      call.addResponseHeader("ratelimit-policy", this.policies);
    }
    for (const { rule, cost } of shadows) rule.shadow(call, cost, now);
    return undefined;
  }

  private limits(now: number): string {
    let limits = "";
    for (const { rule, slot } of this.rules) {
      if (!rule.config.headers) continue;
      limits += limits === "" ? rule.limit(slot, now) : `, ${rule.limit(slot, now)}`;
    }
    return limits;
  }
}

/** One rule of the config with its buckets, for all methods. */
class Rule {
  readonly config: QuotaConfig;
  readonly buckets: TokenBuckets;
  readonly policy: string;
  readonly admitted: Counter;
  /** For a shadow rule: calls that it would have rejected. */
  private readonly refused: Counter;
  private readonly item: string;
  private readonly refusal: ReturnType<typeof refuser>;
  private readonly log: Log;
  private loggedAt = Number.NEGATIVE_INFINITY;
  private unlogged = 0;

  constructor(config: QuotaConfig, { retained, log, meters }: InterceptorContext) {
    const { name, key, rate, burst } = config;
    const counter = (outcome: string): Counter =>
      meters.counter("linchpin.quota.calls", "Calls that a quota counted, by what became of them.", {
        "linchpin.quota": name,
        "linchpin.outcome": outcome,
      });
    this.admitted = counter("admitted");
    this.refused = counter(config.shadow ? "would_be_refused" : "refused");
    this.config = config;
    this.log = log;
    // Without the keys that only change which calls are counted, or how that is reported: buckets are retained over
    // such a change.
    this.buckets = retained.keep(
      `quota:${name}`,
      { key, rate, burst },
      () => new TokenBuckets({ perMs: rate.count / rate.perMs, burst }),
    );
    // draft-ietf-httpapi-ratelimit-headers-11 §3: for a token bucket, its size and how long it takes to fill.
    const fullSeconds = Math.max(1, Math.ceil((burst * rate.perMs) / rate.count / 1000));
    this.item = `"${name}"`;
    this.refusal = refuser("QUOTA_EXCEEDED", { quota: name });
    this.policy = `${this.item};q=${burst};w=${fullSeconds}`;
  }

  isFor({ service, name }: Method): boolean {
    const { methods } = this.config;
    if (methods.length === 0) return !UNCOUNTED.has(service);
    return selectorsOf(service, name).some((selector) => methods.includes(selector));
  }

  /** The key of a bucket: no two different callers share one, whatever their values contain. */
  keyOf(call: Call): string {
    const { key } = this.config;
    if (key.length === 0) return "";
    const [first] = key;
    if (key.length === 1 && first !== undefined) return bounded(partOf(first, call));
    let composite = "";
    for (const part of key) {
      const value = partOf(part, call);
      composite += `${value.length}:${value}`;
    }
    return bounded(composite);
  }

  /** RateLimit (draft-11 §4): the remaining tokens, and how long until the bucket is full again. */
  limit(slot: number, now: number): string {
    const { buckets } = this;
    return `${this.item};r=${buckets.tokens(slot, now)};t=${Math.ceil(buckets.fullInMs(slot, now) / 1000)}`;
  }

  refuse(call: Call, { slot, cost }: Applied, waitMs: number, now: number): Status {
    const { name, rate, burst } = this.config;
    this.refused.add();
    const limit = `${formatRate(rate)}, at most ${burst} at once`;
    if (waitMs === Number.POSITIVE_INFINITY) {
      const description = `a call of this method takes ${cost} of quota "${name}" (${limit})`;
      return this.refusal(`${description}: it can never be admitted`, {
        details: [quotaFailure([{ subject: this.subject(call), description }])],
      });
    }
    const seconds = Math.max(1, Math.ceil(waitMs / 1000));
    const metadata = Headers.of(
      ["retry-after", String(seconds)],
      ["ratelimit", `${this.item};r=${this.buckets.tokens(slot, now)};t=${seconds}`],
      ["ratelimit-policy", this.policy],
    );
    return this.refusal(`quota "${name}" is used up (${limit}): try again in ${seconds} s`, {
      details: [quotaFailure([{ subject: this.subject(call), description: limit }]), retryInfo(waitMs)],
      metadata,
    });
  }

  /** Whose quota is used up, for people; values of headers may be secrets, and are left out. */
  private subject(call: Call): string {
    const { key } = this.config;
    if (key.length === 0) return "everyone";
    return key.map((part) => (part.by === "header" ? `header:${part.name}` : partOf(part, call))).join(", ");
  }

  shadow(call: Call, cost: number, now: number): void {
    const { buckets, config } = this;
    const slot = buckets.slotOf(this.keyOf(call));
    if (buckets.waitMs(slot, cost, now) === 0) {
      buckets.take(slot, cost, now);
      this.admitted.add();
      return;
    }
    this.refused.add();
    this.unlogged++;
    if (now - this.loggedAt < SHADOW_LOG_MS) return;
    this.loggedAt = now;
    this.log.warn(
      `quota "${config.name}" (shadow) would have refused ${this.unlogged} calls, the last of ${this.subject(call)}`,
    );
    this.unlogged = 0;
  }
}

/** One part of a key. The word before the first colon is its kind, so that values of two kinds are never equal. */
function partOf(part: QuotaKey, call: Call): string {
  switch (part.by) {
    case "method":
      return `method:${call.method.path.slice(1)}`;
    case "header":
      return call.headers.get(part.name) ?? "";
    case "apiKey":
      if (call.identity?.kind === "api-key") return `api-key:${call.identity.name}`;
      return `ip:${call.peer.ip ?? ipOf(call.peer.address)}`;
    case "identity":
      if (call.identity !== undefined) return `${call.identity.kind}:${call.identity.name}`;
      return `ip:${call.peer.ip ?? ipOf(call.peer.address)}`;
    case "ip":
      return `ip:${call.peer.ip ?? ipOf(call.peer.address)}`;
  }
}

function bounded(key: string): string {
  if (key.length <= MAX_KEY_LENGTH) return key;
  // The length keeps a hash from colliding with a key that looks like one.
  return `${MAX_KEY_LENGTH + 1}:${createHash("sha256").update(key).digest("base64")}`;
}
