// Names in a list of endpoints: one with several addresses stands for all of them, as resolved by the system.
import { isIP } from "node:net";
import type { Timer } from "../../kit/clock.js";
import { UNKNOWN_TTL_MS } from "./dns-endpoints.js";
import { systemAddresses } from "./dns-names.js";
import type { EndpointInfo, EndpointWatcher, SourceContext, TcpEndpoint, Watch } from "./endpoint-source.js";
import { NoAnswer, Polling } from "./polling.js";

/** Lookups run in the threads that read files too. */
const MAX_ASKED = 2;
/** The other endpoints of the list do not wait longer for a name. */
const PATIENCE_MS = 2_000;

/** Addresses of a name, from the system. Rejects with NoAnswer. */
export type Lookup = (name: string) => Promise<readonly string[]>;

const systemLookup: Lookup = async (name) => (await systemAddresses(name)).addresses;

/** Whether an endpoint's name may stand for several addresses. All of localhost is one machine (RFC 6761 §6.3). */
export function isNamed(endpoint: EndpointInfo): endpoint is TcpEndpoint {
  return "host" in endpoint && isIP(endpoint.host) === 0 && !/(?:^|\.)localhost$/i.test(endpoint.host);
}

/** Reports the list with addresses in place of names, now and when they change. */
export function watchListed(
  all: readonly EndpointInfo[],
  watcher: EndpointWatcher,
  context: SourceContext,
  lookup: Lookup = systemLookup,
): Watch {
  const names = [...new Set(all.filter(isNamed).map(({ host }) => host))];
  const known = context.names ?? new Map<string, readonly string[]>();
  for (const name of known.keys()) if (!names.includes(name)) known.delete(name);
  let closed = false;
  let patience: Timer | undefined;
  const tell = (problem?: string): void => {
    patience?.cancel();
    watcher.endpoints(
      all.flatMap((endpoint) => expanded(endpoint, known)),
      problem,
    );
  };
  patience = context.clock.setTimeout(() => tell(), PATIENCE_MS);
  return new Polling(context, {
    async ask() {
      let problem: string | undefined;
      for (let i = 0; i < names.length && !closed; i += MAX_ASKED)
        await Promise.all(
          names.slice(i, i + MAX_ASKED).map(async (name) => {
            try {
              known.set(name, await lookup(name));
            } catch (error) {
              if (!(error instanceof NoAnswer)) throw error;
              problem ??= error.message;
            }
          }),
        );
      if (closed) return 0;
      tell(problem);
      return UNKNOWN_TTL_MS;
    },
    onNoAnswer: (problem) => watcher.problem(problem),
    close() {
      closed = true;
      patience?.cancel();
    },
  });
}

/**
 * A name with at most one address of each family is one machine: it stays as it is, and connections try both addresses
 * (RFC 8305). So does a name that cannot be resolved.
 */
function expanded(
  endpoint: EndpointInfo,
  known: ReadonlyMap<string, readonly string[]>,
): readonly EndpointInfo[] {
  if (!isNamed(endpoint)) return [endpoint];
  const { host: name, ...others } = endpoint;
  const addresses = known.get(name) ?? [];
  const several = [4, 6].some((family) => addresses.filter((one) => isIP(one) === family).length > 1);
  return several ? addresses.map((host) => ({ ...others, host, name })) : [endpoint];
}
