// JSON ↔ protobuf bytes, one codec for each message type of a schema: what readers and writers of bodies call.
import { isUtf8 } from "node:buffer";
import type { DescField, DescMessage, FileRegistry } from "@bufbuild/protobuf";
import { withBuiltinTypes } from "../messages/builtin-types.js";
import type { FieldsMask } from "../messages/fields-mask.js";
import { type Json, type JsonProblem, parseJson } from "../messages/json.js";
import { type Budget, BytesOut } from "./bytes-out.js";
import { TextToBytes } from "./from-text.js";
import { TreeEncoder, type UnknownFields } from "./from-tree.js";
import type { InvalidValue } from "./invalid-value.js";
import { type MessagePlan, Plans, type PrintOptions } from "./plan.js";
import { TextPrinter } from "./to-text.js";

export type { JsonProblem } from "../messages/json.js";
export { type Budget, BudgetExceeded } from "./bytes-out.js";
export { DecodeError } from "./decode-error.js";
export type { UnknownFields } from "./from-tree.js";
export type { InvalidValue } from "./invalid-value.js";
export type { PrintOptions } from "./plan.js";

export interface CodecOptions {
  /** Names that a message does not have: refused with their path (the default), or passed over. */
  readonly unknownFields?: UnknownFields;
  /** Names of enum values are read in any case. Default false. */
  readonly anyEnumCase?: boolean;
  readonly print?: PrintOptions;
}

/** The codecs of one schema, each compiled when it is first asked for. Immutable to its users; throw away with the schema. */
export class Codecs {
  readonly #byType = new Map<DescMessage, MessageCodec>();
  readonly #plans: Plans;
  readonly #encoder: TreeEncoder;
  readonly #printer: TextPrinter;
  readonly registry: FileRegistry;
  readonly options: CodecOptions;

  /** `registry`: for Any and extensions; the well-known types and google.rpc's error details need not be in it. */
  constructor(registry: FileRegistry, options: CodecOptions = {}) {
    this.registry = registry;
    this.options = options;
    this.#plans = new Plans(withBuiltinTypes(registry), options.print ?? {}, options.anyEnumCase);
    this.#encoder = new TreeEncoder(this.#plans, options.unknownFields ?? "reject", OUT);
    this.#printer = new TextPrinter(this.#plans, OUT);
  }

  of(desc: DescMessage): MessageCodec {
    let codec = this.#byType.get(desc);
    if (codec === undefined) {
      codec = new MessageCodec(this.#plans, desc, this.#encoder, this.#printer);
      this.#byType.set(desc, codec);
    }
    return codec;
  }

  /** What is known of the types: for forms other than JSON. */
  get plans(): Plans {
    return this.#plans;
  }
}

/** Every message is written whole in one turn, so one buffer serves all. */
const OUT = new BytesOut();
const TEXT_TO_BYTES = new TextToBytes(OUT);

export class MessageCodec {
  readonly desc: DescMessage;
  readonly #plans: Plans;
  readonly #plan: MessagePlan;
  readonly #encoder: TreeEncoder;
  readonly #printer: TextPrinter;

  constructor(plans: Plans, desc: DescMessage, encoder: TreeEncoder, printer: TextPrinter) {
    this.desc = desc;
    this.#plans = plans;
    this.#plan = plans.of(desc);
    this.#encoder = encoder;
    this.#printer = printer;
  }

  /** As `encode`, from JSON text in UTF-8. The short way for a body that is the whole message: no tree is made. */
  encodeText(text: Uint8Array): Uint8Array | InvalidValue | JsonProblem {
    if (!isUtf8(text)) return { problem: "the text is not UTF-8", line: 1, column: 1 };
    const quick = TEXT_TO_BYTES.encode(this.#plan, text);
    if (quick !== undefined) return quick;
    const parsed = parseJson(Buffer.from(text.buffer, text.byteOffset, text.byteLength).toString("utf8"));
    return "value" in parsed ? this.encode(parsed.value) : parsed;
  }

  /** The message in bytes, or where the JSON does not fit. A required field (proto2) that is missing is an InvalidValue too. */
  encode(json: Json): Uint8Array | InvalidValue {
    return this.#encoder.encode(this.#plan, json);
  }

  /**
   * The message in bytes where nothing but this field is set: what is appended to other such bytes merges, as protobuf
   * has it. `json` is the field's own JSON; paths in an InvalidValue start from there. Required fields beside it are not asked.
   */
  encodeField(field: DescField, json: Json): Uint8Array | InvalidValue {
    return this.#encoder.encodeField(this.#plan, field, json);
  }

  /**
   * The message as JSON text in UTF-8, ready for the socket; with a mask nothing but its fields, and no others are asked
   * for, required or not. Throws DecodeError; BudgetExceeded past the budget, if there is one.
   */
  decode(bytes: Uint8Array, mask?: FieldsMask, budget?: Budget): Buffer {
    return this.#printer.print(this.#masked(mask), bytes, budget);
  }

  /**
   * The JSON text of one field of the message; where it is not set its default: [], {}, 0, …; null where the field
   * knows "unset". A mask is one over the whole message. Throws as `decode`.
   */
  decodeField(field: DescField, bytes: Uint8Array, mask?: FieldsMask, budget?: Budget): Buffer {
    return this.#printer.printField(this.#masked(mask), field, bytes, budget);
  }

  #masked(mask: FieldsMask | undefined): MessagePlan {
    return mask === undefined ? this.#plan : this.#plans.masked(this.desc, mask);
  }
}
