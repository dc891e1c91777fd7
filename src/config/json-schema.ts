// The JSON Schema of linchpin.yaml (draft 2020-12), made from the one schema: editors complete and check with it.
import * as z from "zod";
import { configSchema } from "./schema.js";

/** What a file may hold, with descriptions, defaults and examples. */
export function configJsonSchema(): Record<string, unknown> {
  const { $schema, ...rest } = z.toJSONSchema(configSchema, {
    io: "input",
    // zod leaves these out where a value is transformed; here they are written as input.
    override: ({ zodSchema, jsonSchema }) => {
      const meta = z.globalRegistry.get(zodSchema);
      if (Array.isArray(meta?.examples)) jsonSchema.examples = meta.examples;
      if (typeof meta?.default === "string") jsonSchema.default = meta.default;
    },
  });
  return { $schema, $id: "urn:linchpin:config", ...rest };
}
