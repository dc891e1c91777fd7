// `linchpin openapi`: the OpenAPI document of a config or a server, for build pipelines.
import { UserError } from "../../kit/text/user-error.js";
import { readArguments } from "../terminal/args.js";
import { COMMANDS } from "../terminal/commands.js";
import type { Io } from "../terminal/io.js";
import type { Inspect } from "../terminal/learning.js";
import { createLog } from "../terminal/log.js";
import { writeOutput } from "../terminal/output.js";
import { configOf } from "../terminal/source.js";

/** Exit code 1 if nothing could be learned, or the filter selects nothing. */
export async function run(args: readonly string[], io: Io, inspect: Inspect): Promise<number> {
  const given = readArguments(COMMANDS.openapi, args);
  const filter = { service: given.value("service"), version: given.value("version") };
  const output = given.value("output") ?? "-";
  const config = await configOf(given.positionals[0], given, io);
  const { openApi, problems } = await inspect(config, createLog("warn", "pretty", io.err));
  for (const problem of problems) io.err(problem);
  if (openApi.plans.length === 0) return 1;
  const { filterProblem, partsOf } = await import("../../openapi/filter.js");
  const problem = filterProblem(partsOf(openApi.plans), filter);
  if (problem !== undefined) throw new UserError(problem);
  const { openApiDocument } = await import("../../openapi/document.js");
  const { printJson, printYaml } = await import("../../openapi/print.js");
  const print = /\.ya?ml$/i.test(output) ? printYaml : printJson;
  const text = await print(openApiDocument(openApi, filter));
  await writeOutput(io, output, text);
  return 0;
}
