// The reference of linchpin.yaml: docs/config.md is generated from it, and a test compares them.
import { stringify } from "yaml";
import type { Features } from "./features.js";
import { defaultConfig } from "./from-args.js";
import { fileJsonSchema, type SchemaNode } from "./json-schema.js";
import { fixedBy } from "./restart.js";
import { secretsOf } from "./secrets.js";

const HEAD = `# The keys of linchpin.yaml

Every key, what it takes, and what holds where it is left out. \`linchpin init\` writes a file of them, \`linchpin check\` says what is
wrong with one, and editors complete and check it by the schema that \`linchpin config-schema\` prints.

- \`\${NAME}\` in a value is replaced by an environment variable, \`\${NAME:-TEXT}\` has a default, \`$\${\` stands for itself.
- Durations are written as \`250ms\`, \`15s\`, \`2m\`, \`1h\`; sizes as \`512KiB\`, \`4MiB\` or a number of bytes; rates as \`100/s\`, \`60/min\`, \`5/h\`.
- Relative paths start at the folder of the file.
- \`NAME\` stands for a name of your choice, \`[]\` for each entry of a list.
- A reload (SIGHUP, \`POST /reload\`) takes a key over, unless the key says **restart**. What is **secret** is shown nowhere.

This page is made from the sections of the config by \`node tools/write-config.mjs\`.
`;

/** Markdown. */
export function configPage(features?: Features): string {
  const root = fileJsonSchema(features);
  const marks: Marks = {
    restart: new Set(Object.keys(fixedBy(defaultConfig(features), features))),
    secret: new Set(secretsOf(features).map((path) => path.join("."))),
  };
  const sections = Object.entries(root.properties ?? {}).flatMap(([key, node]) =>
    // Each of those has a section of its own.
    key === "interceptors"
      ? Object.entries(node.properties ?? {}).map(([name, child]) => page(`${key}.${name}`, child, marks))
      : [page(key, node, marks)],
  );
  return `${HEAD}${sections.join("")}`;
}

/** Of one key. */
const MAX_EXAMPLES = 3;

interface Marks {
  readonly restart: ReadonlySet<string>;
  readonly secret: ReadonlySet<string>;
}

function page(key: string, node: SchemaNode, marks: Marks): string {
  const lines = [...keysOf(node, key, key)].map(([path, at, child]) => entry(path, at, child, marks));
  return `\n## \`${key}\`\n\n${[entry(key, key, node, marks), ...lines].join("")}`;
}

function entry(path: string, at: string, node: SchemaNode, { restart, secret }: Marks): string {
  const initial = node.default;
  const facts = [
    takes(node),
    ...(initial === undefined || isEmptyMapping(initial) ? [] : [`default ${code(initial)}`]),
    ...(restart.has(at) ? ["**restart**"] : []),
    ...(secret.has(at) ? ["**secret**"] : []),
  ];
  const about = plain(node.description ?? "");
  return `- \`${path}\`: ${facts.join("; ")}.${about === "" ? "" : ` ${about}`}\n`;
}

function isEmptyMapping(value: unknown): boolean {
  return (
    typeof value === "object" && value !== null && Object.keys(value).length === 0 && !Array.isArray(value)
  );
}

/** Each key below a node: its name for readers, and its path in the sections. */
function* keysOf(node: SchemaNode, path: string, at: string): Generator<[string, string, SchemaNode]> {
  for (const [key, child] of Object.entries(node.properties ?? {})) {
    yield [`${path}.${key}`, `${at}.${key}`, child];
    yield* keysOf(child, `${path}.${key}`, `${at}.${key}`);
  }
  if (typeof node.additionalProperties === "object")
    yield* keysOf(node.additionalProperties, `${path}.NAME`, `${at}.*`);
  if (node.items !== undefined) yield* keysOf(node.items, `${path}[]`, `${at}.*`);
  // A value that may be single or in a list has its keys once.
  const alone = node.anyOf?.filter(({ properties }) => properties !== undefined) ?? [];
  for (const option of alone.length > 0 ? alone : (node.anyOf ?? [])) yield* keysOf(option, path, at);
}

/** The allowed values, in words. */
function takes(node: SchemaNode): string {
  const { anyOf, type, minimum, maximum, examples = [] } = node;
  if (node.const !== undefined) return code(node.const);
  if (node.enum !== undefined) return node.enum.map(code).join(", ");
  if (anyOf !== undefined) return [...new Set(anyOf.map(takes))].join(", or ");
  const range = node["x-range"] ?? (minimum === undefined ? undefined : `${minimum} to ${maximum}`);
  const shown = examples
    .filter((_, i) => i < MAX_EXAMPLES)
    .map(code)
    .join(", ");
  const words = {
    boolean: "`true`, `false`",
    integer: "a whole number",
    number: "a number",
    array: listOf(node),
    object: node.properties === undefined ? "a mapping by name" : "a mapping",
  };
  const what = [type ?? "string"]
    .flat()
    .map((one) => (one === "string" ? "text" : words[one]))
    .join(", or ");
  const more = [...(range === undefined ? [] : [range]), ...(shown === "" ? [] : [`as in ${shown}`])];
  return [what, ...more].join(", ");
}

function listOf({ items, examples }: SchemaNode): string {
  if (items === undefined || items.properties !== undefined) return "a list of mappings";
  if (items.anyOf !== undefined) return "a list of those";
  return `a list of ${takes(examples === undefined ? items : { ...items, examples: [] })}`;
}

function code(value: unknown): string {
  const text = stringify(value, { collectionStyle: "flow", lineWidth: 0, flowCollectionPadding: false });
  return `\`${text.trimEnd()}\``;
}

/** Braces and stars as they are. */
function plain(text: string): string {
  return text.replace(/[*<]/g, (mark) => `\\${mark}`);
}
