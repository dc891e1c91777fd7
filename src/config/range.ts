// Ranges of addresses as people write them: 10.0.0.0/8, fd00::/8, 192.0.2.7.
import { isIP } from "node:net";
import type { AddressRange } from "../kit/net/ip.js";
import { type Parsed, parsed, rejected } from "../kit/text/parsed.js";

export const RANGE_EXPECTED = "must be an IP address or a range of them, as in 10.0.0.0/8 or fd00::/8";

export function parseRange(value: string): Parsed<AddressRange> {
  const [address = "", prefix, ...rest] = value.split("/");
  const bits = isIP(address) === 4 ? 32 : 128;
  if (isIP(address) === 0 || rest.length > 0) return rejected(RANGE_EXPECTED);
  if (prefix === undefined) return parsed({ address, prefix: bits });
  if (!/^\d{1,3}$/.test(prefix) || Number(prefix) > bits) {
    return rejected(`must have a prefix from 0 to ${bits} after the slash`);
  }
  return parsed({ address, prefix: Number(prefix) });
}

/** The text that parses to `range` again. */
export function formatRange({ address, prefix }: AddressRange): string {
  return prefix === (isIP(address) === 4 ? 32 : 128) ? address : `${address}/${prefix}`;
}
