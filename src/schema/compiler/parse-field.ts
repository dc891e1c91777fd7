// One field, in a message, a oneof or an extend block: also groups, which declare a message, and maps, which make one.
//   field = [ "required" | "optional" | "repeated" ] type ident "=" intLit [ "[" options "]" ] ";"
//   group = label "group" ident "=" intLit [ "[" options "]" ] "{" message body "}"
//   map   = "map" "<" keyType "," type ">" ident "=" intLit [ "[" options "]" ] ";"
import { create } from "@bufbuild/protobuf";
import {
  type DescriptorProto,
  DescriptorProtoSchema,
  Edition,
  type FieldDescriptorProto,
  FieldDescriptorProto_Label,
  FieldDescriptorProto_Type,
  FieldDescriptorProtoSchema,
  FieldOptionsSchema,
  MessageOptionsSchema,
} from "@bufbuild/protobuf/wkt";
import { join, jsonNameOf } from "../descriptors/file-descriptor.js";
import { checkFieldNumber, MAX_FIELD_NUMBER } from "./check-numbers.js";
import { TokenKind } from "./lexer.js";
import { parseDefault } from "./parse-default.js";
import { optionsOf, parseOptionList } from "./parse-options.js";
import type { Path, SourceReader } from "./source-reader.js";

/** Where fields are declared. */
export interface FieldPlace {
  /** Receives the field. */
  readonly fields: FieldDescriptorProto[];
  readonly path: Path;
  /** Receives the messages of groups and maps. */
  readonly messages: DescriptorProto[];
  readonly messagePath: Path;
  /** Full name of the message, or the package, around it. */
  readonly scope: string;
  readonly depth: number;
  /** Reads the body of a group: that of a message. */
  readonly parseBody: ParseBody;
  readonly oneofIndex?: number;
  readonly extendee?: { readonly name: string; readonly at: number };
}

/** Stands at `{`. @param scope the message's full name @param start where it begins */
export type ParseBody = (
  reader: SourceReader,
  proto: DescriptorProto,
  scope: string,
  path: Path,
  start: number,
  depth: number,
) => void;

const { OPTIONAL, REQUIRED, REPEATED } = FieldDescriptorProto_Label;
const { BYTES, DOUBLE, FLOAT, GROUP, MESSAGE } = FieldDescriptorProto_Type;

const SCALARS = new Map<string, FieldDescriptorProto_Type>([
  ["double", DOUBLE],
  ["float", FLOAT],
  ["int64", FieldDescriptorProto_Type.INT64],
  ["uint64", FieldDescriptorProto_Type.UINT64],
  ["int32", FieldDescriptorProto_Type.INT32],
  ["fixed64", FieldDescriptorProto_Type.FIXED64],
  ["fixed32", FieldDescriptorProto_Type.FIXED32],
  ["bool", FieldDescriptorProto_Type.BOOL],
  ["string", FieldDescriptorProto_Type.STRING],
  ["bytes", BYTES],
  ["uint32", FieldDescriptorProto_Type.UINT32],
  ["sfixed32", FieldDescriptorProto_Type.SFIXED32],
  ["sfixed64", FieldDescriptorProto_Type.SFIXED64],
  ["sint32", FieldDescriptorProto_Type.SINT32],
  ["sint64", FieldDescriptorProto_Type.SINT64],
]);

const LABELS = new Map([
  ["optional", OPTIONAL],
  ["required", REQUIRED],
  ["repeated", REPEATED],
]);

/** Of a message's extensions with message_set_wire_format. */
const MAX_EXTENSION_NUMBER = 0x7fff_fffen;

interface Written {
  readonly at: number;
  readonly name: string;
}

export function parseField(reader: SourceReader, place: FieldPlace): void {
  const { lexer } = reader;
  const start = lexer.start;
  const label = parseLabel(reader, place);
  if (reader.is("group") && reader.lexer.peek() !== ".") {
    parseGroup(reader, place, label, start);
    return;
  }
  const path = [...place.path, place.fields.length];
  const map = reader.is("map") && lexer.peek() === "<" ? parseMapTypes(reader, label, place) : undefined;
  const type = map === undefined ? typeName(reader) : undefined;
  const proto = parseHead(reader, place, map === undefined ? label : REPEATED);
  const scope = join(place.scope, proto.name);
  if (type !== undefined) setType(reader, proto, "field", scope, place, type);
  const before = reader.options.length;
  parseFieldOptions(reader, proto, place, scope);
  if (map !== undefined) {
    const entry = mapEntry(reader, place, proto, map, before);
    proto.type = MESSAGE;
    proto.typeName = `.${join(place.scope, entry.name)}`;
    place.messages.push(entry);
  }
  reader.end(";", { path, start });
}

function parseLabel(reader: SourceReader, place: FieldPlace): FieldDescriptorProto_Label | undefined {
  const { start, text } = reader.lexer;
  const label = LABELS.get(text);
  if (label === undefined) {
    const isBare = place.oneofIndex !== undefined || reader.edition !== Edition.EDITION_PROTO2;
    if (!isBare && !(reader.is("map") && reader.lexer.peek() === "<"))
      reader.unexpected('"optional", "required" or "repeated", which each field of proto2 has');
    return undefined;
  }
  reader.lexer.next();
  const fail = (problem: string): never => reader.lexer.fail(problem, start);
  if (place.oneofIndex !== undefined) fail(`a field of a oneof cannot be optional, required or repeated`);
  if (label === REQUIRED && place.extendee !== undefined) fail("an extension cannot be required");
  if (label === REQUIRED && reader.edition === Edition.EDITION_PROTO3) fail("proto3 has no required fields");
  if (label !== REPEATED && reader.isEditions)
    fail(`editions have no ${text} fields: expected the option features.field_presence`);
  return label;
}

/** Name and number. */
function parseHead(
  reader: SourceReader,
  place: FieldPlace,
  label: FieldDescriptorProto_Label | undefined,
): FieldDescriptorProto {
  const { start: at } = reader.lexer;
  const name = reader.identifier("a field's name");
  const proto = addField(reader, place, { name, at }, label);
  if (label === OPTIONAL && reader.edition === Edition.EDITION_PROTO3) proto.proto3Optional = true;
  return proto;
}

function addField(
  reader: SourceReader,
  place: FieldPlace,
  { name, at }: Written,
  label: FieldDescriptorProto_Label | undefined,
): FieldDescriptorProto {
  const { extendee, scope, oneofIndex } = place;
  reader.declare(join(scope, name), extendee === undefined ? undefined : "extension", at);
  reader.expect("=");
  const { start: numberAt } = reader.lexer;
  const max = extendee === undefined ? BigInt(MAX_FIELD_NUMBER) : MAX_EXTENSION_NUMBER;
  const number = Number(reader.integer("the field's number", max));
  checkFieldNumber(reader, number, numberAt);
  const proto = create(FieldDescriptorProtoSchema, {
    name,
    number,
    label: label ?? OPTIONAL,
    jsonName: jsonNameOf(name),
    ...(oneofIndex === undefined ? {} : { oneofIndex }),
    ...(extendee === undefined ? {} : { extendee: extendee.name }),
  });
  if (extendee !== undefined)
    reader.references.push({
      from: `extension ${join(scope, name)}`,
      scope,
      name: extendee.name,
      wants: "message",
      at: extendee.at,
      target: proto,
      key: "extendee",
      defaultAt: undefined,
    });
  place.fields.push(proto);
  return proto;
}

/** Stands at `group`. @param start where the label stands */
function parseGroup(
  reader: SourceReader,
  place: FieldPlace,
  label: FieldDescriptorProto_Label | undefined,
  start: number,
): void {
  const { lexer } = reader;
  if (reader.edition !== Edition.EDITION_PROTO2)
    lexer.fail(
      reader.isEditions
        ? "editions have no groups: expected a message and the option features.message_encoding = DELIMITED"
        : "proto3 has no groups",
    );
  reader.expect("group");
  const { start: at } = lexer;
  const name = reader.identifier("a group's name");
  if (!/^[A-Z]/.test(name))
    lexer.fail(`a group's name begins with a capital letter, not as ${name} does`, at);
  const path = [...place.messagePath, place.messages.length];
  const proto = addField(reader, place, { name: name.toLowerCase(), at }, label);
  proto.type = GROUP;
  const full = join(place.scope, name);
  proto.typeName = `.${full}`;
  const message = create(DescriptorProtoSchema, { name });
  place.messages.push(message);
  reader.declare(full, "message", at);
  parseFieldOptions(reader, proto, place, join(place.scope, proto.name));
  place.parseBody(reader, message, full, path, start, place.depth + 1);
}

/** The name of a message or enum stays as written; the linker resolves it and finds out which of both it is. */
function setType(
  reader: SourceReader,
  proto: FieldDescriptorProto,
  what: "field" | "map",
  from: string,
  { scope, extendee }: Pick<FieldPlace, "scope" | "extendee">,
  { name, at }: Written,
): void {
  const scalar = SCALARS.get(name);
  if (scalar !== undefined) {
    proto.type = scalar;
    return;
  }
  proto.typeName = name;
  const kind = extendee === undefined ? what : "extension";
  const reference = {
    from: `${kind} ${from}`,
    scope,
    name,
    wants: undefined,
    at,
    target: proto,
    key: "typeName",
    defaultAt: undefined,
  } as const;
  reader.references.push(reference);
}

function typeName(reader: SourceReader): Written {
  const at = reader.lexer.start;
  return { at, name: reader.name("a type") };
}

interface MapTypes {
  readonly key: Written;
  readonly value: Written;
}

function parseMapTypes(
  reader: SourceReader,
  label: FieldDescriptorProto_Label | undefined,
  place: FieldPlace,
): MapTypes {
  const { lexer } = reader;
  if (label !== undefined) lexer.fail("a map cannot be optional, required or repeated");
  if (place.oneofIndex !== undefined) lexer.fail("a map cannot be in a oneof");
  if (place.extendee !== undefined) lexer.fail("a map cannot be an extension");
  reader.expect("map");
  reader.expect("<");
  const key = typeName(reader);
  const type = SCALARS.get(key.name);
  if (type === undefined || type === DOUBLE || type === FLOAT || type === BYTES)
    lexer.fail(`a map's key cannot be ${key.name}: expected an integer type, bool or string`, key.at);
  reader.expect(",");
  const value = typeName(reader);
  reader.expect(">");
  return { key, value };
}

/** @param before where the options of the field begin */
function mapEntry(
  reader: SourceReader,
  place: FieldPlace,
  field: FieldDescriptorProto,
  types: MapTypes,
  before: number,
): DescriptorProto {
  const name = `${jsonNameOf(`_${field.name}`)}Entry`;
  const scope = join(place.scope, name);
  const parts = (["key", "value"] as const).map((part, index) => {
    const proto = create(FieldDescriptorProtoSchema, {
      name: part,
      jsonName: part,
      number: index + 1,
      label: OPTIONAL,
    });
    setType(reader, proto, "map", join(place.scope, field.name), { scope: place.scope }, types[part]);
    return proto;
  });
  // A map's UTF-8 setting applies to its strings.
  for (const option of reader.options.slice(before))
    for (const proto of parts)
      if (option.name[0]?.name === "features" && proto.type === FieldDescriptorProto_Type.STRING) {
        proto.options ??= create(FieldOptionsSchema);
        reader.options.push({ ...option, holder: proto, target: proto.options });
      }
  reader.declare(scope, "message", types.key.at);
  return create(DescriptorProtoSchema, {
    name,
    field: parts,
    options: create(MessageOptionsSchema, { mapEntry: true }),
  });
}

function parseFieldOptions(
  reader: SourceReader,
  proto: FieldDescriptorProto,
  place: FieldPlace,
  scope: string,
): void {
  if (!reader.take("[")) return;
  const target = optionsOf(proto, FieldOptionsSchema, scope);
  let hasDefault = false;
  let hasJsonName = false;
  parseOptionList(reader, target, () => {
    const { kind, text, start } = reader.lexer;
    if (kind !== TokenKind.IDENTIFIER || (text !== "default" && text !== "json_name")) return false;
    if (text === "default" ? hasDefault : hasJsonName) reader.lexer.fail(`${text} is set already`, start);
    reader.lexer.next();
    reader.expect("=");
    if (text === "default") {
      hasDefault = true;
      parseDefault(reader, proto, start);
    } else {
      hasJsonName = true;
      if (place.extendee !== undefined) reader.lexer.fail("an extension has no json_name", start);
      proto.jsonName = reader.utf8("a name in quotes");
    }
    return true;
  });
}
