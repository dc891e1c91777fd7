// What a quota costs a call, admitted and refused: `node build/bench/micro/quota.js`

import { Call, type Identity, type Method } from "#src/call/call.js";
import type { Step } from "#src/call/interceptor.js";
import { TokenBuckets } from "#src/interceptors/kit/token-bucket.js";
import type { QuotaConfig } from "#src/interceptors/quota/kind.js";
import { quota } from "#src/interceptors/quota/quota.js";
import { systemClock } from "#src/kit/clock.js";
import { Headers } from "#src/kit/headers.js";
import { NO_METERS } from "#src/kit/meters.js";
import { Retained } from "#src/kit/retained.js";

const ROUNDS = 7;
const CALLS = 200_000;

const method: Method = {
  service: "bench.v1.Bench",
  name: "Get",
  path: "/bench.v1.Bench/Get",
  kind: "unary",
  idempotent: false,
  descriptor: undefined,
};

function stepOf(rules: readonly Partial<QuotaConfig>[]): Step {
  const retained = new Retained();
  const log = { info() {}, warn() {}, error() {} };
  retained.begin();
  const interceptor = quota(
    {
      rules: rules.map((rule, i) => ({
        name: `rule-${i}`,
        key: [{ by: "identity" }],
        rate: { count: 1_000_000_000, perMs: 1000 },
        burst: 1_000_000_000,
        cost: 1,
        methods: [],
        shadow: false,
        headers: true,
        ...rule,
      })),
      forMethod: () => undefined,
    },
    { clock: systemClock, log, retained, meters: NO_METERS },
  );
  retained.commit();
  const step = interceptor.plan(method);
  if (step === undefined) throw new Error("no step");
  return step;
}

const headers = new Headers();

/** Calls of so many callers, in turn; made anew for each round, as calls are. */
function calls(callers: number): Call[] {
  const identities = Array.from(
    { length: callers },
    (_, i): Identity => ({ name: `caller-${i}`, kind: "api-key", roles: [] }),
  );
  return Array.from({ length: CALLS }, (_, i) => {
    const call = new Call(method, method.path, "", { address: "10.0.0.1:1", protocol: "grpc" }, headers, 0);
    call.identity = identities[i % callers];
    return call;
  });
}

/** CPU time, so that other work of the machine counts as little as can be. */
function nsSince(start: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(start);
  return (user + system) * 1000;
}

function nsPerCall(step: Step, callers: number, admitted: boolean): number {
  const rounds: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const made = calls(callers);
    const start = process.cpuUsage();
    let refused = 0;
    for (const call of made) if (step.start?.(call) !== undefined) refused++;
    rounds.push(nsSince(start) / CALLS);
    if (admitted ? refused > 0 : refused < CALLS - callers)
      throw new Error("calls ended otherwise than meant");
  }
  return rounds.sort((a, b) => a - b)[Math.floor(ROUNDS / 2)] ?? 0;
}

const empty: Partial<QuotaConfig> = { rate: { count: 1, perMs: 3_600_000 }, burst: 1 };
const quiet: Partial<QuotaConfig> = { headers: false };
const rows: readonly (readonly [what: string, step: Step, callers: number, admitted: boolean])[] = [
  ["admitted, told, 1 caller", stepOf([{}]), 1, true],
  ["admitted, told, 1000 callers", stepOf([{}]), 1000, true],
  ["admitted, not told, 1 caller", stepOf([quiet]), 1, true],
  ["admitted, not told, 100,000 callers", stepOf([quiet]), 100_000, true],
  [
    "admitted, not told, 2 rules",
    stepOf([quiet, { ...quiet, key: [{ by: "ip" }, { by: "method" }] }]),
    1000,
    true,
  ],
  ["refused, 1 caller", stepOf([empty]), 1, false],
  ["refused, 1000 callers", stepOf([empty]), 1000, false],
];
for (const [what, step, callers, admitted] of rows) {
  console.log(`${what.padEnd(40)} ${nsPerCall(step, callers, admitted).toFixed(0).padStart(6)} ns`);
}

// The table alone, beside one object per bucket in a Map that is its own LRU.
interface Bucket {
  tokens: number;
  at: number;
}

class MapOfBuckets {
  private readonly buckets = new Map<string, Bucket>();

  take(key: string, now: number): boolean {
    let bucket = this.buckets.get(key);
    if (bucket === undefined) bucket = { tokens: 1e9, at: now };
    else this.buckets.delete(key);
    this.buckets.set(key, bucket);
    bucket.tokens = Math.min(1e9, bucket.tokens + (now - bucket.at) * 1e6);
    bucket.at = now;
    if (bucket.tokens < 1) return false;
    bucket.tokens--;
    return true;
  }
}

function nsPerTake(keys: readonly string[], take: (key: string, now: number) => boolean): number {
  const rounds: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const start = process.cpuUsage();
    let taken = 0;
    // A step that is prime to the number of keys, so that neighbours in time are not neighbours in memory.
    for (let i = 0; i < CALLS; i++) if (take(keys[(i * 7919) % keys.length] ?? "", round)) taken++;
    if (taken !== CALLS) throw new Error("not all were taken");
    rounds.push(nsSince(start) / CALLS);
  }
  return rounds.sort((a, b) => a - b)[Math.floor(ROUNDS / 2)] ?? 0;
}

for (const count of [100, 10_000, 100_000]) {
  const keys = Array.from({ length: count }, (_, i) => `api-key:caller-${i}`);
  const flat = new TokenBuckets({ perMs: 1e6, burst: 1e9 });
  const map = new MapOfBuckets();
  const ofFlat = nsPerTake(keys, (key, now) => {
    const slot = flat.slotOf(key);
    if (flat.waitMs(slot, 1, now) > 0) return false;
    flat.take(slot, 1, now);
    return true;
  });
  const ofMap = nsPerTake(keys, (key, now) => map.take(key, now));
  console.log(
    `${`take, ${count} keys`.padEnd(40)} ${ofFlat.toFixed(0).padStart(6)} ns flat, ${ofMap.toFixed(0)} ns as objects in a Map`,
  );
}
