// One .proto file as protoc would make its FileDescriptorProto, but for what needs other files: full names of types and
// the meaning of options (link-files.ts, apply-options.ts).
//   file = [ "syntax" "=" strLit ";" | "edition" "=" strLit ";" ] { import | package | option | message | enum | extend | service | ";" }
// The grammar is that of protobuf.dev/reference/protobuf (proto2, proto3, editions); where protoc takes more, so does this.
import { Edition, FileOptionsSchema } from "@bufbuild/protobuf/wkt";
import { parseEnum } from "./parse-enum.js";
import { parseExtend, parseMessage, parseVisibility } from "./parse-message.js";
import { optionsOf, parseOptionStatement } from "./parse-options.js";
import { parseService } from "./parse-service.js";
import type { ParsedFile } from "./parsed-file.js";
import { SourceReader } from "./source-reader.js";

/** Numbers of fields in descriptor.proto. */
const PATH = { message: 4, enum: 5, service: 6, extension: 7 } as const;

/** Released editions: what a later one changes is not known yet. */
const EDITIONS = new Map([
  ["2023", Edition.EDITION_2023],
  ["2024", Edition.EDITION_2024],
]);

/** @param name as in imports @throws SourceError, with the position and what is expected there */
export function parseProtoFile(name: string, source: string): ParsedFile {
  const reader = new SourceReader(name, source);
  parseSyntax(reader);
  let hasPackage = false;
  const { proto, lexer } = reader;
  while (!reader.atEnd) {
    const start = lexer.start;
    const visibility = parseVisibility(reader);
    switch (lexer.text) {
      case ";":
        reader.end(";");
        break;
      case "import":
        parseImport(reader);
        break;
      case "package":
        if (hasPackage) lexer.fail("the file has a package already");
        hasPackage = true;
        parsePackage(reader);
        break;
      case "option":
        parseOptionStatement(reader, optionsOf(proto, FileOptionsSchema, proto.package));
        break;
      case "message":
        proto.messageType.push(
          parseMessage(reader, proto.package, [PATH.message, proto.messageType.length], start, visibility, 1),
        );
        break;
      case "enum":
        proto.enumType.push(
          parseEnum(reader, proto.package, [PATH.enum, proto.enumType.length], start, visibility),
        );
        break;
      case "extend":
        parseExtend(reader, proto.extension, {
          path: [PATH.extension],
          messages: proto.messageType,
          messagePath: [PATH.message],
          scope: proto.package,
          depth: 0,
        });
        break;
      case "service":
        proto.service.push(parseService(reader, proto.package, [PATH.service, proto.service.length]));
        break;
      default:
        reader.unexpected('"message", "enum", "service", "extend", "option", "import" or "package"');
    }
  }
  return reader.result();
}

/** A file without one is proto2; protoc then writes nothing into the descriptor. */
function parseSyntax(reader: SourceReader): void {
  const { proto, lexer } = reader;
  if (!reader.is("syntax") && !reader.is("edition")) return;
  const isEdition = reader.is("edition");
  lexer.next();
  reader.expect("=");
  const at = lexer.start;
  const value = reader.utf8(isEdition ? "an edition in quotes" : '"proto2" or "proto3"');
  if (isEdition) {
    const edition =
      EDITIONS.get(value) ??
      lexer.fail(
        `unknown edition ${JSON.stringify(value)}: expected ${quotedList([...EDITIONS.keys()])}`,
        at,
      );
    reader.edition = edition;
    proto.syntax = "editions";
    proto.edition = edition;
  } else if (value === "proto3") {
    reader.edition = Edition.EDITION_PROTO3;
    proto.syntax = "proto3";
  } else if (value !== "proto2") {
    lexer.fail(`unknown syntax ${JSON.stringify(value)}: expected "proto2" or "proto3"`, at);
  }
  reader.end(";");
}

function quotedList(names: readonly string[]): string {
  return names.map((name) => `"${name}"`).join(", ");
}

function parseImport(reader: SourceReader): void {
  const { proto, lexer } = reader;
  reader.expect("import");
  const kind = reader.take("public")
    ? "public"
    : reader.take("weak")
      ? "weak"
      : reader.edition >= Edition.EDITION_2024 && reader.take("option")
        ? "option"
        : "plain";
  const at = lexer.start;
  const name = reader.utf8("a file's name in quotes");
  if (reader.imported.has(name)) lexer.fail(`"${name}" is imported already`, at);
  reader.imported.add(name);
  reader.imports.push({ name, kind, at });
  if (kind === "option") {
    proto.optionDependency.push(name);
  } else {
    const index = proto.dependency.push(name) - 1;
    if (kind === "public") proto.publicDependency.push(index);
    if (kind === "weak") proto.weakDependency.push(index);
  }
  reader.end(";");
}

function parsePackage(reader: SourceReader): void {
  const { proto, lexer } = reader;
  reader.expect("package");
  const { start } = lexer;
  proto.package = reader.name("a package's name", false);
  // Declarations before it would belong to another package.
  if (proto.messageType.length + proto.enumType.length + proto.service.length + proto.extension.length > 0)
    lexer.fail("the package must come before all declarations", start);
  // What stands before it are options of the file.
  for (const [i, option] of reader.options.entries()) reader.options[i] = { ...option, scope: proto.package };
  reader.end(";");
}
