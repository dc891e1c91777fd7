// `[TARGET|FILE]` of commands that only read: a server to learn from, or a config file.

import { defaultConfig, withOverrides } from "../../settings/from-args.js";
import type { Config } from "../../settings/sections.js";
import { type Arguments, UsageError } from "./args.js";
import { defaultConfigFile, isConfigFile, NO_CONFIG } from "./config-file.js";
import type { Io } from "./io.js";

/** The config of a `[TARGET|FILE]`: that of the file, or one made for the target. Without one: the default file. */
export async function configOf(source: string | undefined, given: Arguments, io: Io): Promise<Config> {
  const file = source === undefined ? defaultConfigFile(io) : isConfigFile(source) ? source : undefined;
  const learning = { protoset: given.value("protoset"), protoDirs: given.values("proto") };
  if (file !== undefined) {
    const { loadConfig } = await import("../../settings/load.js");
    return withOverrides(loadConfig(file, io.env), { targets: [], ...learning });
  }
  if (source === undefined) throw new UsageError(NO_CONFIG);
  return withOverrides(defaultConfig(), { targets: [source], ...learning });
}
