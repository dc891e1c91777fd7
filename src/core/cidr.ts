// Blocks of IP addresses, as `10.0.0.0/8` or a single address, and which peers are in them.
import { BlockList, isIP, isIPv4 } from "node:net";
import { type Parsed, parsed, rejected } from "./parsed.js";

const EXPECTED = "must be an IP address or a block of them, as in 10.0.0.0/8 or ::1";

/** Checks the text; its value is the text itself. */
export function parseCidr(text: string): Parsed<string> {
  const [address = "", prefix, ...rest] = text.split("/");
  const family = isIP(address);
  if (family === 0 || rest.length > 0 || address.includes("%")) return rejected(EXPECTED);
  if (prefix !== undefined && !(/^\d{1,3}$/.test(prefix) && Number(prefix) <= (family === 4 ? 32 : 128))) {
    return rejected(EXPECTED);
  }
  return parsed(text);
}

/** Which peers are in any of the blocks. IPv4 addresses that come as IPv6 (`::ffff:…`) count as IPv4. */
export class PeerBlocks {
  private readonly list = new BlockList();

  /** @param blocks checked by `parseCidr` */
  constructor(blocks: readonly string[]) {
    for (const block of blocks) {
      const [address = "", prefix] = block.split("/");
      const family = isIPv4(address) ? "ipv4" : "ipv6";
      if (prefix === undefined) this.list.addAddress(address, family);
      else this.list.addSubnet(address, Number(prefix), family);
    }
  }

  /** @param address as `Peer.address` has it: `127.0.0.1:51234`, `[::1]:51234` */
  has(address: string): boolean {
    const host = hostOf(address);
    const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(host)?.[1];
    switch (isIP(mapped ?? host)) {
      case 4:
        return this.list.check(mapped ?? host, "ipv4");
      case 6:
        return this.list.check(host, "ipv6");
      default:
        return false;
    }
  }
}

/** The host of `HOST:PORT` or `[HOST]:PORT`; what has no port comes back as it is. */
export function hostOf(address: string): string {
  const bracket = address.indexOf("]");
  if (address.startsWith("[") && bracket > 0) return address.slice(1, bracket);
  const colon = address.lastIndexOf(":");
  return colon > 0 && address.indexOf(":") === colon ? address.slice(0, colon) : address;
}
