// Quotas: whose calls count together, what a refusal says, and what a reload keeps.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { ErrorInfo, QuotaFailure, RetryInfo } from "#generated/google/rpc/error_details.js";
import type { Call, Identity } from "#src/call/call.js";
import type { Interceptor, InterceptorContext } from "#src/call/interceptor.js";
import { Code, Status } from "#src/call/status/status.js";
import type { QuotaConfig } from "#src/interceptors/quota/kind.js";
import { parseQuotaKey } from "#src/interceptors/quota/kind.js";
import { type QuotaOptions, quota } from "#src/interceptors/quota/quota.js";
import { Headers } from "#src/kit/headers.js";
import type { Meters } from "#src/kit/meters.js";
import { Retained } from "#src/kit/retained.js";
import { FakeClock } from "../support/fake-clock.js";
import { callOf } from "../support/sinks.js";

type RuleInit = Partial<Omit<QuotaConfig, "key">> & { key?: string[] };

function rule({ key = [], ...rest }: RuleInit = {}): QuotaConfig {
  const parts = key.map((text) => {
    const result = parseQuotaKey(text);
    assert.ok(result.ok);
    return result.value;
  });
  return {
    name: "q",
    rate: { count: 1, perMs: 1000 },
    burst: 1,
    cost: 1,
    methods: [],
    shadow: false,
    headers: true,
    ...rest,
    key: parts,
  };
}

class Rig {
  readonly clock = new FakeClock(10_000);
  readonly retained = new Retained();
  readonly warnings: string[] = [];
  /** e.g. `q refused` to how often. */
  readonly counts: Record<string, number> = {};
  readonly meters: Meters = {
    counter: (_name, _help, labels = {}) => ({
      add: (by = 1) => {
        const key = Object.values(labels).join(" ");
        this.counts[key] = (this.counts[key] ?? 0) + by;
      },
    }),
  };
  readonly context: InterceptorContext;
  interceptor: Interceptor;

  constructor(rules: RuleInit[], forMethod: QuotaOptions["forMethod"] = () => undefined) {
    const log = { info: () => {}, warn: (text: string) => this.warnings.push(text), error: () => {} };
    this.context = { clock: this.clock, log, retained: this.retained, meters: this.meters };
    this.interceptor = this.load(rules, forMethod);
  }

  load(rules: RuleInit[], forMethod: QuotaOptions["forMethod"] = () => undefined): Interceptor {
    this.retained.begin();
    this.interceptor = quota({ rules: rules.map(rule), forMethod }, this.context);
    this.retained.commit();
    return this.interceptor;
  }

  start(call: Call): Status | undefined {
    const verdict = this.interceptor.plan(call.method)?.start?.(call);
    assert.ok(!(verdict instanceof Promise));
    return verdict;
  }

  admits(call: Call): boolean {
    return this.start(call) === undefined;
  }
}

interface Who {
  identity?: Identity;
  ip?: string;
  headers?: Headers;
  path?: string;
}

function callBy({ identity, ip = "10.0.0.1", headers, path }: Who = {}): Call {
  const call = callOf({
    peer: { address: `${ip}:1234`, protocol: "grpc" },
    ...(headers === undefined ? {} : { headers }),
    ...(path === undefined ? {} : { path }),
  });
  call.identity = identity;
  return call;
}

const key = (name: string): Identity => ({ name, kind: "api-key", roles: [] });
const jwt = (name: string): Identity => ({ name, kind: "jwt", roles: [] });

describe("calls count together", () => {
  const cases: [by: string[], one: Who, other: Who, together: boolean][] = [
    [[], { identity: key("a") }, { identity: key("b"), ip: "10.0.0.2" }, true],
    [["identity"], { identity: key("a") }, { identity: key("a"), ip: "10.0.0.2" }, true],
    [["identity"], { identity: key("a") }, { identity: key("b") }, false],
    [["identity"], { identity: key("a") }, { identity: jwt("a") }, false],
    [["identity"], {}, { ip: "10.0.0.1" }, true],
    [["identity"], {}, { ip: "10.0.0.2" }, false],
    [["identity"], { identity: jwt("10.0.0.1") }, {}, false],
    [["apiKey"], { identity: key("a") }, { identity: key("a"), ip: "10.0.0.2" }, true],
    [["apiKey"], { identity: jwt("a") }, { identity: jwt("b") }, true],
    [["ip"], { identity: key("a") }, { identity: key("b") }, true],
    [["ip"], {}, { ip: "10.0.0.2" }, false],
    [["method"], { path: "/a.B/C" }, { path: "/a.B/C", ip: "10.0.0.2" }, true],
    [["method"], { path: "/a.B/C" }, { path: "/a.B/D" }, false],
    [["header:x"], { headers: Headers.of(["x", "1"]) }, { headers: Headers.of(["x", "1"]) }, true],
    [["header:X"], { headers: Headers.of(["x", "1"]) }, { headers: Headers.of(["x", "2"]) }, false],
    [["header:x"], {}, { headers: Headers.of(["x", ""]) }, true],
    [
      ["header:x", "header:y"],
      { headers: Headers.of(["x", "1"], ["y", "23"]) },
      { headers: Headers.of(["x", "12"], ["y", "3"]) },
      false,
    ],
    [
      ["header:x", "header:y"],
      { headers: Headers.of(["x", "1:a1:b"], ["y", ""]) },
      { headers: Headers.of(["x", "a"], ["y", "b"]) },
      false,
    ],
    [
      ["header:x"],
      { headers: Headers.of(["x", "v".repeat(5000)]) },
      { headers: Headers.of(["x", `${"v".repeat(4999)}w`]) },
      false,
    ],
  ];
  for (const [by, one, other, together] of cases) {
    it(`by [${by}]: ${JSON.stringify(one).slice(0, 80)} and ${JSON.stringify(other).slice(0, 80)}: ${together}`, () => {
      const rig = new Rig([{ key: by }]);
      assert.ok(rig.admits(callBy(one)));
      assert.equal(rig.admits(callBy(other)), !together);
    });
  }

  it("never for two keys that differ, whatever is in them", () => {
    const value = fc.oneof(
      fc.string({ maxLength: 6 }),
      fc.stringMatching(/^[0-9:]{0,6}$/),
      fc.string({ minLength: 100, maxLength: 200 }),
    );
    const both = fc.tuple(value, value);
    fc.assert(
      fc.property(both, both, (a, b) => {
        const rig = new Rig([{ key: ["header:x", "header:y"] }]);
        const headers = ([x, y]: [string, string]): Headers => Headers.of(["x", x], ["y", y]);
        assert.ok(rig.admits(callBy({ headers: headers(a) })));
        const same = a[0] === b[0] && a[1] === b[1];
        assert.equal(rig.admits(callBy({ headers: headers(b) })), !same);
      }),
    );
  });
});

describe("a refusal", () => {
  it("has the quota, its owner, and when to retry, for people and programs", () => {
    const rig = new Rig([
      { name: "per-consumer", key: ["identity", "header:authorization"], rate: { count: 1, perMs: 2500 } },
    ]);
    const who = { identity: key("web"), headers: Headers.of(["authorization", "Bearer secret"]) };
    assert.ok(rig.admits(callBy(who)));
    const status = rig.start(callBy(who));
    assert.ok(status instanceof Status);
    assert.equal(status.code, Code.RESOURCE_EXHAUSTED);
    assert.equal(status.http, 429);
    assert.match(status.message, /quota "per-consumer" is used up .* try again in 3 s/);
    assert.equal(status.metadata?.get("retry-after"), "3");
    assert.equal(status.metadata?.get("ratelimit"), '"per-consumer";r=0;t=3');
    assert.equal(status.metadata?.get("ratelimit-policy"), '"per-consumer";q=1;w=3');
    const [info, failure, retry] = status.details;
    assert.ok(info && failure && retry);
    const { reason, domain, metadata } = ErrorInfo.decode(info.value);
    assert.deepEqual([reason, domain, metadata], ["QUOTA_EXCEEDED", "linchpin", { quota: "per-consumer" }]);
    assert.equal(
      QuotaFailure.decode(failure.value).violations[0]?.subject,
      "api-key:web, header:authorization",
    );
    assert.deepEqual(RetryInfo.decode(retry.value).retryDelay, { seconds: 2n, nanos: 500_000_000 });
    const whole = JSON.stringify([status.message, status.metadata, status.details.map((d) => d.value)]);
    assert.doesNotMatch(whole, /secret/);
  });

  it("has the rule with the longest wait", () => {
    const rig = new Rig([
      { name: "fast", rate: { count: 1, perMs: 1000 } },
      { name: "slow", rate: { count: 1, perMs: 60_000 } },
    ]);
    assert.ok(rig.admits(callBy()));
    assert.match(rig.start(callBy())?.message ?? "", /"slow"/);
  });

  it("takes nothing from any rule", () => {
    const rig = new Rig([
      { name: "wide", burst: 2, rate: { count: 1, perMs: 1e9 } },
      { name: "narrow", burst: 1, rate: { count: 1, perMs: 1000 } },
    ]);
    assert.ok(rig.admits(callBy()));
    for (let i = 0; i < 5; i++) assert.ok(!rig.admits(callBy()));
    rig.clock.advance(1000);
    assert.ok(rig.admits(callBy()));
    assert.deepEqual(rig.counts, { "wide admitted": 2, "narrow admitted": 2, "narrow refused": 5 });
  });

  it("is permanent if a call costs more than the bucket holds", () => {
    const rig = new Rig([{ burst: 3 }], () => ({ cost: 4 }));
    const status = rig.start(callBy());
    assert.match(status?.message ?? "", /takes 4 of quota "q" .* never/);
    assert.equal(status?.metadata, undefined);
  });
});

describe("an admitted call", () => {
  it("has the remaining quota of every rule that reports it", () => {
    const rig = new Rig([
      { name: "a", burst: 5, rate: { count: 1, perMs: 1000 } },
      { name: "b", burst: 10, rate: { count: 10, perMs: 1000 } },
      { name: "c", headers: false },
    ]);
    const call = callBy();
    assert.ok(rig.admits(call));
    assert.equal(call.responseHeaders?.get("ratelimit"), '"a";r=4;t=1, "b";r=9;t=1');
    assert.equal(call.responseHeaders?.get("ratelimit-policy"), '"a";q=5;w=5, "b";q=10;w=1');
  });

  it("has no field if no rule reports", () => {
    const call = callBy();
    assert.ok(new Rig([{ headers: false }]).admits(call));
    assert.equal(call.responseHeaders, undefined);
  });
});

describe("which calls count", () => {
  const planned = (rig: Rig, service: string, name = "M"): boolean =>
    rig.interceptor.plan({ ...callBy().method, service, name, path: `/${service}/${name}` }) !== undefined;

  it("all, but health checks and the hub's pages", () => {
    const rig = new Rig([{}]);
    assert.ok(planned(rig, "a.B"));
    assert.ok(planned(rig, "")); // services that nobody knows: scanning costs tokens too
    assert.ok(!planned(rig, "grpc.health.v1.Health"));
    assert.ok(!planned(rig, "linchpin.Pages"));
    for (const named of ["grpc.health.v1.Health", "linchpin.Pages"]) {
      assert.ok(planned(new Rig([{ methods: [named] }]), named));
    }
  });

  it("those of the rule's methods", () => {
    const rig = new Rig([{ methods: ["a.B", "a.C/D", "p.v1.*"] }]);
    assert.deepEqual(
      [planned(rig, "a.B", "X"), planned(rig, "a.C", "D"), planned(rig, "a.C", "E"), planned(rig, "a")],
      [true, true, false, false],
    );
    assert.deepEqual(
      [planned(rig, "p.v1.B"), planned(rig, "p.v1.q.B"), planned(rig, "p.v11.B")],
      [true, true, false],
    );
  });

  it("not those of a method with quota: none; and one of cost 2 takes two", () => {
    const rig = new Rig([{ burst: 3 }], ({ name }) =>
      name === "Free" ? "none" : name === "Dear" ? { cost: 2 } : undefined,
    );
    assert.ok(!planned(rig, "a.B", "Free"));
    assert.ok(rig.admits(callBy({ path: "/a.B/Dear" })));
    assert.ok(!rig.admits(callBy({ path: "/a.B/Dear" })));
    assert.ok(rig.admits(callBy({ path: "/a.B/Cheap" })));
  });

  it("none costs nothing: a method without rules has no step", () => {
    assert.ok(!planned(new Rig([]), "a.B"));
  });
});

describe("a shadow rule", () => {
  it("rejects nothing, counts, and logs at most once a minute", () => {
    const rig = new Rig([{ name: "trial", shadow: true, rate: { count: 1, perMs: 1e9 } }]);
    for (let i = 0; i < 10; i++) assert.ok(rig.admits(callBy()));
    assert.equal(rig.warnings.length, 1);
    rig.clock.advance(60_000);
    assert.ok(rig.admits(callBy()));
    assert.deepEqual(rig.warnings.length, 2);
    assert.match(rig.warnings[1] ?? "", /"trial" \(shadow\) would have refused 9 calls/);
    assert.deepEqual(rig.counts, { "trial admitted": 1, "trial would_be_refused": 10 });
  });

  it("is not reported in header fields", () => {
    const call = callBy();
    assert.ok(new Rig([{ shadow: true }]).admits(call));
    assert.equal(call.responseHeaders, undefined);
  });
});

describe("a reload", () => {
  const slow = { rate: { count: 1, perMs: 1e9 } };
  it("keeps the buckets of a rule that counts the same way, and forgets those of one that changed", () => {
    const rig = new Rig([{ name: "a", ...slow }]);
    assert.ok(rig.admits(callBy()));
    rig.load([{ name: "a", ...slow, headers: false }, { name: "b" }]);
    assert.ok(!rig.admits(callBy()));
    rig.load([{ name: "a", ...slow, burst: 2 }]);
    assert.ok(rig.admits(callBy()));
  });
});
