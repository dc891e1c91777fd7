// Checks the numbers of fields and enum values like a compiler: unique, in range, and not reserved.
import { type DescriptorProto, Edition, type EnumDescriptorProto } from "@bufbuild/protobuf/wkt";
import type { SourceReader } from "./source-reader.js";

export const MAX_FIELD_NUMBER = 0x1fff_ffff;
/** Numbers reserved for protobuf's implementations. */
const FIRST_OF_PROTOBUF = 19_000;
const LAST_OF_PROTOBUF = 19_999;

/** @param at position of the number */
export function checkFieldNumber(reader: SourceReader, number: number, at: number): void {
  if (number < 1) reader.lexer.fail(`the field number ${number} is too small: expected 1 or more`, at);
  if (number >= FIRST_OF_PROTOBUF && number <= LAST_OF_PROTOBUF)
    reader.lexer.fail(
      `the field number ${number} is reserved by protobuf, as all from ${FIRST_OF_PROTOBUF} to ${LAST_OF_PROTOBUF} are`,
      at,
    );
}

/** @param places where each field begins */
export function checkMessage(reader: SourceReader, proto: DescriptorProto, places: readonly number[]): void {
  const names = new Map<number, string>();
  const reserved = new Set(proto.reservedName);
  for (const [i, { name, number }] of proto.field.entries()) {
    const fail = (problem: string): never => reader.lexer.fail(problem, places[i]);
    const other = names.get(number);
    if (other !== undefined) fail(`${name} has the number ${number}, which ${other} has already`);
    names.set(number, name);
    if (reserved.has(name)) fail(`the name ${name} is reserved in ${proto.name}`);
    const within = ({ start, end }: { start: number; end: number }): boolean =>
      number >= start && number < end;
    if (proto.reservedRange.some(within))
      fail(`the number ${number} of ${name} is reserved in ${proto.name}`);
    if (proto.extensionRange.some(within))
      fail(`the number ${number} of ${name} is for extensions of ${proto.name}`);
  }
}

/** @param places where each value begins @param at where the enum's name stands @param before where its options begin */
export function checkEnum(
  reader: SourceReader,
  proto: EnumDescriptorProto,
  places: readonly number[],
  at: number,
  before: number,
): void {
  const { lexer } = reader;
  const first =
    proto.value[0] ?? lexer.fail(`the enum ${proto.name} has no values: expected at least one`, at);
  if (reader.edition === Edition.EDITION_PROTO3 && first.number !== 0)
    lexer.fail(`the first value of an enum must be 0 in proto3, not ${first.number}`, places[0]);
  const names = new Map<number, string>();
  const reserved = new Set(proto.reservedName);
  const mayRepeat = reader.options
    .slice(before)
    .some(({ name, holder }) => holder === proto && name[0]?.name === "allow_alias");
  for (const [i, { name, number }] of proto.value.entries()) {
    const fail = (problem: string): never => lexer.fail(problem, places[i]);
    const other = names.get(number);
    if (other !== undefined && !mayRepeat)
      fail(
        `${name} has the number ${number}, which ${other} has already; "option allow_alias = true;" would allow it`,
      );
    names.set(number, name);
    if (reserved.has(name)) fail(`the name ${name} is reserved in ${proto.name}`);
    if (proto.reservedRange.some(({ start, end }) => number >= start && number <= end))
      fail(`the number ${number} of ${name} is reserved in ${proto.name}`);
  }
}
