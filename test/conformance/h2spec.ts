// h2spec, strict, against the bare engine and against both ports of the hub.
import { join } from "node:path";
import { startLibrary } from "#src/samples/library/server.js";
import { program, ROOT, run, startServer } from "../tools/support/programs.js";
import { startConformanceHub } from "./hub.js";

export interface H2specResult {
  readonly target: string;
  /** h2spec's own last line. */
  readonly summary: string;
  readonly total: number;
  readonly passed: number;
  /** What h2spec says of the cases that failed; empty when none has. */
  readonly failures: string;
}

/** Cases of h2spec 2.2.1 with --strict: were it fewer, something was not run. */
export const H2SPEC_CASES = 146;
/** Seconds that h2spec waits for an answer in a case; all the machine's cores may be busy. */
const TIMEOUT_S = 5;
/** Something that is there, and is answered only when the request has ended. */
const HUB_PATH = "/v1/books";

export async function runH2spec(): Promise<readonly H2specResult[]> {
  const stops: (() => Promise<void>)[] = [];
  try {
    const engine = await startServer(process.execPath, [join(ROOT, "build/test/support/h2-server.js")]);
    stops.push(() => engine.stop());
    const library = await startLibrary();
    stops.push(() => library.close());
    const hub = await startConformanceHub(library.address);
    stops.push(() => hub.stop());
    return await Promise.all([
      h2spec("engine", engine.address, []),
      h2spec("hub, clear text", hub.clear, ["-P", HUB_PATH]),
      h2spec("hub, TLS", hub.tls, ["-P", HUB_PATH, "-t", "-k"]),
    ]);
  } finally {
    for (const stop of stops.reverse()) await stop();
  }
}

async function h2spec(target: string, address: string, options: readonly string[]): Promise<H2specResult> {
  const [host = "", port = ""] = address.split(":");
  const args = ["--strict", "-h", host, "-p", port, "-o", String(TIMEOUT_S), ...options];
  const { stdout, stderr } = await run(program("h2spec"), args);
  const match = /^(\d+) tests, (\d+) passed, \d+ skipped, \d+ failed$/m.exec(stdout);
  if (match === null) {
    const failures = `h2spec did not come to its end:\n${stdout}${stderr}`;
    return { target, summary: "no summary", total: H2SPEC_CASES, passed: 0, failures };
  }
  const [summary, total, passed] = match;
  const failed = stdout.indexOf("Failures:");
  const failures = failed === -1 ? "" : stdout.slice(failed, stdout.indexOf("Finished in", failed)).trim();
  return { target, summary, total: Number(total), passed: Number(passed), failures };
}
