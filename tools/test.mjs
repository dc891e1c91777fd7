// Runs the compiled tests, the same way on Node 20, 22 and 24.
//   node tools/test.mjs [--long | --all | --nightly] [--node-only] [--retry-unsteady] [--passed FILE] [PART-OF-A-PATH …]
// Tests under test/tools/ need foreign programs (`make tools`) and run with --all, or when named; long ones with --all or
// --long. With --nightly the longest run, too; with --node-only what depends on the version of Node (test-plan.mjs has
// the lists).
// With --retry-unsteady, for CI, a file that fails runs once more, alone, after the others; when it passes then, the run
// goes on, and the last lines name it. With --passed, for CI too, FILE keeps what passed; a file that did, on the same
// Node and with the same FUZZ_… in the environment, is not run again: whoever asks for it begins without FILE.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { planTests } from "./test-plan.mjs";
import { runProcess } from "./test-process.mjs";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
/** Processes at once: one more than there are cores, since many wait for programs, or for time to pass. */
const CONCURRENCY = Math.max(2, availableParallelism() + 1);
const SLOWEST = 10;
/** Of the user's environment, what would have a say: gRPC's clients ask proxies for addresses of this machine, too. */
const NOT_OURS = /^(?:https?_proxy|grpc_proxy|all_proxy|otel_.*|linchpin_.*|force_color|node_test_context)$/i;

const { values: options, positionals: parts } = parseArgs({
  allowPositionals: true,
  options: {
    all: { type: "boolean", default: false },
    long: { type: "boolean", default: false },
    nightly: { type: "boolean", default: false },
    "node-only": { type: "boolean", default: false },
    passed: { type: "string" },
    "retry-unsteady": { type: "boolean", default: false },
    // For the test of this tool: where the tests lie, and after how many seconds a process that hangs fails.
    from: { type: "string", default: join(ROOT, "build/test") },
    timeout: { type: "string", default: "600" },
  },
});
const folder = resolve(options.from);
const { all, long, nightly } = options;
const planned = planTests(folder, { all, long, nightly, nodeOnly: options["node-only"], parts });
if (planned.length === 0) {
  console.error(`No test matches ${parts.join(" ") || `${folder}/**/*.test.js`}: compile first (make test).`);
  process.exit(1);
}

const passed = new Set(
  options.passed !== undefined && existsSync(options.passed)
    ? JSON.parse(readFileSync(options.passed, "utf8"))
    : [],
);
/** What a file's result stands for: the version of Node, and how long a fuzzer runs. */
const runOf = (path) => {
  const fuzzes = readFileSync(path, "utf8").includes("process.env.FUZZ_");
  const { FUZZ_INPUTS, FUZZ_RUNS, FUZZ_SEED } = fuzzes ? process.env : {};
  return JSON.stringify([path, process.version, FUZZ_INPUTS, FUZZ_RUNS, FUZZ_SEED]);
};
const plan = planned
  .map((paths) => paths.filter((path) => !passed.has(runOf(path))))
  .filter(({ length }) => length > 0);

// The files' processes get our folder and environment.
process.chdir(ROOT);
for (const name of Object.keys(process.env)) if (NOT_OURS.test(name)) delete process.env[name];
// Every test file, and every program that it starts, compiles the same modules: from Node 22 on they are kept.
process.env.NODE_COMPILE_CACHE ??= join(ROOT, "build/compile-cache");

// The processes and what they start end with us.
const stop = new AbortController();
for (const signal of ["SIGTERM", "SIGINT"]) process.once(signal, () => stop.abort());

const started = performance.now();
const results = new Map();
const usage = [];
const failures = [];
const unsteady = [];

await runAll(plan, CONCURRENCY);
const failed = () => [...results.values()].filter((file) => !file.passed);
if (options["retry-unsteady"] && failed().length > 0 && !stop.signal.aborted) {
  const again = failed().map((file) => file.path);
  console.log(`\nOnce more, each alone, since they failed:\n${list(again)}`);
  await runAll(
    again.map((path) => [path]),
    1,
  );
  unsteady.push(...again.filter((path) => results.get(path).passed));
}
printEnd();
if (options.passed !== undefined) {
  for (const file of results.values())
    if (file.passed && file.left.length === 0) passed.add(runOf(file.path));
  writeFileSync(options.passed, JSON.stringify([...passed]));
}

async function runAll(processes, concurrency) {
  const waiting = processes.values();
  const worker = async () => {
    for (const paths of waiting) {
      if (stop.signal.aborted) return;
      const done = await runProcess(paths, {
        timeoutMs: Number(options.timeout) * 1000,
        signal: stop.signal,
      });
      process.stdout.write(`\n${list(paths)}\n${done.output}`);
      usage.push({ paths, ...done });
      for (const file of done.files) {
        results.set(file.path, file);
        if (!file.passed) {
          console.log(`✖ ${short(file.path)}: ${file.why}`);
          failures.push({ ...file, output: file.failures || done.output });
        }
      }
    }
  };
  await Promise.all(Array.from({ length: concurrency }, worker));
}

function printEnd() {
  console.log("\nThe slowest, by processor time with that of their programs (and by the clock), in seconds:");
  const slowest = usage.sort((a, b) => (b.cpuMs ?? b.wallMs) - (a.cpuMs ?? a.wallMs)).slice(0, SLOWEST);
  for (const { paths, cpuMs, wallMs } of slowest) {
    const cpu = cpuMs === undefined ? "?" : (cpuMs / 1000).toFixed(1);
    const name = paths.length === 1 ? short(paths[0]) : `${short(paths[0])} and ${paths.length - 1} more`;
    console.log(`  ${cpu.padStart(6)} ${`(${(wallMs / 1000).toFixed(1)})`.padStart(8)}  ${name}`);
  }
  for (const { path, why, output } of failures) {
    console.log(`\nFailed: ${short(path)}: ${why}\n${output.trimEnd()}`);
  }

  const files = [...results.values()];
  const sum = (key) => files.reduce((total, file) => total + file[key], 0);
  const cpuMs = usage.reduce((total, { cpuMs }) => total + (cpuMs ?? 0), 0);
  const left = files.flatMap((file) => file.left.map((name) => `${file.path}: ${name}`));
  const bad = failed().map((file) => `${file.path}: ${file.why}`);
  console.log("");
  for (const key of ["tests", "suites", "pass", "fail", "skipped", "todo"]) {
    console.log(`ℹ ${key} ${sum(key)}`);
  }
  console.log(`ℹ files ${files.length}, in ${usage.length} processes, ${bad.length} failed`);
  console.log(`ℹ duration_ms ${Math.round(performance.now() - started)}, of processors ${Math.round(cpuMs)}`);
  const before = planned.flat().length - plan.flat().length;
  if (before > 0) console.log(`ℹ files that passed before, and were not run again ${before}`);
  if (unsteady.length > 0)
    console.log(`\nUnsteady: failed, and passed when run once more, alone:\n${list(unsteady)}`);
  // What is not run proves nothing.
  if (left.length > 0) console.log(`\nSkipped or todo, which fails the run:\n${list(left)}`);
  if (bad.length > 0) console.log(`\nFailed:\n${list(bad)}`);
  if (stop.signal.aborted) console.log("\nStopped before its end.");
  process.exitCode = bad.length > 0 || left.length > 0 || stop.signal.aborted ? 1 : 0;
}

function short(path) {
  return relative(ROOT, path).startsWith("..") ? path : relative(ROOT, path);
}

function list(lines) {
  return lines.map((line) => `  ${line.replace(ROOT, "")}`).join("\n");
}
