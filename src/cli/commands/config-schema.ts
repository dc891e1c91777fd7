// `linchpin config-schema`: the JSON Schema of linchpin.yaml, for editors and CI.
import { configJsonSchema } from "../../settings/json-schema.js";
import { readArguments } from "../terminal/args.js";
import { COMMANDS } from "../terminal/commands.js";
import type { Io } from "../terminal/io.js";

export async function run(args: readonly string[], io: Io): Promise<number> {
  readArguments(COMMANDS["config-schema"], args);
  io.out(JSON.stringify(configJsonSchema(), null, 2));
  return 0;
}
