// From the start of the process to the first answered call, with telemetry on: milliseconds, the median of ten starts.
// Run: node build/bench/startup.js [--cpu-prof]
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { startLibrary } from "#src/samples/library/server.js";

const STARTS = 10;
const LIMIT_MS = 500;
const MAIN = fileURLToPath(new URL("../../dist/main.js", import.meta.url));

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  return typeof address === "object" && address !== null ? address.port : 0;
}

/** The answer to one request, or undefined where nobody listens. */
function ask(port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    let text = "";
    socket.setEncoding("latin1");
    socket.on("connect", () =>
      socket.write("GET /v1/books?page_size=1 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"),
    );
    socket.on("data", (chunk: string) => {
      text += chunk;
    });
    socket.on("error", () => resolve(undefined));
    socket.on("close", () => resolve(text === "" ? undefined : text));
  });
}

/** CPU that a process has used so far, milliseconds: on a busy machine it says more than the clock. Linux only. */
function cpuOf(pid: number): number {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8")
      .replace(/^.*\) /, "")
      .split(" ");
    return (Number(fields[11]) + Number(fields[12])) * 10;
  } catch {
    return Number.NaN;
  }
}

const folder = mkdtempSync(join(tmpdir(), "linchpin-startup-"));
const library = await startLibrary({});
const times: number[] = [];
const cpu: number[] = [];
try {
  for (let i = 0; i < STARTS; i++) {
    const port = await freePort();
    const config = join(folder, "linchpin.yaml");
    writeFileSync(
      config,
      `listen: 127.0.0.1:${port}
admin: 127.0.0.1:0
upstreams: { library: { endpoints: ["${library.address}"] } }
interceptors:
  tracing: { exporter: otlp, sample: 1 }
  metrics: { exporter: otlp }
  accessLog: { destination: ${join(folder, "access.log")} }
`,
    );
    const began = performance.now();
    const profile = process.argv.includes("--cpu-prof") ? ["--cpu-prof", `--cpu-prof-dir=${folder}`] : [];
    const hub = spawn(process.execPath, [...profile, MAIN, "serve", "--config", config], { stdio: "ignore" });
    let answer: string | undefined;
    while (answer === undefined) {
      answer = await ask(port);
      if (answer === undefined) await new Promise((resolve) => setTimeout(resolve, 2));
      if (hub.exitCode !== null) throw new Error("the hub ended");
    }
    times.push(performance.now() - began);
    cpu.push(cpuOf(hub.pid ?? 0));
    if (!answer.startsWith("HTTP/1.1 200")) throw new Error(`the hub answered ${answer.slice(0, 300)}`);
    const ended = once(hub, "exit");
    hub.kill("SIGTERM");
    await ended;
  }
} finally {
  await library.close(0);
  if (process.argv.includes("--cpu-prof")) console.log(`profiles in ${folder}`);
  else rmSync(folder, { recursive: true });
}
console.log(times.map((ms) => ms.toFixed(0)).join(" "));
times.sort((a, b) => a - b);
const median = ((times[STARTS / 2 - 1] ?? 0) + (times[STARTS / 2] ?? 0)) / 2;
cpu.sort((a, b) => a - b);
console.log(`CPU until then, median: ${cpu[STARTS / 2]} ms, of all threads`);
console.log(`median ${median.toFixed(0)} ms, limit ${LIMIT_MS} ms`);
if (median > LIMIT_MS) process.exitCode = 1;
