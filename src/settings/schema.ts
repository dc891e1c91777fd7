// The zod schema of linchpin.yaml, combined from the sections when the first file is read.
import type * as z from "zod";
import { KIT } from "../config/kit.js";
import { FEATURES, type Features } from "./features.js";
import { anyUpstreams } from "./sections/upstreams.js";
import { type FileSchema, schemaOf } from "./sections.js";

interface Schemas {
  readonly file: FileSchema;
  readonly embedded: z.ZodObject<
    Omit<FileSchema["shape"], "upstreams"> & { upstreams: z.ZodPrefault<ReturnType<typeof anyUpstreams>> },
    z.core.$strict
  >;
}

function make(features: Features): Schemas {
  const file = schemaOf(KIT, features);
  return {
    file,
    embedded: file.extend({
      upstreams: anyUpstreams({ ...KIT, ownBalancers: Object.keys(features.balancers ?? {}) }).prefault({}),
    }),
  };
}

const made = new WeakMap<Features, Schemas>();

/** `file`: of a file. `embedded`: for a program that has services of its own, which may do without upstreams. */
export function schemasOf(features: Features = FEATURES): Schemas {
  const schemas = made.get(features) ?? make(features);
  made.set(features, schemas);
  return schemas;
}
