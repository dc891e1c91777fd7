// JSON text of a value that may be large, piece by piece, so that other work can run in between.

/** Characters of a piece, beyond which an object or list without nested ones is split: a fraction of a millisecond. */
const PIECE_CHARS = 16_384;
/** Members of an object or list that is printed at once. */
const MAX_AT_ONCE = 100;

/** As JSON.stringify prints it with two spaces. Of plain data: no toJSON, and no circle. */
export function* jsonPieces(value: unknown): Generator<string> {
  const printer = new Printer();
  yield* printer.print(value, "\n");
  yield printer.text;
}

class Printer {
  text = "";

  /** @param line starts a new line at this depth */
  *print(value: unknown, line: string): Generator<string> {
    if (typeof value !== "object" || value === null || isFlat(value)) {
      const text = JSON.stringify(value, null, 2) ?? "null";
      this.text += line === "\n" ? text : text.replaceAll("\n", line);
    } else {
      const deeper = `${line}  `;
      const isList = Array.isArray(value);
      let before = isList ? "[" : "{";
      for (const [key, inner] of Object.entries(value)) {
        if (inner === undefined && !isList) continue;
        this.text += before + deeper + (isList ? "" : `${JSON.stringify(key)}: `);
        before = ",";
        yield* this.print(inner, deeper);
      }
      this.text += line + (isList ? "]" : "}");
    }
    if (this.text.length < PIECE_CHARS) return;
    yield this.text;
    this.text = "";
  }
}

function isFlat(value: object): boolean {
  const members = Object.values(value);
  if (members.length > MAX_AT_ONCE) return false;
  for (const member of members) if (typeof member === "object" && member !== null) return false;
  return true;
}
