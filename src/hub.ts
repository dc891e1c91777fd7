// The composition root: builds a hub out of a Config, and starts it.
import type { TLSSocket } from "node:tls";
import { type RunningAdmin, startAdmin } from "./admin/admin.js";
import type { Method } from "./call/call.js";
import type { Edge, Gateway, Snapshot } from "./call/gateway.js";
import type { Interceptor } from "./call/interceptor.js";
import { RunningCalls } from "./call/running-calls.js";
import { refusal } from "./call/status/reasons.js";
import { formatAddress } from "./config/address.js";
import { checkPath } from "./config/files.js";
import type { UpstreamConfig } from "./config/upstream-config.js";
import { Listener, waitingBytes } from "./downstream/accept/listener.js";
import { type Assembly, assembling } from "./hub/assembly.js";
import { type Embedded, embed } from "./hub/embedded.js";
import { interceptorsOf } from "./hub/interceptors.js";
import { LearnedUpstream, type UpstreamEvents } from "./hub/learned-upstream.js";
import type { OwnInterceptor } from "./hub/own-interceptors.js";
import { Readiness } from "./hub/readiness.js";
import { handshakeFailures, logFamilies } from "./hub/telemetry.js";
import { upstreamRow } from "./hub/upstream-row.js";
import type { KindContext } from "./interceptors/kit/kind.js";
import { systemClock } from "./kit/clock.js";
import { attempt, listenToFaults, reportFault } from "./kit/faults.js";
import { completed, inSlices } from "./kit/in-slices.js";
import { Lives } from "./kit/lives.js";
import type { Log } from "./kit/log.js";
import type { Counter, Meters } from "./kit/meters.js";
import { matcherOf } from "./kit/net/ip.js";
import { cannotListen, UserError } from "./kit/text/user-error.js";
import { TimerWheel } from "./kit/timer-wheel.js";
import type { ServiceRoute } from "./routing/table.js";
import { DescriptorIndex, type Descriptors } from "./schema/descriptors/descriptor-index.js";
import { SchemaCache } from "./schema/sources/schema-cache.js";
import { layered, SchemaIndex } from "./schema/types/schema-index.js";
import { type EmbeddedService, type HubServices, hubServices } from "./services/hub-services.js";
import { filesOf, STATUS_TYPES } from "./services/image.js";
import type { Features } from "./settings/features.js";
import { needsRestart } from "./settings/restart.js";
import { secretsOf } from "./settings/secrets.js";
import type { Config } from "./settings/sections.js";
import { writtenOf } from "./settings/written.js";
import { Telemetry } from "./telemetry/telemetry.js";
import type { CertificateState } from "./tls/certificate-state.js";
import type { ServerTlsConfig } from "./tls/config.js";
import { ServerTls } from "./tls/server-tls.js";
import { loadXmlParser } from "./transcoding/xml/document.js";
import { Cluster } from "./upstream/cluster.js";
import { gaugesOf } from "./view/gauges.js";
import type { HubView, ListenerRow, ReloadState, RouteRow, UpstreamRow } from "./view/hub-view.js";

export type { InterceptorMaker, OwnInterceptor, Place, PlacedInterceptor } from "./hub/own-interceptors.js";
export type { Log } from "./kit/log.js";
export type { EmbeddedService } from "./services/hub-services.js";

/** What is to be read of it, and what can be done to it. */
export interface RunningHub extends HubView {
  /** The first bound address, e.g. `http://127.0.0.1:8080`, `https://[::1]:8443`, `unix:/run/linchpin.sock`. */
  readonly url: string;
  /** Every bound address, in the order of the config. */
  readonly urls: readonly string[];
  /** Bound admin address; undefined when admin is off. */
  readonly adminUrl: string | undefined;
  /** What is in force now. */
  readonly config: Config;
  /**
   * Reads the config anew and serves by it; all or nothing. Rejects with a UserError that says what is wrong;
   * resolves with notes on what needs a restart. Both are in the log.
   * @param by who asks, for the log, as in `SIGHUP`. Default: `reload`.
   */
  reload(by?: string): Promise<readonly string[]>;
  /**
   * Is not ready any more, still accepts for `drain.delay`, then stops accepting, tells clients to leave (GOAWAY), waits
   * for running calls until the grace time is over, and closes.
   * @param graceMs milliseconds for all of it, the delay included. Default: `drain.grace`.
   */
  drain(graceMs?: number): Promise<void>;
  /** Ends at once. */
  close(): Promise<void>;
}

/** The hub's own services, as an upstream. */
const HUB = "hub";
/** Start-up waits so long for upstreams to be learned; those that take longer are learned while the hub serves. */
const FIRST_LEARNING_MS = 2000;

export interface HubOptions {
  /** Reads the config anew, for a reload; throws a UserError when it is wrong. undefined: there is nothing to reload. */
  readonly readConfig?: (() => Promise<Config>) | undefined;
  /** Interceptors of the program that the hub runs in, among the hub's. */
  readonly use?: readonly OwnInterceptor[] | undefined;
  /** Services of the program that the hub runs in; they come before those of upstreams. */
  readonly services?: readonly EmbeddedService[] | undefined;
  /** What the hub is made of. Default: what it has. */
  readonly features?: Features | undefined;
}

/**
 * Starts a hub. Rejects with a UserError (one sentence) when it cannot listen or a file cannot be read; an upstream
 * that is down is no failure: it is learned when it comes.
 */
export async function startHub(config: Config, log: Log, options: HubOptions = {}): Promise<RunningHub> {
  const hub = new Hub(config, log, options);
  try {
    await hub.start();
  } catch (error) {
    await hub.close();
    throw error;
  }
  return hub;
}

/** The hub's own services are loaded so long after the start, or when they are first called. */
const OWN_SERVICES_DELAY_MS = 1000;
/** How long the answers of calls that a drain has cut may take to leave. */
const LAST_WORDS_MS = 250;
/** How long an upstream that a reload dropped takes calls that began before it: longer than any step should wait. */
const RETIREMENT_MS = 10_000;

/** Warnings that are remembered: several times those of one assembly, so that none comes again with the next one. */
const MAX_WARNED = 1000;

/** What a config makes of the hub; replaced whole by a reload. */
interface Generation {
  readonly config: Config;
  readonly edge: Edge;
  readonly interceptors: readonly Interceptor[];
  readonly upstreams: readonly LearnedUpstream[];
  readonly schemaCache: SchemaCache | undefined;
}

class Hub implements RunningHub, Gateway {
  urls: readonly string[] = [];
  adminUrl: string | undefined = undefined;
  readonly timers = new TimerWheel(systemClock);
  readonly calls = new RunningCalls();

  private readonly log: Log;
  private readonly options: HubOptions;
  private readonly lives = new Lives();
  private readonly telemetry: Telemetry;
  /** Upstreams of earlier generations that may still be called. */
  private readonly retired = new Set<LearnedUpstream>();
  private generation: Generation;
  private readonly own: HubServices;
  private readonly embedded: Embedded;
  private readonly ownCluster: Cluster;
  /** Of the listeners, as configured at the start. */
  private readonly addresses: readonly string[];
  private readonly listening: readonly Listener[];
  private admin: RunningAdmin | undefined = undefined;
  private assembly: Assembly;
  /** Full names of all that is behind the hub and described. */
  private services: readonly string[] = [];
  /** Of what gRPC clients alone can call. */
  private undescribed: readonly string[] = [];
  /** Made when somebody asks; most hubs are never asked. */
  private index: Descriptors | undefined = undefined;
  private state: "starting" | "serving" | "draining" = "starting";
  private readonly readiness: Readiness;
  private readonly cut: Counter;
  /** Warnings that are in the log already, the oldest first. */
  private readonly warned = new Set<string>();
  lastReload: ReloadState = { succeeded: true, at: Date.now() };
  private rebuilding: Promise<void> | undefined = undefined;
  /** How many were asked for. */
  private rebuilds = 0;
  /** Something was learned since the running rebuild began. */
  private stale = false;
  private reloading: Promise<readonly string[]> | undefined = undefined;
  private stopListening: () => void = () => {};

  constructor(config: Config, log: Log, options: HubOptions) {
    this.log = log;
    this.options = options;
    this.telemetry = new Telemetry(systemClock, log, () => [...gaugesOf(this), ...logFamilies(log)]);
    this.cut = this.telemetry.counters.counter(
      "linchpin.calls.cut",
      "Calls that still ran when the grace time of a drain was over, or the hub was closed.",
    );
    this.embedded = embed(options.services ?? []);
    this.own = hubServices({
      health: () => this.healthServices(),
      reflection: config.reflection
        ? {
            // Those that nothing describes are left out: tools that describe what is listed would fail for all of it.
            serviceNames: () => [...this.services, ...this.own.services],
            index: () => this.descriptors(),
          }
        : undefined,
      embedded: this.embedded.services,
      maxMessageBytes: config.limits.maxMessageBytes,
    });
    this.readiness = new Readiness({
      clock: systemClock,
      log,
      missing: () =>
        this.generation.upstreams.flatMap((u) => (u.schema === undefined ? [u.config.name] : [])),
      onChange: (ready) => this.own.health.set("", ready),
    });
    this.ownCluster = new Cluster({
      name: HUB,
      endpoints: [{ address: "in-memory", dial: () => this.own.dial() }],
    });
    this.lives.begin();
    try {
      this.generation = this.generate(config);
    } catch (error) {
      this.lives.rollback();
      this.telemetry.close();
      throw error;
    }
    this.lives.commit();
    // Nothing is learned yet.
    this.assembly = completed(this.assembling(this.generation));
    this.addresses = config.listen.map(({ address }) => formatAddress(address));
    this.listening = config.listen.map(
      ({ address, tls }) =>
        new Listener(this, {
          ...address,
          limits: config.limits,
          meters: this.telemetry.counters,
          log,
          tls: tls && serverTls(tls, formatAddress(address), log, this.telemetry.counters),
        }),
    );
  }

  async start(): Promise<void> {
    const faults = this.telemetry.counters.counter(
      "linchpin.faults",
      "Errors of the hub, or of a program's code in it, each the end of one call or connection: please report them.",
    );
    this.stopListening = listenToFaults((line) => {
      faults.add();
      if (line !== undefined) this.log.error(line);
    });
    if (this.embedded.services.length > 0) await this.own.start();
    const started = this.startUpstreams(this.generation);
    try {
      // While they are waited for.
      loadXmlParser();
    } catch {
      // The call that needs it tries again, and is told.
    }
    await started;
    await this.rebuild();
    const { listen, admin } = this.generation.config;
    this.urls = await Promise.all(
      this.listening.map((listener, i) =>
        listener.listen().then(
          (bound) => urlOf(bound, listen[i]?.tls !== undefined),
          (error: unknown) => {
            throw cannotListen("the hub", formatAddress(listen[i]?.address ?? { path: "?" }), error);
          },
        ),
      ),
    );
    if (admin !== undefined) {
      this.admin = await startAdmin(admin, this, this.log);
      this.adminUrl = this.admin.address;
    }
    this.state = "serving";
    this.readiness.start(this.config.readinessWaitMs);
    // Not before the first calls have been served: see control/hub-server.ts.
    systemClock.setTimeout(() => {
      if (this.state === "serving") this.ownCluster.connect();
    }, OWN_SERVICES_DELAY_MS);
  }

  /** What the config makes; things that live longer than it are taken from `lives`. */
  private generate(config: Config): Generation {
    const { log, lives, telemetry } = this;
    const { features } = this.options;
    const context: KindContext = {
      clock: systemClock,
      log,
      lives,
      meters: telemetry.counters,
      telemetry,
      env: process.env,
      metadataNames: config.http.metadata,
    };
    const schemaCache = this.keepSchemaCache(config.schemaCache);
    return {
      config,
      schemaCache,
      edge: {
        trusts: matcherOf(config.trustedProxies),
        hints: config.hints,
        connectionsPerAddress: config.limits.connectionsPerAddress,
        webSocketOrigins: config.http.webSocketOrigins,
      },
      interceptors: interceptorsOf(config, this.options.use ?? [], context, features),
      upstreams: config.upstreams.map((upstream) => this.keepUpstream(upstream, schemaCache)),
    };
  }

  /** Where schemas are remembered. A folder that cannot be used is no reason not to serve. */
  private keepSchemaCache(folder: string | undefined): SchemaCache | undefined {
    if (folder === undefined) return undefined;
    return this.lives.keep("schema cache", folder, () => {
      const problem = checkPath(folder, "writable directory");
      if (problem !== undefined) this.log.warn(`schemaCache: ${problem}; schemas are not remembered`);
      return new SchemaCache(folder, (message) => this.log.warn(message));
    });
  }

  private keepUpstream(config: UpstreamConfig, cache: SchemaCache | undefined): LearnedUpstream {
    // With other endpoints or limits it is the same one: `update` gives it them once the config is in force.
    const { name, schema, tls } = config;
    const { upstream } = this.lives.keep("upstream", { name, schema, tls }, () => {
      const events: UpstreamEvents = {
        onSchema: ({ schema, remembered, log }, before) => {
          // What is known at the start is in the summary of `serve`; what has changed since it was remembered is not.
          const changed = before !== undefined && before.schema.hash !== schema?.hash;
          if (schema !== undefined && (this.state !== "starting" || changed))
            log.schema(before, { schema, remembered });
          this.rebuildLater();
        },
        onProblem: (_, message, first) => {
          if (first) this.log.warn(`upstream "${config.name}": ${message}`);
          this.rebuildLater();
        },
      };
      const upstream = new LearnedUpstream(config, events, this.log, this.telemetry.counters, cache);
      return { upstream, close: () => this.retire(upstream) };
    });
    return upstream;
  }

  /** A reload has no use for it any more, but calls that are being admitted may still be on their way to it. */
  private retire(upstream: LearnedUpstream): void {
    if (this.state === "draining") {
      upstream.close();
      return;
    }
    this.retired.add(upstream);
    systemClock.setTimeout(() => {
      if (this.retired.delete(upstream)) upstream.drain();
    }, RETIREMENT_MS);
  }

  /** Waits a while for schemas; what takes longer is learned while the hub serves. */
  private async startUpstreams({ upstreams }: Generation): Promise<void> {
    const patience = new Promise<void>((resolve) => setTimeout(resolve, FIRST_LEARNING_MS).unref());
    const started = upstreams.map((upstream) => upstream.start());
    await Promise.race([Promise.all(started), patience]);
    // Files are waited for however long they take: of them nothing more is heard later.
    await Promise.all(started.filter((_, i) => upstreams[i]?.config.schema.kind !== "reflection"));
  }

  get snapshot(): Snapshot {
    return this.assembly.snapshot;
  }

  get maxMessageBytes(): number {
    return this.generation.config.limits.maxMessageBytes;
  }

  get maxUnpackRatio(): number {
    return this.generation.config.limits.maxUnpackRatio;
  }

  get edge(): Edge {
    return this.generation.edge;
  }

  get config(): Config {
    return this.generation.config;
  }

  /** The config as its user wrote it. */
  get written(): object {
    return writtenOf(this.config);
  }

  get secrets(): readonly (readonly string[])[] {
    return secretsOf(this.options.features);
  }

  get url(): string {
    return this.urls[0] ?? "";
  }

  get ready(): boolean {
    return this.readiness.ready;
  }

  get notReady(): readonly string[] {
    return this.readiness.reasons;
  }

  /** Takes in all that is known by now. Running calls keep the snapshot that they began with. */
  private rebuild(): Promise<void> {
    this.rebuilds++;
    if (this.rebuilding !== undefined) {
      // What came meanwhile is in the next one.
      this.stale = true;
      return this.rebuilding;
    }
    const rebuilt = async (): Promise<void> => {
      do {
        this.stale = false;
        const { generation } = this;
        const assembly = await inSlices(this.assembling(generation));
        // A reload has its own.
        if (generation === this.generation) this.take(assembly);
        else this.stale = true;
      } while (this.stale);
    };
    this.rebuilding = rebuilt().finally(() => {
      this.rebuilding = undefined;
    });
    return this.rebuilding;
  }

  /** For those who do not wait for it. */
  private rebuildLater(): void {
    this.rebuild().catch((error) => reportFault("while the routes of what was learned were planned", error));
  }

  private take(assembly: Assembly): void {
    this.assembly = assembly;
    this.services = assembly.schema.services.map((service) => service.typeName);
    this.undescribed = assembly.schema.undescribed;
    this.index = undefined;
    this.own.health.refresh();
    this.readiness.check();
    for (const warning of [...this.embedded.warnings, ...assembly.warnings]) {
      // Each once, however often the snapshot is made anew.
      if (this.warned.has(warning)) continue;
      for (const oldest of this.warned) {
        if (this.warned.size < MAX_WARNED) break;
        this.warned.delete(oldest);
      }
      this.warned.add(warning);
      this.log.warn(warning);
    }
  }

  private healthServices(): readonly string[] {
    return [...this.services, ...this.undescribed, ...this.embedded.undescribed.keys()];
  }

  private assembling({ config, upstreams, interceptors }: Generation): Generator<void, Assembly> {
    const cluster = this.ownCluster;
    const route = (service: string, methods: readonly Method[]): ServiceRoute => ({
      service,
      methods,
      upstream: HUB,
      handler: cluster.handler,
    });
    const { schema, undescribed } = this.embedded;
    const own = [
      ...this.own.services.map((service) => route(service, [])),
      ...[...undescribed].map(([service, methods]) => route(service, methods)),
    ];
    const program = { config: { name: HUB }, cluster, schema, problem: undefined };
    return assembling(config, [program, ...upstreams], interceptors, own, {
      notServing: () => this.readiness.reasons,
      services: () => this.healthServices(),
    });
  }

  private descriptors(): Descriptors {
    // A file that both have is the upstream's, unless it is an older version of the hub's.
    this.index ??= layered(
      new SchemaIndex(this.assembly.schema),
      new DescriptorIndex(filesOf([...this.own.services, ...STATUS_TYPES])),
    );
    return this.index;
  }

  /**
   * Reads the config anew and serves by it. All or nothing: when anything is wrong it rejects with a UserError, and
   * the hub goes on as it was. Pools, buckets and caches whose config did not change go on as they are.
   * Resolves with what a person should know: changes that need a restart.
   */
  reload(by = "reload"): Promise<readonly string[]> {
    const reload = async (): Promise<readonly string[]> => {
      this.reloadCertificates();
      try {
        const { readConfig } = this.options;
        if (readConfig === undefined) throw new UserError("there is no config file to reload");
        if (this.state !== "serving") throw new UserError(`the hub is ${this.state}`);
        const notes = await this.change(await readConfig());
        for (const note of notes) this.log.warn(note);
        this.log.info(`${by}: the config was reloaded`);
        this.lastReload = { succeeded: true, at: Date.now() };
        return notes;
      } catch (error) {
        this.log.error(
          `${by}: nothing was changed: ${error instanceof Error ? error.message : String(error)}`,
        );
        this.lastReload = { succeeded: false, at: Date.now() };
        throw error;
      }
    };
    // One after the other: each sees what the one before it made.
    const next = (this.reloading ?? Promise.resolve([])).then(reload, reload);
    this.reloading = next;
    return next;
  }

  private async change(config: Config): Promise<readonly string[]> {
    const before = this.generation;
    this.lives.begin();
    try {
      const next = this.generate(config);
      await this.startUpstreams(next);
      const { rebuilds } = this;
      const assembly = await inSlices(this.assembling(next));
      this.generation = next;
      this.take(assembly);
      // Something was learned meanwhile.
      if (rebuilds !== this.rebuilds) this.rebuildLater();
    } catch (error) {
      this.lives.rollback();
      throw error;
    }
    this.lives.commit();
    for (const [i, upstream] of this.generation.upstreams.entries()) {
      const own = config.upstreams[i];
      if (own !== undefined) upstream.update(own, this.generation.schemaCache);
    }
    return needsRestart(before.config, config, this.options.features);
  }

  get waitingBytes(): number {
    return waitingBytes();
  }

  listeners(): readonly ListenerRow[] {
    return this.listening.map((listener, i) => ({
      address: this.addresses[i] ?? "",
      connections: listener.open,
    }));
  }

  certificates(): readonly CertificateState[] {
    const holders = [...this.listening, this.admin, ...this.generation.upstreams];
    return holders.flatMap((holder) => holder?.certificates ?? []);
  }

  /** Looks at the files now: they are watched, but not every file system tells of changes at once. */
  private reloadCertificates(): void {
    for (const holder of [...this.listening, this.admin, ...this.generation.upstreams]) {
      holder?.reloadCertificates();
    }
  }

  get interceptors(): readonly string[] {
    return this.generation.interceptors.map(({ name }) => name);
  }

  routes(): readonly RouteRow[] {
    return this.assembly.routes;
  }

  upstreams(): readonly UpstreamRow[] {
    return this.generation.upstreams.map(upstreamRow);
  }

  metrics(): { readonly contentType: string; readonly pieces: Iterable<string> } {
    return this.telemetry.prometheus();
  }

  async drain(graceMs = this.config.drain.graceMs): Promise<void> {
    this.state = "draining";
    this.readiness.drain();
    // Load balancers need a while to see that the hub is not ready: until then they go on sending to it.
    const delayMs = Math.min(this.config.drain.delayMs, graceMs);
    if (delayMs > 0) await new Promise<void>((resolve) => systemClock.setTimeout(resolve, delayMs));
    const leftMs = graceMs - delayMs;
    const cut = systemClock.setTimeout(() => this.cutCalls("the grace time of the drain is over"), leftMs);
    await Promise.all(this.listening.map((listener) => listener.drain(leftMs + LAST_WORDS_MS)));
    cut.cancel();
    await this.close();
  }

  /** Ends every call that still runs with an answer that says why. */
  private cutCalls(why: string): void {
    const status = refusal("HUB_LEAVING", "the hub is leaving, and the call did not end in time");
    const count = this.calls.cut({ status, by: "hub", sent: "maybe" });
    if (count === 0) return;
    this.cut.add(count);
    this.log.warn(`${count} ${count === 1 ? "call" : "calls"} cut: ${why}`);
  }

  async close(): Promise<void> {
    this.state = "draining";
    this.readiness.drain();
    this.cutCalls("the hub was closed");
    const where = "while the hub was closed";
    for (const upstream of [...this.generation.upstreams, ...this.retired])
      attempt(where, () => upstream.close());
    this.retired.clear();
    attempt(where, () => this.ownCluster.close());
    attempt(where, () => this.own.close());
    await Promise.all([...this.listening, this.admin].map((open) => open?.close()));
    // The last calls have ended by now: what is to be sent and written of them is sent and written.
    this.lives.close();
    await this.telemetry.settled();
    this.telemetry.close();
    this.stopListening();
  }
}

function serverTls(config: ServerTlsConfig, address: string, log: Log, meters: Meters) {
  const onFailure = handshakeFailures(address, meters);
  return (onSecure: (socket: TLSSocket) => void, handshakeTimeoutMs: number) =>
    new ServerTls({ config, name: `listener ${address}`, log, onSecure, onFailure, handshakeTimeoutMs });
}

function urlOf(bound: string, tls: boolean): string {
  if (bound.startsWith("unix:")) return bound;
  return `${tls ? "https" : "http"}://${bound}`;
}
