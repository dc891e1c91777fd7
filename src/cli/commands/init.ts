// `linchpin init`: a linchpin.yaml to start from, and beside it the schema that editors check it with.
import { writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { formatAddress } from "../../config/address.js";
import { fileProblem } from "../../config/files.js";
import { UserError } from "../../kit/text/user-error.js";
import { defaultConfig, withOverrides } from "../../settings/from-args.js";
import { configJsonSchema } from "../../settings/json-schema.js";
import { SCHEMA_FILE, sampleConfig } from "../../settings/sample.js";
import { readArguments } from "../terminal/args.js";
import { COMMANDS } from "../terminal/commands.js";
import { DEFAULT_FILE } from "../terminal/config-file.js";
import type { Io } from "../terminal/io.js";

/** The upstream of a config without targets. */
const EXAMPLE_TARGET = "example=127.0.0.1:50051";

export async function run(args: readonly string[], io: Io): Promise<number> {
  const given = readArguments(COMMANDS.init, args);
  const targets = given.positionals.length === 0 ? [EXAMPLE_TARGET] : given.positionals;
  const { upstreams } = withOverrides(defaultConfig(), { targets });
  const text = sampleConfig(
    Object.fromEntries(
      upstreams.map(({ name, endpoints, tls }) => [
        name,
        { endpoints: endpoints.map(formatAddress), ...(tls === undefined ? {} : { tls: true as const }) },
      ]),
    ),
    given.flag("minimal"),
  );
  const output = given.value("output") ?? DEFAULT_FILE;
  if (output === "-") {
    io.out(text.trimEnd());
    return 0;
  }
  const schemaFile = join(dirname(output), SCHEMA_FILE);
  write(output, text, "wx");
  write(schemaFile, `${JSON.stringify(configJsonSchema(), null, 2)}\n`, "w");
  io.out(`wrote ${output} and ${schemaFile}`);
  io.out(`next: linchpin check ${output}; linchpin serve --config ${output}`);
  return 0;
}

/** `wx` fails if the file exists: a user's file is never overwritten. */
function write(file: string, text: string, flag: "w" | "wx"): void {
  try {
    writeFileSync(file, text, { flag });
  } catch (error) {
    const exists = error instanceof Error && "code" in error && error.code === "EEXIST";
    throw new UserError(`${file}: ${fileProblem(error)}${exists ? "; -o FILE writes another" : ""}`, {
      cause: error,
    });
  }
}
