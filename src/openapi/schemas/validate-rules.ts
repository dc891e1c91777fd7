// The rules of buf.validate (protovalidate) in the options of fields, oneofs and messages, declared here from the
// published field numbers, as far as a JSON Schema can express them.
import {
  createFileRegistry,
  type DescField,
  type DescMessage,
  type DescOneof,
  fromBinary,
  fromJson,
  type JsonObject,
  type JsonValue,
  toJson,
} from "@bufbuild/protobuf";
import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import {
  FileDescriptorSetSchema,
  file_google_protobuf_duration,
  file_google_protobuf_timestamp,
} from "@bufbuild/protobuf/wkt";

/** buf/validate/validate.proto extends the options of messages, oneofs and fields under this one number. */
const VALIDATE_EXTENSION = 1159;

/** Field → number and type; `*` repeated, a type with a capital is a message of this table. */
type Fields = Readonly<Record<string, readonly [no: number, type: string]>>;

const DURATION = "google.protobuf.Duration";
const TIMESTAMP = "google.protobuf.Timestamp";

function numbers(type: string, example: number): Fields {
  return {
    const: [1, type],
    lt: [2, type],
    lte: [3, type],
    gt: [4, type],
    gte: [5, type],
    in: [6, `*${type}`],
    not_in: [7, `*${type}`],
    example: [example, `*${type}`],
  };
}

function moments(type: string): Fields {
  return { const: [2, type], lt: [3, type], lte: [4, type], gt: [5, type], gte: [6, type] };
}

const NUMERIC: Readonly<Record<string, number>> = {
  float: 1,
  double: 2,
  int32: 3,
  int64: 4,
  uint32: 5,
  uint64: 6,
  sint32: 7,
  sint64: 8,
  fixed32: 9,
  fixed64: 10,
  sfixed32: 11,
  sfixed64: 12,
};

const MESSAGES: Readonly<Record<string, Fields>> = {
  Rule: { id: [1, "string"], message: [2, "string"], expression: [3, "string"] },
  MessageRules: { cel: [3, "*Rule"], oneof: [4, "*MessageOneofRule"] },
  MessageOneofRule: { fields: [1, "*string"], required: [2, "bool"] },
  OneofRules: { required: [1, "bool"] },
  FieldRules: {
    cel: [23, "*Rule"],
    required: [25, "bool"],
    ignore: [27, "int32"],
    ...Object.fromEntries(Object.entries(NUMERIC).map(([type, no]) => [type, [no, rulesOf(type)] as const])),
    bool: [13, "BoolRules"],
    string: [14, "StringRules"],
    bytes: [15, "BytesRules"],
    enum: [16, "EnumRules"],
    repeated: [18, "RepeatedRules"],
    map: [19, "MapRules"],
    any: [20, "AnyRules"],
    duration: [21, "DurationRules"],
    timestamp: [22, "TimestampRules"],
  },
  ...Object.fromEntries(
    Object.keys(NUMERIC).map((type) => {
      const floating = type === "float" || type === "double";
      const fields = numbers(type, floating ? 9 : 8);
      return [rulesOf(type), floating ? { ...fields, finite: [8, "bool"] } : fields] as const;
    }),
  ),
  BoolRules: { const: [1, "bool"], example: [2, "*bool"] },
  StringRules: {
    const: [1, "string"],
    min_len: [2, "uint64"],
    max_len: [3, "uint64"],
    min_bytes: [4, "uint64"],
    max_bytes: [5, "uint64"],
    pattern: [6, "string"],
    prefix: [7, "string"],
    suffix: [8, "string"],
    contains: [9, "string"],
    in: [10, "*string"],
    not_in: [11, "*string"],
    email: [12, "bool"],
    hostname: [13, "bool"],
    ip: [14, "bool"],
    ipv4: [15, "bool"],
    ipv6: [16, "bool"],
    uri: [17, "bool"],
    uri_ref: [18, "bool"],
    len: [19, "uint64"],
    len_bytes: [20, "uint64"],
    address: [21, "bool"],
    uuid: [22, "bool"],
    not_contains: [23, "string"],
    ip_with_prefixlen: [26, "bool"],
    ipv4_with_prefixlen: [27, "bool"],
    ipv6_with_prefixlen: [28, "bool"],
    ip_prefix: [29, "bool"],
    ipv4_prefix: [30, "bool"],
    ipv6_prefix: [31, "bool"],
    host_and_port: [32, "bool"],
    tuuid: [33, "bool"],
    example: [34, "*string"],
    ulid: [35, "bool"],
  },
  BytesRules: {
    const: [1, "bytes"],
    min_len: [2, "uint64"],
    max_len: [3, "uint64"],
    in: [8, "*bytes"],
    not_in: [9, "*bytes"],
    len: [13, "uint64"],
    example: [14, "*bytes"],
  },
  EnumRules: { const: [1, "int32"], in: [3, "*int32"], not_in: [4, "*int32"], example: [5, "*int32"] },
  RepeatedRules: {
    min_items: [1, "uint64"],
    max_items: [2, "uint64"],
    unique: [3, "bool"],
    items: [4, "FieldRules"],
  },
  MapRules: {
    min_pairs: [1, "uint64"],
    max_pairs: [2, "uint64"],
    keys: [4, "FieldRules"],
    values: [5, "FieldRules"],
  },
  AnyRules: { in: [2, "*string"], not_in: [3, "*string"] },
  DurationRules: moments(DURATION),
  TimestampRules: {
    ...moments(TIMESTAMP),
    lt_now: [7, "bool"],
    gt_now: [8, "bool"],
    within: [9, DURATION],
  },
};

function rulesOf(type: string): string {
  return `${type[0]?.toUpperCase()}${type.slice(1)}Rules`;
}

/**
 * The rules in their JSON form, names as in the proto file; undefined if there are none, or none that can be parsed.
 */
export function fieldRules(field: DescField): JsonObject | undefined {
  return read("FieldRules", field);
}

export function messageRules(message: DescMessage): JsonObject | undefined {
  return read("MessageRules", message);
}

export function oneofRules(oneof: DescOneof): JsonObject | undefined {
  return read("OneofRules", oneof);
}

function read(type: string, { proto }: DescField | DescMessage | DescOneof): JsonObject | undefined {
  const parts: Uint8Array[] = [];
  for (const { no, wireType, data } of proto.options?.$unknown ?? []) {
    if (no !== VALIDATE_EXTENSION || wireType !== WireType.LengthDelimited) continue;
    parts.push(new BinaryReader(data).bytes());
  }
  const schema = parts.length === 0 ? undefined : registry().getMessage(`buf.validate.${type}`);
  if (schema === undefined) return undefined;
  try {
    // A repeated message field is merged (protobuf encoding, "Last One Wins").
    const json = toJson(schema, fromBinary(schema, Buffer.concat(parts)), { useProtoFieldName: true });
    return typeof json === "object" && json !== null && !Array.isArray(json) ? json : undefined;
  } catch {
    return undefined;
  }
}

let made: ReturnType<typeof createFileRegistry> | undefined;

function registry(): ReturnType<typeof createFileRegistry> {
  if (made === undefined) {
    const wellKnown = [file_google_protobuf_duration.proto, file_google_protobuf_timestamp.proto];
    const file = {
      name: "linchpin/validate.proto",
      package: "buf.validate",
      syntax: "proto2",
      dependency: wellKnown.map(({ name }) => name),
      messageType: Object.entries(MESSAGES).map(([name, fields]) => ({
        name,
        field: Object.entries(fields).map(([field, [no, type]]) => fieldJson(field, no, type)),
      })),
    };
    const set = fromJson(FileDescriptorSetSchema, { file: [file] });
    set.file.unshift(...wellKnown);
    made = createFileRegistry(set);
  }
  return made;
}

function fieldJson(name: string, number: number, type: string): JsonValue {
  const label = type.startsWith("*") ? "LABEL_REPEATED" : "LABEL_OPTIONAL";
  const element = type.replace("*", "");
  const field = { name, jsonName: name, number, label };
  if (element.startsWith("google.")) return { ...field, type: "TYPE_MESSAGE", typeName: `.${element}` };
  if (element in MESSAGES) return { ...field, type: "TYPE_MESSAGE", typeName: `.buf.validate.${element}` };
  return { ...field, type: `TYPE_${element.toUpperCase()}` };
}
