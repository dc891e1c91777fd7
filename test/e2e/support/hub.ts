// The hub as its users have it: `linchpin serve` in a process of its own, on free ports.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { http } from "./http.js";
import { allRead, LINCHPIN, type Program, type ProgramOptions, type Scope, startNode } from "./program.js";

export interface Hub {
  /** HOST:PORT for clients. */
  readonly address: string;
  /** `http://HOST:PORT` of the admin listener. */
  readonly adminUrl: string;
  readonly program: Program;
}

/** `linchpin serve …`; resolves once it takes calls. */
export async function startHub(
  scope: Scope,
  args: readonly string[],
  options: ProgramOptions = {},
): Promise<Hub> {
  const program = startNode(
    scope,
    LINCHPIN,
    ["serve", ...args, "--listen=127.0.0.1:0", "--admin=127.0.0.1:0"],
    options,
  );
  const [, address = ""] = await program.stdout.waitFor(/^listening on http:\/\/(\S+)$/);
  const [, adminUrl = ""] = await program.stdout.waitFor(/^admin on (\S+)$/);
  program.mustLive();
  await learned(program, adminUrl);
  return { address, adminUrl, program };
}

const PATIENCE_MS = 30_000;

/**
 * A hub starts without upstreams that do not tell their services soon, which on a busy machine may be any: resolves
 * once each of them has told, or why it cannot.
 */
export async function learned(program: Program, adminUrl: string): Promise<void> {
  if (program.stdout.matching(/: no services known yet$/).length === 0) return;
  const limit = performance.now() + PATIENCE_MS;
  for (let waits = true; waits; ) {
    const { text } = await http("1.1", adminUrl.replace("http://", ""), "/readyz");
    waits = text.includes("it has not been learned yet");
    if (waits && performance.now() > limit) throw new Error(`an upstream was not learned: ${text}`);
    if (waits) await new Promise((resolve) => setTimeout(resolve, 50));
  }
  // Why is in the log.
  await allRead();
}

/** A hub with a config file of this text. */
export async function startHubWithConfig(
  scope: Scope,
  yaml: string,
  options: ProgramOptions = {},
): Promise<Hub> {
  return startHub(scope, ["--config", await fileOf(scope, "linchpin.yaml", yaml)], options);
}

/** A folder that goes with the scope. */
export async function temporaryFolder(scope: Scope): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "linchpin-e2e-"));
  // Its hub is ended after it, and may be writing there.
  scope.after(() => rm(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 20 }));
  return folder;
}

/** A file that goes with the scope. */
export async function fileOf(scope: Scope, name: string, content: string | Uint8Array): Promise<string> {
  const file = join(await temporaryFolder(scope), name);
  await writeFile(file, content);
  return file;
}
