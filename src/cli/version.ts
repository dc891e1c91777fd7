// `linchpin --version`: the version of the installed package.
import { version } from "../kit/version.js";
import { readArguments } from "./args.js";
import { COMMANDS } from "./commands.js";
import type { Io } from "./io.js";

export async function run(args: readonly string[], io: Io): Promise<number> {
  readArguments(COMMANDS.version, args);
  io.out(`linchpin ${version()}`);
  return 0;
}
