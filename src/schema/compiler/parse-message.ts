// Messages and what stands in them, and extend blocks.
//   message = [ "export" | "local" ] "message" ident "{" { field | enum | message | extend | extensions | oneof | option | reserved | ";" } "}"
import { create } from "@bufbuild/protobuf";
import {
  type DescriptorProto,
  DescriptorProto_ExtensionRangeSchema,
  DescriptorProto_ReservedRangeSchema,
  DescriptorProtoSchema,
  Edition,
  ExtensionRangeOptionsSchema,
  type FieldDescriptorProto,
  MessageOptionsSchema,
  OneofDescriptorProtoSchema,
  OneofOptionsSchema,
  SymbolVisibility,
} from "@bufbuild/protobuf/wkt";
import { join } from "../descriptors/file-descriptor.js";
import { checkMessage, MAX_FIELD_NUMBER } from "./check-numbers.js";
import { parseEnum, parseRanges, parseReserved } from "./parse-enum.js";
import { type FieldPlace, type ParseBody, parseField } from "./parse-field.js";
import { optionsOf, parseOptionList, parseOptionStatement } from "./parse-options.js";
import { MAX_DEPTH, type Path, type SourceReader } from "./source-reader.js";

/** Numbers of fields in descriptor.proto. */
const PATH = { field: 2, message: 3, enum: 4, extension: 6, oneof: 8 } as const;

/** Larger than any field number: the value of `to max` depends on the message's options. */
const MAX = 0x7fff_ffff;
/** The end of an extension range up to max is not in it. */
const MAX_OF_MESSAGE_SET = 0x7fff_ffff;

/** `export` and `local` before a message or an enum, since edition 2024. */
export function parseVisibility(reader: SourceReader): SymbolVisibility {
  if (reader.edition < Edition.EDITION_2024 || !(reader.is("export") || reader.is("local")))
    return SymbolVisibility.VISIBILITY_UNSET;
  const next = reader.lexer.peek();
  if (next !== "message" && next !== "enum") return SymbolVisibility.VISIBILITY_UNSET;
  const isExport = reader.is("export");
  reader.lexer.next();
  return isExport ? SymbolVisibility.VISIBILITY_EXPORT : SymbolVisibility.VISIBILITY_LOCAL;
}

/** Stands at `message`. */
export function parseMessage(
  reader: SourceReader,
  outer: string,
  path: Path,
  start: number,
  visibility: SymbolVisibility,
  depth: number,
): DescriptorProto {
  reader.expect("message");
  const at = reader.lexer.start;
  const name = reader.identifier("a message's name");
  const scope = join(outer, name);
  reader.declare(scope, "message", at);
  const proto = create(DescriptorProtoSchema, { name, ...(visibility === 0 ? {} : { visibility }) });
  parseMessageBody(reader, proto, scope, path, start, depth);
  return proto;
}

const parseMessageBody: ParseBody = (reader, proto, scope, path, start, depth) => {
  const { lexer } = reader;
  if (depth > MAX_DEPTH) lexer.fail(`messages may be nested at most ${MAX_DEPTH} deep`, start);
  const location = reader.end("{", { path, start });
  const target = optionsOf(proto, MessageOptionsSchema, scope);
  const place: FieldPlace = {
    fields: proto.field,
    path: [...path, PATH.field],
    messages: proto.nestedType,
    messagePath: [...path, PATH.message],
    scope,
    depth,
    parseBody: parseMessageBody,
  };
  const before = reader.options.length;
  /** Where each field begins. */
  const places: number[] = [];
  while (!reader.is("}")) {
    const at = lexer.start;
    const visibility = parseVisibility(reader);
    switch (lexer.text) {
      case ";":
        reader.end(";");
        break;
      case "message":
        proto.nestedType.push(
          parseMessage(
            reader,
            scope,
            [...path, PATH.message, proto.nestedType.length],
            at,
            visibility,
            depth + 1,
          ),
        );
        break;
      case "enum":
        proto.enumType.push(
          parseEnum(reader, scope, [...path, PATH.enum, proto.enumType.length], at, visibility),
        );
        break;
      case "extend":
        parseExtend(reader, proto.extension, { ...place, path: [...path, PATH.extension] });
        break;
      case "extensions":
        parseExtensions(reader, proto, scope);
        break;
      case "reserved":
        parseReserved(reader, {
          names: proto.reservedName,
          min: 1n,
          max: BigInt(MAX),
          add: (first, last) =>
            proto.reservedRange.push(
              create(DescriptorProto_ReservedRangeSchema, { start: first, end: endOf(last) }),
            ),
        });
        break;
      case "option":
        parseOptionStatement(reader, target);
        break;
      case "oneof":
        parseOneof(reader, proto, place, path, places);
        break;
      default:
        places.push(at);
        parseField(reader, place);
    }
  }
  finishRanges(reader, proto, before);
  checkMessage(reader, proto, places);
  addSyntheticOneofs(proto);
  reader.close(location);
};

function endOf(last: number): number {
  return last === MAX ? MAX : last + 1;
}

/** The value of `to max`. @param before where the options of the message's declarations begin */
function finishRanges(reader: SourceReader, proto: DescriptorProto, before: number): void {
  const open = [...proto.extensionRange, ...proto.reservedRange].filter(({ end }) => end === MAX);
  if (open.length === 0) return;
  const isMessageSet = reader.options
    .slice(before)
    .some(
      ({ holder, name, value }) =>
        holder === proto &&
        name[0]?.name === "message_set_wire_format" &&
        value.kind === "identifier" &&
        value.text === "true",
    );
  const max = isMessageSet ? MAX_OF_MESSAGE_SET : MAX_FIELD_NUMBER + 1;
  for (const range of open) range.end = max;
}

/** An optional proto3 field is in its own oneof, after all others. */
function addSyntheticOneofs(proto: DescriptorProto): void {
  const optional = proto.field.filter(({ proto3Optional }) => proto3Optional);
  if (optional.length === 0) return;
  const named = [proto.field, proto.oneofDecl, proto.nestedType, proto.enumType, proto.extension];
  const names = new Set(named.flatMap((list: readonly { name: string }[]) => list.map(({ name }) => name)));
  for (const field of optional) {
    let name = field.name.startsWith("_") ? field.name : `_${field.name}`;
    while (names.has(name)) name = `X${name}`;
    names.add(name);
    field.oneofIndex = proto.oneofDecl.length;
    proto.oneofDecl.push(create(OneofDescriptorProtoSchema, { name }));
  }
}

function parseOneof(
  reader: SourceReader,
  message: DescriptorProto,
  place: FieldPlace,
  path: Path,
  places: number[],
): void {
  const { start } = reader.lexer;
  reader.expect("oneof");
  const at = reader.lexer.start;
  const name = reader.identifier("a oneof's name");
  reader.declare(join(place.scope, name), undefined, at);
  const proto = create(OneofDescriptorProtoSchema, { name });
  const oneofIndex = message.oneofDecl.push(proto) - 1;
  const location = reader.end("{", { path: [...path, PATH.oneof, oneofIndex], start });
  const target = optionsOf(proto, OneofOptionsSchema, join(place.scope, name));
  const before = message.field.length;
  while (!reader.is("}")) {
    if (reader.is(";")) reader.end(";");
    else if (reader.is("option")) parseOptionStatement(reader, target);
    else {
      places.push(reader.lexer.start);
      parseField(reader, { ...place, oneofIndex });
    }
  }
  if (message.field.length === before)
    reader.lexer.fail(`the oneof ${name} has no fields: expected at least one`, at);
  reader.close(location);
}

function parseExtensions(reader: SourceReader, proto: DescriptorProto, scope: string): void {
  const { start } = reader.lexer;
  if (reader.edition === Edition.EDITION_PROTO3)
    reader.lexer.fail("messages of proto3 have no extensions, except for those of descriptor.proto", start);
  reader.expect("extensions");
  const first = proto.extensionRange.length;
  parseRanges(reader, 1n, BigInt(MAX), (begin, last) =>
    proto.extensionRange.push(
      create(DescriptorProto_ExtensionRangeSchema, { start: begin, end: endOf(last) }),
    ),
  );
  const [one, ...others] = proto.extensionRange.slice(first);
  if (reader.take("[") && one !== undefined) {
    const before = reader.options.length;
    parseOptionList(reader, optionsOf(one, ExtensionRangeOptionsSchema, scope));
    const written = reader.options.slice(before);
    for (const holder of others) {
      const target = create(ExtensionRangeOptionsSchema);
      holder.options = target;
      reader.options.push(...written.map((option) => ({ ...option, holder, target })));
    }
  }
  reader.end(";");
}

/** Stands at `extend`. */
export function parseExtend(
  reader: SourceReader,
  fields: FieldDescriptorProto[],
  place: Omit<FieldPlace, "fields" | "extendee" | "parseBody">,
): void {
  reader.expect("extend");
  const at = reader.lexer.start;
  const extendee = { at, name: reader.name("a message's name") };
  reader.end("{");
  const before = fields.length;
  while (!reader.is("}")) {
    if (reader.is(";")) reader.end(";");
    else parseField(reader, { ...place, fields, extendee, parseBody: parseMessageBody });
  }
  if (fields.length === before) reader.unexpected("an extension");
  reader.end("}");
}
