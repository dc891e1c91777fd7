// `linchpin config-schema`: the JSON Schema of linchpin.yaml, for editors and CI.
import { configJsonSchema } from "../config/json-schema.js";
import { readArguments } from "./args.js";
import { COMMANDS } from "./commands.js";
import type { Io } from "./io.js";

export async function run(args: readonly string[], io: Io): Promise<number> {
  readArguments(COMMANDS["config-schema"], args);
  io.out(JSON.stringify(configJsonSchema(), null, 2));
  return 0;
}
