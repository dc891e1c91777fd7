// Options of a .proto file, from the text's values to the messages of descriptor.proto: google.api.http above all.
import {
  create,
  type DescExtension,
  type DescField,
  type DescMessage,
  type FileRegistry,
  getExtension,
  type Message,
  ScalarType,
  setExtension,
} from "@bufbuild/protobuf";
import { type ReflectMessage, reflect } from "@bufbuild/protobuf/reflect";
import { reasonOf } from "./file-descriptor.js";
import type { WrittenOption } from "./proto-file.js";

/** True for `(google.api.http)`, false for `deprecated`. */
export function isCustom(option: WrittenOption): boolean {
  return option.name.startsWith("(");
}

/**
 * Sets the option in its message. Says why it cannot, in one sentence; then the option is lost.
 * @param registry Knows the extensions; only custom options need it.
 */
export function applyOption(option: WrittenOption, registry: FileRegistry | undefined): string | undefined {
  const { target, schema, name, value, scope } = option;
  try {
    if (!isCustom(option)) {
      setField(reflect(schema, target), fieldNamed(schema, name), value);
    } else {
      const extension = registry && findExtension(registry, name.slice(1, -1), scope);
      if (extension === undefined || extension.extendee.typeName !== schema.typeName) {
        throw new Error(`no file declares it for ${schema.name}`);
      }
      setCustom(target, extension, value);
    }
    return undefined;
  } catch (error) {
    return `option ${name} of ${scope} is lost: ${reasonOf(error)}`;
  }
}

function findExtension(registry: FileRegistry, name: string, scope: string): DescExtension | undefined {
  if (name.startsWith(".")) return registry.getExtension(name.slice(1));
  for (let outer = scope; outer !== ""; outer = outer.slice(0, Math.max(0, outer.lastIndexOf(".")))) {
    const found = registry.getExtension(`${outer}.${name}`);
    if (found !== undefined) return found;
  }
  return registry.getExtension(name);
}

function setCustom(target: Message, extension: DescExtension, value: unknown): void {
  const one = (item: unknown): unknown => {
    const made = singular(extension, item);
    return isReflected(made) ? made.message : made;
  };
  if (extension.fieldKind !== "list") {
    setExtension(target, extension, one(value));
    return;
  }
  const before: unknown = getExtension(target, extension);
  setExtension(target, extension, [...listOf(before), ...listOf(value).map(one)]);
}

function setField(message: ReflectMessage, field: DescField, value: unknown): void {
  if (field.fieldKind === "list") {
    const list = message.get(field);
    // What stands once in the text arrives as the thing itself, not as an array of one.
    for (const item of listOf(value)) list.add(singular(field, item));
  } else if (field.fieldKind === "map") {
    throw new Error(`the map ${field.name} is not supported in options of .proto files`);
  } else {
    message.set(field, singular(field, value));
  }
}

function singular(field: DescField | DescExtension, value: unknown): unknown {
  if (field.message !== undefined) return messageOf(field.message, value);
  if (field.enum !== undefined) {
    const found = field.enum.values.find(({ name, number }) => name === value || number === value);
    if (found === undefined) throw new Error(`${field.enum.typeName} has no value ${String(value)}`);
    return found.number;
  }
  return scalarOf(field.scalar, value);
}

function messageOf(schema: DescMessage, value: unknown): ReflectMessage {
  if (typeof value !== "object" || value === null) throw new Error(`${schema.typeName} must be { … }`);
  const message = reflect(schema, create(schema));
  for (const [name, item] of Object.entries(value)) setField(message, fieldNamed(schema, name), item);
  return message;
}

function fieldNamed(schema: DescMessage, name: string): DescField {
  const field = schema.fields.find((candidate) => candidate.name === name);
  if (field === undefined) throw new Error(`${schema.typeName} has no field "${name}"`);
  return field;
}

function scalarOf(scalar: ScalarType | undefined, value: unknown): unknown {
  switch (scalar) {
    case ScalarType.STRING:
      return String(value);
    case ScalarType.BYTES:
      return new Uint8Array(Buffer.from(String(value)));
    case ScalarType.INT64:
    case ScalarType.UINT64:
    case ScalarType.SINT64:
    case ScalarType.FIXED64:
    case ScalarType.SFIXED64:
      return BigInt(String(value));
    default:
      return value;
  }
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [value];
}

function isReflected(value: unknown): value is ReflectMessage {
  return typeof value === "object" && value !== null && "message" in value && "desc" in value;
}
