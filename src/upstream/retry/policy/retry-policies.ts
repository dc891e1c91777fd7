// Which calls of an upstream are retried, and how: the policy of each method, from all sources that configure it.
import type { Method } from "../../../call/call.js";
import { DEFAULT_RETRIES, type MethodRetries, type RetryPolicy } from "./policy.js";
import type { ServiceConfig, ServiceConfigEntry } from "./service-config.js";

/** The settings for a method. */
export interface RetrySources {
  /** From its upstream. */
  readonly upstream: RetryPolicy | undefined;
  /** From the upstream's gRPC service config. */
  readonly serviceConfig?: ServiceConfig | undefined;
  /** From `methods`; undefined: nothing. */
  readonly method: MethodRetries | false | undefined;
  /** From `methods`; undefined: as the schema says. */
  readonly idempotent: boolean | undefined;
}

/** undefined: calls are retried only if no service can have seen them. */
export function retryPolicy(
  method: Pick<Method, "kind" | "idempotent" | "service" | "name">,
  { upstream, serviceConfig, method: own, idempotent }: RetrySources,
): RetryPolicy | undefined {
  // Of a method of unknown kind it is not known whether it may be called twice.
  if (own === false || method.kind === "unknown") return undefined;
  const { anyCall = false, ...changes } = own ?? {};
  const service = entryOf(serviceConfig, method)?.retries;
  if (upstream === undefined && service === undefined && own === undefined) return undefined;
  // A policy for a method by its name implies that it may be called twice; a policy for a whole service does not.
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
