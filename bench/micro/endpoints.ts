// What an upstream of many endpoints costs: `node build/bench/micro/endpoints.js [COUNT]`, 10,000 by default. Each endpoint is
// an address of 127.0.0.0/8, connected to, at one server in a process of its own. Needs as many open files (ulimit -n).
import { fork } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http2";
import { connect } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { Cluster } from "#src/upstream/cluster.js";

const MIB = 1024 * 1024;
const count = Number(process.argv[2] ?? 10_000);

async function serve(): Promise<void> {
  const server = createServer();
  server.listen(0, "0.0.0.0", 4096);
  await once(server, "listening");
  const address = server.address();
  process.send?.(address !== null && typeof address === "object" ? address.port : 0);
}

async function measure(): Promise<void> {
  const child = fork(fileURLToPath(import.meta.url), ["serve"]);
  const [port] = (await once(child, "message")) as [number];
  setFlagsFromString("--expose-gc");
  const gc: () => void = runInNewContext("gc");
  const addresses = Array.from({ length: count }, (_, i) => `127.1.${i >> 8}.${i & 255}`);
  const targets = addresses.map((host) => ({
    address: `${host}:${port}`,
    dial: () => connect({ host, port, noDelay: true }),
  }));
  const cluster = new Cluster({ name: "many" });
  gc();
  const before = process.memoryUsage();
  const cpu = process.cpuUsage();
  const start = performance.now();
  cluster.setEndpoints(targets);
  const blocked = performance.now() - start;
  const ready = (): number => cluster.endpoints.filter(({ state }) => state === "ready").length;
  while (ready() < count) await pause(100);
  const used = process.cpuUsage(cpu).user / 1000;
  gc();
  const after = process.memoryUsage();
  console.log(`${count} endpoints, connected: ${((after.rss - before.rss) / MIB).toFixed(0)} MiB resident`);
  console.log(`  of it heap ${((after.heapUsed - before.heapUsed) / MIB).toFixed(0)} MiB`);
  console.log(`  CPU ${used.toFixed(0)} ms; the first turn ${blocked.toFixed(0)} ms by the clock`);
  cluster.close();
  child.kill();
}

await (process.argv[2] === "serve" ? serve() : measure());
