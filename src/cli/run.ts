// Finds the command and loads only that; usage errors print a line, the usage and exit with 2.
import { didYouMean } from "../kit/text/nearest.js";
import { UserError } from "../kit/text/user-error.js";
import { UsageError, usageLine } from "./terminal/args.js";
import { COMMANDS, type CommandName, isCommand } from "./terminal/commands.js";
import type { Io } from "./terminal/io.js";

type Run = (args: readonly string[], io: Io) => Promise<number>;

// Each command is imported when it is called: `linchpin --version` shall not wait for a YAML parser.
const LOADERS: Readonly<Record<CommandName, () => Promise<Run>>> = {
  serve: async () => (await import("./commands/serve.js")).run,
  check: async () => {
    const { run } = await import("./commands/check.js");
    return (args, io) => run(args, io, async () => (await import("./terminal/learning.js")).inspect);
  },
  routes: async () => {
    const [{ run }, { inspect }] = await Promise.all([
      import("./commands/routes.js"),
      import("./terminal/learning.js"),
    ]);
    return (args, io) => run(args, io, inspect);
  },
  upstreams: async () => (await import("./commands/upstreams.js")).run,
  openapi: async () => {
    const [{ run }, { inspect }] = await Promise.all([
      import("./commands/openapi.js"),
      import("./terminal/learning.js"),
    ]);
    return (args, io) => run(args, io, inspect);
  },
  descriptors: async () => {
    const [{ run }, { learn }] = await Promise.all([
      import("./commands/descriptors.js"),
      import("./terminal/learning.js"),
    ]);
    return (args, io) => run(args, io, learn);
  },
  demo: async () => {
    const [{ run }, { startDemo }] = await Promise.all([
      import("./commands/demo.js"),
      import("../samples/demo.js"),
    ]);
    return (args, io) => run(args, io, startDemo);
  },
  init: async () => (await import("./commands/init.js")).run,
  "config-schema": async () => (await import("./commands/config-schema.js")).run,
  completion: async () => (await import("./commands/completion.js")).run,
  version: async () => (await import("./commands/version.js")).run,
  help: async () => (await import("./commands/help.js")).run,
};

/** Runs a command line (without node and the script) to its exit code. Rejects with what the command threw. */
export async function runCli(argv: readonly string[], io: Io): Promise<number> {
  const [first, ...rest] = argv;
  if (first === undefined) {
    const help = await LOADERS.help();
    await help([], { ...io, out: io.err });
    return 2;
  }
  const name = ALIASES.get(first) ?? first;
  if (!isCommand(name)) {
    const kind = first.startsWith("-") ? "option" : "command";
    const known = kind === "option" ? ALIASES.keys() : Object.keys(COMMANDS);
    io.err(`linchpin: unknown ${kind} ${first}${didYouMean(first, known)}`);
    io.err("usage: linchpin COMMAND [ARGUMENTS]; linchpin help lists the commands");
    return 2;
  }
  try {
    if (asksForHelp(rest)) return await (await LOADERS.help())([name], io);
    return await (await LOADERS[name]())(rest, io);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    io.err(`linchpin ${name}: ${error.message}`);
    io.err(usageLine(COMMANDS[name]));
    return 2;
  }
}

const ALIASES: ReadonlyMap<string, CommandName> = new Map([
  ["--version", "version"],
  ["-v", "version"],
  ["--help", "help"],
  ["-h", "help"],
]);

function asksForHelp(args: readonly string[]): boolean {
  const end = args.indexOf("--");
  const options = end < 0 ? args : args.slice(0, end);
  return options.includes("--help") || options.includes("-h");
}

/** One sentence about what ended the program; the stack only on request. */
export function explain(error: unknown, env: Io["env"]): string {
  const debug = env.LINCHPIN_DEBUG;
  if (debug !== undefined && debug !== "" && error instanceof Error) return error.stack ?? error.message;
  if (error instanceof UserError) return error.message;
  const message = error instanceof Error ? error.message : String(error);
  return `linchpin: internal error: ${message.split("\n", 1)[0]} (LINCHPIN_DEBUG=1 shows where)`;
}
