// `linchpin --version`: the version of the installed package.
import { version } from "../../kit/files/version.js";
import { readArguments } from "../terminal/args.js";
import { COMMANDS } from "../terminal/commands.js";
import type { Io } from "../terminal/io.js";

export async function run(args: readonly string[], io: Io): Promise<number> {
  readArguments(COMMANDS.version, args);
  io.out(`linchpin ${version()}`);
  return 0;
}
