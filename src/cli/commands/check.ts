// `linchpin check`: every error of a config file and every key that has no effect, or one line that it is fine.

import { type ConfigError, formatError, formatErrors } from "../../config/config-error.js";
import { MAX_FILE_BYTES } from "../../config/yaml.js";
import { UserError } from "../../kit/text/user-error.js";
import { checkFile, readConfigFile } from "../../settings/load.js";
import type { Config } from "../../settings/sections.js";
import { readArguments, UsageError } from "../terminal/args.js";
import { COMMANDS } from "../terminal/commands.js";
import { defaultConfigFile, NO_CONFIG } from "../terminal/config-file.js";
import type { Io } from "../terminal/io.js";
import type { Inspect } from "../terminal/learning.js";
import { createLog } from "../terminal/log.js";

/** The name of standard input in errors. */
const STDIN = "<stdin>";

/** As `--json` prints it; those about a place in the file have line, column and path. */
interface Finding {
  readonly severity: "error" | "warning";
  readonly file: string;
  readonly line?: number;
  readonly column?: number;
  readonly path?: string;
  readonly message: string;
}

/** @param inspect loads the code that learns the upstreams, for `--live` */
export async function run(args: readonly string[], io: Io, inspect: () => Promise<Inspect>): Promise<number> {
  const given = readArguments(COMMANDS.check, args);
  const named = given.positionals[0] ?? defaultConfigFile(io);
  if (named === undefined) throw new UsageError(NO_CONFIG);
  const file = named === "-" ? STDIN : named;
  const bytes = named === "-" ? await standardInput() : readConfigFile(named);
  const result = checkFile(bytes, file, io.env, { checksSchemaCache: true });

  const errors = result.ok ? await moduleErrors(result.config) : result.errors;
  const found: Finding[] = [
    ...errors.map((error) => ({ severity: "error", ...error }) as const),
    ...(result.ok ? result.warnings : []).map((warning) => ({ severity: "warning", ...warning }) as const),
  ];
  const json = given.flag("json");
  if (!json && errors.length > 0) io.err(formatErrors(errors));
  if (!json && result.ok) for (const warning of result.warnings) io.err(`warning: ${formatError(warning)}`);

  if (result.ok && given.flag("live")) {
    const learn = await inspect();
    const { unlearned, problems } = await learn(result.config, createLog("warn", "pretty", io.err));
    for (const message of problems) {
      const severity = unlearned.includes(message) ? "error" : "warning";
      found.push({ severity, file, message });
      if (!json) io.err(`${severity === "error" ? "" : "warning: "}${file}: ${message}`);
    }
  }

  if (json) io.out(JSON.stringify(found, null, 2));
  if (!result.ok || found.some(({ severity }) => severity === "error")) return 1;
  const upstreams = result.config.upstreams.map((upstream) => upstream.name).join(", ");
  if (!json) io.out(`${file}: fine; upstreams: ${upstreams}`);
  return 0;
}

/** Errors of the modules that it names, if the file itself is valid. */
async function moduleErrors(config: Config): Promise<readonly ConfigError[]> {
  if (config.use.length === 0) return [];
  const { checkModules } = await import("../../hub/own/modules.js");
  return checkModules(config);
}

async function standardInput(): Promise<Uint8Array> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of process.stdin) {
    const part = Buffer.from(chunk);
    bytes += part.length;
    if (bytes > MAX_FILE_BYTES) {
      throw new UserError(
        `${STDIN}:1:1: a config file has at most ${MAX_FILE_BYTES} bytes; this one has more`,
      );
    }
    chunks.push(part);
  }
  return Buffer.concat(chunks);
}
