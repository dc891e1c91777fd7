// Endpoints by DNS: `dns:///HOST:PORT`, all addresses of a name, and `dns+srv:///_SERVICE._tcp.NAME`, those of its SRV
// records (RFC 2782). `dns://SERVER[:PORT]/…` names the DNS server. The form is gRPC's (naming.md).
import { isIP } from "node:net";
import { isHost, parseEndpoint } from "../../config/address.js";
import { type Parsed, parsed, rejected } from "../../kit/text/parsed.js";
import { parsedOrThrow } from "../../kit/text/user-error.js";
import { type Addresses, type Names, serverNames } from "./dns-names.js";
import type {
  EndpointInfo,
  EndpointSource,
  EndpointWatcher,
  SourceContext,
  TcpEndpoint,
} from "./endpoint-source.js";
import { distinct } from "./entries.js";
import { NoAnswer, Polling } from "./polling.js";

/** Bounds of how long a response is cached, whatever its TTL. */
const MIN_TTL_MS = 1_000;
const MAX_TTL_MS = 300_000;
/** Without a TTL: node:dns reports none for SRV records, and the system none at all. */
export const UNKNOWN_TTL_MS = 30_000;
/** Names of SRV records that are resolved at a time. */
const MAX_ASKED = 32;

interface Target {
  /** `IP:PORT` of the DNS server; undefined: those of the machine. */
  readonly server: string | undefined;
  readonly rest: string;
}

/** `dns:[//SERVER[:PORT]/]HOST:PORT`. Throws a UserError. */
export function dnsEndpoints(target: string, context: SourceContext): EndpointSource {
  const { server, rest } = parsedOrThrow(parseTarget(target, "dns:///library:50051"), "dns:", target);
  const endpoint = parsedOrThrow(parseEndpoint(rest), "dns:", rest);
  return {
    watch(watcher) {
      if (isIP(endpoint.host) !== 0) {
        watcher.endpoints([endpoint]);
        return { close() {} };
      }
      return follow(watcher, context, server, (known) => known.endpointsOf(endpoint));
    },
  };
}

/** `dns+srv:[//SERVER[:PORT]/]_SERVICE._PROTO.NAME`. Throws a UserError. */
export function srvEndpoints(target: string, context: SourceContext): EndpointSource {
  const { server, rest } = parsedOrThrow(
    parseTarget(target, "dns+srv:///_grpc._tcp.library"),
    "dns+srv:",
    target,
  );
  if (!isHost(rest) || isIP(rest) !== 0)
    parsedOrThrow(rejected("must name SRV records, as in dns+srv:///_grpc._tcp.library"), "dns+srv:", rest);
  return { watch: (watcher) => follow(watcher, context, server, (known) => known.servicesOf(rest)) };
}

function parseTarget(target: string, example: string): Parsed<Target> {
  const match = /^(?:\/\/([^/]*)\/)?([^/]+)$/.exec(target);
  const [, server = "", rest] = match ?? [];
  if (rest === undefined) return rejected(`must be as in ${example}`);
  if (server === "") return parsed({ server: undefined, rest });
  const bare = server.replace(/^\[(.*)\]$/, "$1");
  if (isIP(bare) !== 0) return parsed({ server: bare, rest });
  const at = parseEndpoint(server);
  if (!at.ok || isIP(at.value.host) === 0)
    return rejected("must name its DNS server by an IP address, as in dns://10.0.0.53:53/library:50051");
  return parsed({ server, rest });
}

/** The result, and how long it may be cached. */
interface Found {
  readonly endpoints: readonly EndpointInfo[];
  readonly ttlMs: number;
  readonly problem: string | undefined;
}

function follow(
  watcher: EndpointWatcher,
  context: SourceContext,
  server: string | undefined,
  find: (known: KnownNames) => Promise<Found>,
): Polling {
  const names = serverNames(server);
  const known = new KnownNames(names);
  let closed = false;
  return new Polling(context, {
    async ask() {
      const { endpoints, ttlMs, problem } = await find(known);
      if (closed) return 0;
      const list = distinct(endpoints);
      watcher.endpoints(list.endpoints, problem ?? list.twice);
      return Math.min(Math.max(ttlMs, MIN_TTL_MS), MAX_TTL_MS);
    },
    onNoAnswer: (problem) => watcher.problem(problem),
    close() {
      closed = true;
      names.close();
    },
  });
}

/** Addresses of names, or the previous ones if a lookup fails. */
class KnownNames {
  readonly #names: Names;
  #last = new Map<string, readonly string[]>();

  constructor(names: Names) {
    this.#names = names;
  }

  async endpointsOf(at: TcpEndpoint): Promise<Found> {
    const { addresses, ttlMs = UNKNOWN_TTL_MS, problem } = await this.#names.addresses(at.host);
    return { endpoints: this.#at(at, this.#whole(at.host, addresses, problem)), ttlMs, problem };
  }

  async servicesOf(name: string): Promise<Found> {
    const all = await this.#names.srv(name);
    // A single record for the root: the service is not available at this domain (RFC 2782).
    const records = all.filter(({ name: host }) => host !== "" && host !== ".");
    if (records.length === 0) throw new NoAnswer(`${name}: the service has no host`);
    const found = new Map<string, Addresses | NoAnswer>();
    const hosts = [...new Set(records.map((record) => record.name))];
    for (let i = 0; i < hosts.length; i += MAX_ASKED)
      await Promise.all(
        hosts.slice(i, i + MAX_ASKED).map(async (host) => found.set(host, await this.#addressesOf(host))),
      );
    const endpoints: EndpointInfo[] = [];
    const last = new Map<string, readonly string[]>();
    let ttlMs = UNKNOWN_TTL_MS;
    let problem: string | undefined;
    for (const { name: host, port, priority, weight } of records) {
      const answer = found.get(host);
      if (answer === undefined) continue;
      const failed = answer instanceof NoAnswer;
      problem ??= failed ? answer.message : answer.problem;
      if (!failed) ttlMs = Math.min(ttlMs, answer.ttlMs ?? UNKNOWN_TTL_MS);
      const addresses = failed
        ? (this.#last.get(host) ?? [])
        : this.#whole(host, answer.addresses, answer.problem);
      last.set(host, addresses);
      // The weight is the host's, shared by its addresses; 0 is "a very small chance".
      const traits = { priority, weight: Math.max(weight, 1) / Math.max(addresses.length, 1) };
      endpoints.push(...this.#at({ host, port, ...traits }, addresses));
    }
    if (endpoints.length === 0) throw new NoAnswer(problem ?? `${name}: the service has no address`);
    this.#last = last;
    return { endpoints, ttlMs, problem };
  }

  async #addressesOf(name: string): Promise<Addresses | NoAnswer> {
    try {
      return await this.#names.addresses(name);
    } catch (error) {
      if (error instanceof NoAnswer) return error;
      throw error;
    }
  }

  /** Adds the previous addresses of a family whose lookup failed. */
  #whole(name: string, addresses: readonly string[], problem: string | undefined): readonly string[] {
    const before = problem === undefined ? [] : (this.#last.get(name) ?? []);
    const families = new Set(addresses.map((address) => isIP(address)));
    const all = [...addresses, ...before.filter((address) => !families.has(isIP(address)))];
    this.#last.set(name, all);
    return all;
  }

  #at({ host: name, ...others }: TcpEndpoint, addresses: readonly string[]): EndpointInfo[] {
    return addresses.map((host) => ({ ...others, host, name }));
  }
}
