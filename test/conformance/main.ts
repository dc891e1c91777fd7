// `make conformance`: h2spec and gRPC's interop cases, and what came of them. Exit code 1 when anything failed.
import { type H2specResult, runH2spec } from "./h2spec.js";
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

const h2spec = await runH2spec();
console.log(`${h2specText(h2spec)}\n`);
const interop = await runInterop();
console.log(`${interopText(interop)}\n`);

const outcomes = interop.flatMap((column) => [...column.outcomes.values()]);
const offered = outcomes.filter(({ kind }) => kind !== "not offered").length;
const passed = outcomes.filter(({ kind }) => kind === "passed").length;
const cases = h2spec.reduce((sum, { total }) => sum + total, 0);
const held = h2spec.reduce((sum, result) => sum + result.passed, 0);
console.log(`conformance: h2spec ${held} of ${cases}, interop ${passed} of ${offered}`);
if (held < cases || passed < offered) process.exitCode = 1;
