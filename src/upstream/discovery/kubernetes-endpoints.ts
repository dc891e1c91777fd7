// Endpoints of a Kubernetes Service: `kubernetes:///SERVICE.NAMESPACE:PORT`, from its EndpointSlices. All of them are
// listed, then watched from there on.
import { isHost } from "../../config/address.js";
import type { Timer } from "../../kit/clock.js";
import { reportFault } from "../../kit/faults.js";
import { lateLoad } from "../../kit/files/late-load.js";
import { type Parsed, parsed, rejected } from "../../kit/text/parsed.js";
import { errorCode, parsedOrThrow } from "../../kit/text/user-error.js";
import { endpointsOf, type ServicePort, type Slice, sliceOf } from "./endpoint-slices.js";
import type { EndpointSource, EndpointWatcher, SourceContext, Watch } from "./endpoint-source.js";
import type { SliceApi } from "./kubernetes-client.js";

const MIN_BACKOFF_MS = 500;
const MAX_BACKOFF_MS = 30_000;

/** Throws a UserError. */
export function kubernetesEndpoints(target: string, context: SourceContext): EndpointSource {
  const service = parsedOrThrow(parseTarget(target), "kubernetes:", target);
  return { watch: (watcher) => new KubernetesEndpoints(service, watcher, context) };
}

function parseTarget(target: string): Parsed<ServicePort> {
  const match = /^\/\/\/([a-z0-9-]{1,63})\.([a-z0-9-]{1,63}):([a-z0-9-]{1,15})$/.exec(target);
  const [, service = "", namespace = "", port = ""] = match ?? [];
  if (match === null || !isHost(service) || !isHost(namespace))
    return rejected("must be as in kubernetes:///library.default:50051, with the name or number of a port");
  if (/^\d+$/.test(port) && (Number(port) < 1 || Number(port) > 65_535))
    return rejected("must have a port from 1 to 65535, or the name of one");
  return parsed({ service, namespace, port });
}

class KubernetesEndpoints implements Watch {
  readonly #service: ServicePort;
  readonly #watcher: EndpointWatcher;
  readonly #context: SourceContext;
  /** By name. */
  readonly #slices = new Map<string, Slice>();
  #api: SliceApi | undefined;
  #timer: Timer | undefined;
  #stopWatch: (() => void) | undefined;
  #failures = 0;
  #closed = false;
  /** There has been a list with an endpoint. */
  #known = false;

  constructor(service: ServicePort, watcher: EndpointWatcher, context: SourceContext) {
    this.#service = service;
    this.#watcher = watcher;
    this.#context = context;
    this.#begin();
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
    this.#stopWatch?.();
  }

  #begin(): void {
    this.#timer?.cancel();
    this.#list().catch((error: unknown) => {
      const missing =
        /@kubernetes\/client-node/.test(String(error)) && errorCode(error) === "ERR_MODULE_NOT_FOUND";
      if (missing)
        this.#failed("Kubernetes needs a package that is not installed: npm install @kubernetes/client-node");
      else
        this.#failed(
          `the hub failed to ask Kubernetes (fault ${reportFault("while Kubernetes was asked", error)})`,
        );
    });
  }

  async #list(): Promise<void> {
    // Kubernetes' library is not installed unless it is needed.
    const { KubernetesFailure, openKubernetes } = await lateLoad(() => import("./kubernetes-client.js"));
    if (this.#closed) return;
    try {
      this.#api ??= openKubernetes(this.#service, this.#context);
      const { slices, version } = await this.#api.list();
      if (this.#closed) return;
      this.#failures = 0;
      this.#slices.clear();
      for (const slice of slices) this.#put(slice);
      this.#tell();
      this.#watch(version);
    } catch (error) {
      if (!(error instanceof KubernetesFailure)) throw error;
      // Reads the credentials again.
      this.#api = undefined;
      this.#failed(error.message);
    }
  }

  #watch(version: string): void {
    let latest = version;
    const begun = this.#context.clock.now();
    this.#stopWatch = this.#api?.watch(version, {
      onChange: (slice) => {
        if (this.#closed) return;
        const read = this.#put(slice);
        latest = read?.version ?? latest;
        this.#tell();
      },
      onGone: (name, at) => {
        if (this.#closed) return;
        this.#slices.delete(name);
        latest = at ?? latest;
        this.#tell();
      },
      onBookmark: (at) => {
        latest = at;
      },
      // 410 Gone: the requested resourceVersion is too old.
      onExpired: () => {
        if (!this.#closed) this.#again(MIN_BACKOFF_MS);
      },
      onEnd: (problem) => {
        if (this.#closed) return;
        if (problem !== undefined) this.#failed(problem);
        // The server ends each watch after some minutes; if a watch ends at once, the next one waits a little.
        else if (this.#context.clock.now() - begun > MIN_BACKOFF_MS) this.#watch(latest);
        else this.#timer = this.#context.clock.setTimeout(() => this.#watch(latest), MIN_BACKOFF_MS);
      },
    });
  }

  #put(value: unknown): Slice | undefined {
    const slice = sliceOf(value);
    if (slice !== undefined) this.#slices.set(slice.name, slice);
    return slice;
  }

  #tell(): void {
    const { service, namespace } = this.#service;
    if (this.#slices.size === 0) {
      this.#watcher.problem(
        `there is no EndpointSlice of the service ${service} in the namespace ${namespace}`,
      );
      return;
    }
    const { endpoints, problem } = endpointsOf([...this.#slices.values()], this.#service);
    // An empty list is valid, not a fault of the source: the addresses of deleted pods are reassigned.
    if (endpoints.length > 0 || this.#known) this.#watcher.endpoints(endpoints, problem);
    else this.#watcher.problem(problem ?? "no endpoint is ready");
    this.#known ||= endpoints.length > 0;
  }

  #failed(problem: string): void {
    if (this.#closed) return;
    this.#watcher.problem(problem);
    const backoffMs = Math.min(MIN_BACKOFF_MS * 2 ** this.#failures, MAX_BACKOFF_MS);
    this.#failures++;
    this.#again(backoffMs);
  }

  #again(ms: number): void {
    const { clock, random } = this.#context;
    this.#timer?.cancel();
    this.#timer = clock.setTimeout(() => this.#begin(), ms * (0.8 + 0.4 * random()));
  }
}
