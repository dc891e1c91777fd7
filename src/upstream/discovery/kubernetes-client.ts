// The Kubernetes API by its own library, an optional dependency: lists and watches the EndpointSlices of a Service.
import { DiscoveryV1Api, KubeConfig, Watch } from "@kubernetes/client-node";
import { errorCode } from "../../kit/text/user-error.js";
import type { ServicePort } from "./endpoint-slices.js";
import type { SourceContext } from "./endpoint-source.js";

/** Timeout of a response. */
const LIST_TIMEOUT_MS = 15_000;
/** The server should end a watch after this long; another follows. */
const WATCH_SECONDS = 240;
/** A frozen server does not: the watch is then ended here, and started again. */
const WATCH_TIMEOUT_MS = (WATCH_SECONDS + 20) * 1000;

export interface SliceWatcher {
  onChange(slice: unknown): void;
  onGone(name: string, version: string | undefined): void;
  onBookmark(version: string): void;
  onExpired(): void;
  /** @param problem undefined: its time was over */
  onEnd(problem: string | undefined): void;
}

export interface SliceApi {
  /** Rejects with KubernetesFailure. */
  list(): Promise<{ readonly slices: readonly unknown[]; readonly version: string }>;
  /** Returns a function that ends it. */
  watch(version: string, watcher: SliceWatcher): () => void;
}

/** An operation of Kubernetes failed; the message is for people. */
export class KubernetesFailure extends Error {}

/** Throws a KubernetesFailure if there are no credentials. */
export function openKubernetes({ service, namespace }: ServicePort, context: SourceContext): SliceApi {
  const config = configOf(context);
  const labelSelector = `kubernetes.io/service-name=${service}`;
  const server = config.getCurrentCluster()?.server ?? "";
  return {
    async list() {
      const asked = config
        .makeApiClient(DiscoveryV1Api)
        .listNamespacedEndpointSlice({ namespace, labelSelector });
      const { items, metadata } = await within(asked, context).catch((error: unknown) => {
        throw new KubernetesFailure(`${server}: ${reasonOf(error)}`);
      });
      return { slices: items, version: metadata?.resourceVersion ?? "" };
    },
    watch(version, watcher) {
      let over = false;
      let abort = (): void => {};
      const end = (tell: () => void): void => {
        if (over) return;
        over = true;
        timer.cancel();
        abort();
        tell();
      };
      const timer = context.clock.setTimeout(() => end(() => watcher.onEnd(undefined)), WATCH_TIMEOUT_MS);
      new Watch(config)
        .watch(
          `/apis/discovery.k8s.io/v1/namespaces/${namespace}/endpointslices`,
          {
            labelSelector,
            resourceVersion: version,
            allowWatchBookmarks: true,
            timeoutSeconds: WATCH_SECONDS,
          },
          (phase: string, object: unknown) => {
            if (over) return;
            const metadata = fieldOf(object, "metadata");
            const at = fieldOf(metadata, "resourceVersion");
            switch (phase) {
              case "ADDED":
              case "MODIFIED":
                watcher.onChange(object);
                break;
              case "DELETED":
                watcher.onGone(textOf(fieldOf(metadata, "name")) ?? "", textOf(at));
                break;
              case "BOOKMARK":
                if (typeof at === "string") watcher.onBookmark(at);
                break;
              case "ERROR":
                if (fieldOf(object, "code") === 410) end(() => watcher.onExpired());
                else
                  end(() =>
                    watcher.onEnd(`${server}: ${textOf(fieldOf(object, "message")) ?? "the watch failed"}`),
                  );
                break;
              default:
            }
          },
          (error: unknown) =>
            end(() => {
              if (statusOf(error) === 410) watcher.onExpired();
              else watcher.onEnd(isOver(error) ? undefined : `${server}: ${reasonOf(error)}`);
            }),
        )
        .then(
          (controller) => {
            abort = () => controller.abort();
            if (over) abort();
          },
          (error: unknown) => end(() => watcher.onEnd(`${server}: ${reasonOf(error)}`)),
        );
      return () => end(() => {});
    },
  };
}

function configOf({ env = {}, login = {} }: SourceContext): KubeConfig {
  const config = new KubeConfig();
  try {
    if (login.kubeconfig !== undefined) config.loadFromFile(login.kubeconfig);
    else if (env.KUBERNETES_SERVICE_HOST !== undefined && env.KUBECONFIG === undefined)
      config.loadFromCluster();
    else config.loadFromDefault();
    if (login.context !== undefined) config.setCurrentContext(login.context);
  } catch (error) {
    throw new KubernetesFailure(`the credentials for Kubernetes cannot be used: ${reasonOf(error)}`);
  }
  if (config.getCurrentCluster() === null)
    throw new KubernetesFailure("the kubeconfig has no cluster for its current context");
  return config;
}

function within<T>(promise: Promise<T>, { clock }: SourceContext): Promise<T> {
  return new Promise((resolve, reject) => {
    const late = (): void => reject(new Error(`no answer within ${LIST_TIMEOUT_MS / 1000} s`));
    const timer = clock.setTimeout(late, LIST_TIMEOUT_MS);
    promise.then(resolve, reject).finally(() => timer.cancel());
  });
}

function fieldOf(value: unknown, key: string): unknown {
  return typeof value === "object" && value !== null ? Reflect.get(value, key) : undefined;
}

/** String() of an object from outside could throw: its toString may be anything. */
function textOf(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}

/** The HTTP status of an error of the library. */
function statusOf(error: unknown): number | undefined {
  const code = fieldOf(error, "statusCode") ?? fieldOf(error, "code");
  return typeof code === "number" ? code : undefined;
}

/** The watch ended normally, or timed out: either way it resumes from where it was. */
function isOver(error: unknown): boolean {
  if (error === null || error === undefined) return true;
  const name = fieldOf(error, "name");
  return (
    name === "AbortError" || name === "TimeoutError" || errorCode(error) === "ERR_STREAM_PREMATURE_CLOSE"
  );
}

function reasonOf(error: unknown): string {
  const status = statusOf(error);
  const body = fieldOf(error, "body");
  let told: unknown = body;
  try {
    if (typeof body === "string") told = fieldOf(JSON.parse(body), "message");
  } catch {
    // The body is not a Status of Kubernetes.
  }
  if (status !== undefined) return `${status} ${typeof told === "string" ? told : ""}`.trim();
  const system = errorCode(error) ?? errorCode(fieldOf(error, "cause"));
  if (system !== undefined) return system;
  return error instanceof Error ? error.message : String(error);
}
