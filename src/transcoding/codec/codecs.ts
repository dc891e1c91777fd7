// JSON ↔ protobuf bytes, one codec for each message type of a schema: used by readers and writers of bodies.
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
  /** Unknown names: rejected with their path (the default), or ignored. */
  readonly unknownFields?: UnknownFields;
  /** Names of enum values are read in any case. Default false. */
  readonly anyEnumCase?: boolean;
  readonly print?: PrintOptions;
}

/** The codecs of one schema, each compiled on demand. Immutable to its users; drop it with the schema. */
export class Codecs {
  readonly #byType = new Map<DescMessage, MessageCodec>();
  readonly #plans: Plans;
  readonly #encoder: TreeEncoder;
  readonly #printer: TextPrinter;
  readonly registry: FileRegistry;
  readonly options: CodecOptions;

  /** `registry`: for Any and extensions; it may lack the well-known types and google.rpc's error details. */
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

  /** The types, for other formats than JSON. */
  get plans(): Plans {
    return this.#plans;
  }
}

/** Every message is written completely in one turn, so one buffer serves all. */
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

  /** Like `encode`, from JSON text in UTF-8. The fast path for a body that is the whole message: no tree is made. */
  encodeText(text: Uint8Array): Uint8Array | InvalidValue | JsonProblem {
    if (!isUtf8(text)) return { problem: "the text is not UTF-8", line: 1, column: 1 };
    const quick = TEXT_TO_BYTES.encode(this.#plan, text);
    if (quick !== undefined) return quick;
    const parsed = parseJson(Buffer.from(text.buffer, text.byteOffset, text.byteLength).toString("utf8"));
    return "value" in parsed ? this.encode(parsed.value) : parsed;
  }

  /** The message in bytes, or an InvalidValue. A missing required field (proto2) is an InvalidValue too. */
  encode(json: Json): Uint8Array | InvalidValue {
    return this.#encoder.encode(this.#plan, json);
  }

  /**
   * The message in bytes with only this field set: appended to other such bytes it merges. `json` is the field's own
   * JSON; paths in an InvalidValue start from there. Other required fields are not checked.
   */
  encodeField(field: DescField, json: Json): Uint8Array | InvalidValue {
    return this.#encoder.encodeField(this.#plan, field, json);
  }

  /**
   * The message as JSON text in UTF-8, ready for the socket; with a mask only its fields, and other required fields are
   * not checked. Throws DecodeError; BudgetExceeded beyond the budget, if there is one.
   */
  decode(bytes: Uint8Array, mask?: FieldsMask, budget?: Budget): Buffer {
    return this.#printer.print(this.#masked(mask), bytes, budget);
  }

  /**
   * The JSON text of one field of the message; if it is not set, its default: [], {}, 0, …; null if the field has
   * presence. A mask is over the whole message. Throws like `decode`.
   */
  decodeField(field: DescField, bytes: Uint8Array, mask?: FieldsMask, budget?: Budget): Buffer {
    return this.#printer.printField(this.#masked(mask), field, bytes, budget);
  }

  #masked(mask: FieldsMask | undefined): MessagePlan {
    return mask === undefined ? this.#plan : this.#plans.masked(this.desc, mask);
  }
}
