// `linchpin check`: every error of a config file, or one line that it is fine.
import { loadConfig } from "../config/load.js";
import { readArguments, UsageError } from "./args.js";
import { COMMANDS } from "./commands.js";
import { defaultConfigFile, NO_CONFIG } from "./config-file.js";
import type { Io } from "./io.js";

export async function run(args: readonly string[], io: Io): Promise<number> {
  const file = readArguments(COMMANDS.check, args).positionals[0] ?? defaultConfigFile(io);
  if (file === undefined) throw new UsageError(NO_CONFIG);
  const config = loadConfig(file, io.env);
  const upstreams = config.upstreams.map((upstream) => upstream.name).join(", ");
  io.out(`${file}: fine; upstreams: ${upstreams}`);
  return 0;
}
