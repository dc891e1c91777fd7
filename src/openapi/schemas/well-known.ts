// The ProtoJSON forms of scalars and of the well-known types, as JSON Schemas.
import { type DescMessage, type JsonObject, ScalarType } from "@bufbuild/protobuf";
import { isWrapper } from "../../transcoding/messages/fields.js";

const INT64 = { type: "string", pattern: "^-?[0-9]+$" };
const UINT64 = { type: "string", pattern: "^[0-9]+$" };
/** Client generators have no unsigned format, and make an int32 of one, which half of the values exceed. */
const UNSIGNED = { type: "integer", format: "int64", minimum: 0 };
const NOT_FINITE = { type: "string", enum: ["NaN", "Infinity", "-Infinity"] };

/** @param int64AsNumbers 64-bit integers print as numbers, and not as strings */
export function scalarSchema(type: ScalarType, int64AsNumbers = false): JsonObject {
  switch (type) {
    case ScalarType.STRING:
      return { type: "string" };
    case ScalarType.BOOL:
      return { type: "boolean" };
    case ScalarType.BYTES:
      return { type: "string", contentEncoding: "base64" };
    case ScalarType.DOUBLE:
      return { anyOf: [{ type: "number", format: "double" }, NOT_FINITE] };
    case ScalarType.FLOAT:
      return { anyOf: [{ type: "number", format: "float" }, NOT_FINITE] };
    case ScalarType.INT64:
    case ScalarType.SINT64:
    case ScalarType.SFIXED64:
      return int64AsNumbers ? { type: "integer", format: "int64" } : { ...INT64, format: "int64" };
    case ScalarType.UINT64:
    case ScalarType.FIXED64:
      return int64AsNumbers ? UNSIGNED : { ...UINT64, format: "uint64" };
    case ScalarType.UINT32:
    case ScalarType.FIXED32:
      return { ...UNSIGNED, maximum: 2 ** 32 - 1 };
    default:
      return { type: "integer", format: "int32" };
  }
}

/** What the names of a map's members must look like; undefined: anything. */
export function mapKeySchema(type: ScalarType): JsonObject | undefined {
  switch (type) {
    case ScalarType.STRING:
      return undefined;
    case ScalarType.BOOL:
      return { enum: ["true", "false"] };
    case ScalarType.UINT32:
    case ScalarType.UINT64:
    case ScalarType.FIXED32:
    case ScalarType.FIXED64:
      return { pattern: UINT64.pattern };
    default:
      return { pattern: INT64.pattern };
  }
}

const ANY: JsonObject = {
  type: "object",
  description:
    "A message of any type, named by `@type`. Its fields are siblings of `@type`; a message whose JSON is not an object is in `value`.",
  properties: { "@type": { type: "string", examples: ["type.googleapis.com/google.rpc.ErrorInfo"] } },
  additionalProperties: true,
};

const WELL_KNOWN: Readonly<Record<string, JsonObject>> = {
  "google.protobuf.Timestamp": { type: "string", format: "date-time" },
  "google.protobuf.Duration": {
    type: "string",
    pattern: "^-?[0-9]{1,12}(?:\\.[0-9]{1,9})?s$",
    examples: ["1.5s"],
  },
  "google.protobuf.FieldMask": {
    type: "string",
    description: "Names of fields, separated by commas; dots separate nested fields, and `*` stands for all.",
    examples: ["*"],
  },
  "google.protobuf.Struct": { type: "object", additionalProperties: true },
  "google.protobuf.Value": { description: "Any JSON value." },
  "google.protobuf.ListValue": { type: "array", items: {} },
  "google.protobuf.Empty": { type: "object", additionalProperties: false },
  "google.protobuf.Any": ANY,
};

/** The schema of a message whose JSON is not an object with its fields; undefined for all others. */
export function wellKnownSchema(message: DescMessage, int64AsNumbers: boolean): JsonObject | undefined {
  const known = Object.hasOwn(WELL_KNOWN, message.typeName) ? WELL_KNOWN[message.typeName] : undefined;
  if (known !== undefined || !isWrapper(message)) return known;
  return scalarSchema(message.fields[0]?.scalar ?? ScalarType.STRING, int64AsNumbers);
}
