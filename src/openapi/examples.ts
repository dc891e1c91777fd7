// Examples that the hub accepts: a page fills them in, where the schema alone would produce fifty digits, both members
// of a oneof, or text that a pattern forbids.
import {
  type DescField,
  type DescMessage,
  type JsonObject,
  type JsonValue,
  ScalarType,
} from "@bufbuild/protobuf";
import { maskTarget } from "../transcoding/codec/field-mask.js";
import { hasOwnJson } from "../transcoding/messages/fields.js";
import { commentOf, oneLine } from "./schemas/comments.js";
import { isObject } from "./schemas/constraints.js";
import { fieldBehaviors } from "./schemas/field-behavior.js";
import type { Schemas } from "./schemas/schemas.js";

/** Messages in messages. */
const MAX_DEPTH = 4;
/** Fields of a message without required ones. */
const MAX_FIELDS = 12;
/** For an update, which leaves unnamed fields unchanged. */
const PARTIAL_FIELDS = 2;
/** Size of one example, all messages together: nobody reads longer ones. */
const MAX_VALUES = 40;

export interface ExampleOptions {
  /** Fields that something else carries (a path), as dotted proto names from this message. */
  readonly without?: ReadonlySet<string>;
  /** Nothing is required: missing fields stay unchanged. */
  readonly partial?: boolean;
}

/**
 * The JSON of a message: required fields, and those that nothing marks as optional. undefined: a required field has no
 * value that would certainly be accepted.
 */
export function exampleOf(
  message: DescMessage,
  schemas: Schemas,
  options: ExampleOptions = {},
): JsonValue | undefined {
  return messageExample(message, { schemas, left: MAX_VALUES }, options, []);
}

/** The JSON of one value of the field; undefined as above. */
export function exampleOfField(field: DescField, schemas: Schemas): JsonValue | undefined {
  return fieldExample(field, { schemas, left: MAX_VALUES }, []);
}

/** Text before an example in a comment: "as in `books/emma`", "e.g. `x`", "For example, `x`", "Example: `x`". */
const MARKS = ["as in", "e.g.", "example"];
/** Text between two. */
const BETWEEN: ReadonlySet<string> = new Set([",", "or", ", or"]);
const MAX_SAID = 200;

/** The examples in the field's comment, in backticks: a proto has no other common place for them. */
export function examplesInComment(field: DescField): string[] {
  const found: string[] = [];
  let isExample = false;
  // Each second part is between two backticks, except the last.
  const parts = oneLine(commentOf(field)).split("`");
  for (const [i, part] of parts.entries()) {
    if (i % 2 === 0) isExample = isMark(part) || (isExample && BETWEEN.has(part.trim()));
    else if (isExample && i < parts.length - 1 && part.length <= MAX_SAID && !/\s/.test(part))
      found.push(part);
  }
  return found;
}

function isMark(text: string): boolean {
  const end = text.trimEnd().toLowerCase();
  const bare = end.endsWith(":") || end.endsWith(",") ? end.slice(0, -1) : end;
  return MARKS.some((mark) => bare.endsWith(mark));
}

/** State of one example. */
interface Making {
  readonly schemas: Schemas;
  /** Values that it may still have. */
  left: number;
}

function messageExample(
  message: DescMessage,
  making: Making,
  { without = new Set<string>(), partial = false }: ExampleOptions,
  above: readonly DescMessage[],
): JsonValue | undefined {
  const { schemas } = making;
  if (message.typeName === "google.protobuf.Empty") return {};
  if (message.typeName === "google.protobuf.Any") return undefined;
  const example: JsonObject = {};
  const oneofs = new Set<string>();
  for (const field of message.fields) {
    const behaviors = fieldBehaviors(field);
    if (without.has(field.name) || behaviors.has("OUTPUT_ONLY")) continue;
    // The creator of a resource does not set its name; an update does.
    if (behaviors.has("IDENTIFIER") && !updates(above.at(-1), message)) continue;
    if (field.oneof !== undefined && oneofs.has(field.oneof.name)) continue;
    const required = schemas.isRequired(field);
    if (partial) {
      const plain =
        (field.fieldKind === "scalar" || field.fieldKind === "list") && !behaviors.has("IMMUTABLE");
      if (!plain || Object.keys(example).length >= PARTIAL_FIELDS) continue;
    } else if (!required && (behaviors.has("OPTIONAL") || making.left <= 0)) continue;
    else if (!required && Object.keys(example).length >= MAX_FIELDS) continue;
    const inner = below(without, field.name);
    const value =
      inner.size > 0 && field.fieldKind === "message"
        ? messageExample(field.message, making, { without: inner }, [...above, message])
        : fieldExample(field, making, [...above, message]);
    if (value === undefined && required && !partial) return undefined;
    if (value === undefined) continue;
    example[schemas.nameOf(field)] = value;
    if (field.oneof !== undefined) oneofs.add(field.oneof.name);
  }
  return example;
}

/** The request changes a resource of this type that is there. */
function updates(request: DescMessage | undefined, resource: DescMessage): boolean {
  return request?.fields.some((field) => maskTarget(field)?.message === resource) === true;
}

function below(names: ReadonlySet<string>, field: string): ReadonlySet<string> {
  const prefix = `${field}.`;
  return new Set(
    [...names].filter((name) => name.startsWith(prefix)).map((name) => name.slice(prefix.length)),
  );
}

function fieldExample(
  field: DescField,
  making: Making,
  above: readonly DescMessage[],
): JsonValue | undefined {
  making.left--;
  const schema = making.schemas.value(field);
  if (Array.isArray(schema.examples) && schema.examples[0] !== undefined) return schema.examples[0];
  if (schema.default !== undefined) return schema.default;
  if (field.fieldKind === "list") {
    const items = isObject(schema.items) ? schema.items : {};
    const item = valueExample(field, items, making, above);
    const count = Math.max(1, Number(schema.minItems ?? 1));
    // If several differ, none is made up.
    return item === undefined || (count > 1 && schema.uniqueItems === true)
      ? undefined
      : Array(count).fill(item);
  }
  if (field.fieldKind === "map") {
    const values = isObject(schema.additionalProperties) ? schema.additionalProperties : {};
    const value = valueExample(field, values, making, above);
    const key = field.mapKey === ScalarType.STRING ? "key" : field.mapKey === ScalarType.BOOL ? "true" : "1";
    const odd = field.mapKey === ScalarType.STRING && schema.propertyNames !== undefined;
    return value === undefined || odd || Number(schema.minProperties ?? 1) > 1 ? undefined : { [key]: value };
  }
  return valueExample(field, schema, making, above);
}

/** One value: an element of a list, a value of a map, or the field's own. */
function valueExample(
  field: DescField,
  schema: JsonObject,
  making: Making,
  above: readonly DescMessage[],
): JsonValue | undefined {
  if (schema.const !== undefined) return schema.const;
  if (Array.isArray(schema.examples) && schema.examples[0] !== undefined) return schema.examples[0];
  // Output-only fields are left out.
  if (schema.not !== undefined || schema.allOf !== undefined) return undefined;
  if (Array.isArray(schema.enum)) return schema.enum[0];
  const { message } = field;
  if (field.enum !== undefined) return enumExample(field, making.schemas);
  if (message === undefined || hasOwnJson(message)) return plainExample(field, schema);
  if (above.includes(message) || above.length >= MAX_DEPTH) return undefined;
  return messageExample(message, making, {}, above);
}

function enumExample(field: DescField, schemas: Schemas): JsonValue | undefined {
  const values = field.enum?.values ?? [];
  // The zero of an enum means "unspecified".
  const value = values.find(({ number }) => number !== 0) ?? values[0];
  if (value === undefined || field.enum?.typeName === "google.protobuf.NullValue") return undefined;
  return schemas.enumsAsNumbers ? value.number : value.name;
}

const FORMATS: Readonly<Record<string, string>> = {
  "date-time": "2030-01-01T12:00:00Z",
  email: "ann@example.com",
  hostname: "example.com",
  ipv4: "192.0.2.1",
  ipv6: "2001:db8::1",
  uri: "https://example.com/",
  "uri-reference": "/",
  uuid: "123e4567-e89b-42d3-a456-426614174000",
  int64: "1",
  uint64: "1",
};

/** From its JSON form alone. */
function plainExample(field: DescField, schema: JsonObject): JsonValue | undefined {
  const { type, format, pattern } = schema;
  if (field.message?.typeName === "google.protobuf.Any") return undefined;
  if (field.message?.typeName === "google.protobuf.Value") return "text";
  if (type === "boolean") return true;
  if (type === "object") return {};
  if (type === "array") return [];
  if (type === "integer" || type === "number") return numberExample(schema);
  if (Array.isArray(schema.anyOf)) {
    const number = schema.anyOf.find((one) => isObject(one) && one.type === "number");
    return isObject(number) && schema.type === undefined
      ? numberExample({ ...schema, ...number })
      : undefined;
  }
  if (type !== "string" || schema.if !== undefined) return undefined;
  if (typeof format === "string") return Object.hasOwn(FORMATS, format) ? FORMATS[format] : undefined;
  if (schema.contentEncoding === "base64") return bounded("AQ==", schema);
  const said = examplesInComment(field).find((text) => fits(text, schema));
  if (said !== undefined) return said;
  if (pattern !== undefined) return undefined;
  return bounded("text", schema);
}

/** The text, as long as the schema wants it. */
function bounded(text: string, { minLength, maxLength }: JsonObject): string | undefined {
  const min = Number(minLength ?? 0);
  const max = Number(maxLength ?? Number.POSITIVE_INFINITY);
  const long = text.padEnd(min, "x");
  // Other lengths are not valid base64, and a long text is useless.
  if (text.endsWith("=") && (min > text.length || max < text.length)) return undefined;
  return min > 1000 ? undefined : Array.from(long).slice(0, max).join("");
}

function fits(text: string, { minLength, maxLength, pattern }: JsonObject): boolean {
  const length = Array.from(text).length;
  // A service's pattern may take any time: it is not evaluated.
  return pattern === undefined && length >= Number(minLength ?? 0) && length <= Number(maxLength ?? length);
}

function numberExample({ minimum, exclusiveMinimum, maximum, exclusiveMaximum }: JsonObject): number {
  const low = Math.max(
    Number(minimum ?? Number.NEGATIVE_INFINITY),
    Number(exclusiveMinimum ?? Number.NEGATIVE_INFINITY) + 1,
  );
  const high = Math.min(
    Number(maximum ?? Number.POSITIVE_INFINITY),
    Number(exclusiveMaximum ?? Number.POSITIVE_INFINITY) - 1,
  );
  if (low <= 1 && 1 <= high) return 1;
  return Number.isFinite(low) ? low : high;
}
