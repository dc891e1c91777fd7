// The fields of a message, read of its descriptor's bytes without making one: enough to say that an HTTP rule fits a
// method. Of the many thousand rules of a large schema few are ever called.
import type { DescMethod } from "@bufbuild/protobuf";
import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";

export interface FieldOutline {
  readonly repeated: boolean;
  /** Full name of the message that it holds; undefined for scalars and enums. */
  readonly message: string | undefined;
}

/** By proto name. */
export type Outline = ReadonlyMap<string, FieldOutline>;

/** A method whose messages can be outlined. */
export interface OutlinedMethod extends DescMethod {
  /** Full names. */
  readonly inputName: string;
  readonly outputName: string;
  /** undefined: not known, or not without a closer look. */
  outline(typeName: string): Outline | undefined;
}

export function isOutlined(method: DescMethod): method is OutlinedMethod {
  return "outline" in method;
}

// google/protobuf/descriptor.proto
const MESSAGE_FIELD = 2;
const FIELD = { name: 1, label: 4, type: 5, typeName: 6, jsonName: 10 } as const;
const LABEL_REPEATED = 3;
const TYPE_GROUP = 10;
const TYPE_MESSAGE = 11;

/** @param bytes of a DescriptorProto; undefined: it has a field that takes a closer look, as an odd `json_name` does */
export function outlineOf(bytes: Uint8Array): Outline | undefined {
  const reader = new BinaryReader(bytes);
  const outline = new Map<string, FieldOutline>();
  while (reader.pos < reader.len) {
    const [no, wire] = reader.tag();
    if (no !== MESSAGE_FIELD || wire !== WireType.LengthDelimited) reader.skip(wire, no);
    else if (!addField(outline, reader)) return undefined;
  }
  return outline;
}

/** Returns whether all is known of it. */
function addField(outline: Map<string, FieldOutline>, reader: BinaryReader): boolean {
  const end = reader.uint32() + reader.pos;
  let name = "";
  let label = 0;
  let type = 0;
  let typeName = "";
  let jsonName = "";
  while (reader.pos < end) {
    const [no, wire] = reader.tag();
    if (no === FIELD.name && wire === WireType.LengthDelimited) name = reader.string();
    else if (no === FIELD.label && wire === WireType.Varint) label = reader.int32();
    else if (no === FIELD.type && wire === WireType.Varint) type = reader.int32();
    else if (no === FIELD.typeName && wire === WireType.LengthDelimited) typeName = reader.string();
    else if (no === FIELD.jsonName && wire === WireType.LengthDelimited) jsonName = reader.string();
    else reader.skip(wire, no);
  }
  const isMessage = type === TYPE_MESSAGE || type === TYPE_GROUP;
  // The kind of what is named, or what a relative name means, is looked up when a descriptor is made.
  if (type === 0 || (isMessage && !typeName.startsWith(".")) || !/^\w*$/.test(jsonName)) return false;
  outline.set(name, {
    repeated: label === LABEL_REPEATED,
    message: isMessage ? typeName.slice(1) : undefined,
  });
  return true;
}
