// Enums, and the names and numbers that enums and messages reserve.
//   enum     = "enum" ident "{" { option | value | reserved | ";" } "}"
//   value    = ident "=" [ "-" ] intLit [ "[" options "]" ] ";"
//   reserved = "reserved" ( range { "," range } | name { "," name } ) ";"
import { create } from "@bufbuild/protobuf";
import {
  type EnumDescriptorProto,
  EnumDescriptorProto_EnumReservedRangeSchema,
  EnumDescriptorProtoSchema,
  EnumOptionsSchema,
  EnumValueDescriptorProtoSchema,
  EnumValueOptionsSchema,
  type SymbolVisibility,
} from "@bufbuild/protobuf/wkt";
import { join } from "../descriptors/file-descriptor.js";
import { checkEnum } from "./check-numbers.js";
import { TokenKind } from "./lexer.js";
import { optionsOf, parseOptionList, parseOptionStatement } from "./parse-options.js";
import type { Path, SourceReader } from "./source-reader.js";

const MAX_INT32 = 0x7fff_ffffn;

/** Stands at `enum`. */
export function parseEnum(
  reader: SourceReader,
  outer: string,
  path: Path,
  start: number,
  visibility: SymbolVisibility,
): EnumDescriptorProto {
  reader.expect("enum");
  const at = reader.lexer.start;
  const name = reader.identifier("an enum's name");
  const scope = join(outer, name);
  reader.declare(scope, "enum", at);
  const proto = create(EnumDescriptorProtoSchema, { name, ...(visibility === 0 ? {} : { visibility }) });
  const places: number[] = [];
  const before = reader.options.length;
  const location = reader.end("{", { path, start });
  const target = optionsOf(proto, EnumOptionsSchema, scope);
  while (!reader.is("}")) {
    if (reader.is(";")) reader.end(";");
    else if (reader.is("option")) parseOptionStatement(reader, target);
    else if (reader.is("reserved")) parseEnumReserved(reader, proto);
    else {
      places.push(reader.lexer.start);
      parseValue(reader, proto, scope, [...path, 2, proto.value.length]);
    }
  }
  checkEnum(reader, proto, places, at, before);
  reader.close(location);
  return proto;
}

function parseValue(reader: SourceReader, parent: EnumDescriptorProto, enumName: string, path: Path): void {
  const { start } = reader.lexer;
  const name = reader.identifier('an enum value, "option", "reserved" or "}"');
  // Values are siblings of their enum, not its children (descriptor.proto).
  const scope = join(enumName.slice(0, Math.max(0, enumName.lastIndexOf("."))), name);
  reader.declare(scope, undefined, start);
  reader.expect("=");
  const number = Number(reader.integer("the value's number", MAX_INT32));
  const proto = create(EnumValueDescriptorProtoSchema, { name, number });
  parent.value.push(proto);
  if (reader.take("[")) parseOptionList(reader, optionsOf(proto, EnumValueOptionsSchema, scope));
  reader.end(";", { path, start });
}

function parseEnumReserved(reader: SourceReader, proto: EnumDescriptorProto): void {
  parseReserved(reader, {
    names: proto.reservedName,
    max: MAX_INT32,
    min: -MAX_INT32 - 1n,
    // The end of an enum's range is in it.
    add: (start, end) =>
      proto.reservedRange.push(create(EnumDescriptorProto_EnumReservedRangeSchema, { start, end })),
  });
}

export interface Reserving {
  readonly names: string[];
  readonly min: bigint;
  readonly max: bigint;
  /** @param end in the range */
  add(start: number, end: number): void;
}

/** Stands at `reserved`. */
export function parseReserved(reader: SourceReader, into: Reserving): void {
  reader.expect("reserved");
  const { kind } = reader.lexer;
  if (kind === TokenKind.STRING || kind === TokenKind.IDENTIFIER) {
    // Names are strings, and plain names since editions.
    if (reader.isEditions !== (kind === TokenKind.IDENTIFIER))
      reader.unexpected(
        reader.isEditions ? "a name without quotes, or a number" : "a name in quotes, or a number",
      );
    do into.names.push(reader.isEditions ? reader.identifier("a name") : reader.utf8("a name in quotes"));
    while (reader.take(","));
  } else {
    parseRanges(reader, into.min, into.max, (start, end) => into.add(start, end));
  }
  reader.end(";");
}

/** Ranges of numbers, both ends included; `max` stands for the largest. */
export function parseRanges(
  reader: SourceReader,
  min: bigint,
  max: bigint,
  add: (start: number, end: number) => void,
): void {
  do {
    const at = reader.lexer.start;
    const start = reader.integer("a number", max);
    const end = !reader.take("to")
      ? start
      : reader.take("max")
        ? max
        : reader.integer('a number or "max"', max);
    if (start < min || end < start)
      reader.lexer.fail(
        `the range ${start} to ${end} is not valid: expected numbers from ${min} to ${max}, in order`,
        at,
      );
    add(Number(start), Number(end));
  } while (reader.take(","));
}
