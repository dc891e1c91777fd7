// Which calls of an upstream are sent again, and how: the policy of each method, from all that says something of it.
import type { Method } from "../../../call/call.js";
import { DEFAULT_RETRIES, type MethodRetries, type RetryPolicy } from "./policy.js";
import type { ServiceConfig, ServiceConfigEntry } from "./service-config.js";

/** What is said of a method. */
export interface RetrySources {
  /** By its upstream. */
  readonly upstream: RetryPolicy | undefined;
  /** By the upstream's gRPC service config. */
  readonly serviceConfig?: ServiceConfig | undefined;
  /** By `methods`; undefined: nothing. */
  readonly method: MethodRetries | false | undefined;
  /** By `methods`; undefined: what the schema says counts. */
  readonly idempotent: boolean | undefined;
}

/** undefined: its calls are sent again only where no service can have seen them. */
export function retryPolicy(
  method: Pick<Method, "kind" | "idempotent" | "service" | "name">,
  { upstream, serviceConfig, method: own, idempotent }: RetrySources,
): RetryPolicy | undefined {
  // Of a method of unknown kind nothing is known, and least of all that it may be called twice.
  if (own === false || method.kind === "unknown") return undefined;
  const { anyCall = false, ...changes } = own ?? {};
  const service = entryOf(serviceConfig, method)?.retries;
  if (upstream === undefined && service === undefined && own === undefined) return undefined;
  // Who gives a policy to a method by its name says that it may be called twice; of a whole service nobody knows.
  const named = service !== undefined && serviceConfig?.has(keyOf(method)) === true;
  if (!anyCall && !(idempotent ?? (method.idempotent || named))) return undefined;
  const policy = { ...(upstream ?? DEFAULT_RETRIES), ...service, ...changes };
  return policy.attempts < 2 ? undefined : policy;
}

type Named = Pick<Method, "service" | "name">;

/** The most specific entry for a method. */
export function entryOf(config: ServiceConfig | undefined, method: Named): ServiceConfigEntry | undefined {
  return config?.get(keyOf(method)) ?? config?.get(method.service) ?? config?.get("");
}

function keyOf({ service, name }: Named): string {
  return `${service}/${name}`;
}
