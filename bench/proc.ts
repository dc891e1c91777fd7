// Processes of the benchmark: started pinned to a core, their CPU time read from /proc, all ended by pid.
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import {
  accessSync,
  constants,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";

export const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** A folder for this run's files, gone at its end. */
export const SCRATCH = mkdtempSync(join(tmpdir(), "linchpin-bench-"));

/** Bytes of a process's output that are kept: its last words say why it died. */
const OUTPUT_KEPT = 16 * 1024;
const START_TIMEOUT_MS = 15_000;
const STOP_TIMEOUT_MS = 3_000;
const TICKS_PER_SECOND = Number(execFileSync("getconf", ["CLK_TCK"], { encoding: "utf8" }));

/** Where `make tools` puts programs, then the PATH, then where Debian keeps daemons. */
const PROGRAM_FOLDERS = [
  join(ROOT, ".tools/bin"),
  join(ROOT, ".tools/venv/bin"),
  ...(process.env.PATH ?? "").split(delimiter),
  "/usr/sbin",
];

/** The full path of a program, or undefined when it is not installed. */
export function findProgram(name: string): string | undefined {
  for (const folder of PROGRAM_FOLDERS) {
    const path = join(folder, name);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // Not there: the next folder.
    }
  }
  return undefined;
}

/** A process that runs until it is stopped. */
export class Proc {
  readonly name: string;
  readonly pid: number;
  readonly #child: ChildProcess;
  #output = "";
  #exited = false;

  constructor(name: string, child: ChildProcess) {
    this.name = name;
    this.#child = child;
    this.pid = child.pid ?? -1;
    running.add(this);
    const keep = (chunk: Buffer): void => {
      this.#output = (this.#output + chunk.toString("latin1")).slice(-OUTPUT_KEPT);
    };
    child.stdout?.on("data", keep);
    child.stderr?.on("data", keep);
    child.on("error", (error) => keep(Buffer.from(error.message)));
    child.on("close", () => {
      this.#exited = true;
      running.delete(this);
    });
  }

  get exited(): boolean {
    return this.#exited;
  }

  /** The last line it printed that speaks of an error, else its last line. */
  get lastWords(): string {
    const lines = this.#output.trim().split("\n");
    return (lines.findLast((line) => /error|cannot|fail/i.test(line)) ?? lines.at(-1) ?? "").trim();
  }

  /** What it has printed of late that matches a global pattern. */
  printed(pattern: RegExp): RegExpExecArray[] {
    return [...this.#output.matchAll(pattern)];
  }

  /** CPU seconds used so far, user and system, by it and all that descends from it. */
  cpuSeconds(): number {
    let ticks = 0;
    for (const { stat } of this.#family()) ticks += stat.ticks;
    return ticks / TICKS_PER_SECOND;
  }

  /** Peak of its resident memory since the last call, and of all that descends from it; MiB. */
  peakMiB(): number {
    let kib = 0;
    for (const { pid } of this.#family()) {
      kib += Number(/^VmHWM:\s+(\d+) kB$/m.exec(readText(`/proc/${pid}/status`) ?? "")?.[1] ?? 0);
      try {
        writeFileSync(`/proc/${pid}/clear_refs`, "5"); // proc_pid_clear_refs(5): the peak begins anew
      } catch {
        // It has ended since.
      }
    }
    return kib / 1024;
  }

  #family(): { readonly pid: number; readonly stat: Stat }[] {
    const stats = new Map<number, Stat>();
    for (const entry of readdirSync("/proc")) {
      const stat = /^\d+$/.test(entry) ? readStat(Number(entry)) : undefined;
      if (stat !== undefined) stats.set(Number(entry), stat);
    }
    const descends = (pid: number): boolean => {
      for (let at = pid; at > 1; at = stats.get(at)?.parent ?? 0) if (at === this.pid) return true;
      return false;
    };
    return [...stats].filter(([pid]) => descends(pid)).map(([pid, stat]) => ({ pid, stat }));
  }

  /** Resolves when the port takes connections; rejects with its last words when it exits or takes too long. */
  async listening(port: number): Promise<void> {
    const until = Date.now() + START_TIMEOUT_MS;
    while (!(await accepts(port))) {
      if (this.#exited) throw new Error(this.lastWords || "it exited");
      if (Date.now() > until) throw new Error(`it does not listen after ${START_TIMEOUT_MS / 1000} s`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  async stop(): Promise<void> {
    if (this.#exited) return;
    const closed = new Promise((resolve) => this.#child.once("close", resolve));
    this.#child.kill("SIGTERM");
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), STOP_TIMEOUT_MS);
    await closed;
    clearTimeout(timer);
  }

  kill(): void {
    this.#child.kill("SIGKILL");
  }
}

const running = new Set<Proc>();
let interrupted = false;

/** Starts a program on one core. taskset replaces itself with the program, so the pid is the program's own. */
export function start(
  name: string,
  core: number,
  command: string,
  args: readonly string[],
  cwd = ROOT,
): Proc {
  const child = spawn("taskset", ["-c", String(core), command, ...args], {
    cwd,
    stdio: ["ignore", "pipe", "pipe"],
    // nghttpx and others are kept from what the user's shell sets for them.
    env: { PATH: process.env.PATH ?? "", HOME: process.env.HOME ?? "/" },
  });
  return new Proc(name, child);
}

/** Runs a program on one core to its end; resolves with what it printed on stdout. */
export function run(
  core: number,
  command: string,
  args: readonly string[],
  timeoutMs: number,
): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn("taskset", ["-c", String(core), command, ...args], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    const proc = new Proc(command, child);
    const output: Buffer[] = [];
    child.stdout.on("data", (chunk: Buffer) => output.push(chunk));
    const timer = setTimeout(() => proc.kill(), timeoutMs);
    child.on("close", (code) => {
      clearTimeout(timer);
      if (interrupted) return; // Nothing goes on from here: the process is about to end.
      if (code === 0) resolve(Buffer.concat(output).toString("utf8"));
      else reject(new Error(`${command} ended with ${code ?? "a kill"}: ${proc.lastWords}`));
    });
  });
}

export async function stopAll(): Promise<void> {
  await Promise.all([...running].map((proc) => proc.stop()));
}

/** What was started is ended with this process, whatever ends it; the scratch folder goes too. */
export function stopAtExit(): void {
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
    process.once(signal, () => {
      interrupted = true;
      void stopAll().then(() => process.exit(130));
    });
  process.on("exit", () => {
    for (const proc of running) proc.kill();
    rmSync(SCRATCH, { recursive: true, force: true });
  });
}

/** A port of the loopback that was free a moment ago. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0));
    });
  });
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    const answer = (yes: boolean) => () => {
      socket.destroy();
      resolve(yes);
    };
    socket.on("connect", answer(true));
    socket.on("error", answer(false));
  });
}

interface Stat {
  readonly parent: number;
  /** utime + stime, and those of its children that have ended. */
  readonly ticks: number;
}

function readStat(pid: number): Stat | undefined {
  const text = readText(`/proc/${pid}/stat`);
  if (text === undefined) return undefined;
  // proc_pid_stat(5): after the name in parentheses, which may hold anything, comes field 3.
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const number = (field: number): number => Number(fields[field - 3] ?? 0);
  return { parent: number(4), ticks: number(14) + number(15) + number(16) + number(17) };
}

function readText(file: string): string | undefined {
  try {
    return readFileSync(file, "latin1");
  } catch {
    return undefined; // The process has ended since.
  }
}
