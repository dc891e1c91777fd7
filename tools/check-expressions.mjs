// Every regular expression in src/ takes time that grows with its text and no faster: run by `make lint`. What strangers
// send is matched on the one event loop, where one text of 64 KiB costs seconds under an expression such as / +$/.
//
// recheck decides: it builds the automaton of each expression, and proves what it calls vulnerable with a text that it has
// counted the steps of. Its pure JavaScript is used, which is the same on every machine. (redos-detector was tried: it
// calls /:\d+$/ and /`[^`]*`|[^.,`]+/y vulnerable, which are linear, and does not say how bad what it finds is.)
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parse } from "@babel/parser";

process.env.RECHECK_BACKEND = "pure";
const { check } = await import("recheck");

const ROOT = fileURLToPath(new URL("..", import.meta.url));
/** What was found before, by expression: recheck takes some 15 s for all of them. */
const KNOWN = join(ROOT, "build/expressions.json");
/** What takes longer is too hard to read for people, too. */
const TIMEOUT_MS = 60_000;

/** Not linear, and no harm: by file and expression, each with the bound that is held before it. */
const EXCEPTIONS = [];

/** Constructors whose text is not in the source. */
const NOT_LITERAL = [
  {
    file: "openapi/schemas/constraints.ts",
    code: 'new RegExp(pattern, "u")',
    reason: "compiled to see whether ECMA-262 has its syntax, and matched with nothing",
  },
];

/** Each node of a syntax tree. */
function* nodes(root) {
  const stack = [root];
  while (stack.length > 0) {
    const node = stack.pop();
    if (Array.isArray(node)) stack.push(...node);
    else if (typeof node === "object" && node !== null) {
      if (typeof node.type === "string") yield node;
      for (const [key, value] of Object.entries(node))
        if (typeof value === "object" && key !== "loc" && !key.endsWith("omments")) stack.push(value);
    }
  }
}

/** The text of a string, of a template of such, of a sum of such, or of a name for one; undefined where it is no constant. */
function constant(node, names) {
  switch (node?.type) {
    case "StringLiteral":
      return node.value;
    case "TemplateLiteral": {
      const parts = node.expressions.map((part) => constant(part, names));
      if (parts.includes(undefined)) return undefined;
      return node.quasis.map(({ value }, i) => value.cooked + (parts[i] ?? "")).join("");
    }
    case "Identifier":
      return constant(names.get(node.name), names);
    case "MemberExpression": {
      const regExp = names.get(node.object.name);
      return node.property.name === "source" && regExp?.type === "RegExpLiteral" ? regExp.pattern : undefined;
    }
    default:
      return undefined;
  }
}

function expressionsIn(file) {
  const text = readFileSync(join(ROOT, "src", file), "utf8");
  const { program } = parse(text, { sourceType: "module", plugins: ["typescript"] });
  const names = new Map();
  for (const node of nodes(program))
    if (node.type === "VariableDeclaration" && node.kind === "const")
      for (const { id, init } of node.declarations) if (id.type === "Identifier") names.set(id.name, init);
  const found = [];
  for (const node of nodes(program)) {
    const at = { file, line: node.loc.start.line };
    if (node.type === "RegExpLiteral") found.push({ ...at, source: node.pattern, flags: node.flags });
    const makes = node.type === "NewExpression" || node.type === "CallExpression";
    if (!makes || node.callee.name !== "RegExp") continue;
    const [pattern, flags] = node.arguments;
    // A copy of a literal, which is looked at where it stands.
    if (pattern?.type === "Identifier" && names.get(pattern.name)?.type === "RegExpLiteral") continue;
    found.push({
      ...at,
      source: constant(pattern, names),
      flags: flags === undefined ? "" : constant(flags, names),
      code: text.slice(node.start, node.end),
    });
  }
  return found;
}

function known() {
  try {
    return JSON.parse(readFileSync(KNOWN, "utf8"));
  } catch {
    return {};
  }
}

const { version } = JSON.parse(readFileSync(join(ROOT, "node_modules/recheck/package.json"), "utf8"));
const before = known();
const results = {};

/** undefined: linear. */
async function fault({ source, flags }) {
  const key = createHash("sha256").update(`${version}/${flags}/${source}`).digest("hex");
  results[key] = before[key] ?? results[key] ?? (await ask(source, flags));
  return results[key] === "linear" ? undefined : results[key];
}

async function ask(source, flags) {
  const { status, complexity, attack, error } = await check(source, flags, { timeout: TIMEOUT_MS });
  if (status === "safe") return "linear";
  if (status !== "vulnerable") return `recheck cannot tell (${error?.kind}): write it more simply`;
  return `${complexity.summary}, as for ${attack.pattern}`;
}

const files = readdirSync(join(ROOT, "src"), { recursive: true, encoding: "utf8" });
const all = files
  .filter((file) => file.endsWith(".ts"))
  .sort()
  .flatMap(expressionsIn);
const problems = [];
const used = new Set();
for (const one of all) {
  const where = `src/${one.file}:${one.line}`;
  if (one.source === undefined || one.flags === undefined) {
    const reason = NOT_LITERAL.find(({ file, code }) => file === one.file && code === one.code);
    if (reason === undefined) problems.push(`${where}: ${one.code}: its text is not known here`);
    else used.add(reason);
    continue;
  }
  const problem = await fault(one);
  if (problem === undefined) continue;
  const exception = EXCEPTIONS.find(({ file, source }) => file === one.file && source === one.source);
  if (exception === undefined) problems.push(`${where}: /${one.source}/${one.flags}: ${problem}`);
  else used.add(exception);
}
for (const exception of [...EXCEPTIONS, ...NOT_LITERAL])
  if (!used.has(exception))
    problems.push(`tools/check-expressions.mjs: the exception for ${exception.file} is not needed any more`);

mkdirSync(dirname(KNOWN), { recursive: true });
writeFileSync(KNOWN, JSON.stringify(results));
if (problems.length > 0) {
  console.error(problems.join("\n"));
  console.error(`${problems.length} of ${all.length} regular expressions in src/ may not take linear time.`);
  process.exit(1);
}
console.log(
  `${all.length} regular expressions in src/ take linear time; ${EXCEPTIONS.length} exceptions, ${NOT_LITERAL.length} made at run time.`,
);
