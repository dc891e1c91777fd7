// Protobuf message → JSON value. An Any whose type nobody knows prints its bytes, and breaks nothing else.
import {
  createFileRegistry,
  type DescMessage,
  fromBinary,
  fromJson,
  isMessage,
  type JsonValue,
  type JsonWriteOptions,
  type Message,
  type Registry,
  toBinary,
  toJson,
} from "@bufbuild/protobuf";
import { isReflectMessage, type ReflectMessage, reflect } from "@bufbuild/protobuf/reflect";
import { BinaryWriter } from "@bufbuild/protobuf/wire";
import { type Any, AnySchema, BytesValueSchema, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { layered, withBuiltinTypes } from "./builtin-types.js";

export interface PrintOptions {
  /** Fields without presence print even where they have their default. Default false, as ProtoJSON has it. */
  readonly emitDefaults?: boolean;
  /** `display_name` instead of `displayName`. Default false. */
  readonly protoNames?: boolean;
  /** Default false. */
  readonly enumsAsNumbers?: boolean;
}

export class JsonWriter {
  readonly #registry: Registry;
  readonly #options: JsonWriteOptions;

  constructor(registry: Registry, options: PrintOptions = {}) {
    this.#registry = withBuiltinTypes(registry);
    this.#options = {
      alwaysEmitImplicit: options.emitDefaults ?? false,
      useProtoFieldName: options.protoNames ?? false,
      enumAsInteger: options.enumsAsNumbers ?? false,
      registry: this.#registry,
    };
  }

  /** The message as JSON; throws what the library throws for values that ProtoJSON cannot say (a year 10000, …). */
  write(desc: DescMessage, message: Message): JsonValue {
    try {
      return toJson(desc, message, this.#options);
    } catch {
      return this.#writeAround(desc, message);
    }
  }

  /** Each Any of a type that is unknown, or does not fit its bytes, becomes `{"@type": …, "value": base64}`. */
  #writeAround(desc: DescMessage, message: Message): JsonValue {
    const strange = new Set<string>();
    this.#collectStrange(reflect(desc, message), strange);
    this.#wrapStrange(reflect(desc, message), strange);
    const types = new Map([...strange].map((name) => [name, bytesType(name)]));
    const registry = layered(this.#registry, (name) => types.get(name) ?? this.#registry.getMessage(name));
    return toJson(desc, message, { ...this.#options, registry });
  }

  #collectStrange(message: ReflectMessage, strange: Set<string>): void {
    for (const any of anysOf(message)) {
      const name = typeNameOf(any);
      if (name === "") continue;
      const content = this.#unpack(any);
      if (content === undefined) strange.add(name);
      else this.#collectStrange(content, strange);
    }
  }

  /** The bytes of strange ones become the one field, `value`, of the type that the registry then says they have. */
  #wrapStrange(message: ReflectMessage, strange: ReadonlySet<string>): void {
    for (const any of anysOf(message)) {
      const name = typeNameOf(any);
      if (name === "") any.typeUrl = "";
      const content = strange.has(name) ? undefined : this.#unpack(any);
      if (content === undefined) {
        any.value = new BinaryWriter().uint32(10).bytes(any.value).finish();
      } else {
        this.#wrapStrange(content, strange);
        any.value = toBinary(content.desc, content.message);
      }
    }
  }

  /** The content of an Any, if its type is known and fits. */
  #unpack(any: Any): ReflectMessage | undefined {
    const desc = this.#registry.getMessage(typeNameOf(any));
    if (desc === undefined) return undefined;
    try {
      return reflect(desc, fromBinary(desc, any.value));
    } catch {
      return undefined;
    }
  }
}

/** `message NAME { optional bytes value = 1; }`, the name in any form: a service may have put there what it likes. */
function bytesType(name: string): DescMessage {
  return { ...BYTES, typeName: name };
}

const BYTES = bytesTemplate();

function bytesTemplate(): DescMessage {
  const value = { name: "value", jsonName: "value", number: 1, label: "LABEL_OPTIONAL", type: "TYPE_BYTES" };
  const message = {
    name: "Bytes",
    field: [{ ...value, proto3Optional: true, oneofIndex: 0 }],
    oneofDecl: [{ name: "_value" }],
  };
  const file = { name: "linchpin/bytes.proto", syntax: "proto3", messageType: [message] };
  const set = fromJson(FileDescriptorSetSchema, { file: [file] });
  return createFileRegistry(set).getMessage("Bytes") ?? BytesValueSchema;
}

function typeNameOf(any: Any): string {
  return any.typeUrl.slice(any.typeUrl.lastIndexOf("/") + 1);
}

/** Every Any in a message, itself included, but for those inside other Anys. */
function* anysOf(message: ReflectMessage): Generator<Any> {
  if (isMessage(message.message, AnySchema)) {
    yield message.message;
    return;
  }
  for (const field of message.fields) {
    if (field.message === undefined || !message.isSet(field)) continue;
    if (field.fieldKind === "message") yield* anysOf(message.get(field));
    else if (field.fieldKind === "list") yield* anysOfAll(message.get(field));
    else if (field.fieldKind === "map") yield* anysOfAll(message.get(field).values());
  }
}

function* anysOfAll(values: Iterable<unknown>): Generator<Any> {
  for (const value of values) if (isReflectMessage(value)) yield* anysOf(value);
}
