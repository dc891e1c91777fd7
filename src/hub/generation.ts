// What a config creates: its interceptors and its upstreams. A reload replaces it as a whole.

import type { Edge } from "../call/gateway.js";
import type { Interceptor } from "../call/interceptor.js";
import { checkPath } from "../config/files.js";
import type { SendMemory } from "../http2/send-memory.js";
import type { KindContext } from "../interceptors/kit/kind.js";
import { attempt } from "../kit/faults.js";
import type { Log } from "../kit/log.js";
import { matcherOf } from "../kit/net/ip.js";
import type { Retained } from "../kit/retained.js";
import type { Runtime } from "../kit/runtime.js";
import { SchemaCache } from "../schema/sources/schema-cache.js";
import type { Features } from "../settings/features.js";
import type { Config } from "../settings/sections.js";
import type { Telemetry } from "../telemetry/telemetry.js";
import type { ReplayMemory } from "../upstream/replay-memory.js";
import { UpstreamRetries } from "../upstream/retry/upstream-retries.js";
import type { UpstreamConfig } from "../upstream/upstream-config.js";
import { interceptorsOf } from "./interceptors.js";
import type { OwnInterceptor } from "./own/own-interceptors.js";
import { LearnedUpstream, type UpstreamEvents } from "./upstreams/learned-upstream.js";

export interface Generation {
  readonly config: Config;
  readonly edge: Edge;
  readonly interceptors: readonly Interceptor[];
  readonly upstreams: readonly LearnedUpstream[];
  readonly schemaCache: SchemaCache | undefined;
}

/**
 * How long an upstream that a reload removed still accepts calls that began before: longer than any step should wait.
 */
const RETIREMENT_MS = 10_000;
/** How long a start or reload waits for upstreams; slower ones are learned while the hub serves. */
const FIRST_LEARNING_MS = 2000;

export interface GenerationsOptions {
  readonly runtime: Runtime;
  /** Of all connections, to clients and to services. */
  readonly sendMemory: SendMemory;
  /** Of all calls. */
  readonly replayMemory: ReplayMemory;
  readonly log: Log;
  readonly retained: Retained;
  readonly telemetry: Telemetry;
  /** Interceptors of the program that the hub runs in. */
  readonly use: readonly OwnInterceptor[];
  readonly features: Features | undefined;
  /** The hub has started: from now on learned schemas are logged. */
  serving(): boolean;
  /** An upstream was learned, or could not be. */
  learned(): void;
  /** An upstream got a healthy endpoint, or lost its last one. */
  servingChanged(): void;
  /** The source of an upstream's endpoints has reported something. */
  located(): void;
}

/** Makes generations; retains what must outlive one, and closes upstreams that none uses any more. */
export class Generations {
  readonly #options: GenerationsOptions;
  /** Upstreams of earlier generations that may still be called. */
  readonly #retired = new Set<LearnedUpstream>();
  #closed = false;

  constructor(options: GenerationsOptions) {
    this.#options = options;
  }

  /** An empty one, for a hub that has not started. */
  empty(config: Config): Generation {
    return { config, schemaCache: undefined, edge: edgeOf(config), interceptors: [], upstreams: [] };
  }

  /** Within a build of `retained`. Rejects with a UserError if a file that the config names is invalid. */
  async make(config: Config): Promise<Generation> {
    const { runtime, log, retained, telemetry, use, features } = this.#options;
    const context: KindContext = {
      clock: runtime.clock,
      log,
      retained,
      meters: telemetry.counters,
      telemetry,
      env: runtime.env,
      metadataNames: config.http.metadata,
    };
    // Those of programs may take time; everything else is made at once, when they are ready.
    const interceptors = await interceptorsOf(config, use, context, features);
    const schemaCache = this.#keepSchemaCache(config.schemaCache);
    return {
      config,
      schemaCache,
      edge: edgeOf(config),
      interceptors,
      upstreams: config.upstreams.map((upstream) => this.#keepUpstream(upstream, schemaCache)),
    };
  }

  /** The folder of remembered schemas. An unusable folder does not keep the hub from serving. */
  #keepSchemaCache(folder: string | undefined): SchemaCache | undefined {
    if (folder === undefined) return undefined;
    const { retained, log } = this.#options;
    return retained.keep("schema cache", folder, () => {
      const problem = checkPath(folder, "writable directory");
      if (problem !== undefined) log.warn(`schemaCache: ${problem}; schemas are not remembered`);
      return new SchemaCache(folder, (message) => log.warn(message));
    });
  }

  #keepUpstream(config: UpstreamConfig, cache: SchemaCache | undefined): LearnedUpstream {
    const {
      runtime,
      sendMemory,
      replayMemory,
      retained,
      log,
      telemetry,
      serving,
      servingChanged,
      learned,
      located,
    } = this.#options;
    const { counters: meters } = telemetry;
    const { retries } = retained.keep("retries", config.name, () => ({
      retries: new UpstreamRetries(config.name, runtime.clock, meters),
      close() {},
    }));
    // With other endpoints or limits it stays the same: `update` applies them once the config is in force.
    const { name, schema, tls } = config;
    const { upstream } = retained.keep("upstream", { name, schema, tls }, () => {
      const events: UpstreamEvents = {
        onSchema: ({ schema, remembered, log }, before) => {
          // The summary of `serve` shows what is known at the start, but not what has changed since it was remembered.
          const changed = before !== undefined && before.schema.hash !== schema?.hash;
          if (schema !== undefined && (serving() || changed)) log.schema(before, { schema, remembered });
          learned();
        },
        onProblem: (_, message, first) => {
          if (first) log.warn(`upstream "${config.name}": ${message}`);
          learned();
        },
        onServing: servingChanged,
        onEndpoints: located,
      };
      const upstream = new LearnedUpstream(config, events, {
        runtime,
        sendMemory,
        replayMemory,
        retries,
        log,
        own: this.#options.features,
        meters,
        cache,
      });
      return { upstream, close: () => this.#retire(upstream) };
    });
    return upstream;
  }

  /** A reload removed it, but calls that are being admitted may still be on their way to it. */
  #retire(upstream: LearnedUpstream): void {
    if (this.#closed) {
      upstream.close();
      return;
    }
    this.#retired.add(upstream);
    this.#options.runtime.clock.setTimeout(() => {
      if (this.#retired.delete(upstream)) upstream.drain();
    }, RETIREMENT_MS);
  }

  /**
   * Connects a generation's upstreams, and waits a while for their schemas; slower ones are learned while the hub
   * serves. Rejects with a UserError if schema files cannot be read.
   */
  async start({ upstreams }: Generation): Promise<void> {
    const { clock } = this.#options.runtime;
    const started = upstreams.map((upstream) => upstream.start());
    await new Promise<void>((resolve, reject) => {
      const patience = clock.setTimeout(resolve, FIRST_LEARNING_MS);
      Promise.all(started)
        .then(() => resolve(), reject)
        .finally(() => patience.cancel());
    });
    // Files are awaited without a timeout: nothing would report them later.
    await Promise.all(started.filter((_, i) => upstreams[i]?.config.schema.kind !== "reflection"));
  }

  /** From now on retired upstreams are closed at once. */
  leave(): void {
    this.#closed = true;
  }

  /** Closes the upstreams of a generation, and those of earlier ones. */
  close({ upstreams }: Generation): void {
    this.leave();
    for (const upstream of [...upstreams, ...this.#retired])
      attempt("while the hub was closed", () => upstream.close());
    this.#retired.clear();
  }
}

function edgeOf({ trustedProxies, hints, limits, http }: Config): Edge {
  return {
    trusts: matcherOf(trustedProxies),
    hints,
    connectionsPerAddress: limits.connectionsPerAddress,
    webSocketOrigins: http.webSocketOrigins,
  };
}
