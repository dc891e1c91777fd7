// Which tests run, in which order, and which of them share a process.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** These start programs and wait for them. They run first: a long one as the last would run alone. */
const STARTS_PROGRAMS = /^(cli|e2e|telemetry|tools)\/|^[^/]*$/;

/** Files of units: those of one of these folders share processes, since starting one costs more than most of them. */
const UNITS = /^(?:config|control|core|hub|interceptors|routing|schema|transcoding|http2\/hpack)\//;
/** Unless they speak of the whole process: hooks of all its tests, what it exits on, its memory, time, clock or threads. */
const OWN_PROCESS =
  /^(?:before|after|beforeEach|afterEach)\(|\bprocess\.(?:on|once|env|exit|chdir|memoryUsage|cpuUsage)\b|\bmock\.|\/(?:collect-garbage|cpu)\.js"|\/threads\//m;
const FILES_A_PROCESS = 12;

/** Returns the files of each process, in the order to run them; empty when nothing matches. */
export function planTests(folder, { all, parts }) {
  const paths = (existsSync(folder) ? readdirSync(folder, { recursive: true, encoding: "utf8" }) : [])
    .filter((path) => path.endsWith(".test.js"))
    .filter((path) =>
      parts.length > 0 ? parts.some((part) => path.includes(part)) : all || !path.startsWith("tools/"),
    )
    .sort();
  const whole = (path) => join(folder, path);
  const shared = paths.filter(
    (path) => UNITS.test(path) && !OWN_PROCESS.test(readFileSync(whole(path), "utf8")),
  );
  const alone = paths.filter((path) => !shared.includes(path));
  return [
    ...alone.filter((path) => STARTS_PROGRAMS.test(path)).map((path) => [path]),
    ...inGroups(shared),
    ...alone.filter((path) => !STARTS_PROGRAMS.test(path)).map((path) => [path]),
  ].map((group) => group.map(whole));
}

/** Neighbours share a process, so that a new file changes little of who is together with whom. */
function inGroups(paths) {
  const size = Math.ceil(paths.length / Math.ceil(paths.length / FILES_A_PROCESS));
  return Array.from({ length: Math.ceil(paths.length / size) }, (_, at) =>
    paths.slice(at * size, (at + 1) * size),
  );
}
