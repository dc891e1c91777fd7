// The source comments of a schema, for the OpenAPI document. Descriptors have them if the schema's source kept them:
// `buf build` does, protoc with --include_source_info, some servers by reflection.
import type {
  DescEnum,
  DescEnumValue,
  DescField,
  DescFile,
  DescMessage,
  DescMethod,
  DescOneof,
  DescService,
} from "@bufbuild/protobuf";
import type { DescriptorProto, EnumDescriptorProto, FileDescriptorProto } from "@bufbuild/protobuf/wkt";

type Commented = DescMessage | DescField | DescOneof | DescEnum | DescEnumValue | DescService | DescMethod;

/** By the descriptor's own message; kept as long as the schema is. */
const CACHE = new WeakMap<DescFile, ReadonlyMap<object, string>>();

/** The comment above the declaration, otherwise after it; "" if there is none. */
export function commentOf(desc: Commented): string {
  const file = fileOf(desc);
  let comments = CACHE.get(file);
  if (comments === undefined) {
    comments = commentsOf(file.proto);
    CACHE.set(file, comments);
  }
  return comments.get(desc.proto) ?? "";
}

function fileOf(desc: Commented): DescFile {
  if (desc.kind === "message" || desc.kind === "enum" || desc.kind === "service") return desc.file;
  return desc.parent.file;
}

// Field numbers in google/protobuf/descriptor.proto: a location's path consists of them and of indexes.
const FILE = { message: 4, enum: 5, service: 6 };
const MESSAGE = { field: 2, nested: 3, enum: 4, oneof: 8 };
const ENUM_VALUE = 2;
const SERVICE_METHOD = 2;

function commentsOf(file: FileDescriptorProto): ReadonlyMap<object, string> {
  const byPath = new Map<string, string>();
  for (const { path, leadingComments, trailingComments } of file.sourceCodeInfo?.location ?? []) {
    const text = clean(leadingComments) || clean(trailingComments);
    if (text !== "") byPath.set(path.join("."), text);
  }
  const found = new Map<object, string>();
  if (byPath.size === 0) return found;
  const put = (proto: object, path: string): void => {
    const text = byPath.get(path);
    if (text !== undefined) found.set(proto, text);
  };
  const putEnum = (proto: EnumDescriptorProto, path: string): void => {
    put(proto, path);
    for (const [i, value] of proto.value.entries()) put(value, `${path}.${ENUM_VALUE}.${i}`);
  };
  const putMessage = (proto: DescriptorProto, path: string): void => {
    put(proto, path);
    for (const [i, field] of proto.field.entries()) put(field, `${path}.${MESSAGE.field}.${i}`);
    for (const [i, oneof] of proto.oneofDecl.entries()) put(oneof, `${path}.${MESSAGE.oneof}.${i}`);
    for (const [i, inner] of proto.enumType.entries()) putEnum(inner, `${path}.${MESSAGE.enum}.${i}`);
    for (const [i, inner] of proto.nestedType.entries()) putMessage(inner, `${path}.${MESSAGE.nested}.${i}`);
  };
  for (const [i, message] of file.messageType.entries()) putMessage(message, `${FILE.message}.${i}`);
  for (const [i, one] of file.enumType.entries()) putEnum(one, `${FILE.enum}.${i}`);
  for (const [i, service] of file.service.entries()) {
    const path = `${FILE.service}.${i}`;
    put(service, path);
    for (const [j, method] of service.method.entries()) put(method, `${path}.${SERVICE_METHOD}.${j}`);
  }
  return found;
}

/** Without the space after `//`, AIP-192's internal parts, and comments for linters. */
function clean(comment: string): string {
  return withoutInternal(comment)
    .split("\n")
    .map((line) => line.replace(/^ /, "").trimEnd())
    .filter((line) => !/^\s*(?:buf:lint:|protolint:|api-linter:)/.test(line))
    .join("\n")
    .trim();
}

function withoutInternal(comment: string): string {
  let out = "";
  let at = 0;
  for (let open = comment.indexOf("(--"); open >= 0; open = comment.indexOf("(--", at)) {
    const close = comment.indexOf("--)", open + 3);
    if (close < 0) break;
    out += comment.slice(at, open);
    at = close + 3;
  }
  return out + comment.slice(at);
}

/** A text of several lines as one. */
export function oneLine(text: string): string {
  return text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "")
    .join(" ");
}

/** `GetBook` and `get_book` as "Get book": the title of a method without a comment. */
export function titleOf(name: string): string {
  let spaced = "";
  for (let i = 0; i < name.length; i++) {
    const char = name.charAt(i);
    const after = name.charAt(i - 1);
    // `ListURLs`: the last of several capitals begins a word if a small letter follows.
    const begins = isCapital(char) && after !== "" && (!isCapital(after) || isSmall(name.charAt(i + 1)));
    spaced += char === "_" ? " " : begins ? ` ${char}` : char;
  }
  const words = spaced.split(" ").filter((word) => word !== "");
  // Of an abbreviation all letters stay as they are.
  const said = words.map((word) =>
    word.length > 1 && word === word.toUpperCase() ? word : word.toLowerCase(),
  );
  const text = said.join(" ");
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function isCapital(char: string): boolean {
  return char >= "A" && char <= "Z";
}

function isSmall(char: string): boolean {
  return char >= "a" && char <= "z";
}

/** The first sentence without its full stop, and the whole text if there is more. */
export function summaryOf(comment: string): { readonly summary: string; readonly description: string } {
  const paragraph = oneLine(comment.split(/\n\s*\n/, 1)[0] ?? "");
  const sentence = /^.*?[.!?](?=\s|$)/.exec(paragraph)?.[0] ?? paragraph;
  const summary = sentence.replace(/\.$/, "");
  return { summary, description: sentence === comment ? "" : comment };
}
