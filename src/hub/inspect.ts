// Learns a config's upstreams without serving: for commands that only read.

import type { Log } from "../kit/log.js";
import { NO_METERS } from "../kit/meters.js";
import { processRuntime } from "../kit/runtime.js";
import { SchemaCache } from "../schema/sources/schema-cache.js";
import type { Config } from "../settings/sections.js";
import { type Assembly, assemble } from "./plans/assembly.js";
import { LearnedUpstream, type UpstreamEvents } from "./upstreams/learned-upstream.js";
import { upstreamRow } from "./upstreams/upstream-row.js";

/** The services and routes of a config's upstreams, learned once, for commands that only read. */
export interface Inspection extends Pick<Assembly, "routes" | "explain" | "schema" | "openApi"> {
  /** Whether an HTTP request has a route. */
  answers(httpMethod: string, target: string): boolean;
  /** Upstreams that could not be learned, a sentence each; also among the problems. */
  readonly unlearned: readonly string[];
  /** What could not be learned, or is invalid, a sentence each. */
  readonly problems: readonly string[];
}

/** A command that only reads prints its own messages. */
const SILENT: Log = { info: () => {}, warn: () => {}, error: () => {} };

/** Learns every upstream of a config and plans its routes; listens nowhere. */
export async function inspect(config: Config): Promise<Inspection> {
  const warned: string[] = [];
  const cache =
    config.schemaCache === undefined
      ? undefined
      : new SchemaCache(config.schemaCache, (message) => warned.push(message));
  // Reading must not change the folder.
  cache?.close();
  const events: UpstreamEvents = { onSchema: () => {}, onProblem: () => {} };
  const runtime = processRuntime();
  const upstreams = config.upstreams.map(
    (upstream) => new LearnedUpstream(upstream, events, { runtime, log: SILENT, meters: NO_METERS, cache }),
  );
  try {
    await Promise.all(upstreams.map((upstream) => upstream.start()));
    const { snapshot, routes, explain, schema, openApi, warnings } = assemble(config, upstreams, [], []);
    const unlearned = upstreams.flatMap((upstream) => {
      const { name, problem, remembered } = upstreamRow(upstream);
      if (problem === undefined) return [];
      const known = remembered === undefined ? "" : `; its schema is remembered, from ${remembered}`;
      return [`upstream "${name}": ${problem}${known}`];
    });
    const answers = (httpMethod: string, target: string): boolean =>
      snapshot.rest.match(httpMethod, target).kind === "match";
    return {
      routes,
      answers,
      explain,
      schema,
      openApi,
      unlearned,
      problems: [...unlearned, ...warned, ...warnings],
    };
  } finally {
    for (const upstream of upstreams) upstream.close();
  }
}
