// An upstream of the config while the hub runs: the cluster that reaches it, and the schema that it was found to have.
import { connect, type Socket } from "node:net";
import { isDeepStrictEqual } from "node:util";
import type { Handler } from "../../call/sink.js";
import { formatAddress } from "../../config/address.js";
import type { SendMemory } from "../../http2/send-memory.js";
import type { Timer } from "../../kit/clock.js";
import { lateLoad } from "../../kit/files/late-load.js";
import type { Log } from "../../kit/log.js";
import type { Meters } from "../../kit/meters.js";
import type { Runtime } from "../../kit/runtime.js";
import { maskedText } from "../../kit/text/masked-text.js";
import { UserError } from "../../kit/text/user-error.js";
import { loadProtoset } from "../../schema/sources/protoset.js";
import { LastRead, learnByReflection } from "../../schema/sources/reflection.js";
import { SchemaWatcher } from "../../schema/sources/relearn.js";
import type { Owner, SchemaCache } from "../../schema/sources/schema-cache.js";
import { type Schema, SchemaError, undescribedSchema } from "../../schema/types/schema.js";
import type { CertificateState } from "../../tls/certificate-state.js";
import { ClientTls } from "../../tls/client-tls.js";
import { Cluster } from "../../upstream/cluster.js";
import type { EndpointInfo } from "../../upstream/discovery/endpoint-source.js";
import { listedEndpoints } from "../../upstream/discovery/static-endpoints.js";
import { balancerOf, type OwnParts, sourceOf } from "../../upstream/own-parts.js";
import type { EndpointAddress } from "../../upstream/pool/endpoint.js";
import { openRawStream } from "../../upstream/raw-stream.js";
import type { ReplayMemory } from "../../upstream/replay-memory.js";
import type { RetryPolicy } from "../../upstream/retry/policy/policy.js";
import { retrying } from "../../upstream/retry/retrying.js";
import { UpstreamRetries } from "../../upstream/retry/upstream-retries.js";
import type { UpstreamConfig } from "../../upstream/upstream-config.js";
import { SchemaMemory } from "./schema-memory.js";
import { type KnownSchema, UpstreamLog } from "./upstream-log.js";

export interface UpstreamEvents {
  /** `schema` is new. `before`: the one in its place until now. */
  onSchema(upstream: LearnedUpstream, before: KnownSchema | undefined): void;
  /** It could not be learned (again); an older schema stays in use. `first`: this reason is new since things went well. */
  onProblem(upstream: LearnedUpstream, message: string, first: boolean): void;
  /** It has a healthy endpoint, or not any more. */
  onServing?(upstream: LearnedUpstream): void;
  /** Its source has told its endpoints, or why it does not know them. */
  onEndpoints?(upstream: LearnedUpstream): void;
}

/** Learning waits so long for what is remembered, which it is compared with; a folder may hang. */
const REMEMBERING_MS = 10_000;

export interface LearnedUpstreamOptions {
  readonly runtime: Runtime;
  /** Counts what waits to be sent, on all connections of the hub. Default: each connection by itself. */
  readonly sendMemory?: SendMemory;
  /** Counts what is kept of requests, of all calls of the hub. Default: those of the upstream by themselves. */
  readonly replayMemory?: ReplayMemory;
  /** What its retries have in common, where that outlives it. */
  readonly retries?: UpstreamRetries;
  /** Balancers and sources of the program. */
  readonly own?: OwnParts | undefined;
  readonly log: Log;
  readonly meters: Meters;
  /** Where its schema is remembered; undefined: nowhere. */
  readonly cache: SchemaCache | undefined;
}

export class LearnedUpstream {
  /** As it is in force; endpoints and limits change with a reload, the rest with another upstream. */
  config: UpstreamConfig;
  readonly cluster: Cluster;
  schema: Schema | undefined = undefined;
  /** When `schema` was learned, if it is the one that is remembered, and was not learned yet: Unix time, milliseconds. */
  remembered: number | undefined = undefined;
  /** Why there is no schema; undefined once there is one. */
  problem: string | undefined = "it has not been learned yet";
  /** Why it could not be learned, where the schema is the one that is remembered. */
  unlearned: string | undefined = undefined;
  private readonly tls: ClientTls | undefined;
  private readonly watcher: SchemaWatcher | undefined;
  private readonly memory: SchemaMemory;
  /** Where its endpoints come from, as JSON; undefined before the start. */
  private followed: string | undefined = undefined;
  private readonly names = new Map<string, readonly string[]>();
  /** What is remembered has been read. */
  private learning = false;
  /** Resolves with the first answer to what it serves, be it a problem. */
  private readonly answered: Promise<void>;
  private started: Promise<void> | undefined = undefined;

  readonly log: UpstreamLog;

  private readonly retries: UpstreamRetries;
  private readonly events: UpstreamEvents;
  private readonly runtime: Runtime;
  private readonly own: OwnParts | undefined;

  /**
   * Throws a UserError where the certificates of its TLS cannot be used.
   */
  constructor(config: UpstreamConfig, events: UpstreamEvents, options: LearnedUpstreamOptions) {
    const { runtime, sendMemory, replayMemory, log, meters, cache } = options;
    const { clock } = runtime;
    this.retries = options.retries ?? new UpstreamRetries(config.name, clock, meters);
    this.config = config;
    this.events = events;
    this.runtime = runtime;
    this.own = options.own;
    this.memory = new SchemaMemory(() => this.owner, cache, clock);
    this.log = new UpstreamLog(config.name, log, clock);
    const tls =
      config.tls &&
      new ClientTls({ config: config.tls, name: `upstream "${config.name}"`, log, env: runtime.env });
    this.tls = tls;
    this.cluster = new Cluster({
      name: config.name,
      limits: config.pool,
      health: config,
      clock,
      random: runtime.random,
      balancer: balancerOf(config.balancer.name, options.own),
      balancing: config.balancer,
      onBadReport: (address, reason) => this.log.badReport(address, reason),
      memory: sendMemory,
      replayMemory,
      meters,
      onChange: (endpoint) => {
        // It may be another build than before.
        if (endpoint.state === "ready" && this.learning) this.watcher?.poke();
        this.log.endpoint(endpoint);
      },
      onHealth: ({ address, health }) => {
        if (health?.checking !== true) this.log.health(address, health?.why);
      },
      onServing: () => events.onServing?.(this),
      onSource: (problem) => {
        this.log.source(problem);
        events.onEndpoints?.(this);
        this.log.retain(this.cluster.endpoints.map(({ address }) => address));
      },
    });
    let answer = (): void => {};
    this.answered = new Promise((resolve) => {
      answer = resolve;
    });
    if (config.schema.kind !== "reflection") {
      answer();
      return;
    }
    const last = new LastRead();
    this.watcher = new SchemaWatcher({
      clock,
      random: runtime.random,
      learn: async (signal, answered) => {
        const open = (path: string) => openRawStream(this.cluster.handler, path, clock);
        const schema = await learnByReflection(open, { signal, last, answered });
        this.memory.keep(schema);
        return schema;
      },
      onSchema: (schema) => {
        this.take({ schema, remembered: undefined });
        answer();
      },
      onProblem: (message, first) => {
        if (this.schema === undefined) this.problem = message;
        if (this.remembered !== undefined) this.unlearned = message;
        events.onProblem(this, message, first);
        answer();
      },
    });
  }

  /**
   * Connects, and resolves once its schema is known or is known not to be had now.
   * Rejects with a UserError when it shall come from files that cannot be read.
   */
  start(): Promise<void> {
    // A reload that keeps this upstream starts it again: it is started already.
    this.started ??= this.begin();
    return this.started;
  }

  private async begin(): Promise<void> {
    const { name, schema } = this.config;
    try {
      if (schema.kind === "protoset") this.schema = await loadProtoset(schema.file);
      if (schema.kind === "protos") {
        // With the compiler of .proto files, which most hubs need not load.
        const { loadProtos } = await lateLoad(() => import("../../schema/sources/protos.js"));
        this.schema = await loadProtos(schema.dirs);
      }
      if (schema.kind === "none") this.schema = undescribedSchema(schema.services ?? []);
    } catch (error) {
      if (!(error instanceof SchemaError)) throw error;
      throw new UserError(`upstream "${name}": ${error.message}`, { cause: error });
    }
    if (this.schema !== undefined) this.problem = undefined;
    this.follow();
    if (this.watcher !== undefined) await this.remember();
    this.learning = true;
    this.watcher?.start();
    await this.answered;
  }

  /** What was learned by an earlier hub serves until it is learned anew. */
  private async remember(): Promise<void> {
    const read = this.memory.read().then((found) => {
      // It may have been learned meanwhile.
      if (found === undefined || this.schema !== undefined) return;
      this.take({ schema: found.schema, remembered: found.learnedAt });
    });
    let timer: Timer | undefined;
    const patience = new Promise<void>((resolve) => {
      timer = this.runtime.clock.setTimeout(resolve, REMEMBERING_MS);
    });
    await Promise.race([read, patience]);
    timer?.cancel();
  }

  private take({ schema, remembered }: KnownSchema): void {
    const before = this.schema && { schema: this.schema, remembered: this.remembered };
    this.schema = schema;
    this.remembered = remembered;
    this.unlearned = remembered === undefined ? undefined : (this.problem ?? this.unlearned);
    this.problem = undefined;
    this.events.onSchema(this, before);
  }

  private get owner(): Owner {
    const { name, endpoints, source } = this.config;
    // It is written to the disk, as it is shown.
    return { name, endpoints: source ? [maskedText(source.target)] : endpoints.map(formatAddress) };
  }

  /** They are listed in the config, or its source has told them once. */
  get knowsEndpoints(): boolean {
    return this.config.source === undefined || this.cluster.source.known;
  }

  /** Takes endpoints from where the config says; from where they come already is gone on with. */
  private follow(): void {
    const { endpoints, source } = this.config;
    const followed = JSON.stringify([endpoints, source]);
    if (followed === this.followed) return;
    this.followed = followed;
    const { clock, random, env } = this.runtime;
    const context = { clock, random, env, names: this.names, login: source?.login };
    const opened =
      source === undefined ? listedEndpoints(endpoints, context) : sourceOf(source.target, context, this.own);
    this.cluster.follow(opened, (endpoint) => this.addressOf(endpoint));
  }

  private addressOf(endpoint: EndpointInfo): EndpointAddress {
    const { tls } = this;
    const { weight, priority, zone } = endpoint;
    return {
      weight,
      priority,
      zone,
      address: formatAddress(endpoint),
      secureAuthority: tls?.authority(endpoint),
      authority: clearAuthority(endpoint),
      dial: () => tls?.dial(endpoint) ?? dial(endpoint),
    };
  }

  /** Takes over other endpoints, limits and another balancer, and another folder; connections to endpoints that stay go on. */
  update(config: UpstreamConfig, cache: SchemaCache | undefined): void {
    if (config === this.config) return;
    this.memory.moved(cache);
    const { balancer } = this.config;
    this.config = config;
    this.cluster.limits = config.pool;
    this.cluster.configure(config);
    if (!isDeepStrictEqual(balancer, config.balancer))
      this.cluster.setBalancer(balancerOf(config.balancer.name, this.own), config.balancer);
    // One that has not begun yet follows what is in force by then.
    if (this.followed !== undefined) this.follow();
  }

  /** Sends calls there, and again by a policy where they fail. */
  readonly handlerFor = (policy: RetryPolicy): Handler =>
    retrying({ cluster: this.cluster, retries: this.retries, policy });

  /** What the hub shows to it, and by what it knows it; none in clear text. */
  get certificates(): readonly CertificateState[] {
    return this.tls?.certificates ?? [];
  }

  /** Takes over the certificates that lie in the files now, for new connections. */
  reloadCertificates(): void {
    this.tls?.reload();
  }

  /** Running calls may end; no new ones. */
  drain(): void {
    this.tls?.close();
    this.watcher?.close();
    this.memory.close();
    this.log.close();
    this.cluster.drain();
  }

  close(): void {
    this.tls?.close();
    this.watcher?.close();
    this.memory.close();
    this.log.close();
    this.cluster.close();
  }
}

function dial(endpoint: EndpointInfo): Socket {
  return "path" in endpoint
    ? connect({ path: endpoint.path })
    : connect({ host: endpoint.host, port: endpoint.port, noDelay: true });
}

/** What calls in clear text say where the client names nothing; of a socket, what gRPC says. */
function clearAuthority(endpoint: EndpointInfo): string {
  if ("path" in endpoint) return "localhost";
  return formatAddress({ host: endpoint.name ?? endpoint.host, port: endpoint.port });
}
