// Endpoint entries in files and keys of a store: text from outside, validated.
import { formatAddress, parseEndpointAddress } from "../../config/address.js";
import { type Parsed, parsed, rejected } from "../../kit/text/parsed.js";
import { printableLine } from "../../kit/text/text.js";
import type { EndpointInfo, EndpointTraits } from "./endpoint-source.js";

export const MAX_WEIGHT = 1_000_000;
/** The range of SRV records. */
export const MAX_PRIORITY = 65_535;
/** Characters. */
export const MAX_ZONE = 253;

const KEYS = ["address", "weight", "zone", "priority"];

/** What is wrong with a value, and where in it. */
export interface WrongValue {
  readonly path: readonly (string | number)[];
  /** Continues a sentence: `must be …`. */
  readonly reason: string;
}

/** `HOST:PORT`, `unix:/PATH` or `{ address, weight, zone, priority }`. */
export function parseEntry(value: unknown): Parsed<EndpointInfo> | ({ readonly ok: false } & WrongValue) {
  if (typeof value === "string") return parseEndpointAddress(value);
  if (typeof value !== "object" || value === null || Array.isArray(value))
    return rejected("must be HOST:PORT, unix:/PATH or { address, weight, zone, priority }");
  const fields: Readonly<Record<string, unknown>> = { ...value };
  const unknown = Object.keys(fields).find((key) => !KEYS.includes(key));
  if (unknown !== undefined)
    return { ok: false, path: [unknown], reason: `unknown key; allowed: ${KEYS.join(", ")}` };
  const { address } = fields;
  if (typeof address !== "string")
    return { ok: false, path: ["address"], reason: "must be HOST:PORT or unix:/PATH" };
  const at = parseEndpointAddress(address);
  if (!at.ok) return { ...at, path: ["address"] };
  const traits = parseTraits(fields);
  return traits.ok ? parsed({ ...at.value, ...traits.value }) : traits;
}

/** Weight, zone and priority of a mapping that may have more keys. */
export function parseTraits(
  fields: Readonly<Record<string, unknown>>,
): Parsed<EndpointTraits> | ({ readonly ok: false } & WrongValue) {
  const { weight, zone, priority } = fields;
  if (weight !== undefined && !isWhole(weight, MAX_WEIGHT))
    return { ok: false, path: ["weight"], reason: `must be a whole number from 0 to ${MAX_WEIGHT}` };
  if (priority !== undefined && !isWhole(priority, MAX_PRIORITY))
    return { ok: false, path: ["priority"], reason: `must be a whole number from 0 to ${MAX_PRIORITY}` };
  if (zone !== undefined && !isZone(zone))
    return { ok: false, path: ["zone"], reason: "must be the name of a zone" };
  return parsed({
    ...(weight === undefined ? {} : { weight }),
    ...(zone === undefined ? {} : { zone }),
    ...(priority === undefined ? {} : { priority }),
  });
}

function isWhole(value: unknown, max: number): value is number {
  return Number.isInteger(value) && Number(value) >= 0 && Number(value) <= max;
}

/** It is shown in terminals and logs: control characters are not part of a name. */
export function isZone(value: unknown): value is string {
  return (
    typeof value === "string" && value !== "" && value.length <= MAX_ZONE && printableLine(value) === value
  );
}

/** The first of each address; `twice`: a message about the duplicates, undefined if there are none. */
export function distinct(all: readonly EndpointInfo[]): {
  readonly endpoints: readonly EndpointInfo[];
  readonly twice: string | undefined;
} {
  const byAddress = new Map<string, EndpointInfo>();
  let twice: string | undefined;
  for (const endpoint of all) {
    const address = formatAddress(endpoint).toLowerCase();
    if (byAddress.has(address)) twice ??= address;
    else byAddress.set(address, endpoint);
  }
  const more = all.length - byAddress.size - 1;
  return {
    endpoints: [...byAddress.values()],
    twice:
      twice === undefined
        ? undefined
        : `${twice} is listed more than once${more > 0 ? `, and so are ${more} others` : ""}: it counts once`,
  };
}
