// Names to addresses: by DNS servers, with the TTL of the response, or by the system, with /etc/hosts.
import type { SrvRecord } from "node:dns";
import { lookup, Resolver } from "node:dns/promises";
import { errorCode } from "../../kit/text/user-error.js";
import { NoAnswer } from "./polling.js";

/** Timeout of the first try at a server; the second one gets twice as long. */
const TIMEOUT_MS = 2_000;
const TRIES = 2;

export interface Addresses {
  /** IPv4 before IPv6, each sorted, since servers rotate them with each response. */
  readonly addresses: readonly string[];
  /** How long they may be cached; undefined: unknown. */
  readonly ttlMs: number | undefined;
  /** Why the addresses of one family are missing. */
  readonly problem?: string | undefined;
}

export interface Names {
  /** All addresses of a name: at least one. Rejects with NoAnswer. */
  addresses(name: string): Promise<Addresses>;
  /** The SRV records of a service. Rejects with NoAnswer. */
  srv(name: string): Promise<readonly SrvRecord[]>;
  /** Cancels pending lookups. */
  close(): void;
}

/**
 * Asks DNS servers for A and AAAA.
 * @param server `IP:PORT`; undefined: those of the machine, and the system for names that they do not have
 */
export function serverNames(server: string | undefined): Names {
  const resolver = new Resolver({ timeout: TIMEOUT_MS, tries: TRIES });
  if (server !== undefined) resolver.setServers([server]);
  return {
    async addresses(name) {
      const [v4, v6] = await Promise.all([
        family(() => resolver.resolve4(name, { ttl: true })),
        family(() => resolver.resolve6(name, { ttl: true })),
      ]);
      const records = [...v4.records, ...v6.records];
      if (records.length > 0) {
        const ttl = Math.min(...records.map((record) => record.ttl));
        const failed = [v4, v6].find(({ code }) => code !== undefined && !isMissing(code));
        return {
          addresses: [...textsOf(v4.records), ...textsOf(v6.records)],
          ttlMs: ttl * 1000,
          problem: failed && `${name}: ${reasonOf(failed.code)}, asked for ${failed === v4 ? "A" : "AAAA"}`,
        };
      }
      // Short names and those of /etc/hosts are resolved by the system.
      if (server === undefined && isMissing(v4.code)) return systemAddresses(name);
      throw new NoAnswer(`${name}: ${reasonOf(isMissing(v4.code) ? v6.code : v4.code)}`);
    },
    async srv(name) {
      try {
        return await resolver.resolveSrv(name);
      } catch (error) {
        throw new NoAnswer(`${name}: ${reasonOf(errorCode(error))}`);
      }
    },
    close: () => resolver.cancel(),
  };
}

/** Uses the system: /etc/hosts, search domains, and its other settings. */
export async function systemAddresses(name: string): Promise<Addresses> {
  try {
    const found = await lookup(name, { all: true });
    const of = (family: number): string[] =>
      [...new Set(found.flatMap((one) => (one.family === family ? [one.address] : [])))].sort();
    return { addresses: [...of(4), ...of(6)], ttlMs: undefined };
  } catch (error) {
    throw new NoAnswer(`${name}: ${reasonOf(errorCode(error))}`);
  }
}

interface Family {
  readonly records: readonly { readonly address: string; readonly ttl: number }[];
  /** Why there are no records. */
  readonly code: string | undefined;
}

async function family(ask: () => Promise<Family["records"]>): Promise<Family> {
  try {
    return { records: await ask(), code: undefined };
  } catch (error) {
    return { records: [], code: errorCode(error) ?? "EUNKNOWN" };
  }
}

function textsOf(records: Family["records"]): string[] {
  return [...new Set(records.map(({ address }) => address))].sort();
}

/** The name does not exist, or has no such record. */
function isMissing(code: string | undefined): boolean {
  return code === undefined || code === "ENOTFOUND" || code === "ENODATA";
}

function reasonOf(code: string | undefined): string {
  switch (code) {
    case "ENOTFOUND":
      return "there is no such name (ENOTFOUND)";
    case "ENODATA":
    case undefined:
      return "the name has no such record (ENODATA)";
    case "ETIMEOUT":
      return "the DNS server does not answer (ETIMEOUT)";
    case "ECONNREFUSED":
      return "no DNS server is there (ECONNREFUSED)";
    case "ESERVFAIL":
    case "EAI_AGAIN":
      return `the DNS server cannot say it now (${code})`;
    case "EREFUSED":
      return "the DNS server refuses to say it (EREFUSED)";
    case "EFORMERR":
    case "EBADRESP":
      return `the DNS server's answer is malformed (${code})`;
    default:
      return `the name cannot be resolved (${code})`;
  }
}
