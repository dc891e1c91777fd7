// A message in bytes, made by chance as any writer may make it: fields in any order, again and again, packed or not,
// with fields that nobody knows.
import type { DescField, DescMessage, FileRegistry } from "@bufbuild/protobuf";
import { ScalarType } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import type { Random } from "./random.js";
import { WELL_KNOWN } from "./random-schema.js";

const TEXTS = [
  "",
  "a",
  "plain text",
  'quote " \\ / \b\f\n\r\t\u0001\u001f\u007f',
  "ünï çödé",
  "📚 \u2028 漢字",
  "x".repeat(150),
] as const;
const INTS = [0, 1, -1, 2, 7, 127, 128, 300, 65_536, 2_147_483_647, -2_147_483_648] as const;
const LONGS = [
  0n,
  1n,
  -1n,
  300n,
  2n ** 31n,
  2n ** 53n - 1n,
  2n ** 53n + 1n,
  -(2n ** 53n) - 1n,
  2n ** 63n - 1n,
  -(2n ** 63n),
] as const;
const DOUBLES = [
  0,
  1,
  -1,
  0.1,
  -2.5,
  1e21,
  1e-7,
  5e-324,
  1.7976931348623157e308,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  Number.NEGATIVE_INFINITY,
  123456789.125,
] as const;

export class BytesMaker {
  readonly #random: Random;
  readonly #registry: FileRegistry;

  constructor(random: Random, registry: FileRegistry) {
    this.#random = random;
    this.#registry = registry;
  }

  message(desc: DescMessage, depth = 0): Uint8Array {
    const random = this.#random;
    const special = depth > 4 ? new Uint8Array(0) : this.#wellKnown(desc, depth);
    if (special !== undefined) return special;
    const writer = new BinaryWriter();
    const wanted = desc.fields.filter((f) => isRequired(f) || (depth < 4 && random.chance(0.5)));
    const again = random.chance(0.15) ? wanted.filter(() => random.chance(0.4)) : [];
    const fields = random.chance(0.5) ? wanted : random.shuffled([...wanted, ...again]);
    for (const field of fields) this.#field(writer, field, depth);
    if (random.chance(0.15)) this.#unknown(writer);
    if (desc.typeName === "random.A" && depth < 3) {
      for (let no = 1000; no < 1004; no++) {
        const extension = this.#registry.getExtensionFor(desc, no);
        if (extension !== undefined && random.chance(0.3)) this.#field(writer, extension, depth);
      }
    }
    return writer.finish();
  }

  #unknown(writer: BinaryWriter): void {
    writer.tag(4000, WireType.Varint).uint32(5);
    writer.tag(4001, WireType.LengthDelimited).bytes(this.#random.bytes(5));
    writer.tag(4002, WireType.StartGroup).tag(1, WireType.Bit32).fixed32(1).tag(4002, WireType.EndGroup);
    writer.tag(4003, WireType.Bit64).fixed64(1);
  }

  #field(writer: BinaryWriter, field: AnyField, depth: number): void {
    const random = this.#random;
    const count = field.fieldKind === "list" || field.fieldKind === "map" ? random.int(4) : 1;
    if (
      field.fieldKind === "list" &&
      field.listKind !== "message" &&
      isPackable(field) &&
      random.chance(0.6)
    ) {
      writer.tag(field.number, WireType.LengthDelimited).fork();
      for (let i = 0; i < count; i++) this.#scalar(writer, field);
      writer.join();
      return;
    }
    for (let i = 0; i < count; i++) {
      if (field.fieldKind === "map") this.#entry(writer, field, depth);
      else if (field.message !== undefined) {
        const bytes = this.message(field.message, depth + 1);
        if (field.delimitedEncoding) {
          writer.tag(field.number, WireType.StartGroup).raw(bytes).tag(field.number, WireType.EndGroup);
        } else writer.tag(field.number, WireType.LengthDelimited).bytes(bytes);
      } else {
        writer.tag(field.number, wireTypeOf(field));
        this.#scalar(writer, field);
      }
    }
  }

  #entry(writer: BinaryWriter, field: DescField & { fieldKind: "map" }, depth: number): void {
    const random = this.#random;
    writer.tag(field.number, WireType.LengthDelimited).fork();
    const parts = random.chance(0.8)
      ? ["key", "value"]
      : random.pick([["value", "key"], ["key"], ["value"], []]);
    for (const part of parts) {
      if (part === "key") {
        writer.tag(1, wireTypeOf({ scalar: field.mapKey }));
        this.#scalar(writer, { scalar: field.mapKey });
      } else if (field.message !== undefined) {
        writer.tag(2, WireType.LengthDelimited).bytes(this.message(field.message, depth + 1));
      } else {
        writer.tag(2, wireTypeOf(field));
        this.#scalar(writer, field);
      }
    }
    writer.join();
  }

  #scalar(writer: BinaryWriter, field: ScalarLike): void {
    const random = this.#random;
    const int = random.pick(INTS);
    const long = random.pick(LONGS);
    if (field.enum !== undefined) {
      const number = field.enum.values[random.int(field.enum.values.length)]?.number ?? 0;
      // NullValue has one value; another says nothing. In extensions the reference takes a strange one for the first.
      const known = field.kind === "extension" || field.enum.typeName === "google.protobuf.NullValue";
      writer.int32(known || random.chance(0.8) ? number : 77);
      return;
    }
    switch (field.scalar) {
      case ScalarType.STRING:
        writer.string(random.pick(TEXTS));
        break;
      case ScalarType.BYTES:
        writer.bytes(random.chance(0.1) ? new Uint8Array(120).fill(random.int(256)) : random.bytes(10));
        break;
      case ScalarType.BOOL:
        writer.bool(random.chance(0.5));
        break;
      case ScalarType.DOUBLE:
        writer.double(random.pick(DOUBLES));
        break;
      case ScalarType.FLOAT:
        writer.float(
          Math.fround(
            random.pick([0, 1, 0.1, 3.4028234663852886e38, 1e-45, -123456.78, 16777216, Number.NaN]),
          ),
        );
        break;
      case ScalarType.INT32:
        writer.int32(int);
        break;
      case ScalarType.SINT32:
        writer.sint32(int);
        break;
      case ScalarType.SFIXED32:
        writer.sfixed32(int);
        break;
      case ScalarType.UINT32:
        writer.uint32(int >>> 0);
        break;
      case ScalarType.FIXED32:
        writer.fixed32(int >>> 0);
        break;
      case ScalarType.INT64:
        writer.int64(long);
        break;
      case ScalarType.SINT64:
        writer.sint64(long);
        break;
      case ScalarType.SFIXED64:
        writer.sfixed64(long);
        break;
      case ScalarType.UINT64:
        writer.uint64(BigInt.asUintN(64, long));
        break;
      case ScalarType.FIXED64:
        writer.fixed64(BigInt.asUintN(64, long));
        break;
    }
  }

  /** What ProtoJSON can say of these; undefined for other types. */
  #wellKnown(desc: DescMessage, depth: number): Uint8Array | undefined {
    const random = this.#random;
    const writer = new BinaryWriter();
    switch (desc.typeName) {
      case "google.protobuf.Timestamp":
        writer
          .tag(1, WireType.Varint)
          .int64(
            random.pick([0n, 1n, -1n, 1714557600n, -62135596800n, 253402300799n, 951782399n, 253402300800n]),
          );
        if (random.chance(0.6))
          writer.tag(2, WireType.Varint).int32(random.pick([0, 1, 500_000_000, 120_000, 999_999_999]));
        return writer.finish();
      case "google.protobuf.Duration": {
        const sign = random.pick([1, -1]);
        writer
          .tag(1, WireType.Varint)
          .int64(BigInt(sign * random.pick([0, 1, 3600, 315_576_000_000, 315_576_000_001])));
        if (random.chance(0.6))
          writer.tag(2, WireType.Varint).int32(sign * random.pick([0, 1, 500_000_000, 999_999_999]));
        return writer.finish();
      }
      case "google.protobuf.FieldMask":
        for (let i = random.int(3); i > 0; i--) {
          writer
            .tag(1, WireType.LengthDelimited)
            .string(random.pick(["a", "foo_bar.baz", "x1.y_z", "notCamel", "odd__one", "foo_1"]));
        }
        return writer.finish();
      case "google.protobuf.Value":
        return this.#value(depth);
      case "google.protobuf.Any": {
        if (random.chance(0.1)) return writer.finish();
        const names = ["random.A", "random.B", ...WELL_KNOWN.map((n) => `google.protobuf.${n}`)];
        const name = names[random.int(names.length)] ?? "random.A";
        const content = this.#registry.getMessage(name);
        writer.tag(1, WireType.LengthDelimited).string(`type.googleapis.com/${name}`);
        if (content !== undefined)
          writer.tag(2, WireType.LengthDelimited).bytes(this.message(content, depth + 2));
        return writer.finish();
      }
      default:
        return undefined;
    }
  }

  #value(depth: number): Uint8Array {
    const random = this.#random;
    const writer = new BinaryWriter();
    const struct = this.#registry.getMessage("google.protobuf.Struct");
    const list = this.#registry.getMessage("google.protobuf.ListValue");
    switch (random.int(depth > 3 ? 4 : 6)) {
      case 0:
        return writer.tag(1, WireType.Varint).int32(0).finish();
      case 1:
        return writer
          .tag(2, WireType.Bit64)
          .double(random.pick([0, 1.5, -3e20]))
          .finish();
      case 2:
        return writer.tag(3, WireType.LengthDelimited).string(random.pick(TEXTS)).finish();
      case 3:
        return writer.tag(4, WireType.Varint).bool(true).finish();
      case 4:
        if (struct !== undefined)
          writer.tag(5, WireType.LengthDelimited).bytes(this.message(struct, depth + 1));
        return writer.finish();
      default:
        if (list !== undefined) writer.tag(6, WireType.LengthDelimited).bytes(this.message(list, depth + 1));
        return writer.finish();
    }
  }
}

type AnyField = DescField | NonNullable<ReturnType<FileRegistry["getExtension"]>>;
type ScalarLike = Pick<DescField, "scalar"> & { readonly enum?: DescField["enum"]; readonly kind?: string };

function isRequired(field: DescField): boolean {
  return field.presence === 3;
}

function isPackable(field: ScalarLike): boolean {
  return field.scalar !== ScalarType.STRING && field.scalar !== ScalarType.BYTES;
}

function wireTypeOf(field: ScalarLike): WireType {
  switch (field.scalar) {
    case ScalarType.STRING:
    case ScalarType.BYTES:
      return WireType.LengthDelimited;
    case ScalarType.DOUBLE:
    case ScalarType.FIXED64:
    case ScalarType.SFIXED64:
      return WireType.Bit64;
    case ScalarType.FLOAT:
    case ScalarType.FIXED32:
    case ScalarType.SFIXED32:
      return WireType.Bit32;
    default:
      return WireType.Varint;
  }
}
