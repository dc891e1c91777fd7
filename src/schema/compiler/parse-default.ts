// `[default = …]`: the value as descriptor.proto's default_value has it, which is text.
import {
  Edition,
  type FieldDescriptorProto,
  FieldDescriptorProto_Label,
  FieldDescriptorProto_Type,
} from "@bufbuild/protobuf/wkt";
import { TokenKind } from "./lexer.js";
import { doubleText, escapedBytes, floatText, integerOf } from "./literals.js";
import type { SourceReader } from "./source-reader.js";

const { BOOL, BYTES, DOUBLE, FLOAT, GROUP, STRING } = FieldDescriptorProto_Type;
const MAX_INT32 = 0x7fff_ffffn;
const MAX_UINT32 = 0xffff_ffffn;
const MAX_INT64 = 0x7fff_ffff_ffff_ffffn;
const MAX_UINT64 = 0xffff_ffff_ffff_ffffn;

const INTEGERS = new Map<FieldDescriptorProto_Type, readonly [max: bigint, isSigned: boolean]>([
  [FieldDescriptorProto_Type.INT32, [MAX_INT32, true]],
  [FieldDescriptorProto_Type.SINT32, [MAX_INT32, true]],
  [FieldDescriptorProto_Type.SFIXED32, [MAX_INT32, true]],
  [FieldDescriptorProto_Type.UINT32, [MAX_UINT32, false]],
  [FieldDescriptorProto_Type.FIXED32, [MAX_UINT32, false]],
  [FieldDescriptorProto_Type.INT64, [MAX_INT64, true]],
  [FieldDescriptorProto_Type.SINT64, [MAX_INT64, true]],
  [FieldDescriptorProto_Type.SFIXED64, [MAX_INT64, true]],
  [FieldDescriptorProto_Type.UINT64, [MAX_UINT64, false]],
  [FieldDescriptorProto_Type.FIXED64, [MAX_UINT64, false]],
]);

/** Stands behind `default =`. @param at where that stands */
export function parseDefault(reader: SourceReader, proto: FieldDescriptorProto, at: number): void {
  const { lexer } = reader;
  if (reader.edition === Edition.EDITION_PROTO3) lexer.fail("proto3 has no explicit defaults", at);
  if (proto.label === FieldDescriptorProto_Label.REPEATED) lexer.fail("a repeated field has no default", at);
  if (proto.type === GROUP) lexer.fail("a message has no default", at);
  proto.defaultValue = defaultText(reader, proto);
  // Whether it is a value of its enum is known when the enum is.
  const reference = reader.references.at(-1);
  if (reference?.target === proto && reference.key === "typeName") reference.defaultAt = at;
}

function defaultText(reader: SourceReader, proto: FieldDescriptorProto): string {
  if (!Object.hasOwn(proto, "type")) return reader.identifier("the name of an enum's value");
  const integer = INTEGERS.get(proto.type);
  if (integer !== undefined) {
    const [max, isSigned] = integer;
    if (!isSigned && reader.is("-")) reader.unexpected("a number that is not negative");
    return String(reader.integer("an integer", max));
  }
  switch (proto.type) {
    case FLOAT:
      return floatText(number(reader));
    case DOUBLE:
      return doubleText(number(reader));
    case BOOL:
      if (!reader.is("true") && !reader.is("false")) reader.unexpected('"true" or "false"');
      return reader.identifier("");
    case STRING:
      return reader.utf8("a string");
    case BYTES:
      return escapedBytes(reader.string("a string").bytes);
    default:
      return reader.unexpected("no default");
  }
}

function number(reader: SourceReader): number {
  const isNegative = reader.take("-");
  const { kind, text } = reader.lexer;
  const value =
    kind === TokenKind.INTEGER
      ? Number(integerOf(text))
      : kind === TokenKind.FLOAT
        ? Number(text)
        : text === "inf"
          ? Number.POSITIVE_INFINITY
          : text === "nan"
            ? Number.NaN
            : reader.unexpected("a number");
  reader.lexer.next();
  return isNegative ? -value : value;
}
