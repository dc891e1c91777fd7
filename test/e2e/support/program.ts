// A program of the project in a process of its own: what it prints, line by line, and how it ends.
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { fileURLToPath } from "node:url";

export const ROOT = fileURLToPath(new URL("../../../..", import.meta.url));

/** The hub's executable, as a user starts it. */
export const LINCHPIN = `${ROOT}dist/main.js`;

/** Whoever ends what was started: a test's context, or `{ after }` of node:test for a whole file. */
export interface Scope {
  after(ending: () => Promise<void>): void;
}

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** Nothing here takes longer, on a slow machine either. */
const PATIENCE_MS = 30_000;
const STOP_PATIENCE_MS = 5_000;

const children = new Set<ChildProcess>();
const killAll = (): void => {
  for (const child of children) child.kill("SIGKILL");
};
let watching = false;

/** Only where there are children: a service that imports this has a way of its own to end. */
function killWithUs(): void {
  if (watching) return;
  watching = true;
  process.on("exit", killAll);
  process.once("SIGTERM", () => {
    killAll();
    process.exit(143);
  });
}

/** Resolves when what lies in pipes and sockets now has been read: after the next look at all of them. */
export async function allRead(): Promise<void> {
  for (let i = 0; i < 2; i++) await new Promise((resolve) => setImmediate(resolve));
}

/** What a program prints on one of its outputs. */
export class Lines {
  readonly lines: string[] = [];
  private rest = "";
  private readonly waiting = new Set<() => void>();
  private over = false;
  private readonly describe: () => string;

  /** `describe`: what became of the program so far, for the errors. */
  constructor(describe: () => string) {
    this.describe = describe;
  }

  push(text: string): void {
    const parts = (this.rest + text).split("\n");
    this.rest = parts.pop() ?? "";
    this.lines.push(...parts);
    for (const look of [...this.waiting]) look();
  }

  end(): void {
    if (this.rest !== "") this.push("\n");
    this.over = true;
    for (const look of [...this.waiting]) look();
  }

  matching(pattern: RegExp): RegExpExecArray[] {
    return this.lines.map((line) => pattern.exec(line)).filter((match) => match !== null);
  }

  /**
   * The first line that fits, printed already or still to come; rejects when none can come any more. What the program
   * printed before it on its other output has been read by then.
   */
  waitFor(pattern: RegExp): Promise<RegExpExecArray> {
    return new Promise((resolve, reject) => {
      const settle = (): void => {
        clearTimeout(timer);
        this.waiting.delete(look);
      };
      const look = (): void => {
        const [match] = this.matching(pattern);
        if (match !== undefined) {
          settle();
          void allRead().then(() => resolve(match));
        } else if (this.over) {
          settle();
          reject(new Error(`it ended without printing ${pattern}: ${this.describe()}`));
        }
      };
      const timer = setTimeout(() => {
        settle();
        reject(new Error(`${pattern} was not printed in ${PATIENCE_MS / 1000} s: ${this.describe()}`));
      }, PATIENCE_MS);
      this.waiting.add(look);
      look();
    });
  }

  get text(): string {
    return (this.rest === "" ? this.lines : [...this.lines, this.rest]).join("\n");
  }
}

export interface Program {
  readonly pid: number;
  readonly stdout: Lines;
  readonly stderr: Lines;
  /** Resolves when it has ended and all that it printed was read. */
  readonly exited: Promise<Exit>;
  kill(signal: NodeJS.Signals): void;
  /** Reads no more of an output: the pipe fills up, or, where it is `closed`, breaks. */
  leave(output: "stdout" | "stderr", how: "unread" | "closed"): void;
  /** Asks it to end, and ends it when it does not. */
  stop(): Promise<void>;
  /** From now on the test's output tells of it when it ends without `kill` or `stop`: other failures come of that. */
  mustLive(): void;
}

export interface ProgramOptions {
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  /** Node's own options, as in `--max-semi-space-size=16`. */
  readonly nodeOptions?: readonly string[];
  /** How many descriptors it may have (ulimit -n). */
  readonly descriptors?: number;
  /** A file that it prints to, in place of a pipe that is read here. */
  readonly stdout?: string;
  readonly stderr?: string;
}

/** Starts a script in a Node of its own; it ends with the scope. */
export function startNode(
  scope: Scope,
  script: string,
  args: readonly string[],
  options: ProgramOptions = {},
): Program {
  return startProgram(scope, [process.execPath, ...(options.nodeOptions ?? []), script, ...args], options);
}

/** Starts any program; it ends with the scope. */
export function startProgram(
  scope: Scope,
  command: readonly string[],
  options: ProgramOptions = {},
): Program {
  // The shell becomes the program: signals reach it.
  const limited = ["sh", "-c", 'ulimit -n "$0" && exec "$@"', String(options.descriptors), ...command];
  const [program = "", ...rest] = options.descriptors === undefined ? command : limited;
  const files = [options.stdout, options.stderr].map((path) =>
    path === undefined ? "pipe" : openSync(path, "a"),
  );
  const child = spawn(program, rest, {
    cwd: options.cwd ?? ROOT,
    env: options.env ?? withoutRunner(process.env),
    stdio: ["ignore", ...files],
  });
  for (const file of files) if (typeof file === "number") closeSync(file);
  killWithUs();
  children.add(child);
  let failed = "";
  const describe = (): string => {
    const state =
      child.exitCode !== null || child.signalCode !== null
        ? `ended with ${child.exitCode ?? child.signalCode}`
        : "still runs";
    const printed = `--- stdout\n${stdout.text}\n--- stderr\n${stderr.text}`;
    return `${command.join(" ")}\n${failed || state}\n${printed}`;
  };
  const stdout = new Lines(describe);
  const stderr = new Lines(describe);
  child.stdout?.setEncoding("utf8").on("data", (text: string) => stdout.push(text));
  child.stderr?.setEncoding("utf8").on("data", (text: string) => stderr.push(text));
  // As when there is no memory for it; "close" follows.
  child.once("error", (error) => {
    failed = String(error);
  });
  const exited = new Promise<Exit>((resolve) => {
    child.once("close", (code, signal) => {
      children.delete(child);
      stdout.end();
      stderr.end();
      resolve({ code, signal });
    });
  });
  let asked = false;
  const stop = async (): Promise<void> => {
    asked = true;
    if (child.exitCode === null && child.signalCode === null) child.kill("SIGTERM");
    const timer = setTimeout(() => child.kill("SIGKILL"), STOP_PATIENCE_MS);
    await exited;
    clearTimeout(timer);
  };
  scope.after(stop);
  return {
    pid: child.pid ?? -1,
    stdout,
    stderr,
    exited,
    kill(signal) {
      asked = true;
      child.kill(signal);
    },
    leave(output, how) {
      if (how === "closed") child[output]?.destroy();
      else child[output]?.removeAllListeners("data").pause();
    },
    stop,
    mustLive() {
      void exited.then(() => {
        if (!asked) console.error(`ended by itself: ${describe()}`);
      });
    },
  };
}

export interface Ended extends Exit {
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `linchpin …` to its end. */
export async function linchpin(
  scope: Scope,
  args: readonly string[],
  options?: ProgramOptions,
): Promise<Ended> {
  const program = startNode(scope, LINCHPIN, args, options);
  const { code, signal } = await program.exited;
  return { code, signal, stdout: program.stdout.text, stderr: program.stderr.text };
}

/** A child of the test runner would think that it is a test. */
function withoutRunner(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const { NODE_TEST_CONTEXT: _runner, LINCHPIN_CONFIG: _config, ...rest } = env;
  return rest;
}
