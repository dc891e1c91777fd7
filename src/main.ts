#!/usr/bin/env node
// The executable: hands the arguments to the CLI, and turns whatever comes back into an exit code.

import { explain, runCli } from "./cli/run.js";
import { ProcessIo } from "./cli/terminal/io.js";
import { takeEscape } from "./cli/terminal/last-resort.js";

/** How long what was printed may take to leave: the reader of a pipe may have stopped reading. */
const EXIT_LIMIT_MS = 3_000;

const io = new ProcessIo();

/** Ends the process after what was printed has left: a pipe takes it asynchronously. */
function exit(code: number): void {
  setTimeout(() => process.exit(code), EXIT_LIMIT_MS);
  void io.flushed().then(() => process.exit(code));
}

function fail(error: unknown): void {
  io.err(explain(error, process.env));
  exit(1);
}

/** Of a hub that serves, its calls are to end well first. */
function escaped(error: unknown): void {
  if (!takeEscape(error)) fail(error);
}

process.on("uncaughtException", escaped);
process.on("unhandledRejection", escaped);

runCli(process.argv.slice(2), io).then(exit, fail);
