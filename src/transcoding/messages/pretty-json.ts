// Compact JSON, as the codec prints it → the same JSON indented, byte by byte: no value is parsed, so none is changed
// (an integer beyond 2⁵³, -0, a number's own digits).

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_LIST = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_LIST = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const SPACE = 0x20;
const NEWLINE = 0x0a;

/** Spaces for each level. */
const INDENT = 2;
/**
 * A text that would become more than this many times longer stays compact: many short, deeply nested values would
 * become hundreds of bytes each, and a response would exceed its limit.
 */
const MAX_GROWTH = 8;
/** Below this length that does not matter. */
const SMALL_BYTES = 64 * 1024;

/**
 * The text with a line for each member and element, two spaces a level, as `JSON.stringify(value, null, 2)` has it; a
 * whole one ends with its line.
 * @param json compact, as the codec prints it: no space outside of strings
 * @param level how deep the text stands in another one, which has indented its first line; 0: it is a whole one
 */
export function prettyJson(json: Buffer, level = 0): Buffer {
  const length = lengthOf(json, level) + (level === 0 ? 1 : 0);
  if (length > SMALL_BYTES && length > MAX_GROWTH * json.length) return json;
  const out = Buffer.allocUnsafe(length);
  let depth = level;
  let to = 0;
  for (let at = 0; at < json.length; at++) {
    const c = json[at] ?? 0;
    if (c === QUOTE) {
      for (const end = endOfString(json, at); at < end; at++) out[to++] = json[at] ?? 0;
      at--;
      continue;
    }
    const opens = c === OPEN_OBJECT || c === OPEN_LIST;
    if (opens && isClose(json[at + 1])) {
      out[to++] = c;
      out[to++] = json[++at] ?? 0;
      continue;
    }
    if (isClose(c)) to = newLine(out, to, --depth);
    out[to++] = c;
    if (opens) to = newLine(out, to, ++depth);
    else if (c === COMMA) to = newLine(out, to, depth);
    else if (c === COLON) out[to++] = SPACE;
  }
  if (level === 0) out[to] = NEWLINE;
  return out;
}

function lengthOf(json: Buffer, level: number): number {
  let length = json.length;
  let depth = level;
  for (let at = 0; at < json.length; at++) {
    const c = json[at];
    if (c === QUOTE) at = endOfString(json, at) - 1;
    else if (c === COLON) length++;
    else if (c === COMMA) length += 1 + INDENT * depth;
    else if (c === OPEN_OBJECT || c === OPEN_LIST) {
      if (isClose(json[at + 1])) at++;
      else length += 1 + INDENT * ++depth;
    } else if (isClose(c)) length += 1 + INDENT * --depth;
  }
  return length;
}

function isClose(c: number | undefined): boolean {
  return c === CLOSE_OBJECT || c === CLOSE_LIST;
}

/** Behind the quote that ends the string which begins there. */
function endOfString(json: Buffer, start: number): number {
  let at = start + 1;
  while (at < json.length && json[at] !== QUOTE) at += json[at] === BACKSLASH ? 2 : 1;
  return at + 1;
}

function newLine(out: Buffer, start: number, depth: number): number {
  let to = start;
  out[to++] = NEWLINE;
  for (const end = to + INDENT * depth; to < end; ) out[to++] = SPACE;
  return to;
}
