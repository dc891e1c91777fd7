// h2specd, h2spec's other half: servers that break the rules, one for each case, against the engine as a client.
import { join } from "node:path";
import { program, ROOT, run } from "../tools/support/programs.js";
import type { H2specResult } from "./h2spec.js";

/** Cases of h2specd 2.2.1 with --strict. */
export const H2SPECD_CASES = 57;

/** At once; few, as it gives up on a client that takes three seconds, its start included. */
const GROUPS: readonly (readonly string[])[] = [["client/1", "client/4", "client/5"], ["client/6"]];
/** Less than the client's own patience (h2-client.ts): a client that just left would pass for one that broke off. */
const TIMEOUT_S = 1;
/** It binds ports that it is told, one for each case: where some are taken, others are tried. */
const PORTS_FROM = 20_000;
const PORTS_TO = 30_000;
const PORTS_OF_A_GROUP = 50;
const ATTEMPTS = 5;

export async function runH2specd(): Promise<H2specResult> {
  const groups = await Promise.all(GROUPS.map(h2specd));
  const total = groups.reduce((sum, group) => sum + group.total, 0);
  const passed = groups.reduce((sum, group) => sum + group.passed, 0);
  const failures = groups.flatMap((group) => (group.failures === "" ? [] : [group.failures])).join("\n");
  const summary = `${total} tests, ${passed} passed, ${total - passed} failed`;
  return { target: "engine as a client", summary, total, passed, failures };
}

async function h2specd(
  sections: readonly string[],
): Promise<{ readonly total: number; readonly passed: number; readonly failures: string }> {
  const client = [process.execPath, join(ROOT, "build/test/support/h2-client.js")].join(" ");
  let said = "";
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const slots = (PORTS_TO - PORTS_FROM) / PORTS_OF_A_GROUP;
    const port = PORTS_FROM + Math.floor(Math.random() * slots) * PORTS_OF_A_GROUP;
    const options = ["--strict", "-o", String(TIMEOUT_S), "-f", String(port), "-e", client];
    const { stdout, stderr } = await run(program("h2specd"), [...options, ...sections]);
    const match = /^(\d+) tests, (\d+) passed, \d+ skipped, \d+ failed$/m.exec(stdout);
    if (match !== null) {
      const failed = stdout.indexOf("Failures:");
      const failures =
        failed === -1 ? "" : stdout.slice(failed, stdout.indexOf("Finished in", failed)).trim();
      return { total: Number(match[1]), passed: Number(match[2]), failures };
    }
    said = `${stdout}${stderr}`;
  }
  return { total: 0, passed: 0, failures: `h2specd did not come to its end:\n${said}` };
}
