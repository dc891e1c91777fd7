// The JSON of a message, made by chance in the forms that ProtoJSON takes, and now and then in one that it does not.
import type { DescField, DescMessage, FileRegistry } from "@bufbuild/protobuf";
import { ScalarType } from "@bufbuild/protobuf";
import type { Random } from "./random.js";
import { WELL_KNOWN } from "./random-schema.js";

const STRINGS = [
  '""',
  '"a"',
  '"plain text"',
  '"quote \\" \\\\ \\/ \\b\\f\\n\\r\\t\\u0001"',
  '"ünï 漢字 📚"',
  '"\\ud83d\\udcda \\u00e9"',
  `"${"x".repeat(150)}"`,
] as const;
const INT32S = [
  "0",
  "1",
  "-1",
  "127",
  "128",
  "2147483647",
  "-2147483648",
  '"0"',
  '"-17"',
  '"2147483647"',
  "1.0",
  "1e2",
  "-0",
  "5E+1",
] as const;
const UINT32S = ["0", "1", "300", "4294967295", '"0"', '"4294967295"', "3.000", "1e9"] as const;
const INT64S = [
  "0",
  "1",
  "-1",
  "9007199254740991",
  '"0"',
  '"-9223372036854775808"',
  '"9223372036854775807"',
  '"12"',
  '"-12"',
] as const;
const UINT64S = ["0", "1", "9007199254740991", '"18446744073709551615"', '"0"', '"4294967296"'] as const;
const DOUBLES = [
  "0",
  "-0",
  "0.1",
  "-2.5e10",
  "1e-7",
  '"1.5"',
  '"NaN"',
  '"Infinity"',
  '"-Infinity"',
  "123456789012345678",
  "1e308",
  "0.30000000000000004",
  "12345.6789",
] as const;
const FLOATS = [
  "0",
  "0.5",
  "-1.25",
  "1e10",
  '"2.5"',
  '"NaN"',
  '"Infinity"',
  "3.4e38",
  "3.4028235e38",
  "-3.4028235677973362e38",
  "0.1",
] as const;
const BYTES = ['""', '"AA=="', '"AA"', '"-_-_"', '"+/+/"', '"AAECAwQFBgcICQ=="', '"AAE"'] as const;
const KEYS: Readonly<Record<number, readonly string[]>> = {
  [ScalarType.STRING]: ['"a"', '""', '"ünï"', '"__proto__"', '"a\\"b"', '"toString"'],
  [ScalarType.BOOL]: ['"true"', '"false"'],
  [ScalarType.UINT32]: ['"0"', '"4294967295"', '"7"'],
  [ScalarType.FIXED32]: ['"0"', '"4294967295"', '"7"'],
  [ScalarType.UINT64]: ['"0"', '"18446744073709551615"', '"7"'],
  [ScalarType.FIXED64]: ['"0"', '"18446744073709551615"', '"7"'],
  [ScalarType.INT64]: ['"0"', '"-9223372036854775808"', '"7"'],
  [ScalarType.SINT64]: ['"0"', '"-9223372036854775808"', '"7"'],
  [ScalarType.SFIXED64]: ['"0"', '"-9223372036854775808"', '"7"'],
};
const INT32_KEYS = ['"0"', '"-1"', '"2147483647"'];
/** What is put in the place of something right: of every kind of JSON, at and beyond the edges. */
const STRANGE = [
  "null",
  "true",
  "0",
  "1.5",
  "-1",
  "2147483648",
  "4294967296",
  "-2147483649",
  "1e400",
  "3.5e38",
  '"1.5"',
  '"x"',
  '"true"',
  '"1e2"',
  '" 1"',
  '"0x10"',
  '"NULL_VALUE"',
  '"inf"',
  "[]",
  "[null]",
  "{}",
  '{"a":1}',
  '"===="',
  '"A"',
  '"2024-02-30T00:00:00Z"',
  '"2024-05-01T10:00:00"',
  '"10000-01-01T00:00:00Z"',
  '"1.1234567891s"',
  '"315576000001s"',
  '"a_b"',
  "[[1]]",
  "1e2",
  '"-0"',
] as const;

export class JsonMaker {
  readonly #random: Random;
  readonly #registry: FileRegistry;
  /** How often something strange is written. */
  readonly #strangeness: number;

  constructor(random: Random, registry: FileRegistry, strangeness: number) {
    this.#random = random;
    this.#registry = registry;
    this.#strangeness = strangeness;
  }

  message(desc: DescMessage, depth = 0): string {
    return this.#wellKnown(desc, depth) ?? this.#object(this.#members(desc, depth));
  }

  #object(members: readonly string[]): string {
    const space = this.#random.chance(0.1) ? " \n\t" : "";
    return `{${space}${members.join(`,${space}`)}${space}}`;
  }

  #members(desc: DescMessage, depth: number): string[] {
    const random = this.#random;
    const members: string[] = [];
    const oneofs = new Set<unknown>();
    for (const field of random.shuffled(desc.fields)) {
      if (field.presence !== 3 && (depth > 3 || random.chance(0.5))) continue;
      if (field.oneof !== undefined && oneofs.has(field.oneof) && !random.chance(this.#strangeness)) continue;
      oneofs.add(field.oneof);
      const name = random.chance(0.7) ? field.jsonName : field.name;
      members.push(`${this.#name(name)}:${this.#field(field, depth)}`);
      if (random.chance(this.#strangeness / 3))
        members.push(`${JSON.stringify(field.jsonName)}:${this.#field(field, depth)}`);
    }
    if (random.chance(this.#strangeness)) members.push(`"noSuchField":${random.pick(STRANGE)}`);
    if (desc.typeName === "random.A" && depth < 2) {
      for (let no = 1000; no < 1004; no++) {
        const extension = this.#registry.getExtensionFor(desc, no);
        if (extension === undefined || !random.chance(0.25)) continue;
        members.push(`"[${extension.typeName}]":${this.#field(extension, depth)}`);
      }
    }
    return members;
  }

  /** As it is, or with an escape. */
  #name(name: string): string {
    const text = JSON.stringify(name);
    return this.#random.chance(0.03) ? text.replace("e", "\\u0065") : text;
  }

  #field(field: AnyField, depth: number): string {
    const random = this.#random;
    if (random.chance(this.#strangeness / 2)) return this.#strange(field);
    // The reference takes null for the zero of an extension.
    if (random.chance(0.03) && field.kind !== "extension") return "null";
    if (field.fieldKind === "list") {
      return `[${Array.from({ length: random.int(4) }, () => this.#element(field, depth)).join(",")}]`;
    }
    if (field.fieldKind === "map") {
      const keys = KEYS[field.mapKey] ?? INT32_KEYS;
      const chosen = keys.filter(() => random.chance(0.5));
      if (random.chance(this.#strangeness)) chosen.push('"01"');
      return this.#object(chosen.map((key) => `${key}:${this.#element(field, depth)}`));
    }
    return this.#element(field, depth);
  }

  #strange(field: AnyField): string {
    const strange = this.#random.pick(STRANGE);
    // An unknown name of an enum that is to be passed over is there a zero too.
    return field.kind === "extension" && (strange === "null" || field.enum !== undefined) ? "true" : strange;
  }

  #element(field: AnyField, depth: number): string {
    const random = this.#random;
    if (random.chance(this.#strangeness / 3)) return this.#strange(field);
    if (field.message !== undefined) return this.message(field.message, depth + 1);
    if (field.enum !== undefined) {
      if (field.enum.typeName === "google.protobuf.NullValue")
        return random.pick(["null", '"NULL_VALUE"', "0"]);
      const value = field.enum.values[random.int(field.enum.values.length)];
      if (random.chance(this.#strangeness) && field.kind !== "extension")
        return random.pick(["77", '"NO_SUCH"', "1.5"]);
      return random.chance(0.7) ? JSON.stringify(value?.name) : String(value?.number);
    }
    switch (field.scalar) {
      case ScalarType.STRING:
        return random.pick(STRINGS);
      case ScalarType.BYTES:
        return random.pick(BYTES);
      case ScalarType.BOOL:
        return random.pick(["true", "false"]);
      case ScalarType.DOUBLE:
        return random.pick(DOUBLES);
      case ScalarType.FLOAT:
        return random.pick(FLOATS);
      case ScalarType.UINT32:
      case ScalarType.FIXED32:
        return random.pick(UINT32S);
      case ScalarType.UINT64:
      case ScalarType.FIXED64:
        return random.pick(UINT64S);
      case ScalarType.INT64:
      case ScalarType.SINT64:
      case ScalarType.SFIXED64:
        return random.pick(INT64S);
      default:
        return random.pick(INT32S);
    }
  }

  #wellKnown(desc: DescMessage, depth: number): string | undefined {
    const random = this.#random;
    switch (desc.typeName) {
      case "google.protobuf.Timestamp":
        return random.pick([
          '"2024-05-01T10:00:00Z"',
          '"0001-01-01T00:00:00Z"',
          '"9999-12-31T23:59:59.999999999Z"',
          '"1972-06-30T23:59:00.5+02:00"',
          '"2000-02-29T12:00:00.000001-08:30"',
          '"1970-01-01T00:00:00Z"',
          '"1969-12-31T23:59:59.1Z"',
        ]);
      case "google.protobuf.Duration":
        return random.pick(['"0s"', '"1.5s"', '"-0.000000001s"', '"315576000000s"', '"-3.1s"', '"00010s"']);
      case "google.protobuf.FieldMask":
        return random.pick(['""', '"a"', '"fooBar.baz,x1"', '"a,b,cD"']);
      case "google.protobuf.Struct":
        return this.#object(
          random
            .shuffled(['"a"', '"b c"', '"__proto__"'])
            .slice(random.int(4))
            .map((k) => `${k}:${this.#value(depth)}`),
        );
      case "google.protobuf.ListValue":
        return `[${Array.from({ length: random.int(3) }, () => this.#value(depth)).join(",")}]`;
      case "google.protobuf.Value":
        return this.#value(depth);
      case "google.protobuf.Any":
        return this.#any(depth);
      default: {
        const inner =
          desc.typeName.startsWith("google.protobuf.") && desc.typeName.endsWith("Value")
            ? desc.fields[0]
            : undefined;
        return inner === undefined ? undefined : this.#element(inner, depth);
      }
    }
  }

  #value(depth: number): string {
    const random = this.#random;
    switch (random.int(depth > 4 ? 4 : 6)) {
      case 0:
        return "null";
      case 1:
        return random.pick(["0", "1.5", "-12", "12345678901234567890", "1e3"]);
      case 2:
        return random.pick(STRINGS);
      case 3:
        return "true";
      case 4:
        return `[${Array.from({ length: random.int(3) }, () => this.#value(depth + 1)).join(",")}]`;
      default:
        return this.#object(
          ['"k"', '"ünï"'].slice(random.int(3)).map((key) => `${key}:${this.#value(depth + 1)}`),
        );
    }
  }

  #any(depth: number): string {
    const random = this.#random;
    if (random.chance(0.1)) return "{}";
    const names = ["random.A", "random.B", ...WELL_KNOWN.map((n) => `google.protobuf.${n}`)];
    const name = names[random.int(names.length)] ?? "random.A";
    const desc = this.#registry.getMessage(name);
    if (desc === undefined) return "{}";
    const own = depth > 3 ? undefined : this.#wellKnown(desc, depth + 1);
    const members = own === undefined ? this.#members(desc, depth + 2) : [`"value":${own}`];
    const type = `"@type":"type.googleapis.com/${name}"`;
    if (
      own === undefined &&
      desc.typeName.startsWith("google.protobuf.") &&
      desc.typeName !== "google.protobuf.Empty"
    )
      return "{}";
    return this.#object(random.chance(0.7) ? [type, ...members] : random.shuffled([type, ...members]));
  }
}

type AnyField = DescField | NonNullable<ReturnType<FileRegistry["getExtension"]>>;
