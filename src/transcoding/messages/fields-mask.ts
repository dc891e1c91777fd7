// Partial responses: which fields of a response a client wants ($fields), checked against the message type. The codec
// prints nothing else; a response in protobuf's binary format is cut here.
import type { DescField, DescMessage } from "@bufbuild/protobuf";
import { BinaryReader, BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { cut } from "../../kit/text/text.js";
import { fieldsOf, hasOwnJson, isHttpBody, nearestName } from "./fields.js";

/** By field number: the whole field, or the wanted part of its messages. */
export type FieldsMask = ReadonlyMap<number, FieldsMask | "whole">;

export interface FieldsMaskError {
  readonly error: string;
  /** 1-based. */
  readonly column: number;
}

/** Limit of a mask's fields, `*` counted as everything it matches: bounds the cost of parsing. */
const MAX_FIELDS = 1000;
/** Recursive messages have paths of any length. */
const MAX_DEPTH = 32;

/**
 * Reads a mask over the message. The grammar, after the partial responses of Google's APIs; names in either spelling:
 *
 *     Mask = Item { "," Item } ;
 *     Item = Name { ("/" | ".") Name } [ "(" Mask ")" ] ;
 *     Name = IDENT | "*" ;
 *
 * Behind a `*` a name means the messages that have it.
 */
export function parseFieldsMask(root: DescMessage, text: string): FieldsMask | FieldsMaskError {
  const parser = new Parser(text);
  try {
    return parser.whole(root);
  } catch (e) {
    if (e instanceof Refusal) return { error: e.message, column: e.at + 1 };
    throw e;
  }
}

/** A mask over one field of a message, applied to the whole: for `response_body`. */
export function maskOfField(field: DescField, mask: FieldsMask): FieldsMask {
  return new Map([[field.number, mask]]);
}

/** The message with only the fields of the mask; unknown fields are removed too. Throws if the bytes are malformed. */
export function maskMessage(bytes: Uint8Array, mask: FieldsMask): Uint8Array {
  const out = new BinaryWriter();
  copyFields(new BinaryReader(bytes), bytes, mask, out, undefined);
  return out.finish();
}

type Building = Map<number, Building | "whole">;

/** Ends the parse; never leaves this file. */
class Refusal extends Error {
  readonly at: number;
  constructor(message: string, at: number) {
    super(message);
    this.at = at;
  }
}

const NAME = /\*|[A-Za-z_][A-Za-z0-9_]*/y;

class Parser {
  readonly #text: string;
  #at = 0;
  #fields = 0;

  constructor(text: string) {
    this.#text = text;
  }

  whole(root: DescMessage): FieldsMask {
    const mask: Building = new Map();
    this.#list([{ desc: root, mask }], 0);
    if (this.#at < this.#text.length) throw this.#unexpected("',' or the end");
    return mask;
  }

  /** `places`: several after a `*`. */
  #list(places: readonly Place[], depth: number): void {
    for (;;) {
      this.#item(places, depth);
      if (this.#text[this.#at] !== ",") return;
      this.#at++;
    }
  }

  #item(places: readonly Place[], depth: number): void {
    if (depth > MAX_DEPTH) throw new Refusal(`more than ${MAX_DEPTH} levels`, this.#at);
    const start = this.#at;
    NAME.lastIndex = start;
    const name = NAME.exec(this.#text)?.[0];
    if (name === undefined) throw this.#unexpected("a field's name or '*'");
    this.#at += name.length;
    const fields = namedIn(places, name);
    if (fields.length === 0 && name !== "*") throw unknownName(places, name, start);
    this.#fields += fields.length;
    if (this.#fields > MAX_FIELDS) throw new Refusal(`more than ${MAX_FIELDS} fields`, start);
    const next = this.#text[this.#at];
    if (next !== "/" && next !== "." && next !== "(") {
      for (const { mask, field } of fields) mask.set(field.number, "whole");
      return;
    }
    this.#at++;
    const inner: Place[] = [];
    for (const { mask, field } of fields) {
      const desc = messageIn(field);
      if (desc === undefined) {
        // Behind a `*` only the messages are meant.
        if (name === "*") continue;
        throw new Refusal(`'${name}' has no fields to choose from`, start);
      }
      const known = mask.get(field.number);
      const sub: Building = known instanceof Map ? known : new Map();
      // "a,a/b" is "a": a field wanted whole stays whole.
      if (known !== "whole") mask.set(field.number, sub);
      inner.push({ desc, mask: sub });
    }
    if (inner.length === 0) throw new Refusal(`'${name}' has no fields to choose from`, start);
    if (next !== "(") this.#item(inner, depth + 1);
    else {
      this.#list(inner, depth + 1);
      if (this.#text[this.#at] !== ")") throw this.#unexpected("',' or ')'");
      this.#at++;
    }
    // A message after a `*` that has none of the fields is left out, not empty.
    for (const { mask, field } of fields) {
      const sub = mask.get(field.number);
      if (sub instanceof Map && sub.size === 0) mask.delete(field.number);
    }
  }

  #unexpected(wanted: string): Refusal {
    const char = this.#text[this.#at];
    const got = char === undefined ? "the text ends" : `got ${JSON.stringify(char)}`;
    return new Refusal(`expected ${wanted}, ${got}`, this.#at);
  }
}

interface Place {
  readonly desc: DescMessage;
  readonly mask: Building;
}

/** The fields of this name: after a `*` in all messages that have it. */
function namedIn(places: readonly Place[], name: string): { field: DescField; mask: Building }[] {
  return places.flatMap(({ desc, mask }) => {
    if (name === "*") return desc.fields.map((field) => ({ field, mask }));
    const field = fieldsOf(desc).get(name);
    return field === undefined ? [] : [{ field, mask }];
  });
}

function unknownName(places: readonly Place[], name: string, at: number): Refusal {
  const guess = nearestName(
    name,
    places.flatMap(({ desc }) => [...fieldsOf(desc).keys()]),
  );
  const hint = guess === undefined ? "" : `; did you mean '${guess}'?`;
  const [only] = places.length === 1 ? places : [];
  const where = only === undefined ? "none of these messages has a" : `${only.desc.typeName} has no`;
  return new Refusal(`${where} field '${cut(name, 60)}'${hint}`, at);
}

/** The message type whose fields can be selected: not of maps, nor of types with their own JSON format. */
export function messageIn(field: DescField): DescMessage | undefined {
  if (field.fieldKind === "map" || field.message === undefined) return undefined;
  return hasOwnJson(field.message) || isHttpBody(field.message) ? undefined : field.message;
}

function copyFields(
  r: BinaryReader,
  bytes: Uint8Array,
  mask: FieldsMask,
  out: BinaryWriter,
  group: number | undefined,
): void {
  while (r.pos < r.len) {
    const start = r.pos;
    const [no, wire] = r.tag();
    if (wire === WireType.EndGroup) {
      if (no !== group) throw new Error("a group ends without a start");
      return;
    }
    const wanted = mask.get(no);
    if (wanted === undefined || wanted === "whole") {
      r.skip(wire, no);
      if (wanted === "whole") out.raw(bytes.subarray(start, r.pos));
    } else if (wire === WireType.LengthDelimited) {
      const inner = r.bytes();
      out.tag(no, wire).fork();
      copyFields(new BinaryReader(inner), inner, wanted, out, undefined);
      out.join();
    } else if (wire === WireType.StartGroup) {
      out.tag(no, wire);
      copyFields(r, bytes, wanted, out, no);
      out.tag(no, WireType.EndGroup);
    } else {
      // Not a message: the service's schema has changed meanwhile. The printer reports it.
      r.skip(wire, no);
      out.raw(bytes.subarray(start, r.pos));
    }
  }
  if (group !== undefined) throw new Error("a group does not end");
}
