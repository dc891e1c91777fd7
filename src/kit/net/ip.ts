// IP addresses as text: parsed out of `HOST:PORT`, and grouped into clients.
import { BlockList, isIP } from "node:net";

/** The host of `127.0.0.1:51234`, `[::1]:51234`, `[::ffff:10.0.0.1]:1`; an address without a port as it is. */
export function ipOf(address: string): string {
  let host = address;
  if (host.charCodeAt(0) === 0x5b /* [ */) {
    const end = host.indexOf("]");
    if (end > 0) host = host.slice(1, end);
  } else {
    const colon = host.indexOf(":");
    if (colon >= 0 && host.indexOf(":", colon + 1) < 0) host = host.slice(0, colon);
  }
  return plainIp(host);
}

/** An IPv4 address over an IPv6 socket (RFC 4291 §2.5.5.2) is the IPv4 address. */
export function plainIp(ip: string): string {
  return ip.length > 7 && /^::ffff:\d/i.test(ip) ? ip.slice(7) : ip;
}

/** 127.0.0.0/8 and ::1. */
export function isLoopbackIp(ip: string): boolean {
  return ip.startsWith("127.") || ip === "::1";
}

/**
 * One client, where addresses are limited: an IPv4 address, or the /64 of an IPv6 address, which is the smallest
 * network that a site gets (RFC 6177): the owner of one address has 2^64 of them.
 */
export function clientNetwork(ip: string): string {
  if (isIP(ip) !== 6) return ip;
  const bare = ip.includes("%") ? ip.slice(0, ip.indexOf("%")) : ip;
  const [head = "", tail] = bare.split("::");
  const groups = head === "" ? [] : head.split(":");
  if (tail !== undefined) {
    const after = tail === "" ? [] : tail.split(":");
    // An embedded IPv4 address stands for two groups; those are never among the first four of a valid one.
    const count = after.length + (after.at(-1)?.includes(".") === true ? 1 : 0);
    while (groups.length < 8 - count) groups.push("0");
    groups.push(...after);
  }
  const first = groups.slice(0, 4).map((group) => Number.parseInt(group, 16).toString(16));
  return `${first.join(":")}::/64`;
}

/** An address range in CIDR form. */
export interface AddressRange {
  readonly address: string;
  readonly prefix: number;
}

/** This machine. */
export const LOOPBACK: readonly AddressRange[] = [
  { address: "127.0.0.0", prefix: 8 },
  { address: "::1", prefix: 128 },
];

/** Whether an address is in one of the ranges. */
export function matcherOf(ranges: readonly AddressRange[]): (ip: string) => boolean {
  if (ranges.length === 0) return () => false;
  const list = new BlockList();
  for (const { address, prefix } of ranges) {
    list.addSubnet(address, prefix, isIP(address) === 6 ? "ipv6" : "ipv4");
  }
  return (ip) => isIP(ip) !== 0 && list.check(ip, isIP(ip) === 6 ? "ipv6" : "ipv4");
}
