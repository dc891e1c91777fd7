// Reads one field of a message from its bytes, skipping the rest: a key for ring_hash and maglev.
import type { DescMessage } from "@bufbuild/protobuf";
import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";

/** Field numbers, from the outermost message inwards. */
export type FieldPath = readonly number[];

/** As in `book.name`, by names of the `.proto` or of JSON. undefined: this message type has no such single value. */
export function fieldPathOf(message: DescMessage, path: string): FieldPath | undefined {
  const names = path.split(".");
  const numbers: number[] = [];
  let within: DescMessage | undefined = message;
  for (const name of names) {
    const field: DescMessage["fields"][number] | undefined = within?.fields.find(
      (one) => one.name === name || one.jsonName === name,
    );
    if (field === undefined || field.fieldKind === "list" || field.fieldKind === "map") return undefined;
    // Groups have no length prefix.
    if (field.fieldKind === "message" && field.delimitedEncoding) return undefined;
    numbers.push(field.number);
    within = field.fieldKind === "message" ? field.message : undefined;
  }
  return within === undefined ? numbers : undefined;
}

/** The value as text, equal for equal values; undefined: it is absent or empty, or the bytes are malformed. */
export function fieldIn(message: Uint8Array, path: FieldPath): string | undefined {
  try {
    return valueIn(new BinaryReader(message), message.length, path, 0) || undefined;
  } catch {
    return undefined;
  }
}

/** Of several, the last: protobuf merges them in this way. */
function valueIn(reader: BinaryReader, end: number, path: FieldPath, depth: number): string | undefined {
  let found: string | undefined;
  while (reader.pos < end) {
    const [number, type] = reader.tag();
    if (number !== path[depth]) reader.skip(type, number);
    else if (depth === path.length - 1) found = textOf(reader, type, number) ?? found;
    else if (type !== WireType.LengthDelimited) reader.skip(type, number);
    else {
      const length = reader.uint32();
      const innerEnd = reader.pos + length;
      if (innerEnd > end) throw new RangeError("a message ends before its field");
      found = valueIn(reader, innerEnd, path, depth + 1) ?? found;
    }
  }
  if (reader.pos !== end) throw new RangeError("a field ends after its message");
  return found;
}

function textOf(reader: BinaryReader, type: WireType, number: number): string | undefined {
  switch (type) {
    case WireType.Varint:
      return String(reader.uint64());
    case WireType.Bit64:
      return String(reader.fixed64());
    case WireType.Bit32:
      return String(reader.fixed32());
    case WireType.LengthDelimited: {
      const { buffer, byteOffset, length } = reader.bytes();
      return Buffer.from(buffer, byteOffset, length).toString("latin1");
    }
    default:
      reader.skip(type, number);
      return undefined;
  }
}
