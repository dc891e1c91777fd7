// What metrics and tracing add to a call: nanoseconds. Run: node build/bench/micro/metrics.js
import type { Attempt } from "#src/call/attempt.js";
import { Call, type Method } from "#src/call/call.js";
import type { Interceptor, Outcome } from "#src/call/interceptor.js";
import { metrics } from "#src/interceptors/metrics/metrics.js";
import { tracing } from "#src/interceptors/tracing/tracing.js";
import { systemClock } from "#src/kit/clock.js";
import { field, Headers } from "#src/kit/headers.js";
import { LOOPBACK } from "#src/kit/net/ip.js";
import { CallMetrics } from "#src/telemetry/metrics/call-metrics.js";
import { prometheusText } from "#src/telemetry/metrics/prometheus.js";

const ROUNDS = 9;
const CALLS = 200_000;
const METHODS = 20;

const methods = Array.from(
  { length: METHODS },
  (_, i): Method => ({
    service: "bench.v1.EchoService",
    name: `Echo${i}`,
    path: `/bench.v1.EchoService/Echo${i}`,
    kind: "unary",
    idempotent: false,
    descriptor: undefined,
  }),
);
const peer = { address: "127.0.0.1:5", protocol: "grpc" } as const;
const FIELDS = [
  ["content-type", "application/grpc"],
  ["user-agent", "grpc-go/1.64.0"],
  ["te", "trailers"],
  ["grpc-accept-encoding", "gzip"],
].map(([name = "", value = ""]) => field(name, value));
const TRACED = [...FIELDS, field("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00")];
const OK: Outcome = {
  code: 0,
  by: "upstream",
  trailers: undefined,
  cause: undefined,
  durationMs: 0.7,
  requestBytes: 50,
  responseBytes: 50,
};
const DURATIONS = [0.3, 0.7, 1.2, 4, 30, 200];

function attemptOf(call: Call): Attempt {
  const { headers } = call;
  return {
    call,
    kind: "first",
    number: 1,
    upstream: "echo",
    endpoint: { address: "127.0.0.1:50051" },
    startedAt: 1000.1,
    headers,
    setHeader: (name, value) => headers.set(name, value),
  };
}

function measure(name: string, interceptor: Interceptor | undefined, fields = FIELDS): number {
  const steps = methods.map((method) => interceptor?.plan(method));
  const observers = steps.map((step) => step?.attempts);
  const ended = {
    code: 0,
    by: "upstream",
    sent: "maybe",
    headersMs: undefined,
    durationMs: 0.6,
    trailers: undefined,
  } as const;
  const rounds: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const calls = Array.from({ length: CALLS }, (_, i) => {
      const method = methods[i % METHODS] as Method;
      const call = new Call(method, method.path, "h", peer, new Headers(fields), 1000);
      return call;
    });
    const attempts = calls.map(attemptOf);
    const outcomes = DURATIONS.map((durationMs): Outcome => ({ ...OK, durationMs }));
    const began = process.hrtime.bigint();
    for (let i = 0; i < CALLS; i++) {
      const call = calls[i] as Call;
      const step = steps[i % METHODS];
      step?.start?.(call);
      const attempt = attempts[i] as Attempt;
      const observer = observers[i % METHODS];
      observer?.begin?.(attempt);
      observer?.end?.(attempt, ended);
      step?.end?.(call, outcomes[i % DURATIONS.length] as Outcome);
    }
    rounds.push(Number(process.hrtime.bigint() - began) / CALLS);
  }
  rounds.sort((a, b) => a - b);
  const median = rounds[ROUNDS >> 1] ?? 0;
  console.log(`${name.padEnd(56)} ${median.toFixed(1).padStart(8)} ns`);
  return median;
}

const calls = new CallMetrics();
const clock = systemClock;
const base = measure("the loop alone", undefined);
const red = measure("metrics: a call and its attempt", metrics(calls));
const none = { ratio: 0.01, trustedPeers: LOOPBACK, clock, spans: { take() {} } };
const untraced = measure("tracing: no header, 1 % sampled", tracing(none));
const passed = measure("tracing: an unsampled header passed on", tracing(none), TRACED);
const all = measure("tracing: sampled, the SDK not counted", tracing({ ...none, ratio: 1 }));
console.log("");
for (const [name, value] of Object.entries({ metrics: red, untraced, passed, sampled: all })) {
  console.log(`${name.padEnd(20)} adds ${(value - base).toFixed(1).padStart(8)} ns`);
}
const began = performance.now();
const text = prometheusText(calls.families());
console.log(
  `\na scrape of ${METHODS} methods: ${(performance.now() - began).toFixed(1)} ms, ${text.length} bytes`,
);
