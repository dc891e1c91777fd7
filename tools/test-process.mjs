// Runs files of tests in one process of their own, and says of each whether it passed.
// Not by node:test's run(): that lets a file which hangs hang the whole run on Node 24, and tells files that share a
// process apart on none.
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

const here = (name) => fileURLToPath(new URL(name, import.meta.url));
/** How long a process has after SIGTERM, which is what its programs end on. */
const KILL_AFTER_MS = 5000;

/**
 * Resolves with what was printed, the wall time and the processor time of the process with its programs, and a result for
 * each file: `{ path, passed, why, tests, suites, pass, fail, skipped, todo, left, failures }`.
 */
export async function runProcess(paths, { timeoutMs, signal }) {
  const started = performance.now();
  const args = [
    `--test-reporter=${here("test-reporter.mjs")}`,
    "--test-reporter-destination=stdout",
    ...(paths.length === 1 ? paths : [here("test-several.mjs"), ...paths]),
  ];
  // A group of its own: what it started ends with it.
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe", "pipe"], detached: true });
  const printed = [];
  const lines = [];
  child.stdout.on("data", (chunk) => printed.push(chunk));
  child.stderr.on("data", (chunk) => printed.push(chunk));
  child.stdio[3].on("data", (chunk) => lines.push(chunk));

  const closed = new Promise((resolve) => child.once("close", resolve));

  let late = false;
  const timer = setTimeout(() => {
    late = true;
    end("SIGTERM");
  }, timeoutMs);
  const end = (name) => {
    killGroup(child.pid, name);
    setTimeout(() => killGroup(child.pid, "SIGKILL"), KILL_AFTER_MS).unref();
  };
  const stop = () => end("SIGTERM");
  if (signal.aborted) stop();
  signal.addEventListener("abort", stop, { once: true });

  const [code, killedBy] = await new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (...how) => resolve(how));
  });
  clearTimeout(timer);
  signal.removeEventListener("abort", stop);
  // A program that outlives its test would hold the pipes open, and load the machine.
  killGroup(child.pid, "SIGKILL");
  await closed;

  const told = Buffer.concat(lines)
    .toString()
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line));
  const usage = told.find((line) => line.cpuMs !== undefined);
  const reports = told.filter((line) => line.tests !== undefined);
  const how = late
    ? `it was stopped after ${timeoutMs / 1000} s`
    : killedBy !== null
      ? `its process ended by ${killedBy}`
      : `its process ended with code ${code}`;
  const files = paths.map((path) => {
    const report = paths.length === 1 ? reports[0] : reports.find((one) => one.path === path);
    return resultOf(path, report, code === 0 ? "it ran no test" : how);
  });
  // A process that fails although each of its files passed: which of them it was cannot be known.
  if (code !== 0 && files.every((file) => file.passed)) {
    for (const file of files) fail(file, `${how}, although its tests passed`);
  }
  return {
    output: Buffer.concat(printed).toString(),
    wallMs: performance.now() - started,
    cpuMs: usage?.cpuMs,
    files,
  };
}

const NOTHING = { tests: 0, suites: 0, pass: 0, fail: 0, skipped: 0, todo: 0, left: [], failures: "" };

function resultOf(path, report, whyNot) {
  const file = { ...(report ?? NOTHING), path, passed: true, why: "" };
  if (file.tests === 0) fail(file, whyNot);
  else if (file.fail > 0) fail(file, `${file.fail} of ${file.tests} failed`);
  else if (file.failedSuites > 0) fail(file, "what surrounds its tests failed");
  return file;
}

/** Counts as a failed test, as with Node's runner, when no test of the file says what failed. */
function fail(file, why) {
  if (file.fail === 0) {
    file.tests += 1;
    file.fail += 1;
  }
  Object.assign(file, { passed: false, why });
}

function killGroup(pid, signal) {
  try {
    process.kill(-pid, signal);
  } catch {
    // All of it ended before.
  }
}
