// `connections` and `pending` of an upstream.
import type * as z from "zod";
import type { Kit } from "../../config/kit.js";
import { featureKeys } from "../../config/section.js";
import { DEFAULT_POOL, POOL, type PoolLimits, type PoolRow, poolOf } from "./pool-limits.js";

type Group = PoolRow["key"][0];

/** The rows of POOL of a group, as its keys. */
type Grouped<G extends Group> = {
  [R in (typeof POOL)[keyof typeof POOL] as R["key"] extends readonly [G, infer K extends string]
    ? K
    : never]: R["unit"] extends "ms" ? DurationKey : CountKey;
};
type DurationKey = z.ZodPrefault<ReturnType<Kit["duration"]>>;
type CountKey = z.ZodPrefault<ReturnType<Kit["wholeNumber"]>>;

function grouped<G extends Group>(group: G, { duration, wholeNumber }: Kit): Grouped<G> {
  const shape: Record<string, DurationKey | CountKey> = {};
  for (const { key, unit, value, min, doc, ...row } of Object.values<PoolRow>(POOL)) {
    if (key[0] !== group) continue;
    shape[key[1]] =
      unit === "ms"
        ? duration(min)
            .prefault(`${value / 1000}s`)
            .describe(doc)
        : wholeNumber(min, row.max ?? Number.MAX_SAFE_INTEGER)
            .prefault(value)
            .describe(doc);
  }
  return shape as Grouped<G>; // the types say the same of each row
}

export const poolKeys = featureKeys({
  defaults: { pool: DEFAULT_POOL } as { readonly pool: PoolLimits },
  schema: (kit) => ({
    connections: kit.z
      .strictObject(grouped("connections", kit))
      .prefault({})
      .describe("How many connections the hub opens to the services."),
    pending: kit.z
      .strictObject(grouped("pending", kit))
      .prefault({})
      .describe("Calls that wait for a connection."),
  }),
  read({ connections, pending }, at) {
    at.needs(["connections", "idle"], connections.max > 1, "connections.max is 1, and the first one is kept");
    at.needs(["connections", "max"], connections.max <= connections.total, "connections.total is less");
    const groups: Readonly<Record<Group, Readonly<Record<string, number>>>> = { connections, pending };
    return { pool: poolOf(({ key: [group, key], value }) => groups[group][key] ?? value) };
  },
});
