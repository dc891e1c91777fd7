// Path templates of google.api.http rules: text → segments, variables and verb, and back. Used at load only.

import { decodePercent } from "./percent.js";
import { cut } from "./text.js";

/** One segment of a template: a literal, any one segment, or any number of segments. */
export type Segment =
  | { readonly kind: "literal"; readonly text: string }
  | { readonly kind: "*" }
  | { readonly kind: "**" };

/** A field bound by segments `from` (inclusive) to `to` (exclusive) of the template. */
export interface Variable {
  /** The field path as written, e.g. `book.name`. */
  readonly field: string;
  readonly from: number;
  readonly to: number;
  /** 1-based place of the field path in the template's text. */
  readonly column: number;
}

export interface Template {
  /** Literals are percent-decoded. */
  readonly segments: readonly Segment[];
  /** Index of the one `**` among the segments; -1: there is none. */
  readonly deepAt: number;
  readonly variables: readonly Variable[];
  /** Percent-decoded, without its colon. */
  readonly verb: string | undefined;
}

export interface TemplateError {
  readonly error: string;
  /** 1-based. */
  readonly column: number;
}

// Characters allowed in a literal: RFC 3986 pchar without ":" (it starts the verb) and "*".
const LITERAL = /(?:[A-Za-z0-9\-._~!$&'()+,;=@]|%[0-9A-Fa-f]{2})+/y;
/** Far more than any path has; it bounds how deep the matcher goes. */
const MAX_SEGMENTS = 64;
const FIELD_PATH = /[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*/y;

/**
 * Reads a template. The grammar (google/api/http.proto):
 *
 *     Template  = "/" Segments [ ":" LITERAL ] ;
 *     Segments  = Segment { "/" Segment } ;
 *     Segment   = "*" | "**" | LITERAL | Variable ;
 *     Variable  = "{" FieldPath [ "=" Segments ] "}" ;
 *     FieldPath = IDENT { "." IDENT } ;
 *
 * Beyond it: there is one `**` at most, variables cannot be nested, no field is bound twice, and `/` alone is the root path.
 * What stands behind the `**` is counted from the path's end, as Google's own APIs have it
 * (`/v1/{name=keys/**}/summary`), though http.proto wants it to be last.
 */
export function parseTemplate(text: string): Template | TemplateError {
  return new Parser(text).template();
}

/**
 * The position of a template's segment in a path with this number of segments. A segment after the `**` is counted from
 * the path's end. Less than the position of the `**` if the path is too short for both ends.
 */
export function placeIn(
  { segments, deepAt }: Pick<Template, "segments" | "deepAt">,
  at: number,
  count: number,
): number {
  return deepAt === -1 || at <= deepAt ? at : at + count - segments.length;
}

/** The template as text; `parseTemplate` of it gives an equal template. */
export function printTemplate(template: Omit<Template, "deepAt">): string {
  const { segments, variables, verb } = template;
  const parts: string[] = [];
  let at = 0;
  for (const variable of variables) {
    parts.push(...segments.slice(at, variable.from).map(printSegment));
    const inner = segments.slice(variable.from, variable.to).map(printSegment).join("/");
    parts.push(inner === "*" ? `{${variable.field}}` : `{${variable.field}=${inner}}`);
    at = variable.to;
  }
  parts.push(...segments.slice(at).map(printSegment));
  return `/${parts.join("/")}${verb === undefined ? "" : `:${printLiteral(verb)}`}`;
}

/** What two templates that match the same paths have in common: segments and verb, without the variables. */
export function shapeOf(template: Template): string {
  return printTemplate({ ...template, variables: [] });
}

function printSegment(segment: Segment): string {
  return segment.kind === "literal" ? printLiteral(segment.text) : segment.kind;
}

function printLiteral(text: string): string {
  return encodeURIComponent(text).replace(/\*/g, "%2A");
}

/** Ends the parse; never leaves this file. */
class Refusal extends Error {
  readonly at: number;
  constructor(message: string, at: number) {
    super(message);
    this.at = at;
  }
}

class Parser {
  readonly #text: string;
  #at = 0;
  readonly #segments: Segment[] = [];
  readonly #variables: Variable[] = [];
  #deepAt = -1;

  constructor(text: string) {
    this.#text = text;
  }

  template(): Template | TemplateError {
    try {
      return this.#template();
    } catch (e) {
      if (e instanceof Refusal) return { error: e.message, column: e.at + 1 };
      throw e;
    }
  }

  #template(): Template {
    if (this.#text === "") throw new Refusal("the path template is empty", 0);
    this.#expect("/", "a path template must begin with '/'");
    if (this.#at === this.#text.length) {
      return { segments: [{ kind: "literal", text: "" }], deepAt: -1, variables: [], verb: undefined };
    }
    this.#listOfSegments(false);
    let verb: string | undefined;
    if (this.#peek() === ":") {
      this.#at++;
      verb = this.#literal("a verb after ':'");
    }
    if (this.#at < this.#text.length) {
      const rest = this.#text.slice(this.#at);
      throw new Refusal(
        verb !== undefined && rest.startsWith("/")
          ? "a verb must be at the end of the path; write a ':' inside a segment as %3A"
          : `unexpected '${cut(rest, 1) || cut(rest, 2)}'`,
        this.#at,
      );
    }
    return { segments: this.#segments, deepAt: this.#deepAt, variables: this.#variables, verb };
  }

  #listOfSegments(insideVariable: boolean): void {
    this.#segment(insideVariable);
    while (this.#peek() === "/") {
      this.#at++;
      this.#segment(insideVariable);
    }
  }

  #segment(insideVariable: boolean): void {
    if (this.#segments.length === MAX_SEGMENTS) {
      throw new Refusal(`a path template may have at most ${MAX_SEGMENTS} segments`, this.#at);
    }
    if (this.#text.startsWith("**", this.#at)) {
      if (this.#deepAt !== -1) throw new Refusal("a path template may have at most one '**'", this.#at);
      this.#deepAt = this.#segments.length;
      this.#at += 2;
      this.#segments.push({ kind: "**" });
    } else if (this.#peek() === "*") {
      this.#at++;
      this.#segments.push({ kind: "*" });
    } else if (this.#peek() === "{") {
      if (insideVariable) throw new Refusal("variables cannot be nested", this.#at);
      this.#variable();
    } else {
      this.#segments.push({
        kind: "literal",
        text: this.#literal("a segment: a literal, '*', '**' or '{field}'"),
      });
    }
  }

  #variable(): void {
    this.#at++;
    const start = this.#at;
    FIELD_PATH.lastIndex = start;
    const field = FIELD_PATH.exec(this.#text)?.[0];
    if (field === undefined) throw new Refusal("expected a field path, as in {book.name}", start);
    if (this.#variables.some((v) => v.field === field)) throw new Refusal(`'${field}' is bound twice`, start);
    this.#at += field.length;
    const from = this.#segments.length;
    if (this.#peek() === "=") {
      this.#at++;
      this.#listOfSegments(true);
    } else {
      this.#segments.push({ kind: "*" });
    }
    this.#expect("}", "expected '}' at the end of the variable");
    this.#variables.push({ field, from, to: this.#segments.length, column: start + 1 });
  }

  #literal(what: string): string {
    LITERAL.lastIndex = this.#at;
    const raw = LITERAL.exec(this.#text)?.[0];
    if (raw === undefined) throw new Refusal(`expected ${what}`, this.#at);
    // "}" cannot be part of a literal, "=" can: `{a=b=c}` is the literal `b=c`.
    const text = decodePercent(raw);
    if (text === undefined) throw new Refusal(`'${raw}' is not percent-encoded UTF-8`, this.#at);
    this.#at += raw.length;
    return text;
  }

  #peek(): string | undefined {
    return this.#text[this.#at];
  }

  #expect(char: string, message: string): void {
    if (this.#peek() !== char) throw new Refusal(message, this.#at);
    this.#at++;
  }
}
