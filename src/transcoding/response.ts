// One protobuf message in bytes → the body of a response.
import { type DescField, type DescMessage, fromBinary } from "@bufbuild/protobuf";
import { type ReflectMessage, reflect } from "@bufbuild/protobuf/reflect";
import { refusal } from "../core/reasons.js";
import { Status } from "../core/status.js";
import { type BindingPlan, givesHttpBody } from "./binding.js";
import { type Codecs, DecodeError } from "./codec/codecs.js";
import { PROTO_TYPE } from "./content-type.js";
import { isHttpBody } from "./fields.js";
import { type FieldsMask, maskMessage } from "./fields-mask.js";
import { printXmlBody } from "./xml/body.js";

/** One message, printed. */
export interface PrintedBody {
  /** e.g. `application/json` */
  readonly contentType: string;
  readonly body: Buffer;
}

const JSON_TYPE = "application/json";

/** What a client wants of an answer's form besides its framing. */
export interface AnswerForm {
  /** undefined: everything. */
  readonly fields: FieldsMask | undefined;
  readonly pretty: boolean;
  /** The message in its binary form. */
  readonly proto: boolean;
  /** In XML, under this content type. */
  readonly xml?: string | undefined;
  /** It stands in a stream, within the element of another document. */
  readonly inStream?: boolean;
}

export const PLAIN: AnswerForm = { fields: undefined, pretty: false, proto: false };

/** The answer's bytes go out much as they came: nothing is printed. */
export function isCopied(plan: BindingPlan, form: AnswerForm): boolean {
  if (form.fields !== undefined) return false;
  if (form.proto) return true;
  return givesHttpBody(plan);
}

/** Prints the message, or the field that `response_body` names. INTERNAL where the service's bytes do not fit its schema. */
export function decodeResponse(
  plan: BindingPlan,
  message: Uint8Array,
  codecs: Codecs,
  form: AnswerForm = PLAIN,
): PrintedBody | Status {
  const output = plan.descriptor.output;
  const field = plan.responseField;
  try {
    if (form.proto) {
      const bytes = form.fields === undefined ? message : maskMessage(message, form.fields);
      return { contentType: PROTO_TYPE, body: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength) };
    }
    if (field === undefined) {
      if (isHttpBody(output)) return rawBody(reflect(output, fromBinary(output, message)));
      return printed(output, codecs.of(output).decode(message, form.fields), codecs, form);
    }
    if (field.fieldKind === "message" && isHttpBody(field.message)) {
      return rawBody(reflect(output, fromBinary(output, message)).get(field));
    }
    return printed(field, codecs.of(output).decodeField(field, message, form.fields), codecs, form);
  } catch (e) {
    const why = e instanceof DecodeError && e.cause instanceof DecodeError ? `: ${e.cause.message}` : "";
    return refusal(
      "UNPRINTABLE_RESPONSE",
      `the service's answer cannot be printed as ${output.typeName} in JSON${why}`,
      { cause: e },
    );
  }
}

/** What the codec printed, in the form that is asked for. */
function printed(
  desc: DescMessage | DescField,
  json: Buffer,
  codecs: Codecs,
  form: AnswerForm,
): PrintedBody | Status {
  if (form.xml === undefined) return { contentType: JSON_TYPE, body: indented(json, form) };
  const body = printXmlBody(desc, json, codecs, { pretty: form.pretty, declared: form.inStream !== true });
  return body instanceof Status ? body : { contentType: form.xml, body };
}

/** Integers beyond 2⁵³ are strings in ProtoJSON, so that nothing is lost on the way. */
function indented(json: Buffer, form: AnswerForm): Buffer {
  return form.pretty ? Buffer.from(`${JSON.stringify(JSON.parse(String(json)), null, 2)}\n`) : json;
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
    body: body instanceof Uint8Array ? Buffer.from(body.buffer, body.byteOffset, body.byteLength) : NO_BYTES,
  };
}

const NO_BYTES = Buffer.alloc(0);
