// The fields of a message, read from its descriptor's bytes without making one: enough to check that an HTTP rule fits
// a method. Of the many thousand rules of a large schema few are ever called.
import type { DescMethod } from "@bufbuild/protobuf";
import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";

export interface FieldOutline {
  readonly repeated: boolean;
  /** Full name of its message type; undefined for scalars and enums. */
  readonly message: string | undefined;
}

/** By proto name. */
export type Outline = ReadonlyMap<string, FieldOutline>;

/** A method whose messages can be outlined. */
export interface OutlinedMethod extends DescMethod {
  /** Full names. */
  readonly inputName: string;
  readonly outputName: string;
  readonly outlines: Outlines;
}

/** The types of one schema. */
export interface Outlines {
  /** Read anew each time. undefined: unknown, or it needs the full descriptor. */
  outline(typeName: string): Outline | undefined;
}

/** Reads each outline once. Many rules refer to one message, and outlines of all are too much to keep permanently. */
export class KnownOutlines {
  readonly #bySchema = new Map<Outlines, Map<string, Outline | undefined>>();

  of(schema: Outlines, typeName: string): Outline | undefined {
    let known = this.#bySchema.get(schema);
    if (known === undefined) {
      known = new Map();
      this.#bySchema.set(schema, known);
    }
    if (!known.has(typeName)) known.set(typeName, schema.outline(typeName));
    return known.get(typeName);
  }
}

export function isOutlined(method: DescMethod): method is OutlinedMethod {
  return "outlines" in method;
}

// google/protobuf/descriptor.proto
const MESSAGE_FIELD = 2;
const FIELD = { name: 1, label: 4, type: 5, typeName: 6, jsonName: 10 } as const;
const LABEL_REPEATED = 3;
const TYPE_GROUP = 10;
const TYPE_MESSAGE = 11;
const TYPE_MAX = 18;

/**
 * @param bytes of a DescriptorProto whose fields have the right wire types (descriptor-scan.ts)
 * @returns undefined: a field needs the full descriptor, for example for an unusual name or `json_name`
 */
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

/** Returns whether everything is known of it. */
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
    // For a number that the enum does not have, readers keep the previous one.
    if (label > LABEL_REPEATED || label < 0 || type > TYPE_MAX || type < 0) return false;
  }
  if (type === 0) return false;
  const isMessage = type === TYPE_MESSAGE || type === TYPE_GROUP;
  // The kind of a reference, and relative names, are resolved when a descriptor is made.
  if (isMessage && !typeName.startsWith(".")) return false;
  if (!/^\w+$/.test(name) || !/^\w*$/.test(jsonName)) return false;
  outline.set(name, {
    repeated: label === LABEL_REPEATED,
    message: isMessage ? typeName.slice(1) : undefined,
  });
  return true;
}
