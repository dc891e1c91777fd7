// Runs the compiled tests with Node's own runner, the same way on Node 20, 22 and 24: they differ in globs and folders.
//   node tools/test.mjs [--all] [PART-OF-A-PATH …]
// Tests under test/tools/ need foreign programs (`make tools`) and run with --all, or when named.
import { existsSync, readdirSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { run } from "node:test";
import { spec } from "node:test/reporters";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
/** A file that hangs fails after this long, and the rest still run. */
const TIMEOUT_MS = 240_000;
/** Files at once: one more than there are cores, since many wait for programs that they start, or for time to pass. */
const CONCURRENCY = Math.max(2, availableParallelism() + 1);
/** These start programs and wait for them. They run first: a long one as the last would run alone. */
const STARTS_PROGRAMS = /^(cli|e2e|telemetry|tools)\/|^[^/]*$/;

/** Of the user's environment, what would have a say: gRPC's clients ask proxies for addresses of this machine, too. */
const NOT_OURS = /^(?:https?_proxy|grpc_proxy|all_proxy|otel_.*|linchpin_.*|force_color)$/i;

const args = process.argv.slice(2);
const all = args.includes("--all");
const parts = args.filter((arg) => arg !== "--all");

const folder = join(ROOT, "build/test");
const paths = (existsSync(folder) ? readdirSync(folder, { recursive: true, encoding: "utf8" }) : [])
  .filter((path) => path.endsWith(".test.js"))
  .filter((path) =>
    parts.length > 0 ? parts.some((part) => path.includes(part)) : all || !path.startsWith("tools/"),
  )
  .sort();
if (paths.length === 0) {
  console.error(
    `No test matches ${parts.join(" ") || "build/test/**/*.test.js"}: compile first (make test).`,
  );
  process.exit(1);
}
const files = [
  ...paths.filter((path) => STARTS_PROGRAMS.test(path)),
  ...paths.filter((path) => !STARTS_PROGRAMS.test(path)),
].map((path) => join(folder, path));

// The files' processes get our folder and environment.
process.chdir(ROOT);
for (const name of Object.keys(process.env)) if (NOT_OURS.test(name)) delete process.env[name];
// Every test file, and every program that it starts, compiles the same modules: from Node 22 on they are kept.
process.env.NODE_COMPILE_CACHE ??= join(ROOT, "build/compile-cache");

// The files and what they start end with us. (Ctrl-C reaches them all by itself.)
const stop = new AbortController();
process.once("SIGTERM", () => stop.abort());

const events = run({ files, concurrency: CONCURRENCY, timeout: TIMEOUT_MS, signal: stop.signal });
// What is not run proves nothing.
const left = [];
events.on("test:pass", ({ name, file, skip, todo }) => {
  if (skip !== undefined || todo !== undefined) left.push(`${file ?? "?"}: ${name}`);
});
events.on("test:fail", () => {
  process.exitCode = 1;
});
events.on("end", () => {
  if (left.length === 0) return;
  process.exitCode = 1;
  console.error(`\nSkipped or todo, which fails the run:\n  ${left.join("\n  ")}`);
});
events.compose(new spec()).pipe(process.stdout);
