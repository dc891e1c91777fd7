// What a line of the access log costs the caller's thread: microseconds. Run: node build/bench/micro/access-log.js
import { Call, type Method } from "#src/call/call.js";
import type { Outcome } from "#src/call/interceptor.js";
import { accessLog } from "#src/interceptors/access-log/access-log.js";
import { field, Headers } from "#src/kit/headers.js";
import { AccessLogDestination } from "#src/telemetry/log/access-log.js";

const CALLS = 20_000;
const ROUNDS = 9;

const method: Method = {
  service: "bench.v1.EchoService",
  name: "Echo",
  path: "/bench.v1.EchoService/Echo",
  kind: "unary",
  idempotent: false,
  descriptor: undefined,
};
const headers = new Headers([
  field("content-type", "application/grpc"),
  field("user-agent", "grpc-go/1.64.0"),
]);
const call = new Call(method, method.path, "h", { address: "127.0.0.1:5", protocol: "grpc" }, headers, 1000);
call.attempts = 1;
call.attempt = {
  call,
  kind: "first",
  number: 1,
  upstream: "echo",
  endpoint: { address: "127.0.0.1:50051" },
  startedAt: 1000.1,
  headers,
  setHeader() {},
};
const outcome: Outcome = {
  code: 0,
  by: "upstream",
  trailers: undefined,
  cause: undefined,
  durationMs: 0.723,
  requestBytes: 50,
  responseBytes: 50,
};

let lost = 0;
const destination = new AccessLogDestination("/dev/null", {
  closing: () => {},
  dropped: { add: () => lost++ },
});
const write = destination.write.bind(destination);

for (const sample of [1, 0.01]) {
  const step = accessLog({ sample, write }).plan(method);
  const rounds: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const began = process.cpuUsage();
    for (let i = 0; i < CALLS; i++) {
      step?.end?.(call, outcome);
      if (i % 100 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    const { user, system } = process.cpuUsage(began);
    rounds.push((user + system) / CALLS);
  }
  rounds.sort((a, b) => a - b);
  console.log(
    `sample ${sample}: ${(rounds[ROUNDS >> 1] ?? 0).toFixed(2)} µs of CPU per call, the write included`,
  );
}
console.log(`lines lost: ${lost}`);
destination.close();
