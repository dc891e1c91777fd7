// `linchpin routes`: the HTTP and gRPC routes of a config or a server, or which of them matches a request.

import { textTable } from "../../kit/text-table.js";
import { type RouteRow, routeCells } from "../../view/hub-view.js";
import { readArguments, UsageError } from "../terminal/args.js";
import { COMMANDS } from "../terminal/commands.js";
import type { Io } from "../terminal/io.js";
import type { Inspect } from "../terminal/learning.js";
import { createLog } from "../terminal/log.js";
import { configOf } from "../terminal/source.js";

/**
 * Exit code 1 if no route matches, and if nothing could be learned; missing upstreams are reported on standard error.
 */
export async function run(args: readonly string[], io: Io, inspect: Inspect): Promise<number> {
  const given = readArguments(COMMANDS.routes, args);
  const { source, request } = split(given.positionals);
  const config = await configOf(source, given, io);
  const inspection = await inspect(config, createLog("warn", "pretty", io.err));
  for (const problem of inspection.problems) io.err(problem);
  if (request !== undefined) {
    const lines = inspection.explain(request.method, request.path);
    if (given.flag("json")) io.out(JSON.stringify(lines, null, 2));
    else for (const line of lines) io.out(line);
    return inspection.answers(request.method, request.path) ? 0 : 1;
  }
  if (given.flag("json")) {
    io.out(JSON.stringify(inspection.routes, null, 2));
  } else {
    for (const line of routeTable(inspection.routes)) io.out(line);
  }
  return inspection.routes.length > 0 || inspection.problems.length === 0 ? 0 : 1;
}

function routeTable(routes: readonly RouteRow[]): string[] {
  return textTable(routes.map(routeCells));
}

interface Question {
  readonly source: string | undefined;
  readonly request: { readonly method: string; readonly path: string } | undefined;
}

/** `[TARGET|FILE] [METHOD PATH]`: a path starts with a slash, and follows a method. */
function split(positionals: readonly string[]): Question {
  const [first, second, third] = positionals;
  if (second === undefined) {
    if (first !== undefined && /^[A-Z]+$/.test(first))
      throw new UsageError(`${first} needs a path: ${first} /v1/books`);
    return { source: first, request: undefined };
  }
  const [source, method, path] = third === undefined ? [undefined, first, second] : [first, second, third];
  if (method === undefined || !/^[A-Za-z*-]+$/.test(method) || !path.startsWith("/")) {
    throw new UsageError("a request is METHOD PATH, as in GET /v1/books");
  }
  return { source, request: { method: method.toUpperCase(), path } };
}
