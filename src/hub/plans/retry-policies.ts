// How the calls of each method are sent again, by all that the config says of it.
import type { Method } from "../../call/call.js";
import { methodConfig } from "../../config/method-config.js";
import type { Config } from "../../settings/sections.js";
import type { RetryPolicy } from "../../upstream/retry/policy/policy.js";
import { retryPolicy } from "../../upstream/retry/policy/retry-policies.js";

/** undefined: calls are sent again only where no service can have seen them. */
export type PolicyOf = (upstream: string, method: Method) => RetryPolicy | undefined;

export function retryPolicies({ upstreams, methods }: Pick<Config, "upstreams" | "methods">): PolicyOf {
  const byName = new Map(upstreams.map(({ name, retries }) => [name, retries]));
  const own = methodConfig(methods);
  const retriesOf = own((method) => method?.retries);
  const idempotentOf = own((method) => method?.idempotent);
  return (upstream, method) =>
    retryPolicy(method, {
      upstream: byName.get(upstream),
      method: retriesOf(method),
      idempotent: idempotentOf(method),
    });
}
