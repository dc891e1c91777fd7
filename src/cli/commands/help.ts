// `linchpin help`: all commands, or one of them with its options.
import { didYouMean } from "../../kit/text/nearest.js";
import { textTable } from "../../kit/text-table.js";
import { type CommandSpec, readArguments, UsageError, usageLine } from "../terminal/args.js";
import { COMMANDS, isCommand } from "../terminal/commands.js";
import type { Io } from "../terminal/io.js";

export async function run(args: readonly string[], io: Io): Promise<number> {
  const name = readArguments(COMMANDS.help, args).positionals[0];
  if (name === undefined) {
    io.out(overview());
  } else {
    if (!isCommand(name)) {
      throw new UsageError(`unknown command ${name}${didYouMean(name, Object.keys(COMMANDS))}`);
    }
    io.out(commandHelp(COMMANDS[name]));
  }
  return 0;
}

function overview(): string {
  const rows = Object.values(COMMANDS).map((spec) => [`  linchpin ${spec.name}`, spec.summary]);
  return [
    "Linchpin: one port that serves gRPC services to gRPC and HTTP/JSON clients.",
    "",
    ...textTable(rows),
    "",
    "linchpin help COMMAND explains a command.",
    "Exit codes: 0 fine, 1 the input was wrong, 2 usage. LINCHPIN_DEBUG=1 shows stack traces of failures.",
  ].join("\n");
}

function commandHelp(spec: CommandSpec): string {
  const rows = Object.entries(spec.options).map(([name, option]) => {
    const short = option.short === undefined ? "" : `-${option.short}, `;
    const value = option.value === undefined ? "" : ` ${option.value}`;
    const repeats = option.multiple === true ? " (repeatable)" : "";
    return [`  ${short}--${name}${value}`, `${option.help}${repeats}`];
  });
  const parts = [`${usageLine(spec)}\n`, `linchpin ${spec.name}: ${spec.summary}.`];
  if (spec.details !== undefined) parts.push(`\n${spec.details}`);
  if (rows.length > 0) parts.push(`\noptions:\n${textTable(rows).join("\n")}`);
  return parts.join("\n");
}
