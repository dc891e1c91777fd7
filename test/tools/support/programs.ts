// Foreign programs as the tests use them: found in .tools or on the PATH, started, and ended by pid.
import { type ChildProcess, spawn } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";

export const ROOT = fileURLToPath(new URL("../../../../", import.meta.url));

const FOLDERS = [
  join(ROOT, ".tools/bin"),
  join(ROOT, ".tools/venv/bin"),
  ...(process.env.PATH ?? "").split(delimiter),
];
const START_TIMEOUT_MS = 20_000;
const RUN_TIMEOUT_MS = 120_000;
/** A program that does not end by SIGTERM gets SIGKILL after so long. */
const STOP_TIMEOUT_MS = 5_000;

/** The full path of a program; throws with what to do when it is missing, so that its tests fail and are not skipped. */
export function program(name: string): string {
  for (const folder of FOLDERS) {
    const path = join(folder, name);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // Not there: the next folder.
    }
  }
  throw new Error(`${name} is not installed: run make tools`);
}

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end, whatever its exit code. */
export function run(command: string, args: readonly string[], input = ""): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ["pipe", "pipe", "pipe"], timeout: RUN_TIMEOUT_MS });
    const stdout: Buffer[] = [];
    const stderr: Buffer[] = [];
    child.stdout.on("data", (chunk: Buffer) => stdout.push(chunk));
    child.stderr.on("data", (chunk: Buffer) => stderr.push(chunk));
    child.on("error", reject);
    child.stdin.on("error", () => {}); // It may end before it has read all.
    child.stdin.end(input);
    child.on("close", (code) => resolve({ code, stdout: text(stdout), stderr: text(stderr) }));
  });
}

function text(chunks: readonly Buffer[]): string {
  return Buffer.concat(chunks).toString("utf8");
}

/** A server in its own process. */
export interface Server {
  /** HOST:PORT */
  readonly address: string;
  readonly pid: number;
  /** All that it printed so far. */
  output(): string;
  stop(): Promise<void>;
}

/** Starts a server; resolves once it has printed `listening on [http://]HOST:PORT`. `env` is added to ours. */
export function startServer(
  command: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Server> {
  const child = spawn(command, args, {
    cwd: ROOT,
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let printed = "";
  return new Promise((resolve, reject) => {
    const fail = (why: string): void => {
      clearTimeout(timer);
      child.kill("SIGKILL");
      reject(new Error(`${command} ${args.join(" ")} ${why}:\n${printed}`));
    };
    const timer = setTimeout(() => fail("did not say where it listens"), START_TIMEOUT_MS);
    const read = (chunk: Buffer): void => {
      printed += chunk.toString("utf8");
      const [, host, port] = /listening on (?:http:\/\/)?([\w.-]+|\[::\]):(\d+)/.exec(printed) ?? [];
      if (host === undefined) return;
      const address = `${host === "[::]" ? "127.0.0.1" : host}:${port}`; // which listens on every address
      clearTimeout(timer);
      resolve({ address, pid: child.pid ?? -1, output: () => printed, stop: () => stop(child) });
    };
    child.stdout.on("data", read);
    child.stderr.on("data", read);
    child.on("error", (error) => fail(error.message));
    child.on("exit", (code) => fail(`ended with ${code}`));
  });
}

function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => {
    const timer = setTimeout(() => child.kill("SIGKILL"), STOP_TIMEOUT_MS);
    child.once("close", () => {
      clearTimeout(timer);
      resolve();
    });
    child.kill("SIGTERM");
  });
}
