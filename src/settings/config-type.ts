// The config as a type for programs: src/config/config-input.ts is what this gives, and a test holds it to that. Written
// out, since the type that the sections infer would lead a program's compiler through all of the hub, and editors show the
// documentation of keys where it stands beside them.
import { fileJsonSchema, type SchemaNode } from "./json-schema.js";

const HEAD = `// What linchpin.yaml may hold, as an object: made from the sections of the config by \`node tools/write-config.mjs\`.

/** A config, key by key as in linchpin.yaml; docs/config.md is the reference. */
`;

/** TypeScript. */
export function configType(): string {
  const { properties = {} } = fileJsonSchema();
  // A program that has services of its own needs no upstreams, and one that names a file nothing.
  return `${HEAD}export interface ConfigInput ${objectOf({ properties }, "")}\n`;
}

function typeOf(node: SchemaNode, indent: string): string {
  if (node.anyOf !== undefined) return unionOf(node.anyOf.map((one) => typeOf(one, indent)));
  if (node.const !== undefined) return JSON.stringify(node.const);
  if (node.enum !== undefined) {
    const names = node.enum.map((one) => JSON.stringify(one));
    // Editors still complete the hub's.
    return unionOf(node["x-open"] === true ? [...names, "(string & {})"] : names);
  }
  const { type }: { readonly type?: unknown } = node;
  // Numbers that may be written with a unit.
  if (Array.isArray(type)) return unionOf(type.map(String));
  switch (node.type) {
    case "string":
    case "boolean":
      return node.type;
    case "integer":
    case "number":
      return "number";
    case "array":
      return listOf(typeOf(node.items ?? {}, indent));
    case "object":
      return node.properties === undefined ? mappingOf(node, indent) : objectOf(node, indent);
    default:
      return "unknown";
  }
}

function unionOf(types: readonly string[]): string {
  return [...new Set(types)].join(" | ");
}

function listOf(type: string): string {
  return type.includes(" | ") || type.includes("{") ? `readonly (${type})[]` : `readonly ${type}[]`;
}

function mappingOf({ additionalProperties }: SchemaNode, indent: string): string {
  const inner = typeof additionalProperties === "object" ? typeOf(additionalProperties, indent) : "unknown";
  return `{ readonly [name: string]: ${inner} }`;
}

function objectOf({ properties = {}, required = [] }: SchemaNode, indent: string): string {
  const inner = `${indent}  `;
  const lines = Object.entries(properties).map(([key, node]) => {
    const type = typeOf(node, inner);
    const name = /^[A-Za-z_]\w*$/.test(key) ? key : JSON.stringify(key);
    const member = required.includes(key) ? `${name}: ${type}` : `${name}?: ${type} | undefined`;
    return `${documented(node, inner)}${inner}readonly ${member};\n`;
  });
  return lines.length === 0 ? "{}" : `{\n${lines.join("")}${indent}}`;
}

function documented({ description, default: initial }: SchemaNode, indent: string): string {
  const usual =
    initial === undefined || typeof initial === "object" ? "" : `Default: ${JSON.stringify(initial)}.`;
  const text = [description ?? "", usual].filter((part) => part !== "").join(" ");
  return text === "" ? "" : `${indent}/** ${text.replaceAll("*/", "* /").replaceAll(/\s+/g, " ")} */\n`;
}
