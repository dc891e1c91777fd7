// Untrusted text, before it is quoted anywhere: cut without splitting a character, and escaped for printing.

/**
 * At most `max` UTF-16 units of the text, without half a character at the end (a lone surrogate is not valid text, and
 * printing it may fail).
 * @param mark appended if something was cut, e.g. "…"
 */
export function cut(text: string, max: number, mark = ""): string {
  if (text.length <= max) return text;
  const last = text.charCodeAt(max - 1);
  const next = text.charCodeAt(max);
  const torn = last >= 0xd800 && last <= 0xdbff && next >= 0xdc00 && next <= 0xdfff;
  // The only place that may cut by units: test/architecture.test.ts.
  return text.slice(0, torn ? max - 1 : max) + mark;
}

/** Text without lone surrogates: each is U+FFFD, as in UTF-8. */
export function wellFormed(text: string): string {
  return text.isWellFormed() ? text : text.toWellFormed();
}

// C0 and C1 controls move cursors, clear screens and set titles; U+009B alone begins a sequence as ESC [ does. The two
// separators begin a line in some viewers. The rest change the text direction (CVE-2021-42574, "Trojan Source").
const LINES = "\\t\\n";
const OTHERS =
  "\\0-\\x08\\x0b-\\x1f\\x7f-\\x9f\\u061c\\u200e\\u200f\\u2028\\u2029\\u202a-\\u202e\\u2066-\\u2069";
const ONE_LINE = new RegExp(`[${LINES}${OTHERS}]`, "g");
const TEXT = new RegExp(`[${OTHERS}]`, "g");

/** For a log line: every control character as `\u009b`, which is the same character if the line is JSON. */
export function printableLine(text: string): string {
  return text.replace(ONE_LINE, escaped);
}

/** The same for text of several lines: line feeds and tabs stay. */
export function printable(text: string): string {
  return text.replace(TEXT, escaped);
}

function escaped(char: string): string {
  return `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`;
}
