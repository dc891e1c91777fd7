// The linchpin.yaml that `linchpin init` writes: every key with its description and default, out of the JSON Schema.
import { stringify } from "yaml";
import { configJsonSchema } from "./json-schema.js";

/** Written beside the config, and named in its first line. */
export const SCHEMA_FILE = "linchpin.schema.json";

/** Characters of a comment line. */
const LINE_WIDTH = 100;

interface SchemaNode {
  readonly description?: string;
  readonly default?: unknown;
  readonly examples?: readonly unknown[];
  readonly properties?: Readonly<Record<string, SchemaNode>>;
}

/** A whole config file: `upstreams` is live, every other key a comment with its default. */
export function sampleConfig(
  upstreams: Readonly<Record<string, { readonly endpoints: readonly string[]; readonly tls?: true }>>,
): string {
  const lines = [
    `# yaml-language-server: $schema=./${SCHEMA_FILE}`,
    "# Checked by: linchpin check. Keys that are commented out stand at their defaults.",
  ];
  const root: SchemaNode = configJsonSchema();
  for (const [key, node] of Object.entries(root.properties ?? {})) {
    lines.push("", ...comment(node.description ?? "", ""));
    if (key === "upstreams")
      lines.push(...stringify({ upstreams }, { flowCollectionPadding: false }).trimEnd().split("\n"));
    else lines.push(...commentedOut(key, node, ""));
  }
  return `${lines.join("\n")}\n`;
}

function commentedOut(key: string, node: SchemaNode, indent: string): string[] {
  if (node.properties !== undefined) {
    const inner = Object.entries(node.properties).flatMap(([name, child]) => [
      ...comment(child.description ?? "", `${indent}  `),
      ...commentedOut(name, child, `${indent}  `),
    ]);
    return [`#${indent} ${key}:`, ...inner];
  }
  const value = isEmpty(node.default) ? (node.examples?.[0] ?? node.default) : node.default;
  const example = value !== node.default ? "   # an example; none by default" : "";
  return [`#${indent} ${key}: ${inline(value)}${example}`];
}

function isEmpty(value: unknown): boolean {
  return (
    value === undefined ||
    value === "" ||
    (typeof value === "object" && value !== null && Object.keys(value).length === 0)
  );
}

function inline(value: unknown): string {
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
