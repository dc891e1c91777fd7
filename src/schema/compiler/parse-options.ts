// `option name = value;` and `[name = value, …]`: what is written, as it is written. apply-options.ts knows what it means.
//   OptionName   = ( ident | "(" [ "." ] fullIdent ")" ) { "." ( ident | "(" [ "." ] fullIdent ")" ) }
//   OptionValue  = ident | [ "+" | "-" ] number | strLit { strLit } | "{" TextMessage "}"
//   TextMessage  = { ( ident | "[" name "]" ) [ ":" ] TextValue [ "," | ";" ] }
import { create, type DescMessage, type Message, type MessageShape } from "@bufbuild/protobuf";
import { TokenKind } from "./lexer.js";
import { integerOf } from "./literals.js";
import type { FieldValue, NamePart, OptionHolder, OptionValue } from "./parsed-file.js";
import { MAX_DEPTH, type SourceReader } from "./source-reader.js";

/** The kind of declaration that options belong to. */
export interface OptionTarget {
  readonly schema: DescMessage;
  readonly scope: string;
  readonly holder: OptionHolder;
  /** Receives them; created for the first one. */
  message(): Message;
}

/** The options of a declaration. @param scope its full name */
export function optionsOf<Desc extends DescMessage>(
  holder: { options?: MessageShape<Desc> | undefined },
  schema: Desc,
  scope: string,
): OptionTarget {
  return {
    schema,
    scope,
    holder,
    message: () => {
      holder.options ??= create(schema);
      return holder.options;
    },
  };
}

/** Stands at `option`. */
export function parseOptionStatement(reader: SourceReader, target: OptionTarget): void {
  reader.expect("option");
  parseOption(reader, target);
  reader.end(";");
}

/** Starts after `[`. @param special handles options that are not in the options message; true: handled. */
export function parseOptionList(
  reader: SourceReader,
  target: OptionTarget,
  special: () => boolean = () => false,
): void {
  do {
    if (!special()) parseOption(reader, target);
  } while (reader.take(","));
  if (!reader.take("]")) reader.unexpected('"," or "]"');
}

function parseOption(reader: SourceReader, target: OptionTarget): void {
  const at = reader.lexer.start;
  const name: NamePart[] = [];
  do name.push(namePart(reader));
  while (reader.take("."));
  reader.expect("=");
  const value = parseValue(reader, 0);
  const { schema, scope, holder } = target;
  reader.options.push({ holder, target: target.message(), schema, name, value, scope, at });
}

function namePart(reader: SourceReader): NamePart {
  if (!reader.take("(")) return { name: reader.identifier("an option's name"), isExtension: false };
  const name = reader.name("an option's name");
  reader.expect(")");
  return { name, isExtension: true };
}

function parseValue(reader: SourceReader, depth: number): OptionValue {
  const { lexer } = reader;
  if (depth > MAX_DEPTH) lexer.fail(`values may be nested at most ${MAX_DEPTH} deep`);
  if (depth === 0 && reader.take("+") && lexer.kind === TokenKind.IDENTIFIER) reader.unexpected("a number");
  const isNegative = reader.take("-");
  const { kind, text } = lexer;
  switch (kind) {
    case TokenKind.IDENTIFIER:
      lexer.next();
      return { kind: "identifier", text, isNegative };
    case TokenKind.INTEGER: {
      lexer.next();
      const value = integerOf(text);
      return { kind: "integer", value: isNegative ? -value : value };
    }
    case TokenKind.FLOAT: {
      lexer.next();
      const value = Number(text);
      return { kind: "float", value: isNegative ? -value : value };
    }
    case TokenKind.STRING:
      if (!isNegative) return { kind: "string", value: reader.string("a string") };
      break;
    default:
      if (isNegative) break;
      if (reader.take("{")) return { kind: "message", fields: parseFields(reader, "}", depth + 1) };
      if (depth > 0 && reader.take("<"))
        return { kind: "message", fields: parseFields(reader, ">", depth + 1) };
      if (depth > 0 && reader.take("[")) return parseList(reader, depth + 1);
  }
  return reader.unexpected(isNegative ? "a number" : "a value: a number, a string, a name or { … }");
}

function parseList(reader: SourceReader, depth: number): OptionValue {
  const items: OptionValue[] = [];
  if (reader.take("]")) return { kind: "list", items };
  do items.push(parseValue(reader, depth));
  while (reader.take(","));
  if (!reader.take("]")) reader.unexpected('"," or "]"');
  return { kind: "list", items };
}

/** Starts after the opening brace, and ends after the closing one. */
function parseFields(reader: SourceReader, close: "}" | ">", depth: number): FieldValue[] {
  const fields: FieldValue[] = [];
  while (!reader.take(close)) {
    const { name, kind } = fieldName(reader, close);
    // A message needs no colon, nor does a list of them.
    const hasColon = reader.take(":");
    if (!hasColon && !reader.is("{") && !reader.is("<") && !reader.is("[")) reader.unexpected('":"');
    fields.push({ name, kind, value: parseValue(reader, depth) });
    if (!reader.take(",")) reader.take(";");
  }
  return fields;
}

function fieldName(reader: SourceReader, close: string): Pick<FieldValue, "name" | "kind"> {
  if (!reader.take("[")) return { name: reader.identifier(`a field's name or "${close}"`), kind: "field" };
  let name = reader.name("the name of an extension or of a type", false);
  const isAny = reader.take("/");
  if (isAny) name += `/${reader.name("the name of a type", false)}`;
  reader.expect("]");
  return { name, kind: isAny ? "any" : "extension" };
}
