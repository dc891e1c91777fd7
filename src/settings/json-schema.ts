// The JSON Schema of linchpin.yaml (draft 2020-12), made from the one schema: editors complete and check with it.
import * as z from "zod";
import type { Features } from "./features.js";
import { schemasOf } from "./schema.js";

/** The parts that pages made from the schema read. */
export interface SchemaNode {
  readonly type?: "string" | "boolean" | "integer" | "number" | "array" | "object";
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly minimum?: number;
  readonly maximum?: number;
  /** For text that stands for a number, in its notation. */
  readonly "x-range"?: string;
  /** The names of `enum` are those of the hub; programs add others. */
  readonly "x-open"?: boolean;
  readonly description?: string;
  readonly default?: unknown;
  readonly examples?: readonly unknown[];
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  /** Of a mapping whose keys are names. */
  readonly additionalProperties?: SchemaNode | boolean;
  /** Of a list. */
  readonly items?: SchemaNode;
  readonly anyOf?: readonly SchemaNode[];
  readonly required?: readonly string[];
}

/** The content of a file after variables are replaced, with descriptions, defaults and examples. */
export function fileJsonSchema(features?: Features): SchemaNode & Record<string, unknown> {
  return z.toJSONSchema(schemasOf(features).file, {
    io: "input",
    // zod leaves these out if a value is transformed; here they are written as input.
    override: ({ zodSchema, jsonSchema }) => {
      const meta = z.globalRegistry.get(zodSchema);
      if (Array.isArray(meta?.examples)) jsonSchema.examples = meta.examples;
      if (typeof meta?.default === "string") jsonSchema.default = meta.default;
    },
  }) as SchemaNode & Record<string, unknown>; // the parts of JSON Schema that zod makes of the sections
}

/** As `fileJsonSchema`, with a variable allowed in the place of each value. */
export function configJsonSchema(features?: Features): Record<string, unknown> {
  const { $schema, ...rest } = fileJsonSchema(features);
  return { $schema, $id: "urn:linchpin:config", ...withVariables(rest) };
}

/** The error of a value that is not an environment variable. */
const CHECKS = [
  "type",
  "enum",
  "const",
  "minimum",
  "maximum",
  "exclusiveMinimum",
  "exclusiveMaximum",
  "pattern",
];
const VARIABLE = { type: "string", pattern: String.raw`\$\{[A-Za-z_][A-Za-z0-9_]*(:-[^}]*)?\}` };

/** The same schema, with `${NAME}` allowed in the place of every value that is no mapping and no list. */
function withVariables(node: Record<string, unknown>): Record<string, unknown> {
  const { "x-range": _, "x-open": _open, ...known } = node;
  const inner = Object.fromEntries(Object.entries(known).map(([key, value]) => [key, inside(key, value)]));
  const checks = Object.entries(inner).filter(([key]) => CHECKS.includes(key));
  const { type } = inner;
  // Any text may contain a variable unchanged.
  const isFree = type === "string" && !("pattern" in inner) && !("enum" in inner) && !("const" in inner);
  if (checks.length === 0 || isFree || type === "object" || type === "array") return inner;
  const others = Object.entries(inner).filter(([key]) => !CHECKS.includes(key));
  return { ...Object.fromEntries(others), anyOf: [Object.fromEntries(checks), VARIABLE] };
}

/** Keywords that contain schemas. */
function inside(key: string, value: unknown): unknown {
  switch (key) {
    case "properties":
      return isRecord(value)
        ? Object.fromEntries(
            Object.entries(value).map(([name, child]) => [
              name,
              isRecord(child) ? withVariables(child) : child,
            ]),
          )
        : value;
    case "additionalProperties":
    case "items":
      return isRecord(value) ? withVariables(value) : value;
    case "anyOf":
      return Array.isArray(value)
        ? value.map((child) => (isRecord(child) ? withVariables(child) : child))
        : value;
    default:
      return value;
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
