// Blocks of IP addresses, as `10.0.0.0/8` or a single address, and which peers are in them.
import { BlockList, isIP, isIPv4 } from "node:net";
import { ipOf } from "./ip.js";
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
    const ip = ipOf(address);
    const family = isIP(ip);
    return family !== 0 && this.list.check(ip, family === 4 ? "ipv4" : "ipv6");
  }
}
