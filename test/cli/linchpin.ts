// Runs the real executable, as a shell would.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

/** The executable. */
export const MAIN = fileURLToPath(new URL("../../../dist/main.js", import.meta.url));
/** Before the runner gives up on a test. A hub may serve all tests of a file, on a slow machine too. */
const TIMEOUT_MS = 200_000;

export interface Finished {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Options {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

export class Running {
  readonly child: ChildProcess;
  stdout = "";
  stderr = "";
  readonly #finished: Promise<Finished>;

  constructor(args: readonly string[], { env = {}, cwd }: Options = {}) {
    const { LINCHPIN_CONFIG: _, LINCHPIN_DEBUG: __, ...clean } = process.env;
    const child = spawn(process.execPath, [MAIN, ...args], {
      env: { ...clean, ...env },
      stdio: ["ignore", "pipe", "pipe"],
      timeout: TIMEOUT_MS,
      ...(cwd === undefined ? {} : { cwd }),
    });
    this.child = child;
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      this.stdout += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      this.stderr += text;
    });
    this.#finished = once(child, "close").then(() => ({
      code: child.exitCode,
      signal: child.signalCode,
      stdout: this.stdout,
      stderr: this.stderr,
    }));
  }

  finished(): Promise<Finished> {
    return this.#finished;
  }

  /** Waits until the output has what is looked for; rejects when the process ends before. */
  async until(pattern: RegExp, stream: "stdout" | "stderr" = "stdout"): Promise<RegExpExecArray> {
    const output = this.child[stream];
    if (output === null) throw new Error("no output");
    for (;;) {
      const match = pattern.exec(this[stream]);
      if (match !== null) {
        // What was printed before on the other stream lies in its pipe: two looks, and it is here.
        for (let i = 0; i < 2; i++) await new Promise((resolve) => setImmediate(resolve));
        return match;
      }
      const ended = await Promise.race([once(output, "data").then(() => undefined), this.#finished]);
      if (ended !== undefined && !pattern.test(this[stream])) {
        throw new Error(`ended with ${ended.code} before ${pattern}: ${ended.stdout}${ended.stderr}`);
      }
    }
  }

  kill(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }
}

export function linchpin(args: readonly string[], options?: Options): Promise<Finished> {
  return new Running(args, options).finished();
}
