// Which config file a command means when it is not told.
import { existsSync } from "node:fs";
import type { Io } from "./io.js";

/** Looked for in the working directory. */
export const DEFAULT_FILE = "linchpin.yaml";

/** LINCHPIN_CONFIG, else ./linchpin.yaml where there is one, else undefined. */
export function defaultConfigFile(io: Io): string | undefined {
  const named = io.env.LINCHPIN_CONFIG;
  if (named !== undefined && named !== "") return named;
  return existsSync(DEFAULT_FILE) ? DEFAULT_FILE : undefined;
}

/** Whether an argument means a file, not a server: a name that ends as a config does is meant as one, there or not. */
export function isConfigFile(argument: string): boolean {
  return /\.(?:ya?ml|json)$/i.test(argument) || existsSync(argument);
}

/** Said where a command has nothing to work on. */
export const NO_CONFIG = `no config: there is no ./${DEFAULT_FILE}, and LINCHPIN_CONFIG is not set`;
