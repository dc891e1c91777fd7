// Servers that the hub asks where services are, in processes of their own: started, cut off, and ended by pid.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { connect } from "node:net";
import type { Scope } from "../../e2e/support/program.js";
import { program } from "./programs.js";

const PATIENCE_MS = 60_000;

export interface Daemon {
  kill(signal: NodeJS.Signals): void;
  /** Resolves once it has ended. */
  stop(): Promise<void>;
}

/** Resolves once it takes TCP connections at HOST:PORT. It ends with the scope. */
export async function startDaemon(
  scope: Scope,
  name: string,
  address: string,
  args: readonly string[],
): Promise<Daemon> {
  const child = spawn(program(name), args, { stdio: ["ignore", "pipe", "pipe"] });
  let printed = "";
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (chunk: Buffer) => {
      printed = (printed + chunk.toString("utf8")).slice(-20_000);
    });
  const stop = (): Promise<void> => end(child);
  scope.after(stop);
  for (const limit = performance.now() + PATIENCE_MS; !(await listens(address)); ) {
    if (child.exitCode !== null) throw new Error(`${name} ended with ${child.exitCode}:\n${printed}`);
    if (performance.now() > limit) throw new Error(`${name} does not listen on ${address}:\n${printed}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return { kill: (signal) => child.kill(signal), stop };
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, "exit");
  child.kill("SIGCONT");
  child.kill("SIGTERM");
  const timer = setTimeout(() => child.kill("SIGKILL"), 10_000);
  await ended;
  clearTimeout(timer);
}

function listens(address: string): Promise<boolean> {
  const [host, port] = address.split(":");
  return new Promise((resolve) => {
    const socket = connect({ host: host ?? "", port: Number(port) });
    socket.on("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.on("error", () => resolve(false));
  });
}
