// Scans an XML text before the parser: limits, and errors that the parser would accept. It rejects DTDs, so there are
// no entities but XML's own, and nothing outside the text is ever read.
import { cut } from "../../kit/text/text.js";

/** Why a text is rejected. `line` and `column` are 1-based, in characters. */
export interface XmlProblem {
  readonly problem: string;
  readonly line: number;
  readonly column: number;
}

/** Nesting of elements: a message in a map is three of them, and messages nest up to 100 deep. */
export const MAX_XML_DEPTH = 300;
/** Each costs the parser some microseconds; with a text of some length they are a megabyte. */
export const MAX_XML_ELEMENTS = 20_000;
/** Characters of a start tag. The longest that means something has a type URL and namespaces. */
const MAX_TAG_CHARS = 4096;

/** All but XML 1.0's Char (§2.2); UTF-8 has no lone surrogates. */
const NO_CHAR = /[^\t\n\r\x20-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/u;
const REFERENCE = /&(?:amp|lt|gt|quot|apos|#[0-9]{1,7}|#x[0-9a-fA-F]{1,6});/y;
const NOT_SPACE = /[^\t\n\r ]/;
const DECLARATION = /^<\?xml[\t\n\r ]/;
const ENCODING = /[\t\n\r ]encoding\s*=\s*["']([^"']*)["']/;

/** Undefined: within the limits, and well-formed as far as this checks. The parser checks names and attributes. */
export function scanXml(text: string): XmlProblem | undefined {
  const stray = NO_CHAR.exec(text);
  if (stray !== null) return at(text, stray.index, "XML 1.0 does not allow this character");
  return new Scan(text).run();
}

class Scan {
  readonly #text: string;
  /** Positions of the open elements. */
  readonly #open: number[] = [];
  #elements = 0;

  constructor(text: string) {
    this.#text = text;
  }

  run(): XmlProblem | undefined {
    const text = this.#text;
    let from = text.charCodeAt(0) === 0xfeff ? 1 : 0;
    for (;;) {
      const open = text.indexOf("<", from);
      const between = this.#content(from, open === -1 ? text.length : open);
      if (between !== undefined) return between;
      if (open === -1) break;
      const end = this.#markup(open);
      if (typeof end !== "number") return end;
      from = end;
    }
    const unended = this.#open.at(-1);
    if (unended !== undefined) return at(text, unended, "this element does not end");
    return this.#elements > 0 ? undefined : at(text, text.length, "there is no element");
  }

  /** Text between two pieces of markup. */
  #content(start: number, end: number): XmlProblem | undefined {
    const content = this.#text.slice(start, end);
    if (this.#open.length === 0) {
      const found = NOT_SPACE.exec(content);
      return found === null ? undefined : at(this.#text, start + found.index, OUTSIDE);
    }
    const bracket = content.indexOf("]]>");
    if (bracket !== -1)
      return at(this.#text, start + bracket, "']]>' is not allowed outside a CDATA section");
    return this.#references(content, start);
  }

  /** `part`: of the text, from `start` on. Not looking further keeps the scan linear. */
  #references(part: string, start: number): XmlProblem | undefined {
    for (let i = part.indexOf("&"); i !== -1; i = part.indexOf("&", i + 1)) {
      REFERENCE.lastIndex = i;
      const found = REFERENCE.exec(part)?.[0];
      if (found === undefined || charOf(found) === undefined) return at(this.#text, start + i, NO_REFERENCE);
    }
    return undefined;
  }

  /** The markup at `open`, which is a "<"; returns its end. */
  #markup(open: number): number | XmlProblem {
    const text = this.#text;
    if (text.startsWith("<!--", open)) {
      const end = text.indexOf("--", open + 4);
      return end !== -1 && text[end + 2] === ">"
        ? end + 3
        : at(text, open, "this comment does not end with '-->'");
    }
    if (text.startsWith("<![CDATA[", open)) {
      if (this.#open.length === 0) return at(text, open, OUTSIDE);
      return this.#after("]]>", open, "this CDATA section");
    }
    if (text.startsWith("<!", open))
      return at(text, open, "a document type declaration (DTD) is not allowed");
    if (text.startsWith("<?", open)) return this.#instruction(open);
    if (text[open + 1] === "/") {
      const start = this.#open.pop();
      if (start === undefined) return at(text, open, "this end tag has no start tag");
      const name = nameAt(text, start + 1);
      if (nameAt(text, open + 2) !== name) return at(text, open, `expected </${cut(name, MAX_NAME)}>`);
      return this.#after(">", open, "this end tag");
    }
    return this.#startTag(open);
  }

  #after(mark: string, open: number, what: string): number | XmlProblem {
    const end = this.#text.indexOf(mark, open);
    return end === -1 ? at(this.#text, open, `${what} does not end`) : end + mark.length;
  }

  #instruction(open: number): number | XmlProblem {
    const text = this.#text;
    const end = this.#after("?>", open, "this processing instruction");
    if (typeof end !== "number") return end;
    const content = text.slice(open, end);
    if (content.length > MAX_TAG_CHARS) return at(text, open, TOO_LONG);
    if (!DECLARATION.test(content)) return end;
    if (text.slice(0, open).replace("\ufeff", "") !== "") {
      return at(text, open, "an XML declaration is allowed only at the beginning");
    }
    const encoding = ENCODING.exec(content)?.[1];
    if (encoding !== undefined && !/^utf-?8$/i.test(encoding)) {
      return at(text, open, `the encoding must be UTF-8, not '${cut(encoding, 20)}'`);
    }
    return end;
  }

  #startTag(open: number): number | XmlProblem {
    const text = this.#text;
    const limit = Math.min(text.length, open + MAX_TAG_CHARS);
    let quote = 0;
    let end = open + 1;
    for (; end < limit; end++) {
      const c = text.charCodeAt(end);
      if (c === 0x3c) return at(text, end, "'<' is not allowed in a tag");
      if (quote !== 0) {
        if (c === quote) quote = 0;
      } else if (c === 0x22 || c === 0x27) quote = c;
      else if (c === 0x3e) break;
    }
    if (end === text.length) return at(text, open, "this tag does not end");
    if (end === limit) return at(text, open, TOO_LONG);
    const reference = this.#references(text.slice(open, end), open);
    if (reference !== undefined) return reference;
    if (this.#open.length === 0 && this.#elements > 0)
      return at(text, open, "there is a second root element");
    if (++this.#elements > MAX_XML_ELEMENTS) {
      return at(text, open, `there are more than ${MAX_XML_ELEMENTS} elements`);
    }
    if (text.charCodeAt(end - 1) === 0x2f) return end + 1;
    if (this.#open.push(open) > MAX_XML_DEPTH) {
      return at(text, open, `elements are nested more than ${MAX_XML_DEPTH} deep`);
    }
    return end + 1;
  }
}

const OUTSIDE = "text is not allowed outside the root element";
const NO_REFERENCE = "'&' must begin &amp; &lt; &gt; &quot; &apos; or a character reference";
const TOO_LONG = `this tag has more than ${MAX_TAG_CHARS} characters`;

/** Characters of a name that an error quotes. */
const MAX_NAME = 60;
const NAME = /[^\t\n\r />]*/y;

function nameAt(text: string, index: number): string {
  NAME.lastIndex = index;
  return NAME.exec(text)?.[0] ?? "";
}

const NAMED: Readonly<Record<string, string>> = {
  "&amp;": "&",
  "&lt;": "<",
  "&gt;": ">",
  "&quot;": '"',
  "&apos;": "'",
};

/** The character of a reference; undefined if XML does not allow it. */
function charOf(reference: string): string | undefined {
  const named = Object.hasOwn(NAMED, reference) ? NAMED[reference] : undefined;
  if (named !== undefined) return named;
  const number = reference.startsWith("&#x")
    ? Number.parseInt(reference.slice(3), 16)
    : Number.parseInt(reference.slice(2), 10);
  if (!(number <= 0x10ffff)) return undefined;
  const char = String.fromCodePoint(number);
  return NO_CHAR.test(char) ? undefined : char;
}

/** Text that `scanXml` accepted, with references replaced. */
export function unescapeXml(text: string): string {
  return text.includes("&") ? text.replace(/&[^&;]*;/g, (reference) => charOf(reference) ?? reference) : text;
}

/** The first character that XML 1.0 cannot express, not even as a reference; undefined: none. */
export function noXmlChar(text: string): string | undefined {
  return NO_CHAR.exec(text)?.[0];
}

function at(text: string, offset: number, problem: string): XmlProblem {
  const before = text.slice(0, offset);
  const line = before.split("\n").length;
  return { problem, line, column: offset - (before.lastIndexOf("\n") + 1) + 1 };
}
