// Attaches comments to declarations as protoc does: those right above, and one behind or below that a blank line
// separates from what follows (descriptor.proto, SourceCodeInfo.Location).

export interface Comments {
  /** Of the declaration that ends with the previous token. */
  readonly trailing: string;
  /** Of the declaration that begins with the next token. */
  readonly leading: string;
}

const NONE: Comments = { trailing: "", leading: "" };
const CLOSING = new Set(["}", "]", ")", ""]);

/**
 * @param from where the token ends that ends a declaration, `;` or a brace; 0 at the start of a file
 * @param to where the next token begins
 * @param next that token's text; "" at the end of the file
 */
export function commentsBetween(source: string, from: number, to: number, next: string): Comments {
  // The usual case: there is nothing between.
  let at = from;
  while (at < to && source[at] !== "/") at++;
  if (at === to) return NONE;
  const reading = new Reading(source, from, to);
  // What stands on the token's own line is of it, unless the next token does, too.
  if (from > 0) {
    reading.skipBlanks();
    if (reading.takeComment()) {
      if (reading.isBlock && !reading.atLineEnd()) return NONE;
      reading.flush();
    } else if (!reading.atLineEnd()) {
      return NONE;
    }
  } else {
    reading.detach();
  }
  while (reading.at < to) {
    reading.skipBlanks();
    if (reading.takeComment()) {
      // The end of its last line is no blank line.
      if (reading.isBlock) reading.atLineEnd();
    } else if (reading.atLineEnd()) {
      // A blank line.
      reading.flush();
      reading.detach();
    }
  }
  if (CLOSING.has(next)) reading.flush();
  return { trailing: reading.trailing, leading: reading.pending };
}

class Reading {
  at: number;
  trailing = "";
  /** A comment that has not found its place. */
  pending = "";
  isBlock = false;
  #canTrail = true;
  readonly #source: string;
  readonly #to: number;

  constructor(source: string, from: number, to: number) {
    this.#source = source;
    this.at = from;
    this.#to = to;
  }

  skipBlanks(): void {
    while (this.at < this.#to && /[ \t\r\v\f]/.test(this.#source[this.at] ?? "")) this.at++;
  }

  /** Past a newline, if one is next. */
  atLineEnd(): boolean {
    this.skipBlanks();
    if (this.#source[this.at] !== "\n" || this.at >= this.#to) return false;
    this.at++;
    return true;
  }

  takeComment(): boolean {
    const source = this.#source;
    if (this.at >= this.#to || source[this.at] !== "/") return false;
    if (source[this.at + 1] === "*") {
      this.flush();
      this.isBlock = true;
      const end = source.indexOf("*/", this.at + 2);
      this.pending = blockText(source.slice(this.at + 2, end));
      this.at = end + 2;
      return true;
    }
    // Adjacent line comments are one comment.
    if (this.isBlock) this.flush();
    this.isBlock = false;
    const newline = source.indexOf("\n", this.at);
    const end = newline < 0 ? source.length : newline + 1;
    this.pending += source.slice(this.at + 2, end);
    this.at = end;
    return true;
  }

  flush(): void {
    if (this.pending === "") return;
    if (this.#canTrail) {
      this.trailing = this.pending;
      this.#canTrail = false;
    }
    this.pending = "";
  }

  detach(): void {
    this.#canTrail = false;
  }
}

/** Without the white space and the star that its lines begin with. */
function blockText(text: string): string {
  return text
    .split("\n")
    .map((line, i) => (i === 0 ? line : line.replace(/^[ \t\r\v\f]*\*?/, "")))
    .join("\n");
}
