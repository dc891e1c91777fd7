// Which calls of an upstream are sent again, and how: the policy of each method, from all that says something of it.
import type { Method } from "../../../call/call.js";
import { DEFAULT_RETRIES, type MethodRetries, type RetryPolicy } from "./policy.js";

/** What is said of a method. */
export interface RetrySources {
  /** By its upstream. */
  readonly upstream: RetryPolicy | undefined;
  /** By `methods`; undefined: nothing. */
  readonly method: MethodRetries | false | undefined;
  /** By `methods`; undefined: what the schema says counts. */
  readonly idempotent: boolean | undefined;
}

/** undefined: its calls are sent again only where no service can have seen them. */
export function retryPolicy(
  method: Pick<Method, "kind" | "idempotent">,
  { upstream, method: own, idempotent }: RetrySources,
): RetryPolicy | undefined {
  if (own === false || (upstream === undefined && own === undefined)) return undefined;
  // Nothing is known of it, and least of all that it may be called twice.
  if (method.kind === "unknown") return undefined;
  const { anyCall = false, ...changes } = own ?? {};
  if (!anyCall && !(idempotent ?? method.idempotent)) return undefined;
  const policy = { ...(upstream ?? DEFAULT_RETRIES), ...changes };
  return policy.attempts < 2 ? undefined : policy;
}
