#!/usr/bin/env node
// The executable: finds the command, loads it alone, and turns what it throws into one line and an exit code.
import { UsageError, usageLine } from "./cli/args.js";
import { COMMANDS, type CommandName, isCommand } from "./cli/commands.js";
import { type Io, processIo } from "./cli/io.js";
import { didYouMean } from "./config/nearest.js";
import { UserError } from "./core/user-error.js";

type Run = (args: readonly string[], io: Io) => Promise<number>;

// Each command is imported when it is called: `linchpin --version` shall not wait for a YAML parser.
const LOADERS: Readonly<Record<CommandName, () => Promise<Run>>> = {
  serve: async () => (await import("./cli/serve.js")).run,
  check: async () => (await import("./cli/check.js")).run,
  routes: async () => (await import("./cli/routes.js")).run,
  descriptors: async () => (await import("./cli/descriptors.js")).run,
  demo: async () => (await import("./cli/demo.js")).run,
  init: async () => (await import("./cli/init.js")).run,
  "config-schema": async () => (await import("./cli/config-schema.js")).run,
  version: async () => (await import("./cli/version.js")).run,
  help: async () => (await import("./cli/help.js")).run,
};

async function main(argv: readonly string[], io: Io): Promise<number> {
  const [first, ...rest] = argv;
  if (first === undefined) {
    await (await LOADERS.help())([], { ...io, out: io.err });
    return 2;
  }
  if (first === "--version" || first === "-v") return (await LOADERS.version())(rest, io);
  if (first === "--help" || first === "-h") return (await LOADERS.help())(rest, io);
  if (!isCommand(first)) {
    const kind = first.startsWith("-") ? "option" : "command";
    const known = kind === "option" ? ["--help", "--version"] : Object.keys(COMMANDS);
    io.err(`linchpin: unknown ${kind} ${first}${didYouMean(first, known)}`);
    io.err("usage: linchpin COMMAND [ARGUMENTS]; linchpin help lists the commands");
    return 2;
  }
  const beforeDashes = rest.includes("--") ? rest.slice(0, rest.indexOf("--")) : rest;
  if (beforeDashes.includes("--help") || beforeDashes.includes("-h")) {
    return (await LOADERS.help())([first], io);
  }
  try {
    return await (await LOADERS[first]())(rest, io);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    io.err(`linchpin ${first}: ${error.message}`);
    io.err(usageLine(COMMANDS[first]));
    return 2;
  }
}

/** One line for a person; the stack only for who asks for it. */
function explain(error: unknown): string {
  if (process.env.LINCHPIN_DEBUG && error instanceof Error) return error.stack ?? error.message;
  if (error instanceof UserError) return error.message;
  const message = error instanceof Error ? error.message : String(error);
  return `linchpin: internal error: ${message.split("\n", 1)[0]} (LINCHPIN_DEBUG=1 shows where)`;
}

/** Ends the process after what was printed has left: a pipe takes it asynchronously. */
function exit(code: number): void {
  process.stdout.write("", () => process.stderr.write("", () => process.exit(code)));
}

// `linchpin routes | head` closes the pipe early; that is no failure.
process.stdout.on("error", () => process.exit(0));
process.stderr.on("error", () => process.exit(1));

function fail(error: unknown): void {
  process.stderr.write(`${explain(error)}\n`);
  exit(1);
}
process.on("uncaughtException", fail);
process.on("unhandledRejection", fail);

main(process.argv.slice(2), processIo()).then(exit, fail);
