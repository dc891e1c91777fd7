// Messages and enums → JSON Schemas (2020-12) that agree with what the hub parses and prints.
import {
  type DescEnum,
  type DescField,
  type DescMessage,
  type DescOneof,
  equals,
  type JsonObject,
  type JsonValue,
  ScalarType,
} from "@bufbuild/protobuf";
import {
  DescriptorProtoSchema,
  EnumDescriptorProtoSchema,
  FeatureSet_FieldPresence as Presence,
} from "@bufbuild/protobuf/wkt";
import type { PrintOptions } from "../../transcoding/codec/codecs.js";
import { maskTarget, printMaskPath } from "../../transcoding/codec/field-mask.js";
import { unsetIsNull } from "../../transcoding/codec/plan.js";
import { shortestFloat } from "../../transcoding/codec/print.js";
import { isWrapper } from "../../transcoding/messages/fields.js";
import { commentOf, oneLine } from "./comments.js";
import { refTo, SCHEMAS } from "./components.js";
import { celNotes, constrain, isObject, list, size, type ValueForm } from "./constraints.js";
import { DocumentTooLarge } from "./document-too-large.js";
import { fieldBehaviors } from "./field-behavior.js";
import { resourceNotes } from "./resources.js";
import { fieldRules, messageRules, oneofRules } from "./validate-rules.js";
import { mapKeySchema, scalarSchema, wellKnownSchema } from "./well-known.js";

/**
 * Values of one document, each a property of an object or a parameter. All of googleapis has 340,000, in 218 MB of
 * JSON; a text has 512 at most. Each additional binding of a method may have all fields of its request once more.
 */
const MAX_VALUES = 600_000;
/** Members of a oneof exclude each other in pairs: with more members it is only described. */
const MAX_EXCLUSIVE = 12;

export interface ObjectOptions {
  /** Fields that something else carries (a path), as dotted proto names from this message. */
  readonly without?: ReadonlySet<string>;
  /** Nothing is required: missing fields stay unchanged. */
  readonly partial?: boolean;
}

/** Collects the schemas of one document under `components/schemas`, by the full names of their types. */
export class Schemas {
  readonly #print: PrintOptions;
  /** Messages that responses may contain. */
  readonly #printed: ReadonlySet<DescMessage>;
  readonly #components = new Map<string, JsonObject>();
  readonly #names = new Map<DescMessage | DescEnum, string>();
  readonly #owners = new Map<string, DescMessage | DescEnum>();
  readonly #queue: DescMessage[] = [];
  #values = 0;

  constructor(print: PrintOptions, printed: ReadonlySet<DescMessage>) {
    this.#print = print;
    this.#printed = printed;
  }

  /** All that were referred to, by name. */
  components(): JsonObject {
    for (let next = this.#queue.pop(); next !== undefined; next = this.#queue.pop()) {
      const name = this.#names.get(next);
      if (name !== undefined) this.#components.set(name, this.object(next));
    }
    return Object.fromEntries([...this.#components].sort(([a], [b]) => (a < b ? -1 : 1)));
  }

  get #int64AsNumbers(): boolean {
    return this.#print.int64AsNumbers === true;
  }

  get enumsAsNumbers(): boolean {
    return this.#print.enumsAsNumbers === true;
  }

  /** The name of a field in JSON. */
  nameOf(field: DescField): string {
    return this.#print.protoNames === true ? field.name : field.jsonName;
  }

  /** Any value of this type. */
  message(message: DescMessage): JsonObject {
    return wellKnownSchema(message, this.#int64AsNumbers) ?? this.#reference(message);
  }

  /** A message as an object of its own, if a reference is not possible. */
  object(message: DescMessage, options: ObjectOptions = {}): JsonObject {
    const { without = new Set<string>(), partial = false } = options;
    const properties: JsonObject = {};
    const required: string[] = [];
    const fields = message.fields.filter((field) => !without.has(field.name));
    for (const field of fields) {
      const inner = below(without, field.name);
      properties[this.nameOf(field)] =
        inner.size === 0 ? this.#orNull(field) : this.#withoutInner(field, inner);
      if (!partial && this.isRequired(field)) required.push(this.nameOf(field));
    }
    const rules = messageRules(message);
    const notes = celNotes(rules?.cel);
    const conditions: JsonObject[] = [];
    for (const group of this.#exclusive(message, rules)) {
      const names = group.fields.filter((field) => fields.includes(field)).map((field) => this.nameOf(field));
      if (names.length < group.fields.length) continue;
      if (group.required && !partial) conditions.push({ anyOf: names.map((name) => ({ required: [name] })) });
      const pairs = names.flatMap((a, i) => names.slice(i + 1).map((b) => ({ required: [a, b] })));
      if (names.length > MAX_EXCLUSIVE) notes.push(`At most one of ${names.join(", ")} is set.`);
      else if (pairs.length > 0)
        conditions.push({ not: pairs.length === 1 ? { ...pairs[0] } : { anyOf: pairs } });
    }
    const description = joinParagraphs(commentOf(message), notes);
    return {
      type: "object",
      ...(description === "" ? {} : { description }),
      ...(message.deprecated ? { deprecated: true } : {}),
      properties,
      ...(required.length === 0 ? {} : { required }),
      ...(conditions.length === 1 ? conditions[0] : conditions.length === 0 ? {} : { allOf: conditions }),
    };
  }

  /** The value of a field in an object, with the effect of its options. */
  field(field: DescField): JsonObject {
    const value = this.value(field);
    // Null in a request unsets it, which no value of the type does.
    return field.fieldKind === "message" && isWrapper(field.message) ? nullable(value) : value;
  }

  /** The value of a field outside an object, where there is no null. */
  value(field: DescField): JsonObject {
    return withDefault(this.needed(field), this.#default(field));
  }

  /** The value of a required field, whose default has no meaning. */
  needed(field: DescField): JsonObject {
    if (++this.#values > MAX_VALUES) throw new DocumentTooLarge(`more than ${MAX_VALUES} values`);
    const behaviors = fieldBehaviors(field);
    const { schema, notes } = this.#constrained(field);
    const fixed = behaviors.has("IMMUTABLE") ? ["It cannot be changed later."] : [];
    const description = joinParagraphs(commentOf(field), [...resourceNotes(field), ...fixed, ...notes]);
    const result: JsonObject = { ...schema };
    if (description !== "") result.description = description;
    if (field.deprecated) result.deprecated = true;
    if (behaviors.has("OUTPUT_ONLY")) result.readOnly = true;
    if (behaviors.has("INPUT_ONLY")) result.writeOnly = true;
    return result;
  }

  /** As a member of an object, where it may be null: a path or a query has no null. */
  #orNull(field: DescField): JsonObject {
    const { emitDefaults = false, emitNulls = false } = this.#print;
    const schema = this.field(field);
    return emitDefaults && emitNulls && unsetIsNull(field) ? { anyOf: [schema, { type: "null" }] } : schema;
  }

  #withoutInner(field: DescField, inner: ReadonlySet<string>): JsonObject {
    if (field.fieldKind !== "message") return this.field(field);
    const comment = commentOf(field);
    const own = this.object(field.message, { without: inner });
    return comment === "" ? own : { ...own, description: comment };
  }

  #constrained(field: DescField): { readonly schema: JsonObject; readonly notes: readonly string[] } {
    const rules = fieldRules(field);
    const form = (zero: JsonValue | undefined): ValueForm => ({
      enum: field.enum,
      enumsAsNumbers: this.#print.enumsAsNumbers === true,
      int64AsNumbers: this.#int64AsNumbers,
      zero,
    });
    if (field.fieldKind === "list") {
      const own = isObject(rules?.repeated) && rules.ignore !== 3 ? rules.repeated : {};
      const items = constrain(this.#element(field), objectOf(own.items), form(undefined));
      const schema: JsonObject = { type: "array", items: items.schema };
      const [min, max] = [size(own.min_items), size(own.max_items)];
      if (min !== undefined || rules?.required === true)
        schema.minItems = Math.max(min ?? 0, rules?.required === true ? 1 : 0);
      if (max !== undefined) schema.maxItems = max;
      if (own.unique === true) schema.uniqueItems = true;
      return { schema, notes: [...celNotes(rules?.cel), ...items.notes] };
    }
    if (field.fieldKind === "map") {
      const own = isObject(rules?.map) && rules.ignore !== 3 ? rules.map : {};
      const values = constrain(this.#element(field), objectOf(own.values), form(undefined));
      const bare = mapKeySchema(field.mapKey) ?? {};
      const keys =
        field.mapKey === ScalarType.STRING
          ? constrain(bare, objectOf(own.keys), form(undefined))
          : { schema: bare, notes: [] };
      const schema: JsonObject = { type: "object", additionalProperties: values.schema };
      if (Object.keys(keys.schema).length > 0) schema.propertyNames = keys.schema;
      const [min, max] = [size(own.min_pairs), size(own.max_pairs)];
      if (min !== undefined || rules?.required === true)
        schema.minProperties = Math.max(min ?? 0, rules?.required === true ? 1 : 0);
      if (max !== undefined) schema.maxProperties = max;
      return { schema, notes: [...celNotes(rules?.cel), ...keys.notes, ...values.notes] };
    }
    const constrained = constrain(this.#element(field), rules, form(this.#zero(field)));
    const { schema } = constrained;
    // "required, for fields that don't track presence, indicates the value can't be the zero value."
    const filled = rules?.required === true && this.#zero(field) === "" && schema.minLength === undefined;
    return filled ? { ...constrained, schema: { ...schema, minLength: 1 } } : constrained;
  }

  /** One value of the field, whatever its label. */
  #element(field: DescField): JsonObject {
    const names = maskExample(field);
    if (names !== undefined && field.message !== undefined) {
      return { ...this.message(field.message), examples: [names] };
    }
    if (field.message !== undefined) return this.message(field.message);
    if (field.enum !== undefined) return this.enumeration(field.enum);
    return scalarSchema(field.scalar ?? ScalarType.STRING, this.#int64AsNumbers);
  }

  enumeration(desc: DescEnum): JsonObject {
    // Neither `type: "null"`, which openapi-generator's Python ignores, nor `enum`, which does not compile in its Java.
    if (desc.typeName === "google.protobuf.NullValue") return { const: null };
    const known = this.#names.get(desc);
    if (known !== undefined) return refTo(known);
    const [name, isNew] = this.#nameFor(desc);
    if (isNew) this.#components.set(name, this.#enumSchema(desc));
    return refTo(name);
  }

  #enumSchema(desc: DescEnum): JsonObject {
    const asNumbers = this.#print.enumsAsNumbers === true;
    const lines = desc.values.flatMap((value) => {
      const comment = oneLine(commentOf(value));
      const name = asNumbers ? `\`${value.number}\`: ${value.name}` : `\`${value.name}\``;
      if (comment === "" && !asNumbers) return [];
      return [`- ${name}${comment === "" ? "" : `${asNumbers ? ". " : ": "}${comment}`}`];
    });
    const description = [commentOf(desc), lines.join("\n")].filter((part) => part !== "").join("\n\n");
    const values = asNumbers
      ? { type: "integer", format: "int32", enum: [...new Set(desc.values.map(({ number }) => number))] }
      : { type: "string", enum: desc.values.map(({ name }) => name) };
    return {
      ...values,
      ...(description === "" ? {} : { description }),
      ...(desc.deprecated ? { deprecated: true } : {}),
    };
  }

  #reference(message: DescMessage): JsonObject {
    const known = this.#names.get(message);
    if (known !== undefined) return refTo(known);
    const [name, isNew] = this.#nameFor(message);
    if (isNew) {
      this.#components.set(name, {});
      this.#queue.push(message);
    }
    return refTo(name);
  }

  /** Two upstreams may each have a type in their own schema, or two types of one name; some names are the hub's. */
  #nameFor(desc: DescMessage | DescEnum): [name: string, isNew: boolean] {
    for (let i = 1; ; i++) {
      const name = i === 1 ? desc.typeName : `${desc.typeName}-${i}`;
      const owner = this.#owners.get(name);
      if (owner === undefined ? Object.hasOwn(SCHEMAS, name) : !isSame(owner, desc)) continue;
      this.#names.set(desc, name);
      if (owner === undefined) this.#owners.set(name, desc);
      return [name, owner === undefined];
    }
  }

  /** A caller must set it. */
  isRequired(field: DescField): boolean {
    if (field.presence === Presence.LEGACY_REQUIRED) return true;
    const behaviors = fieldBehaviors(field);
    // Clients never send it.
    if (behaviors.has("OUTPUT_ONLY")) return false;
    // A response never has it, and the schema is that of responses too.
    if (behaviors.has("INPUT_ONLY") && this.#printed.has(field.parent)) return false;
    const rules = fieldRules(field);
    return behaviors.has("REQUIRED") || (rules?.required === true && rules.ignore !== 3);
  }

  *#exclusive(message: DescMessage, rules: JsonObject | undefined): Generator<Exclusive> {
    for (const oneof of message.oneofs) yield { fields: oneof.fields, required: isRequiredOneof(oneof) };
    for (const rule of list(rules?.oneof)) {
      if (!isObject(rule)) continue;
      const names = list(rule.fields);
      const fields = message.fields.filter(({ name }) => names.includes(name));
      yield { fields, required: rule.required === true };
    }
  }

  /** The value of a field without presence that is not set. */
  #zero(field: DescField): JsonValue | undefined {
    if (field.presence !== Presence.IMPLICIT) return undefined;
    if (field.fieldKind === "enum") return field.enum.values[0]?.name;
    if (field.fieldKind !== "scalar") return undefined;
    if (field.scalar === ScalarType.STRING || field.scalar === ScalarType.BYTES) return "";
    if (field.scalar === ScalarType.BOOL) return false;
    return scalarSchema(field.scalar, this.#int64AsNumbers).type === "string" ? "0" : 0;
  }

  /** The default in the schema (proto2 and editions). */
  #default(field: DescField): JsonValue | undefined {
    if (field.proto.defaultValue === "" || (field.fieldKind !== "scalar" && field.fieldKind !== "enum"))
      return undefined;
    const value = field.getDefaultValue();
    if (field.fieldKind === "enum") {
      if (this.#print.enumsAsNumbers === true) return typeof value === "number" ? value : undefined;
      return field.enum.values.find(({ number }) => number === value)?.name;
    }
    if (typeof value === "bigint") {
      if (!this.#int64AsNumbers) return String(value);
      // As a number it would be another one.
      return Number.isSafeInteger(Number(value)) ? Number(value) : undefined;
    }
    if (value instanceof Uint8Array) return Buffer.from(value).toString("base64");
    if (typeof value !== "number") return value;
    if (!Number.isFinite(value)) return String(value);
    return field.scalar === ScalarType.FLOAT ? shortestFloat(value) : value;
  }
}

/** Of an update's mask: two fields that it can name. */
function maskExample(field: DescField): string | undefined {
  const target = maskTarget(field);
  if (target === undefined || field.message?.typeName !== "google.protobuf.FieldMask") return undefined;
  const names: string[] = [];
  for (const inner of target.message.fields) {
    const behaviors = fieldBehaviors(inner);
    if (FIXED.some((behavior) => behaviors.has(behavior))) continue;
    const name = printMaskPath(inner.name, target);
    if (name !== undefined && names.push(name) === 2) break;
  }
  return names.length === 0 ? undefined : names.join(",");
}

/** Fields that no update changes. */
const FIXED = ["OUTPUT_ONLY", "IMMUTABLE", "IDENTIFIER"] as const;

interface Exclusive {
  readonly fields: readonly DescField[];
  readonly required: boolean;
}

function isRequiredOneof(oneof: DescOneof): boolean {
  return oneofRules(oneof)?.required === true;
}

/** In the branch that it fits: beside `anyOf` openapi-generator makes Go that does not compile. */
function withDefault(schema: JsonObject, preset: JsonValue | undefined): JsonObject {
  if (preset === undefined) return schema;
  if (!Array.isArray(schema.anyOf)) return { ...schema, default: preset };
  const anyOf = schema.anyOf.map((one) =>
    isObject(one) && one.type === typeof preset ? { ...one, default: preset } : one,
  );
  return { ...schema, anyOf };
}

/** The schema of a wrapper, and null. */
function nullable(schema: JsonObject): JsonObject {
  if (typeof schema.type === "string") return { ...schema, type: [schema.type, "null"] };
  return { ...schema, anyOf: [...list(schema.anyOf), { type: "null" }] };
}

/** A sentence after a comment is a paragraph of its own. */
export function joinParagraphs(comment: string, notes: readonly string[]): string {
  return [comment, ...notes].filter((part) => part !== "").join("\n\n");
}

function isSame(one: DescMessage | DescEnum, other: DescMessage | DescEnum): boolean {
  if (one.kind === "message" && other.kind === "message")
    return equals(DescriptorProtoSchema, one.proto, other.proto);
  if (one.kind === "enum" && other.kind === "enum")
    return equals(EnumDescriptorProtoSchema, one.proto, other.proto);
  return false;
}

/** `author` of `author.name` and `author.id`: `name` and `id`. */
function below(names: ReadonlySet<string>, field: string): ReadonlySet<string> {
  const prefix = `${field}.`;
  return new Set(
    [...names].filter((name) => name.startsWith(prefix)).map((name) => name.slice(prefix.length)),
  );
}

function objectOf(value: JsonValue | undefined): JsonObject | undefined {
  return isObject(value) ? value : undefined;
}

/** Every message that these may contain. */
export function reachable(roots: Iterable<DescMessage>): ReadonlySet<DescMessage> {
  const found = new Set(roots);
  // A Set's iteration includes entries that are added meanwhile.
  for (const message of found) {
    for (const { message: inner } of message.fields) if (inner !== undefined) found.add(inner);
  }
  return found;
}
