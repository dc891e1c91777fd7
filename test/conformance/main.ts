// `make conformance`: h2spec and gRPC's interop cases, and what came of them. Exit code 1 when anything failed.
import { H2SPEC_CASES, type H2specResult, runH2spec } from "./h2spec.js";
import { H2SPECD_CASES, runH2specd } from "./h2specd.js";
import { INTEROP_CASES, type InteropColumn, type Outcome, runInterop } from "./interop.js";

const MARKS: Readonly<Record<Outcome["kind"], string>> = {
  passed: "ok",
  failed: "FAILED",
  "not offered": "-",
};

function h2specText(results: readonly H2specResult[]): string {
  return results
    .map(({ target, summary, failures }) => `h2spec, ${target}: ${summary}${failures && `\n${failures}\n`}`)
    .join("\n");
}

/** A row for each case; then what failed, and who does not offer what. */
function interopText(columns: readonly InteropColumn[]): string {
  const heads = columns.map(({ client, server, tls }) => [client, server, tls ? "TLS" : "clear"]);
  const rows = [
    ...["client", "server", "client to hub"].map((title, line) => [
      title,
      ...heads.map((head) => head[line] ?? ""),
    ]),
    ...INTEROP_CASES.map((name) => [
      name,
      ...columns.map(({ outcomes }) => MARKS[outcomes.get(name)?.kind ?? "failed"]),
    ]),
  ];
  const widths = rows[0]?.map((_, at) => Math.max(...rows.map((row) => row[at]?.length ?? 0))) ?? [];
  const table = rows.map((row) =>
    row
      .map((cell, at) => cell.padEnd(widths[at] ?? 0))
      .join("  ")
      .trimEnd(),
  );
  const failures: string[] = [];
  const lacks = new Map<string, string>();
  for (const { client, server, tls, outcomes } of columns)
    for (const [name, outcome] of outcomes) {
      const where = `${name}, ${client} to ${server}`;
      if (outcome.kind === "failed") failures.push(`${where}${tls ? ", TLS" : ""}: ${outcome.error}`);
      if (outcome.kind === "not offered") lacks.set(where, `${where}: not offered by ${outcome.by}`);
    }
  return [...table, "", ...lacks.values(), ...failures.map((failure) => `FAILED ${failure}`)].join("\n");
}

/** A total, and whether it is what it should be: a case that was not run has not passed. */
class Tally {
  private readonly parts: string[] = [];
  good = true;

  add(name: string, passed: number, total: number): void {
    this.parts.push(`${name} ${passed} of ${total}`);
    if (passed < total) this.good = false;
  }

  toString(): string {
    return this.parts.join(", ");
  }
}

const asServer = await runH2spec();
const client = await runH2specd();
const interop = await runInterop();
console.log(`${h2specText([...asServer, client])}\n`);
console.log(`${interopText(interop)}\n`);

const tally = new Tally();
const passed = asServer.reduce((sum, result) => sum + result.passed, 0);
tally.add("h2spec", passed, asServer.length * H2SPEC_CASES);
tally.add("h2specd", client.passed, H2SPECD_CASES);
const outcomes = interop.flatMap((column) => [...column.outcomes.values()]);
const count = (kind: Outcome["kind"]): number => outcomes.filter((outcome) => outcome.kind === kind).length;
tally.add("interop", count("passed"), outcomes.length - count("not offered"));
console.log(`conformance: ${tally}`);
if (!tally.good) process.exitCode = 1;
