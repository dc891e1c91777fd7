#!/usr/bin/env node
// The executable: hands the arguments to the CLI, and turns whatever comes back into an exit code.
import { processIo } from "./cli/io.js";
import { explain, runCli } from "./cli/run.js";

/** Ends the process after what was printed has left: a pipe takes it asynchronously. */
function exit(code: number): void {
  process.stdout.write("", () => process.stderr.write("", () => process.exit(code)));
}

function fail(error: unknown): void {
  process.stderr.write(`${explain(error, process.env)}\n`);
  exit(1);
}

// `linchpin routes | head` closes the pipe early; that is no failure.
process.stdout.on("error", () => process.exit(0));
process.stderr.on("error", () => process.exit(1));
process.on("uncaughtException", fail);
process.on("unhandledRejection", fail);

runCli(process.argv.slice(2), processIo()).then(exit, fail);
