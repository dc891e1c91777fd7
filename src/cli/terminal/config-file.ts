// The default config file of a command.
import { existsSync } from "node:fs";
import type { Io } from "./io.js";

/** Looked for in the working directory. */
export const DEFAULT_FILE = "linchpin.yaml";

/** LINCHPIN_CONFIG, otherwise ./linchpin.yaml if it exists, otherwise undefined. */
export function defaultConfigFile(io: Io): string | undefined {
  const named = io.env.LINCHPIN_CONFIG;
  if (named !== undefined && named !== "") return named;
  return existsSync(DEFAULT_FILE) ? DEFAULT_FILE : undefined;
}

/** Whether an argument is a file, not a server: its name has the ending of a config, whether it exists or not. */
export function isConfigFile(argument: string): boolean {
  return /\.(?:ya?ml|json)$/i.test(argument) || existsSync(argument);
}

/** The error of a command without input. */
export const NO_CONFIG = `no config: there is no ./${DEFAULT_FILE}, and LINCHPIN_CONFIG is not set`;
