// An upstream of the config at run time: its cluster, and its learned schema.
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
  /** `schema` is new. `before`: the previous one. */
  onSchema(upstream: LearnedUpstream, before: KnownSchema | undefined): void;
  /** It could not be learned (again); an older schema stays in use. `first`: this reason is new since a success. */
  onProblem(upstream: LearnedUpstream, message: string, first: boolean): void;
  /** It has a healthy endpoint, or none any longer. */
  onServing?(upstream: LearnedUpstream): void;
  /** Its source has reported its endpoints, or why it does not know them. */
  onEndpoints?(upstream: LearnedUpstream): void;
}

/** How long learning waits for the remembered schema, which it is compared with; a folder may hang. */
const REMEMBERING_MS = 10_000;

export interface LearnedUpstreamOptions {
  readonly runtime: Runtime;
  /** Counts bytes waiting to be sent, on all connections of the hub. Default: each connection by itself. */
  readonly sendMemory?: SendMemory;
  /** Counts buffered request bytes, of all calls of the hub. Default: those of the upstream by themselves. */
  readonly replayMemory?: ReplayMemory;
  /** The shared state of its retries, if that outlives it. */
  readonly retries?: UpstreamRetries;
  /** Balancers and sources added by the program. */
  readonly own?: OwnParts | undefined;
  readonly log: Log;
  readonly meters: Meters;
  /** Where schemas are remembered; undefined: nowhere. */
  readonly cache: SchemaCache | undefined;
}

export class LearnedUpstream {
  /** The current config; endpoints and limits change with a reload, other changes make a new upstream. */
  config: UpstreamConfig;
  readonly cluster: Cluster;
  schema: Schema | undefined = undefined;
  /** When `schema` was learned, if it is the remembered one and was not learned again yet: Unix time, milliseconds. */
  remembered: number | undefined = undefined;
  /** Why there is no schema; undefined once there is one. */
  problem: string | undefined = "it has not been learned yet";
  /** Why it could not be learned, if the schema is the remembered one. */
  unlearned: string | undefined = undefined;
  private readonly tls: ClientTls | undefined;
  private readonly watcher: SchemaWatcher | undefined;
  private readonly memory: SchemaMemory;
  /** The source of its endpoints, as JSON; undefined before the start. */
  private followed: string | undefined = undefined;
  private readonly names = new Map<string, readonly string[]>();
  /** The remembered schema has been read. */
  private learning = false;
  /** Resolves with the first result of learning, which may be a problem. */
  private readonly answered: Promise<void>;
  private started: Promise<void> | undefined = undefined;

  readonly log: UpstreamLog;

  private readonly retries: UpstreamRetries;
  private readonly events: UpstreamEvents;
  private readonly runtime: Runtime;
  private readonly own: OwnParts | undefined;

  /**
   * Throws a UserError if the certificates of its TLS cannot be used.
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
   * Connects, and resolves once its schema is known or could not be learned for now.
   * Rejects with a UserError if the schema must come from files that cannot be read.
   */
  start(): Promise<void> {
    // A reload that retains this upstream starts it again: it is started already.
    this.started ??= this.begin();
    return this.started;
  }

  private async begin(): Promise<void> {
    const { name, schema } = this.config;
    try {
      if (schema.kind === "protoset") this.schema = await loadProtoset(schema.file);
      if (schema.kind === "protos") {
        // Loads the compiler of .proto files, which most hubs do not need.
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

  /** A schema learned by an earlier hub is used until it is learned again. */
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
    // It is written to disk as it is shown.
    return { name, endpoints: source ? [maskedText(source.target)] : endpoints.map(formatAddress) };
  }

  /** They are listed in the config, or its source has reported them once. */
  get knowsEndpoints(): boolean {
    return this.config.source === undefined || this.cluster.source.known;
  }

  /** Takes endpoints from the configured source; if the source is unchanged, continues with it. */
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

  /** Takes over changed endpoints, limits, balancer and folder; connections to endpoints that stay are retained. */
  update(config: UpstreamConfig, cache: SchemaCache | undefined): void {
    if (config === this.config) return;
    this.memory.moved(cache);
    const { balancer } = this.config;
    this.config = config;
    this.cluster.limits = config.pool;
    this.cluster.configure(config);
    if (!isDeepStrictEqual(balancer, config.balancer))
      this.cluster.setBalancer(balancerOf(config.balancer.name, this.own), config.balancer);
    // An upstream that has not started yet will follow the config of that time.
    if (this.followed !== undefined) this.follow();
  }

  /** Sends calls to the cluster, and retries failures by a policy. */
  readonly handlerFor = (policy: RetryPolicy): Handler =>
    retrying({ cluster: this.cluster, retries: this.retries, policy });

  /** The hub's certificates for it, and those that it is verified by; none in clear text. */
  get certificates(): readonly CertificateState[] {
    return this.tls?.certificates ?? [];
  }

  /** Reloads the certificates from their files, for new connections. */
  reloadCertificates(): void {
    this.tls?.reload();
  }

  /** Running calls may end; no new ones are accepted. */
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

/** The `:authority` of clear-text calls whose client sent none; for a socket, the one that gRPC uses. */
function clearAuthority(endpoint: EndpointInfo): string {
  if ("path" in endpoint) return "localhost";
  return formatAddress({ host: endpoint.name ?? endpoint.host, port: endpoint.port });
}
