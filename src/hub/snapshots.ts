// The state in force: a generation, and the snapshot assembled from everything known of its services.
import type { Method } from "../call/call.js";
import type { Handler } from "../call/sink.js";
import { reportFault } from "../kit/faults.js";
import { completed, inSlices } from "../kit/in-slices.js";
import type { Log } from "../kit/log.js";
import type { ServiceRoute } from "../routing/table.js";
import { DescriptorIndex, type Descriptors } from "../schema/descriptors/descriptor-index.js";
import { layered, SchemaIndex } from "../schema/types/schema-index.js";
import { filesOf, STATUS_TYPES } from "../services/image.js";
import type { Embedded } from "./embedded.js";
import type { Generation } from "./generation.js";
import { type Assembly, assembling } from "./plans/assembly.js";
import type { HubThreads } from "./plans/threads.js";

/** The hub's own services, as an upstream. */
export const HUB = "hub";
/** Warnings that are remembered: several times those of one assembly, so that none is repeated with the next one. */
const MAX_WARNED = 1000;

export interface SnapshotsOptions {
  readonly log: Log;
  /** Serves calls to the hub's own services and to those of the program that it runs in. */
  readonly handler: Handler;
  /** Full names of the hub's own services. */
  readonly ownServices: readonly string[];
  readonly embedded: Embedded;
  readonly threads: HubThreads;
  /** Why the hub is not ready, for the health page. */
  notReady(): readonly string[];
  /** A new snapshot is in force. */
  onChange(): void;
}

export class Snapshots {
  generation: Generation;
  assembly: Assembly;
  readonly #options: SnapshotsOptions;
  /** Made on demand; most hubs never need it. */
  #index: Descriptors | undefined = undefined;
  /** Warnings that are in the log already, the oldest first. */
  readonly #warned = new Set<string>();
  #rebuilding: Promise<void> | undefined = undefined;
  /** Number of requested rebuilds. */
  #rebuilds = 0;
  /** Something was learned since the running rebuild began. */
  #stale = false;
  /** A generation was put in force. */
  #begun = false;

  /** @param generation an empty one, until `replace` applies the first */
  constructor(generation: Generation, options: SnapshotsOptions) {
    this.#options = options;
    this.generation = generation;
    this.assembly = completed(this.#assembling(generation));
  }

  /** Applies everything known by now. Running calls keep the snapshot that they began with. */
  rebuild(): Promise<void> {
    this.#rebuilds++;
    // What was learned so far is in the first.
    if (!this.#begun) return Promise.resolve();
    if (this.#rebuilding !== undefined) {
      // Changes that arrived meanwhile are in the next one.
      this.#stale = true;
      return this.#rebuilding;
    }
    const rebuilt = async (): Promise<void> => {
      do {
        this.#stale = false;
        const { generation } = this;
        const assembly = await inSlices(this.#assembling(generation));
        // A reload has its own.
        if (generation === this.generation) this.#take(assembly);
        else this.#stale = true;
      } while (this.#stale);
    };
    this.#rebuilding = rebuilt().finally(() => {
      this.#rebuilding = undefined;
    });
    return this.#rebuilding;
  }

  /** For callers that do not wait for it. */
  rebuildLater(): void {
    this.rebuild().catch((error) => reportFault("while the routes of what was learned were planned", error));
  }

  /** Applies another generation. Rejects, and changes nothing, if it cannot be assembled. */
  async replace(next: Generation): Promise<void> {
    const rebuilds = this.#rebuilds;
    const assembly = await inSlices(this.#assembling(next));
    this.generation = next;
    this.#begun = true;
    this.#take(assembly);
    // Something was learned meanwhile.
    if (rebuilds !== this.#rebuilds) this.rebuildLater();
  }

  /** Full names of the services with a health status: all behind the hub, and the program's. */
  get services(): readonly string[] {
    const { services, undescribed } = this.assembly.schema;
    return [
      ...services.map(({ typeName }) => typeName),
      ...undescribed,
      ...this.#options.embedded.undescribed.keys(),
    ];
  }

  /** Those services, and whether each has a healthy endpoint behind it. The program's always have. */
  get serviceHealth(): ReadonlyMap<string, boolean> {
    const { owners } = this.assembly;
    const serving = new Map(
      this.generation.upstreams.map(({ config, cluster }) => [config.name, cluster.serving.value]),
    );
    return new Map(
      this.services.map((service) => [service, serving.get(owners.get(service) ?? HUB) ?? true]),
    );
  }

  /**
   * Full names of the services that reflection lists. Tools that describe all listed services would fail for others.
   */
  get described(): readonly string[] {
    return [...this.assembly.schema.services.map(({ typeName }) => typeName), ...this.#options.ownServices];
  }

  get descriptors(): Descriptors {
    // A file that both have is the upstream's, unless it is an older version of the hub's.
    this.#index ??= layered(
      new SchemaIndex(this.assembly.schema),
      new DescriptorIndex(filesOf([...this.#options.ownServices, ...STATUS_TYPES])),
    );
    return this.#index;
  }

  #take(assembly: Assembly): void {
    this.assembly = assembly;
    this.#index = undefined;
    this.#options.onChange();
    for (const warning of [...this.#options.embedded.warnings, ...assembly.warnings]) this.#warn(warning);
  }

  /** Each once, however often the snapshot is made again. */
  #warn(warning: string): void {
    if (this.#warned.has(warning)) return;
    for (const oldest of this.#warned) {
      if (this.#warned.size < MAX_WARNED) break;
      this.#warned.delete(oldest);
    }
    this.#warned.add(warning);
    this.#options.log.warn(warning);
  }

  #assembling({ config, upstreams, interceptors }: Generation): Generator<void, Assembly> {
    const { handler, embedded, ownServices, notReady, threads } = this.#options;
    const route = (service: string, methods: readonly Method[]): ServiceRoute => ({
      service,
      methods,
      upstream: HUB,
      handler,
    });
    const own = [
      ...ownServices.map((service) => route(service, [])),
      ...[...embedded.undescribed].map(([service, methods]) => route(service, methods)),
    ];
    const program = {
      config: { name: HUB },
      cluster: { handler },
      schema: embedded.schema,
      problem: undefined,
    };
    const health = { notServing: notReady, services: () => this.serviceHealth };
    return assembling(config, [program, ...upstreams], interceptors, own, health, threads);
  }
}
