// One protobuf message in bytes → the body of a response.
import {
  type DescField,
  type DescMessage,
  fromBinary,
  type JsonValue,
  type Message,
  ScalarType,
} from "@bufbuild/protobuf";
import { type ReflectMessage, reflect } from "@bufbuild/protobuf/reflect";
import { refusal } from "../core/reasons.js";
import type { Status } from "../core/status.js";
import type { BindingPlan } from "./binding.js";
import { isHttpBody } from "./fields.js";
import type { JsonWriter } from "./json-writer.js";

/** One message, printed. */
export interface PrintedBody {
  /** e.g. `application/json` */
  readonly contentType: string;
  /** string: UTF-8 text to be encoded. */
  readonly body: string | Uint8Array;
}

const JSON_TYPE = "application/json";

/** Prints the message, or the field that `response_body` names. INTERNAL where the service's bytes do not fit its schema. */
export function decodeResponse(
  plan: BindingPlan,
  bytes: Uint8Array,
  writer: JsonWriter,
): PrintedBody | Status {
  const output = plan.descriptor.output;
  try {
    const message = fromBinary(output, bytes);
    const field = plan.responseField;
    if (field === undefined) {
      if (isHttpBody(output)) return rawBody(reflect(output, message));
      return { contentType: JSON_TYPE, body: JSON.stringify(writer.write(output, message)) };
    }
    if (field.fieldKind === "message" && isHttpBody(field.message)) {
      return rawBody(reflect(output, message).get(field));
    }
    return { contentType: JSON_TYPE, body: JSON.stringify(fieldJson(output, message, field, writer)) };
  } catch (e) {
    return refusal(
      "UNPRINTABLE_RESPONSE",
      `the service's answer cannot be printed as ${output.typeName} in JSON`,
      {
        cause: e,
      },
    );
  }
}

function rawBody(httpBody: ReflectMessage): PrintedBody {
  const [type, data] = [httpBody.findNumber(1), httpBody.findNumber(2)];
  const contentType = type === undefined ? "" : httpBody.get(type);
  const body = data === undefined ? undefined : httpBody.get(data);
  return {
    // It becomes a header field: nothing but a field value may stand in it (RFC 9110 §5.5).
    contentType:
      typeof contentType === "string" && /^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/.test(contentType)
        ? contentType
        : "application/octet-stream",
    body: body instanceof Uint8Array ? body : new Uint8Array(0),
  };
}

/** The field's JSON; its default where it is not set, so that the body is always one JSON value. */
function fieldJson(output: DescMessage, message: Message, field: DescField, writer: JsonWriter): JsonValue {
  const json = writer.write(output, message);
  const object = typeof json === "object" && json !== null && !Array.isArray(json) ? json : {};
  return object[field.jsonName] ?? object[field.name] ?? defaultJson(field);
}

function defaultJson(field: DescField): JsonValue {
  if (field.fieldKind === "list") return [];
  if (field.fieldKind === "map") return {};
  // google.protobuf.FeatureSet.FieldPresence.IMPLICIT; a field that knows "unset" prints it.
  if (field.presence !== IMPLICIT) return null;
  if (field.fieldKind === "enum") return field.enum.values[0]?.name ?? 0;
  switch (field.scalar) {
    case ScalarType.STRING:
    case ScalarType.BYTES:
      return "";
    case ScalarType.BOOL:
      return false;
    case ScalarType.INT64:
    case ScalarType.UINT64:
    case ScalarType.SINT64:
    case ScalarType.FIXED64:
    case ScalarType.SFIXED64:
      return "0";
    default:
      return 0;
  }
}

const IMPLICIT = 2;
