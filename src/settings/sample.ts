// The linchpin.yaml that `linchpin init` writes: every key with its description and default, out of the JSON Schema.
import { stringify } from "yaml";
import type { Features } from "./features.js";
import { configJsonSchema, type SchemaNode } from "./json-schema.js";

/** Written beside the config, and referenced in its first line. */
export const SCHEMA_FILE = "linchpin.schema.json";

/** By which editors find the schema. */
const SCHEMA_LINE = `# yaml-language-server: $schema=./${SCHEMA_FILE}`;

/** Characters of a comment line. */
const LINE_WIDTH = 100;

/**
 * A whole config file: `upstreams` is live, every other key a comment with its default.
 * @param minimal `upstreams` alone. Default: false.
 */
export function sampleConfig(
  upstreams: Readonly<Record<string, { readonly endpoints: readonly string[]; readonly tls?: true }>>,
  minimal = false,
  features?: Features,
): string {
  if (minimal) return `${SCHEMA_LINE}\n${stringify({ upstreams }, { flowCollectionPadding: false })}`;
  const lines = [
    SCHEMA_LINE,
    "# Checked by: linchpin check. Keys that are commented out stand at their defaults, or at examples, which say so.",
  ];
  const root: SchemaNode = configJsonSchema(features);
  for (const [key, node] of Object.entries(root.properties ?? {})) {
    lines.push("", ...comment(node.description ?? "", ""));
    if (key === "upstreams") lines.push(...liveUpstreams(upstreams, entryOf(node)));
    else lines.push(...commentedOut(key, node, ""));
  }
  return `${lines.join("\n")}\n`;
}

/** The first one has every key of an upstream, those that are not set as comments. */
function liveUpstreams(upstreams: Readonly<Record<string, object>>, entry: SchemaNode | undefined): string[] {
  const lines = ["upstreams:"];
  for (const [i, [name, given]] of Object.entries(upstreams).entries()) {
    const live = stringify({ [name]: given }, { flowCollectionPadding: false }).trimEnd();
    lines.push(...live.split("\n").map((line) => `  ${line}`));
    // A key without a default makes sense only with another one, which says so.
    const rest = Object.entries(entry?.properties ?? {}).filter(
      ([key, node]) => !Object.hasOwn(given, key) && hasValue(node),
    );
    if (i === 0) lines.push(...rest.flatMap(([key, node]) => described(key, node, "    ")));
  }
  return lines;
}

function described(key: string, node: SchemaNode, indent: string, example?: unknown): string[] {
  return [...comment(node.description ?? "", indent), ...commentedOut(key, node, indent, example)];
}

/** @param example the example of an enclosing mapping or list for this key */
function commentedOut(key: string, node: SchemaNode, indent: string, example?: unknown): string[] {
  const properties = node.properties ?? (isEmpty(node.default) ? optionsOf(node)?.properties : undefined);
  const sample = example ?? node.examples?.[0];
  if (properties !== undefined) {
    const inner = shownOf(properties, example).flatMap(([name, child]) =>
      described(name, child, `${indent}  `, fieldOf(example, name)),
    );
    return [`#${indent} ${key}:`, ...inner];
  }
  const byName = entryOf(node)?.properties;
  if (byName !== undefined && isMapping(sample)) {
    const [name = "", value] = Object.entries(sample)[0] ?? [];
    const inner = shownOf(byName, value).flatMap(([field, child]) =>
      described(field, child, `${indent}    `, fieldOf(value, field)),
    );
    return [`#${indent} ${key}:${EXAMPLE}`, `#${indent}   ${name}:`, ...inner];
  }
  const inList = node.items?.properties;
  if (inList !== undefined && Array.isArray(sample)) {
    const inner = shownOf(inList, sample[0]).flatMap(([field, child], i) => [
      // The first key has the dash of the list before it.
      ...comment(child.description ?? "", `${indent}${i === 0 ? "  " : "    "}`),
      ...(i === 0
        ? commentedOut(`- ${field}`, child, `${indent}  `, fieldOf(sample[0], field))
        : commentedOut(field, child, `${indent}    `, fieldOf(sample[0], field))),
    ]);
    return [`#${indent} ${key}:${EXAMPLE}`, ...inner];
  }
  const value = example ?? (isEmpty(node.default) ? (sample ?? node.default) : node.default);
  // What an example has is marked where the example begins.
  const mark = example !== undefined || value === node.default ? "" : EXAMPLE;
  return [`#${indent} ${key}: ${inline(value)}${mark}`];
}

const EXAMPLE = "   # an example; none by default";

/** The type of a mapping's values, if its keys are names. */
function entryOf({ additionalProperties }: SchemaNode): SchemaNode | undefined {
  return typeof additionalProperties === "object" ? additionalProperties : undefined;
}

/** Without keys that exclude those of the example, as the verbs of an HttpRule do: they have no value to show. */
function shownOf(properties: Readonly<Record<string, SchemaNode>>, example: unknown): [string, SchemaNode][] {
  return Object.entries(properties).filter(
    ([key, node]) => fieldOf(example, key) !== undefined || hasValue(node),
  );
}

function hasValue({ default: value, examples, properties }: SchemaNode): boolean {
  return value !== undefined || examples !== undefined || Object.values(properties ?? {}).some(hasValue);
}

/** Of `false | { … }` the mapping. */
function optionsOf(node: SchemaNode): SchemaNode | undefined {
  return node.default === undefined ? undefined : node.anyOf?.find((one) => one.properties !== undefined);
}

function isMapping(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function fieldOf(value: unknown, key: string): unknown {
  return isMapping(value) ? value[key] : undefined;
}

function isEmpty(value: unknown): boolean {
  return (
    value === undefined ||
    value === "" ||
    (typeof value === "object" && value !== null && Object.keys(value).length === 0)
  );
}

function inline(value: unknown): string {
  // A size or a rate of digits only is written as a number.
  if (typeof value === "string" && /^\d+$/.test(value)) return value;
  return stringify(value, { collectionStyle: "flow", lineWidth: 0 }).trimEnd();
}

function comment(text: string, indent: string): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && indent.length + line.length + word.length + 1 > LINE_WIDTH) {
      lines.push(line);
      line = "";
    }
    line = line === "" ? word : `${line} ${word}`;
  }
  if (line !== "") lines.push(line);
  return lines.map((part) => `#${indent} ## ${part}`.replace(/^# ## /, "## "));
}
