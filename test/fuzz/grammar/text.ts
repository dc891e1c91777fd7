// Text of several bytes per character at every length around each limit that the hub's sources name, and how it goes into
// a request.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "../../e2e/support/program.js";
import type { Random } from "../random.js";

const LONGEST = 20_000;
/** Every limit that the sources name: lengths where text is cut or refused, and counts. */
const LIMITS = limitsOf(join(ROOT, "src"));

function limitsOf(folder: string): readonly number[] {
  const found = new Set<number>();
  for (const path of readdirSync(folder, { recursive: true, encoding: "utf8" })) {
    if (!path.endsWith(".ts")) continue;
    const source = readFileSync(join(folder, path), "utf8");
    for (const [, product = ""] of source.matchAll(/\bMAX_\w+(?:: number)? = ([\d_]+(?: \* [\d_]+)*);/g)) {
      found.add(product.split("*").reduce((all, factor) => all * Number(factor.replaceAll("_", "")), 1));
    }
    for (const [, limit = ""] of source.matchAll(/\bcut\(.*, (\d+)[,)]/g)) found.add(Number(limit));
  }
  const limits = [...found].filter((limit) => limit > 3 && limit <= LONGEST).sort((a, b) => a - b);
  if (limits.length < 20) throw new Error(`only the limits ${limits} are found in ${folder}`);
  return limits;
}

const CHARS = [
  "a",
  "é",
  "€",
  "😀",
  "\u0301",
  "\u200d",
  "\u202e",
  "\u009b",
  "\ufffe",
  "\u{10ffff}",
  "<",
  "&",
  "'",
  '"',
];
const ODD = [
  "%",
  "\\",
  "]]>",
  ";",
  ",",
  "=",
  "/",
  ":",
  "*",
  ".",
  "`",
  "[",
  "]",
  "{",
  "\0",
  "\r\n",
  "\t",
  " ",
];

/** Text whose length, in bytes or in UTF-16 units, lies about a limit; or a short one. */
export function textOf(random: Random): string {
  const char = random.pick(CHARS);
  const tail = Array.from({ length: random.below(3) }, () =>
    random.pick(random.chance(50) ? CHARS : ODD),
  ).join("");
  if (random.chance(40)) return char.repeat(random.below(4)) + tail;
  const size = random.chance(50) ? Buffer.byteLength(char) : char.length;
  const wanted = random.pick(LIMITS) + random.below(9) - 4 - random.below(2) * tail.length;
  const count = Math.max(0, Math.floor(wanted / size));
  // What remains goes before it, so that a character lies across the limit as well as at it.
  return "b".repeat(Math.max(0, wanted - count * size)) + char.repeat(count) + tail;
}

/** UTF-8, a byte per character, without what no client can send. */
export function onWire(text: string): string {
  return Buffer.from(
    text.replace(/\p{Cc}/gu, (char) => (char === "\t" || char >= "\x80" ? char : "?")),
    "utf8",
  ).toString("latin1");
}

export function inPath(text: string, random: Random): string {
  const escaped = random.chance(70)
    ? encodeURIComponent(text.toWellFormed())
    : onWire(text).replace(/[\t #?]/g, "%20");
  return random.chance(95) ? escaped : escaped.replace(/%../, (found) => found.slice(0, 1 + random.below(2)));
}

export const maybe = (random: Random, percent: number, text: string): string =>
  random.chance(percent) ? text : "";
export const list = (random: Random, most: number, item: () => string, separator: string): string =>
  Array.from({ length: random.below(most + 1) }, item).join(separator);
