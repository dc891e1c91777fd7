// Which tests run, and which of them share a process.
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";

/** These start programs and wait for them. They run first: a long one as the last would run alone. */
const STARTS_PROGRAMS = /^(cli|e2e|telemetry|tools)\/|^[^/]*$/;

/** Returns the files of each process, in the order to run them; empty when nothing matches. */
export function planTests(folder, { all, parts }) {
  const paths = (existsSync(folder) ? readdirSync(folder, { recursive: true, encoding: "utf8" }) : [])
    .filter((path) => path.endsWith(".test.js"))
    .filter((path) =>
      parts.length > 0 ? parts.some((part) => path.includes(part)) : all || !path.startsWith("tools/"),
    )
    .sort();
  return [
    ...paths.filter((path) => STARTS_PROGRAMS.test(path)),
    ...paths.filter((path) => !STARTS_PROGRAMS.test(path)),
  ].map((path) => [join(folder, path)]);
}
