// An upstream of the config while the hub runs: the cluster that reaches it, and the schema that it was found to have.
import { connect } from "node:net";
import { formatAddress } from "../config/address.js";
import type { UpstreamConfig } from "../config/config.js";
import { systemClock } from "../core/clock.js";
import type { Log } from "../core/log.js";
import type { Meters } from "../core/meters.js";
import { UserError } from "../core/user-error.js";
import { loadProtos } from "../schema/protos.js";
import { loadProtoset } from "../schema/protoset.js";
import { LastRead, learnByReflection } from "../schema/reflection.js";
import { SchemaWatcher } from "../schema/relearn.js";
import { type Schema, SchemaError, undescribedSchema } from "../schema/schema.js";
import type { CertificateState } from "../tls/certificate-state.js";
import { ClientTls } from "../tls/client-tls.js";
import { Cluster } from "../upstream/cluster.js";
import type { EndpointAddress } from "../upstream/endpoint.js";
import { openRawStream } from "../upstream/raw-stream.js";
import { UpstreamLog } from "./upstream-log.js";

export interface UpstreamEvents {
  /** `schema` is new. `before`: the one in its place until now. */
  onSchema(upstream: LearnedUpstream, before: Schema | undefined): void;
  /** It could not be learned (again); an older schema stays in use. `first`: this reason is new since things went well. */
  onProblem(upstream: LearnedUpstream, message: string, first: boolean): void;
}

export class LearnedUpstream {
  /** As it is in force; endpoints and limits change with a reload, the rest with another upstream. */
  config: UpstreamConfig;
  readonly cluster: Cluster;
  schema: Schema | undefined = undefined;
  /** Why there is no schema; undefined once there is one. */
  problem: string | undefined = "it has not been learned yet";
  private readonly tls: ClientTls | undefined;
  private readonly watcher: SchemaWatcher | undefined;
  /** Resolves with the first answer to what it serves, be it a problem. */
  private readonly answered: Promise<void>;
  private started: Promise<void> | undefined = undefined;

  readonly log: UpstreamLog;

  /** Throws a UserError where the certificates of its TLS cannot be used. */
  constructor(config: UpstreamConfig, events: UpstreamEvents, log: Log, meters: Meters) {
    this.config = config;
    this.log = new UpstreamLog(config.name, log, systemClock);
    const tls = config.tls && new ClientTls({ config: config.tls, name: `upstream "${config.name}"`, log });
    this.tls = tls;
    this.cluster = new Cluster({
      name: config.name,
      endpoints: this.addresses(config),
      limits: config.pool,
      meters,
      onChange: (endpoint) => {
        // It may be another build than before.
        if (endpoint.state === "ready") this.watcher?.poke();
        this.log.endpoint(endpoint);
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
      clock: systemClock,
      learn: (signal, answered) =>
        learnByReflection((path) => openRawStream(this.cluster.handler, path, systemClock), {
          signal,
          last,
          answered,
        }),
      onSchema: (schema) => {
        const before = this.schema;
        this.schema = schema;
        this.problem = undefined;
        events.onSchema(this, before);
        answer();
      },
      onProblem: (message, first) => {
        if (this.schema === undefined) this.problem = message;
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
      if (schema.kind === "protos") this.schema = await loadProtos(schema.dirs);
      if (schema.kind === "none") this.schema = undescribedSchema(schema.services ?? []);
    } catch (error) {
      if (!(error instanceof SchemaError)) throw error;
      throw new UserError(`upstream "${name}": ${error.message}`, { cause: error });
    }
    if (this.schema !== undefined) this.problem = undefined;
    this.cluster.connect();
    this.watcher?.start();
    await this.answered;
  }

  private addresses({ endpoints }: UpstreamConfig): EndpointAddress[] {
    const { tls } = this;
    return endpoints.map(({ host, port }) => ({
      address: formatAddress({ host, port }),
      secureAuthority: tls?.authority({ host, port }),
      dial: () => tls?.dial({ host, port }) ?? connect({ host, port, noDelay: true }),
    }));
  }

  /** Takes over other endpoints and limits; connections to endpoints that stay go on. */
  update(config: UpstreamConfig): void {
    if (config === this.config) return;
    this.config = config;
    this.cluster.limits = config.pool;
    const addresses = this.addresses(config);
    this.cluster.setEndpoints(addresses);
    this.log.retain(addresses.map(({ address }) => address));
  }

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
    this.log.close();
    this.cluster.drain();
  }

  close(): void {
    this.tls?.close();
    this.watcher?.close();
    this.log.close();
    this.cluster.close();
  }
}
