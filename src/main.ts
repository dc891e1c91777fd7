#!/usr/bin/env node
// The executable: passes the arguments to the CLI, and turns the result into an exit code.

import { explain, runCli } from "./cli/run.js";
import { ProcessIo } from "./cli/terminal/io.js";
import { takeEscape } from "./cli/terminal/last-resort.js";

/** How long printed output may take to be written: the reader of a pipe may have stopped reading. */
const EXIT_LIMIT_MS = 3_000;

const io = new ProcessIo();

/** Ends the process after printed output was written: a pipe takes it asynchronously. */
function exit(code: number): void {
  setTimeout(() => process.exit(code), EXIT_LIMIT_MS);
  void io.flushed().then(() => process.exit(code));
}

function fail(error: unknown): void {
  io.err(explain(error, process.env));
  exit(1);
}

/** If it is a serving hub, its calls end first. */
function escaped(error: unknown): void {
  if (!takeEscape(error)) fail(error);
}

process.on("uncaughtException", escaped);
process.on("unhandledRejection", escaped);

runCli(process.argv.slice(2), io).then(exit, fail);
