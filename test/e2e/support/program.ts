// A program of the project in a process of its own: what it prints, line by line, and how it ends.
import { type ChildProcess, spawn } from "node:child_process";
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

/** What a program prints on one of its outputs. */
export class Lines {
  readonly lines: string[] = [];
  private rest = "";
  private readonly waiting = new Set<() => void>();
  private over = false;

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

  /** The first line that fits, printed already or still to come; rejects when none can come any more. */
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
          resolve(match);
        } else if (this.over) {
          settle();
          reject(new Error(`the program ended without printing ${pattern}:\n${this.text}`));
        }
      };
      const timer = setTimeout(() => {
        settle();
        reject(new Error(`${pattern} was not printed:\n${this.text}`));
      }, PATIENCE_MS);
      this.waiting.add(look);
      look();
    });
  }

  get text(): string {
    return this.lines.join("\n");
  }
}

export interface Program {
  readonly pid: number;
  readonly stdout: Lines;
  readonly stderr: Lines;
  /** Resolves when it has ended and all that it printed was read. */
  readonly exited: Promise<Exit>;
  kill(signal: NodeJS.Signals): void;
  /** Asks it to end, and ends it when it does not. */
  stop(): Promise<void>;
}

export interface ProgramOptions {
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  /** Node's own options, as in `--max-semi-space-size=16`. */
  readonly nodeOptions?: readonly string[];
}

/** Starts a script in a Node of its own; it ends with the scope. */
export function startNode(
  scope: Scope,
  script: string,
  args: readonly string[],
  options: ProgramOptions = {},
): Program {
  const child = spawn(process.execPath, [...(options.nodeOptions ?? []), script, ...args], {
    cwd: options.cwd ?? ROOT,
    env: options.env ?? withoutRunner(process.env),
    stdio: ["ignore", "pipe", "pipe"],
  });
  killWithUs();
  children.add(child);
  const stdout = new Lines();
  const stderr = new Lines();
  child.stdout.setEncoding("utf8").on("data", (text: string) => stdout.push(text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => stderr.push(text));
  const exited = new Promise<Exit>((resolve) => {
    child.once("close", (code, signal) => {
      children.delete(child);
      stdout.end();
      stderr.end();
      resolve({ code, signal });
    });
  });
  const stop = async (): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) child.kill("SIGTERM");
    const timer = setTimeout(() => child.kill("SIGKILL"), STOP_PATIENCE_MS);
    await exited;
    clearTimeout(timer);
  };
  scope.after(stop);
  return { pid: child.pid ?? -1, stdout, stderr, exited, kill: (signal) => void child.kill(signal), stop };
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
