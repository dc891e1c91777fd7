// The composition root: builds a hub out of a Config, starts it, and ends it.
import type { TLSSocket } from "node:tls";
import { type RunningAdmin, startAdmin } from "./admin/admin.js";
import { PAGES } from "./admin/pages/pages.js";
import type { Edge, Gateway, Snapshot } from "./call/gateway.js";
import { RunningCalls } from "./call/running-calls.js";
import { refusal } from "./call/status/reasons.js";
import { formatAddress } from "./config/address.js";
import { Listener } from "./downstream/accept/listener.js";
import { SendMemory } from "./http2/send-memory.js";
import { type Embedded, embed } from "./hub/embedded.js";
import { type Generation, Generations } from "./hub/generation.js";
import { changedModules } from "./hub/own/modules.js";
import { hubThreads } from "./hub/plans/threads.js";
import { Readiness } from "./hub/readiness.js";
import { Reloads } from "./hub/reloads.js";
import type { HubOptions, RunningHub } from "./hub/running-hub.js";
import { HUB, Snapshots } from "./hub/snapshots.js";
import { handshakeFailures, logFamilies } from "./hub/telemetry.js";
import { upstreamRow } from "./hub/upstreams/upstream-row.js";
import { attempt, listenToFaults } from "./kit/faults.js";
import type { Log } from "./kit/log.js";
import type { Counter, Meters } from "./kit/meters.js";
import { Retained } from "./kit/retained.js";
import { processRuntime, type Runtime } from "./kit/runtime.js";
import { cannotListen } from "./kit/text/user-error.js";
import { TimerWheel } from "./kit/timer-wheel.js";
import { type HubServices, hubServices } from "./services/hub-services.js";
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
import { ReplayMemory } from "./upstream/replay-memory.js";
import { gaugesOf } from "./view/gauges.js";
import type { HubView, ListenerRow, ReloadState, RouteRow, UpstreamRow } from "./view/hub-view.js";

export type { HubOptions, RunningHub } from "./hub/running-hub.js";

/**
 * Starts a hub. Rejects with a UserError (one sentence) if it cannot listen or a file cannot be read; an upstream that
 * is down is not an error: it is learned when it is reachable.
 */
export async function startHub(config: Config, log: Log, options: HubOptions = {}): Promise<RunningHub> {
  const hub = new Hub(config, log, options, await embed(options.services ?? []));
  try {
    await hub.start();
  } catch (error) {
    await hub.close();
    throw error;
  }
  return hub;
}

/** The hub's own services are loaded this long after the start, or when they are first called. */
const OWN_SERVICES_DELAY_MS = 1000;
/** How long the responses of calls that a drain ended may take to be sent. */
const LAST_WORDS_MS = 250;

class Hub implements RunningHub, Gateway {
  urls: readonly string[] = [];
  adminUrl: string | undefined = undefined;
  readonly timers: TimerWheel;
  readonly calls = new RunningCalls();

  private readonly log: Log;
  private readonly options: HubOptions;
  private readonly runtime: Runtime;
  private readonly retained = new Retained();
  private readonly telemetry: Telemetry;
  private readonly own: HubServices;
  private readonly embedded: Embedded;
  private readonly ownCluster: Cluster;
  private readonly generations: Generations;
  private readonly snapshots: Snapshots;
  private readonly reloads: Reloads;
  private readonly readiness: Readiness;
  /** Of all connections, to clients and to services. */
  private readonly sendMemory: SendMemory;
  /** Of all calls. */
  private readonly replayMemory: ReplayMemory;
  /** Of the listeners, as configured at the start. */
  private readonly addresses: readonly string[];
  private readonly listening: readonly Listener[];
  private admin: RunningAdmin | undefined = undefined;
  private state: "starting" | "serving" | "draining" = "starting";
  private readonly cut: Counter;
  private stopListening: () => void = () => {};

  constructor(config: Config, log: Log, options: HubOptions, embedded: Embedded) {
    const { readConfig, use = [], features, runtime = processRuntime() } = options;
    const { retained } = this;
    const { clock } = runtime;
    this.log = log;
    this.options = options;
    this.runtime = runtime;
    this.timers = new TimerWheel(clock);
    this.sendMemory = new SendMemory(config.limits.maxProcessQueuedBytes);
    this.telemetry = new Telemetry(clock, log, () => [...gaugesOf(this), ...logFamilies(log)]);
    const meters = this.telemetry.counters;
    this.replayMemory = new ReplayMemory(meters);
    this.cut = meters.counter(
      "linchpin.calls.cut",
      "Calls that still ran when the grace time of a drain was over, or the hub was closed.",
    );
    this.embedded = embedded;
    this.own = hubServices({
      health: () => this.snapshots.serviceHealth,
      reflection: config.reflection
        ? { serviceNames: () => this.snapshots.described, index: () => this.snapshots.descriptors }
        : undefined,
      embedded: this.embedded.services,
      maxMessageBytes: config.limits.maxMessageBytes,
    });
    this.readiness = new Readiness({
      clock,
      log,
      unlearned: () => this.upstreamsInForce.flatMap((u) => (u.schema === undefined ? [u.config.name] : [])),
      unlocated: () => this.upstreamsInForce.flatMap((u) => (u.knowsEndpoints ? [] : [u.config.name])),
      onChange: (ready) => this.own.health.set("", ready),
    });
    this.ownCluster = new Cluster({
      name: HUB,
      endpoints: [{ address: "in-memory", dial: () => this.own.dial() }],
    });
    this.generations = new Generations({
      runtime,
      sendMemory: this.sendMemory,
      replayMemory: this.replayMemory,
      log,
      retained,
      telemetry: this.telemetry,
      features,
      use,
      serving: () => this.state !== "starting",
      learned: () => this.snapshots.rebuildLater(),
      servingChanged: () => this.own.health.refresh(),
      located: () => this.readiness.check(),
    });
    this.snapshots = new Snapshots(this.generations.empty(config), {
      log,
      handler: this.ownCluster.handler,
      ownServices: this.own.services,
      embedded: this.embedded,
      threads: hubThreads(clock),
      notReady: () => this.readiness.reasons,
      onChange: () => {
        this.own.health.refresh();
        this.readiness.check();
      },
    });
    this.reloads = new Reloads({
      clock,
      log,
      retained,
      generations: this.generations,
      snapshots: this.snapshots,
      readConfig,
      needsRestart: (before, after) => [...needsRestart(before, after, features), ...changedModules(after)],
      obstacle: () => (this.state === "serving" ? undefined : `the hub is ${this.state}`),
      reloadCertificates: () => {
        for (const holder of this.certified) holder.reloadCertificates();
      },
    });
    this.addresses = config.listen.map(({ address }) => formatAddress(address));
    this.listening = config.listen.map(
      ({ address, tls }) =>
        new Listener(this, {
          ...address,
          limits: config.limits,
          clock,
          memory: this.sendMemory,
          meters,
          log,
          tls: tls && serverTls(tls, formatAddress(address), log, meters),
        }),
    );
  }

  async start(): Promise<void> {
    const pages = this.options.pages?.(this) ?? [];
    const faults = this.telemetry.counters.counter(
      "linchpin.faults",
      "Errors of the hub, or of a program's code in it, each the end of one call or connection: please report them.",
    );
    this.stopListening = listenToFaults((line) => {
      faults.add();
      if (line !== undefined) this.log.error(line);
    });
    if (this.embedded.services.length > 0) await this.own.start();
    const started = this.reloads.start(this.config);
    try {
      // While upstreams are waited for.
      loadXmlParser();
    } catch {
      // The call that needs it tries again, and gets the error.
    }
    await started;
    const { listen, admin, readinessWaitMs } = this.config;
    this.urls = await Promise.all(
      this.listening.map((listener, i) =>
        listener.listen().then(
          (bound) => urlOf(bound, listen[i]?.tls !== undefined),
          (error: unknown) => {
            throw cannotListen("the hub", this.addresses[i] ?? "?", error);
          },
        ),
      ),
    );
    if (admin !== undefined) {
      this.admin = await startAdmin(admin, this, this.log, [...PAGES, ...pages]);
      this.adminUrl = this.admin.address;
    }
    this.state = "serving";
    this.readiness.start(readinessWaitMs);
    // Not before the first calls have been served: see services/hub-server.ts.
    this.runtime.clock.setTimeout(() => {
      if (this.state === "serving") this.ownCluster.connect();
    }, OWN_SERVICES_DELAY_MS);
  }

  // What listeners need to run calls.

  get snapshot(): Snapshot {
    return this.snapshots.assembly.snapshot;
  }

  get maxMessageBytes(): number {
    return this.config.limits.maxMessageBytes;
  }

  get maxUnpackRatio(): number {
    return this.config.limits.maxUnpackRatio;
  }

  get edge(): Edge {
    return this.snapshots.generation.edge;
  }

  // The read model.

  get config(): Config {
    return this.snapshots.generation.config;
  }

  get written(): object {
    return writtenOf(this.config);
  }

  get secrets(): HubView["secrets"] {
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

  get interceptors(): readonly string[] {
    return this.snapshots.generation.interceptors.map(({ name }) => name);
  }

  get lastReload(): ReloadState {
    return this.reloads.last;
  }

  get waitingBytes(): number {
    return this.sendMemory.bytes;
  }

  get replayBytes(): number {
    return this.replayMemory.bytes;
  }

  listeners(): readonly ListenerRow[] {
    return this.listening.map((listener, i) => ({
      address: this.addresses[i] ?? "",
      connections: listener.open,
    }));
  }

  routes(): readonly RouteRow[] {
    return this.snapshots.assembly.routes;
  }

  upstreams(): readonly UpstreamRow[] {
    return this.upstreamsInForce.map(upstreamRow);
  }

  certificates(): readonly CertificateState[] {
    return this.certified.flatMap(({ certificates }) => certificates);
  }

  metrics(): { readonly contentType: string; readonly pieces: Iterable<string> } {
    return this.telemetry.prometheus();
  }

  private get upstreamsInForce(): Generation["upstreams"] {
    return this.snapshots.generation.upstreams;
  }

  /** All that has certificates. */
  private get certified() {
    const admin = this.admin === undefined ? [] : [this.admin];
    return [...this.listening, ...admin, ...this.upstreamsInForce];
  }

  // The operations.

  reload(by = "reload"): Promise<readonly string[]> {
    return this.reloads.reload(by);
  }

  async drain(graceMs = this.config.drain.graceMs): Promise<void> {
    const { clock } = this.runtime;
    this.leave();
    // Load balancers need a while to notice that the hub is not ready: until then they keep sending.
    const delayMs = Math.min(this.config.drain.delayMs, graceMs);
    if (delayMs > 0) await new Promise<void>((resolve) => clock.setTimeout(resolve, delayMs));
    const leftMs = graceMs - delayMs;
    const cut = clock.setTimeout(() => this.cutCalls("the grace time of the drain is over"), leftMs);
    await Promise.all(this.listening.map((listener) => listener.drain(leftMs + LAST_WORDS_MS)));
    cut.cancel();
    await this.close();
  }

  /** Is not ready any more. */
  private leave(): void {
    this.state = "draining";
    this.generations.leave();
    this.readiness.drain();
  }

  /** Ends every running call with a response that says why. */
  private cutCalls(why: string): void {
    const status = refusal("HUB_LEAVING", "the hub is leaving, and the call did not end in time");
    const count = this.calls.cut({ status, by: "hub", sent: "maybe" });
    if (count === 0) return;
    this.cut.add(count);
    this.log.warn(`${count} ${count === 1 ? "call" : "calls"} cut: ${why}`);
  }

  async close(): Promise<void> {
    this.leave();
    this.cutCalls("the hub was closed");
    const where = "while the hub was closed";
    this.generations.close(this.snapshots.generation);
    attempt(where, () => this.ownCluster.close());
    attempt(where, () => this.own.close());
    await Promise.all([...this.listening, this.admin].map((open) => open?.close()));
    // The last calls have ended by now: send and write their telemetry.
    this.retained.close();
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
