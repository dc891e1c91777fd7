// The composition root: builds a hub out of a Config, and starts it. The order of the interceptors stands here.
import { formatAddress } from "./config/address.js";
import type { Config } from "./config/config.js";
import { type RunningAdmin, startAdmin } from "./control/admin.js";
import { type HubServices, hubServices } from "./control/hub-services.js";
import { filesOf } from "./control/image.js";
import { systemClock } from "./core/clock.js";
import type { Gateway, Snapshot } from "./core/gateway.js";
import type { Interceptor } from "./core/interceptor.js";
import type { Log } from "./core/log.js";
import { TimerWheel } from "./core/timer-wheel.js";
import { cannotListen } from "./core/user-error.js";
import { Listener } from "./downstream/listener.js";
import { type Assembly, assemble, type RouteRow } from "./hub/assembly.js";
import { LearnedUpstream } from "./hub/learned-upstream.js";
import { deadline } from "./interceptors/deadline.js";
import type { ServiceRoute } from "./routing/table.js";
import { DescriptorIndex } from "./schema/descriptor-index.js";
import { Cluster } from "./upstream/cluster.js";
import type { EndpointState } from "./upstream/endpoint.js";

export type { Log } from "./core/log.js";
export type { RouteRow } from "./hub/assembly.js";

export interface UpstreamRow {
  readonly name: string;
  readonly endpoints: readonly { readonly address: string; readonly state: EndpointState }[];
  /** Full names of the services known from it. */
  readonly services: readonly string[];
  /** Why its schema is not known, if it is not. */
  readonly problem: string | undefined;
}

export interface RunningHub {
  /** Bound address, e.g. `http://127.0.0.1:8080`. */
  readonly url: string;
  /** Bound admin address; undefined when admin is off. */
  readonly adminUrl: string | undefined;
  /** True from the first complete start until drain. */
  readonly ready: boolean;
  /** What it is not ready for, a few words each. */
  readonly notReady: readonly string[];
  routes(): readonly RouteRow[];
  upstreams(): readonly UpstreamRow[];
  /** Stops accepting, tells clients to leave (GOAWAY), waits for running calls up to the grace time, closes. */
  drain(graceMs?: number): Promise<void>;
  /** Ends at once. */
  close(): Promise<void>;
}

/** The hub's own services, as an upstream. */
const HUB = "hub";
/** Start-up waits so long for upstreams to be learned; those that take longer are learned while the hub serves. */
const FIRST_LEARNING_MS = 2000;

/** The order of the way: the first is outermost. */
function interceptorsOf(config: Config): Interceptor[] {
  const methods = new Map(config.methods.map((method) => [method.selector, method]));
  return [
    deadline({
      ...config.deadline,
      forMethod: ({ service, name }) =>
        methods.get(`${service}/${name}`)?.deadlineMs ?? methods.get(service)?.deadlineMs,
    }),
  ];
}

/**
 * Starts a hub. Rejects with a UserError (one sentence) when it cannot listen or a file cannot be read; an upstream
 * that is down is no failure: it is learned when it comes.
 */
export async function startHub(config: Config, log: Log): Promise<RunningHub> {
  const hub = new Hub(config, log);
  try {
    await hub.start();
  } catch (error) {
    await hub.close();
    throw error;
  }
  return hub;
}

class Hub implements RunningHub, Gateway {
  url = "";
  adminUrl: string | undefined = undefined;
  readonly timers = new TimerWheel(systemClock);
  readonly maxMessageBytes: number;

  private readonly config: Config;
  private readonly log: Log;
  private readonly interceptors: readonly Interceptor[];
  private readonly learned: readonly LearnedUpstream[];
  private readonly own: HubServices;
  private readonly ownCluster: Cluster;
  private readonly listener: Listener;
  private admin: RunningAdmin | undefined = undefined;
  private assembly: Assembly;
  /** Full names of all that is behind the hub. */
  private services: readonly string[] = [];
  /** Made when somebody asks; most hubs are never asked. */
  private index: DescriptorIndex | undefined = undefined;
  private state: "starting" | "ready" | "draining" = "starting";
  private readonly told = new Set<string>();

  constructor(config: Config, log: Log) {
    this.config = config;
    this.log = log;
    this.maxMessageBytes = config.limits.maxMessageBytes;
    this.interceptors = interceptorsOf(config);
    this.own = hubServices(
      () => this.services,
      config.reflection
        ? {
            serviceNames: () => [...this.services, ...this.own.services],
            index: () => this.descriptors(),
          }
        : undefined,
    );
    this.ownCluster = new Cluster({
      name: HUB,
      endpoints: [{ address: "in-memory", dial: () => this.own.dial() }],
    });
    this.learned = config.upstreams.map(
      (upstream) =>
        new LearnedUpstream(upstream, {
          onSchema: () => this.rebuild(),
          onProblem: ({ config: { name } }, message) => {
            this.log.warn(`upstream "${name}": ${message}`);
            this.rebuild();
          },
        }),
    );
    this.assembly = this.assemble();
    this.listener = new Listener(this, {
      ...config.listen,
      maxConcurrentStreams: config.limits.maxConcurrentStreams,
    });
  }

  async start(): Promise<void> {
    this.ownCluster.connect();
    const patience = new Promise<void>((resolve) => setTimeout(resolve, FIRST_LEARNING_MS).unref());
    const started = Promise.all(this.learned.map((upstream) => upstream.start()));
    started.catch((error: unknown) => this.log.error(error instanceof Error ? error.message : String(error)));
    await Promise.race([started, patience]);
    this.rebuild();
    const { listen, admin } = this.config;
    const address = await this.listener.listen().catch((error: unknown) => {
      throw cannotListen("the hub", formatAddress(listen), error);
    });
    this.url = `http://${address}`;
    if (admin !== undefined) {
      this.admin = await startAdmin(admin, this);
      this.adminUrl = this.admin.address;
    }
    this.state = "ready";
  }

  get snapshot(): Snapshot {
    return this.assembly.snapshot;
  }

  get ready(): boolean {
    return this.state === "ready";
  }

  get notReady(): readonly string[] {
    return this.state === "ready" ? [] : [this.state];
  }

  /** Takes in all that is known by now. Running calls keep the snapshot that they began with. */
  private rebuild(): void {
    this.assembly = this.assemble();
    this.services = this.assembly.schema.services.map((service) => service.typeName);
    this.index = undefined;
    this.own.health.refresh();
    for (const warning of this.assembly.warnings) {
      // Each once, however often the snapshot is made anew.
      if (this.told.has(warning)) continue;
      this.told.add(warning);
      this.log.warn(warning);
    }
  }

  private assemble(): Assembly {
    const own: ServiceRoute[] = this.own.services.map((service) => ({
      service,
      methods: [],
      upstream: HUB,
      handler: this.ownCluster.handler,
    }));
    return assemble(this.config, this.learned, this.interceptors, own);
  }

  private descriptors(): DescriptorIndex {
    this.index ??= new DescriptorIndex(
      new Map([...filesOf(this.own.services), ...this.assembly.schema.files]),
    );
    return this.index;
  }

  routes(): readonly RouteRow[] {
    return this.assembly.routes;
  }

  upstreams(): readonly UpstreamRow[] {
    return this.learned.map(({ config, cluster, schema, problem }) => ({
      name: config.name,
      endpoints: cluster.endpoints.map(({ address, state }) => ({ address, state })),
      services: schema?.services.map((service) => service.typeName) ?? [],
      problem,
    }));
  }

  async drain(graceMs = this.config.drainGraceMs): Promise<void> {
    this.state = "draining";
    this.own.health.set("", false);
    await this.listener.drain(graceMs);
    await this.close();
  }

  async close(): Promise<void> {
    this.state = "draining";
    for (const upstream of this.learned) upstream.close();
    this.ownCluster.close();
    this.own.close();
    await Promise.all([this.listener.close(), this.admin?.close()]);
  }
}

/** What a config's upstreams offer, learned once, for the commands that only look. */
export interface Inspection extends Pick<Assembly, "routes" | "explain" | "schema"> {
  /** What could not be learned, or does not fit, a sentence each. */
  readonly problems: readonly string[];
}

/** Learns every upstream of a config and plans its routes; listens nowhere. */
export async function inspect(config: Config): Promise<Inspection> {
  const upstreams = config.upstreams.map(
    (upstream) => new LearnedUpstream(upstream, { onSchema: () => {}, onProblem: () => {} }),
  );
  try {
    await Promise.all(upstreams.map((upstream) => upstream.start()));
    const { routes, explain, schema, warnings } = assemble(config, upstreams, [], []);
    const missing = upstreams.flatMap(({ config: { name }, problem }) =>
      problem === undefined ? [] : [`upstream "${name}": ${problem}`],
    );
    return { routes, explain, schema, problems: [...missing, ...warnings] };
  } finally {
    for (const upstream of upstreams) upstream.close();
  }
}
