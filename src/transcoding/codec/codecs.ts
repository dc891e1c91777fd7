// JSON ↔ protobuf bytes, one codec for each message type of a schema: what readers and writers of bodies call.
import { isUtf8 } from "node:buffer";
import {
  create,
  type DescField,
  type DescMessage,
  fromBinary,
  type Registry,
  toBinary,
} from "@bufbuild/protobuf";
import { withBuiltinTypes } from "../builtin-types.js";
import { type Json, type JsonProblem, parseJson } from "../json.js";
import { JsonReader, type Misfit, type UnknownFields } from "../json-reader.js";
import { JsonWriter, type PrintOptions } from "../json-writer.js";

export type { JsonProblem } from "../json.js";
export type { Misfit, UnknownFields } from "../json-reader.js";
export type { PrintOptions } from "../json-writer.js";

export interface CodecOptions {
  /** Names that a message does not have: refused with their path (the default), or passed over. */
  readonly unknownFields?: UnknownFields;
  readonly print?: PrintOptions;
}

/** Bytes that do not fit the message type, or a value that ProtoJSON cannot say (a year 10000, …). */
export class DecodeError extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, { cause });
    this.name = "DecodeError";
  }
}

/** The codecs of one schema, each compiled when it is first asked for. Immutable to its users; throw away with the schema. */
export class Codecs {
  readonly #byType = new Map<DescMessage, MessageCodec>();
  readonly #reader: JsonReader;
  readonly #writer: JsonWriter;

  /** `registry`: for Any and extensions; the well-known types and google.rpc's error details need not be in it. */
  constructor(registry: Registry, options: CodecOptions = {}) {
    this.#reader = new JsonReader(withBuiltinTypes(registry), options.unknownFields ?? "reject");
    this.#writer = new JsonWriter(registry, options.print ?? {});
  }

  of(desc: DescMessage): MessageCodec {
    let codec = this.#byType.get(desc);
    if (codec === undefined) {
      codec = new MessageCodec(desc, this.#reader, this.#writer);
      this.#byType.set(desc, codec);
    }
    return codec;
  }
}

export class MessageCodec {
  readonly desc: DescMessage;
  readonly #reader: JsonReader;
  readonly #writer: JsonWriter;

  constructor(desc: DescMessage, reader: JsonReader, writer: JsonWriter) {
    this.desc = desc;
    this.#reader = reader;
    this.#writer = writer;
  }

  /**
   * As `encode`, from JSON text in UTF-8. The short way for a body that is the whole message: no tree is made.
   */
  encodeText(text: Uint8Array): Uint8Array | Misfit | JsonProblem {
    if (!isUtf8(text)) return { problem: "the text is not UTF-8", line: 1, column: 1 };
    const parsed = parseJson(Buffer.from(text.buffer, text.byteOffset, text.byteLength).toString("utf8"));
    return "value" in parsed ? this.encode(parsed.value) : parsed;
  }

  /** The message in bytes, or where the JSON does not fit. A required field (proto2) that is not there is a misfit too. */
  encode(json: Json): Uint8Array | Misfit {
    const result = this.#reader.read(this.desc, json);
    if (!("message" in result)) return result;
    try {
      return toBinary(this.desc, result.message);
    } catch (e) {
      return { path: "", problem: e instanceof Error ? e.message : String(e) };
    }
  }

  /**
   * The message in bytes where nothing but this field is set: what is appended to other such bytes merges, as protobuf
   * has it. `json` is the field's own JSON; paths in a Misfit start from there. Required fields beside it are not asked.
   */
  encodeField(field: DescField, json: Json): Uint8Array | Misfit {
    const message = create(this.desc);
    const misfit = this.#reader.merge(this.desc, message, field, json);
    return misfit ?? toBinary(this.desc, message);
  }

  /** The message as JSON text in UTF-8, ready for the socket. Throws DecodeError. */
  decode(bytes: Uint8Array): Buffer {
    try {
      return Buffer.from(JSON.stringify(this.#writer.write(this.desc, fromBinary(this.desc, bytes))));
    } catch (e) {
      throw new DecodeError(`these bytes cannot be printed as ${this.desc.typeName}`, e);
    }
  }

  /**
   * The JSON text of one field of the message; where it is not set its default: [], {}, 0, …; null where the field
   * knows "unset". Throws DecodeError.
   */
  decodeField(field: DescField, bytes: Uint8Array): Buffer {
    try {
      const json = this.#writer.write(this.desc, fromBinary(this.desc, bytes));
      const object = typeof json === "object" && json !== null && !Array.isArray(json) ? json : {};
      return Buffer.from(JSON.stringify(object[field.jsonName] ?? object[field.name] ?? defaultJson(field)));
    } catch (e) {
      throw new DecodeError(`these bytes cannot be printed as ${this.desc.typeName}`, e);
    }
  }
}

function defaultJson(field: DescField): [] | Record<string, never> | null {
  if (field.fieldKind === "list") return [];
  return field.fieldKind === "map" ? {} : null;
}
