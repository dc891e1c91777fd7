// How the calls of each method are sent again, and how long they may take, by all that the config says of their upstream.
import type { Method } from "../../call/call.js";
import type { Interceptor } from "../../call/interceptor.js";
import { codeName } from "../../call/status/status.js";
import { formatDuration } from "../../config/duration.js";
import { methodConfig } from "../../config/method-config.js";
import type { ServiceRoute } from "../../routing/table.js";
import type { Config } from "../../settings/sections.js";
import type { RetryPolicy } from "../../upstream/retry/policy/policy.js";
import { entryOf, retryPolicy } from "../../upstream/retry/policy/retry-policies.js";

/** undefined: calls are sent again only where no service can have seen them. */
export type PolicyOf = (upstream: string, method: Method) => RetryPolicy | undefined;

export function retryPolicies({ upstreams, methods }: Pick<Config, "upstreams" | "methods">): PolicyOf {
  const byName = new Map(upstreams.map((upstream) => [upstream.name, upstream]));
  const own = methodConfig(methods);
  const retriesOf = own((method) => method?.retries);
  const idempotentOf = own((method) => method?.idempotent);
  return (name, method) => {
    const upstream = byName.get(name);
    return retryPolicy(method, {
      upstream: upstream?.retries,
      serviceConfig: upstream?.serviceConfig,
      method: retriesOf(method),
      idempotent: idempotentOf(method),
    });
  };
}

/** For people: `3 attempts on UNAVAILABLE`, `2 attempts side by side after 50ms`. */
export function describeRetries({ attempts, on, hedgeDelayMs }: RetryPolicy): string {
  const codes = on.map(codeName).join(", ");
  if (hedgeDelayMs === undefined) return `${attempts} attempts on ${codes}`;
  const sooner = codes === "" ? "" : `, or on ${codes}`;
  return `${attempts} attempts side by side, after ${formatDuration(hedgeDelayMs)} each${sooner}`;
}

/** Methods whose `retries` make no attempt: most often nothing says that they may be called twice. */
export function retriesWithoutEffect(
  { methods: configured }: Pick<Config, "methods">,
  routes: readonly Pick<ServiceRoute, "methods" | "named" | "upstream">[],
  policyOf: PolicyOf,
): string[] {
  const asked = new Set(
    configured.flatMap(({ selector, retries }) =>
      retries === undefined || retries === false ? [] : [selector],
    ),
  );
  if (asked.size === 0) return [];
  return routes.flatMap(({ methods, named = [], upstream }) =>
    [...methods, ...named].flatMap((method) => {
      const selector = method.path.slice(1);
      if (!asked.has(selector) || policyOf(upstream, method) !== undefined) return [];
      const why =
        method.kind === "unknown"
          ? "no schema describes the method"
          : "the method is not idempotent, or has only one attempt (idempotent: true says that it may be called twice)";
      return [`methods, ${selector}: retries has no effect: ${why}`];
    }),
  );
}

/**
 * `timeout` of the upstreams' gRPC service configs: the most that a call may take, beside every other deadline.
 * @param upstreamOf name of the upstream that has a service
 * @returns none where no service config has one
 */
export function serviceConfigTimeouts(
  { upstreams }: Pick<Config, "upstreams">,
  upstreamOf: (service: string) => string | undefined,
): readonly Interceptor[] {
  const configs = new Map(upstreams.map(({ name, serviceConfig }) => [name, serviceConfig]));
  const any = [...configs.values()].some((config) =>
    [...(config?.values() ?? [])].some(({ timeoutMs }) => timeoutMs !== undefined),
  );
  if (!any) return [];
  const name = "deadline";
  return [
    {
      name,
      plan(method) {
        const timeoutMs = entryOf(configs.get(upstreamOf(method.service) ?? ""), method)?.timeoutMs;
        if (timeoutMs === undefined) return undefined;
        return {
          name,
          start(call) {
            const deadline = call.startedAt + timeoutMs;
            if (deadline < (call.deadline ?? Number.POSITIVE_INFINITY)) call.deadline = deadline;
            return undefined;
          },
        };
      },
    },
  ];
}
