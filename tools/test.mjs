// Runs the compiled tests with Node's own runner, the same way on Node 20, 22 and 24: they differ in globs and folders.
//   node tools/test.mjs [--all] [PART-OF-A-PATH …]
// Tests under test/tools/ need foreign programs (`make tools`) and run with --all, or when named.
import { spawn } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { availableParallelism, constants } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
/** One test that hangs fails after this long, and the rest still run. */
const TIMEOUT_MS = 240_000;
/** Files at once. Node leaves one core to itself, which would be half of a machine with two: most tests wait for others. */
const CONCURRENCY = Math.max(2, availableParallelism() - 1);

/** Of the user's environment, what would have a say: gRPC's clients ask proxies for addresses of this machine, too. */
const NOT_OURS = /^(?:https?_proxy|grpc_proxy|all_proxy|otel_.*|linchpin_.*|force_color)$/i;
const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !NOT_OURS.test(name)));

const args = process.argv.slice(2);
const all = args.includes("--all");
const parts = args.filter((arg) => arg !== "--all");

const folder = join(ROOT, "build/test");
const files = (existsSync(folder) ? readdirSync(folder, { recursive: true, encoding: "utf8" }) : [])
  .filter((path) => path.endsWith(".test.js"))
  .filter((path) =>
    parts.length > 0 ? parts.some((part) => path.includes(part)) : all || !path.startsWith("tools/"),
  )
  .sort()
  .map((path) => join("build/test", path));
if (files.length === 0) {
  console.error(
    `No test matches ${parts.join(" ") || "build/test/**/*.test.js"}: compile first (make test).`,
  );
  process.exit(1);
}

const runner = spawn(
  process.execPath,
  [
    "--test",
    `--test-timeout=${TIMEOUT_MS}`,
    `--test-concurrency=${CONCURRENCY}`,
    "--test-reporter=spec",
    "--test-reporter-destination=stdout",
    `--test-reporter=${new URL("no-skips.mjs", import.meta.url).href}`,
    "--test-reporter-destination=stderr",
    ...files,
  ],
  { cwd: ROOT, env, stdio: "inherit" },
);
// Ctrl-C reaches the runner by itself; a plain kill must be handed on.
process.on("SIGINT", () => {});
process.on("SIGTERM", () => runner.kill("SIGTERM"));
runner.on("exit", (code, signal) => {
  process.exitCode = code ?? 128 + (constants.signals[signal ?? "SIGTERM"] ?? 15);
});
