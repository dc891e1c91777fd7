// Encodes options: from their source text to the messages of descriptor.proto, google.api.http above all. As in protoc,
// names lead through messages and extensions, several options build one message, and options for the source only
// (retention = RETENTION_SOURCE) are left out.
import {
  create,
  type DescExtension,
  type DescField,
  type DescMessage,
  type FileRegistry,
  type Message,
  ScalarType,
  setExtension,
  toBinary,
} from "@bufbuild/protobuf";
import { type ReflectMessage, reflect } from "@bufbuild/protobuf/reflect";
import { FieldOptions_OptionRetention } from "@bufbuild/protobuf/wkt";
import { reasonOf } from "../descriptors/file-descriptor.js";
import type { FieldValue, NamePart, OptionHolder, OptionValue, WrittenOption } from "./parsed-file.js";

type Field = DescField | DescExtension;
/** The extension that a name refers to at this place. */
type FindExtension = (name: string) => DescExtension | undefined;

/** It names an extension, or has a value that may. */
export function isCustom({ name, value }: Pick<WrittenOption, "name" | "value">): boolean {
  return value.kind === "message" || name.some(({ isExtension }) => isExtension);
}

/** As it was written: `(google.api.http).get`. */
export function optionName(name: readonly NamePart[]): string {
  return name.map((part) => (part.isExtension ? `(${part.name})` : part.name)).join(".");
}

/** What the names in the current options refer to. */
interface Context {
  find: FindExtension;
  /** Has the types of `Any` values. */
  registry: FileRegistry | undefined;
}

/** Encodes options into their messages; `finish` must be called after the last one. */
export class OptionSetter {
  readonly #builds = new Map<Message, Build>();
  readonly #holders = new Map<Build, OptionHolder>();
  readonly #context: Context = { find: () => undefined, registry: undefined };

  /** Reports why the option cannot be set, in one sentence; it is then dropped. */
  apply(
    { holder, target, schema, name, value, scope }: Omit<WrittenOption, "at">,
    find: FindExtension = () => undefined,
    registry?: FileRegistry,
  ): string | undefined {
    this.#context.find = find;
    this.#context.registry = registry;
    try {
      let build = this.#builds.get(target);
      if (build === undefined) {
        build = new Build(reflect(schema, target), this.#context);
        this.#builds.set(target, build);
        this.#holders.set(build, holder);
      }
      build.setByPath(name, value);
      return undefined;
    } catch (error) {
      return `option ${optionName(name)} of ${scope} is ignored: ${reasonOf(error)}`;
    }
  }

  /** Encodes all. @returns the messages that lost options for the source only, and may be empty */
  finish(): OptionHolder[] {
    for (const build of this.#builds.values()) build.finish();
    return [...this.#holders].flatMap(([build, holder]) => (build.lost ? [holder] : []));
  }
}

/** A message of options while options are put into it. */
class Build {
  readonly message: ReflectMessage;
  /** An option was for the source only. */
  lost = false;
  readonly #context: Context;
  /** Singular fields that have a value. */
  readonly #set = new Set<Field>();
  readonly #children = new Map<Field, Build>();
  readonly #extensions = new Map<DescExtension, unknown>();

  constructor(message: ReflectMessage, context: Context) {
    this.message = message;
    this.#context = context;
  }

  setByPath([part, ...rest]: readonly NamePart[], value: OptionValue): void {
    if (part === undefined) return;
    const field = part.isExtension ? this.#extension(part.name) : fieldNamed(this.message.desc, part.name);
    if (rest.length === 0) {
      this.#add(field, value);
      return;
    }
    if (field.message === undefined || field.fieldKind !== "message")
      throw new Error(`${part.name} is not a message and cannot have a field ${optionName(rest)}`);
    this.#child(field, field.message).setByPath(rest, value);
  }

  #child(field: Field, schema: DescMessage): Build {
    let child = this.#children.get(field);
    if (child === undefined) {
      if (this.#set.has(field)) throw new Error(`${field.name} is set already`);
      child = new Build(reflect(schema, create(schema)), this.#context);
      this.#children.set(field, child);
    }
    return child;
  }

  /** Sets the field, or adds to it if it is repeated. */
  #add(field: Field, value: OptionValue): void {
    if (field.fieldKind === "list") {
      for (const item of value.kind === "list" ? value.items : [value])
        this.#addItem(field, this.#one(field, item));
      return;
    }
    if (field.fieldKind === "map") {
      for (const item of value.kind === "list" ? value.items : [value]) this.#addEntry(field, item);
      return;
    }
    if (this.#set.has(field) || this.#children.has(field)) throw new Error(`${field.name} is set already`);
    const { oneof } = field;
    if (oneof?.fields.some((other) => this.#set.has(other)))
      throw new Error(`another field of ${oneof.name} is set already`);
    const made = this.#one(field, value);
    this.#set.add(field);
    if (this.#loses(field)) return;
    if (field.kind === "extension") this.#extensions.set(field, isReflected(made) ? made.message : made);
    else this.message.set(field, made);
  }

  #addItem(field: Field & { fieldKind: "list" }, made: unknown): void {
    if (this.#loses(field)) return;
    if (field.kind === "field") {
      this.message.get(field).add(made);
      return;
    }
    const known = this.#extensions.get(field);
    const item = isReflected(made) ? made.message : made;
    if (Array.isArray(known)) known.push(item);
    else this.#extensions.set(field, [item]);
  }

  #addEntry(field: Field & { fieldKind: "map" }, value: OptionValue): void {
    if (value.kind !== "message") throw new Error(`${field.name} must be { key: … value: … }`);
    const part = (name: string): OptionValue | undefined =>
      value.fields.find((entry) => entry.name === name)?.value;
    const [key, item] = [part("key"), part("value")];
    const map = this.message.get(field);
    const made =
      item === undefined
        ? field.message === undefined
          ? (field.enum?.values[0]?.number ?? scalarOf(field.scalar, zeroOf(field.scalar)))
          : reflect(field.message, create(field.message))
        : this.#one(field, item);
    const mapKey = scalarOf(field.mapKey, key ?? zeroOf(field.mapKey));
    if (!this.#loses(field)) map.set(mapKey, made);
  }

  #one(field: Field, value: OptionValue): unknown {
    if (field.message !== undefined) return this.#message(field.message, value);
    if (field.enum !== undefined) {
      const { values, typeName } = field.enum;
      const found = values.find(
        ({ name, number }) =>
          (value.kind === "identifier" && !value.isNegative && name === value.text) ||
          (value.kind === "integer" && BigInt(number) === value.value),
      );
      if (found === undefined) throw new Error(`${typeName} has no value ${textOf(value)}`);
      return found.number;
    }
    return scalarOf(field.scalar, value);
  }

  #message(schema: DescMessage, value: OptionValue): ReflectMessage {
    if (value.kind !== "message") throw new Error(`${schema.typeName} must be { … }, not ${textOf(value)}`);
    const build = new Build(reflect(schema, create(schema)), this.#context);
    for (const field of value.fields) build.#setField(field);
    build.finish();
    return build.message;
  }

  #setField({ name, kind, value }: FieldValue): void {
    if (kind === "any") this.#setAny(name, value);
    else
      this.#add(kind === "extension" ? this.#extension(name) : fieldInText(this.message.desc, name), value);
  }

  /** `[type.googleapis.com/pkg.Type] { … }` */
  #setAny(typeUrl: string, value: OptionValue): void {
    const { desc } = this.message;
    if (desc.typeName !== "google.protobuf.Any")
      throw new Error(`${desc.typeName} cannot contain ${typeUrl}`);
    const typeName = typeUrl.slice(typeUrl.lastIndexOf("/") + 1);
    const schema = this.#context.registry?.getMessage(typeName);
    if (schema === undefined) throw new Error(`no file declares ${typeName}`);
    const { message } = this.#message(schema, value);
    this.message.set(fieldNamed(desc, "type_url"), typeUrl);
    this.message.set(fieldNamed(desc, "value"), toBinary(schema, message));
  }

  #extension(name: string): DescExtension {
    const { desc } = this.message;
    const found = this.#context.find(name);
    if (found === undefined || found.extendee.typeName !== desc.typeName)
      throw new Error(`no file declares (${name}) for ${desc.name}`);
    return found;
  }

  #loses({ proto }: Field): boolean {
    if (proto.options?.retention !== FieldOptions_OptionRetention.RETENTION_SOURCE) return false;
    this.lost = true;
    return true;
  }

  /** Writes the collected fields into the message, in the order of their numbers, like every serializer. */
  finish(): void {
    for (const [field, child] of this.#children) {
      child.finish();
      if (this.#loses(field)) continue;
      if (field.kind === "extension") this.#extensions.set(field, child.message.message);
      else this.message.set(field, child.message);
    }
    for (const [extension, value] of [...this.#extensions].sort(([a], [b]) => a.number - b.number))
      setExtension(this.message.message, extension, value);
  }
}

function fieldNamed(schema: DescMessage, name: string): DescField {
  const field = schema.fields.find((candidate) => candidate.name === name);
  if (field === undefined) throw new Error(`${schema.typeName} has no field "${name}"`);
  return field;
}

/** In text a group has the name of its message. */
function fieldInText(schema: DescMessage, name: string): DescField {
  const group = schema.fields.find(
    (field) => field.message?.name === name && field.name === name.toLowerCase(),
  );
  return group ?? fieldNamed(schema, name);
}

const ZERO: OptionValue = { kind: "integer", value: 0n };

function zeroOf(scalar: ScalarType | undefined): OptionValue {
  if (scalar === ScalarType.BOOL) return { kind: "identifier", text: "false", isNegative: false };
  if (scalar !== ScalarType.STRING && scalar !== ScalarType.BYTES) return ZERO;
  return { kind: "string", value: { text: "", bytes: new Uint8Array() } };
}

function scalarOf(scalar: ScalarType | undefined, value: OptionValue): unknown {
  switch (scalar) {
    case ScalarType.STRING:
      if (value.kind !== "string") throw new Error(`expected a string, found ${textOf(value)}`);
      if (value.value.text === undefined) throw new Error("the bytes of its string are not UTF-8");
      return value.value.text;
    case ScalarType.BYTES:
      if (value.kind !== "string") throw new Error(`expected a string, found ${textOf(value)}`);
      return new Uint8Array(value.value.bytes);
    case ScalarType.BOOL:
      return booleanOf(value);
    case ScalarType.DOUBLE:
    case ScalarType.FLOAT: {
      const number = numberOf(value);
      return scalar === ScalarType.FLOAT ? Math.fround(number) : number;
    }
    case ScalarType.INT64:
    case ScalarType.UINT64:
    case ScalarType.SINT64:
    case ScalarType.FIXED64:
    case ScalarType.SFIXED64:
      return integerOf(value);
    default:
      return Number(integerOf(value));
  }
}

const BOOLEANS = new Map([
  ["true", true],
  ["True", true],
  ["t", true],
  ["1", true],
  ["false", false],
  ["False", false],
  ["f", false],
  ["0", false],
]);

function booleanOf(value: OptionValue): boolean {
  const found = BOOLEANS.get(textOf(value));
  if (found === undefined || value.kind === "string")
    throw new Error(`expected true or false, found ${textOf(value)}`);
  return found;
}

function integerOf(value: OptionValue): bigint {
  if (value.kind !== "integer") throw new Error(`expected an integer, found ${textOf(value)}`);
  return value.value;
}

function numberOf(value: OptionValue): number {
  switch (value.kind) {
    case "integer":
      return Number(value.value);
    case "float":
      return value.value;
    case "identifier": {
      const sign = value.isNegative ? -1 : 1;
      const word = value.text.toLowerCase();
      if (word === "inf" || word === "infinity") return sign * Number.POSITIVE_INFINITY;
      if (word === "nan") return Number.NaN;
      break;
    }
    default:
  }
  throw new Error(`expected a number, found ${textOf(value)}`);
}

/** For messages. */
function textOf(value: OptionValue): string {
  switch (value.kind) {
    case "identifier":
      return `${value.isNegative ? "-" : ""}${value.text}`;
    case "integer":
    case "float":
      return String(value.value);
    case "string":
      return JSON.stringify(value.value.text ?? "…");
    default:
      return value.kind === "list" ? "[ … ]" : "{ … }";
  }
}

function isReflected(value: unknown): value is ReflectMessage {
  return typeof value === "object" && value !== null && "message" in value && "desc" in value;
}
