// One protobuf message in bytes → the body of a response.
import type { DescField, DescMessage } from "@bufbuild/protobuf";
import { refusal } from "../../call/status/reasons.js";
import { Status } from "../../call/status/status.js";
import { type Budget, BudgetExceeded, type Codecs, DecodeError } from "../codec/codecs.js";
import { type FieldsMask, maskMessage } from "../messages/fields-mask.js";
import { prettyJson } from "../messages/pretty-json.js";
import { type BindingPlan, givesHttpBody } from "../routes/binding.js";
import { printXmlBody } from "../xml/body.js";
import { PROTO_TYPE } from "./content-type.js";
import { type HttpBodyBytes, httpBodyOf } from "./http-body-bytes.js";

/** One message, printed. */
export interface PrintedBody {
  /** e.g. `application/json` */
  readonly contentType: string;
  readonly body: Buffer;
}

const JSON_TYPE = "application/json";

/** A client's wishes for a response's format besides its framing. */
export interface ResponseForm {
  /** undefined: everything. */
  readonly fields: FieldsMask | undefined;
  readonly pretty: boolean;
  /** The message in its binary form. */
  readonly proto: boolean;
  /** In XML, under this content type. */
  readonly xml?: string | undefined;
  /** It is part of a stream: within the element of another document, or an array. */
  readonly inStream?: boolean;
}

export const PLAIN: ResponseForm = { fields: undefined, pretty: false, proto: false };

/** The response's bytes are sent nearly unchanged: nothing is printed. */
export function isCopied(plan: BindingPlan, form: ResponseForm): boolean {
  if (form.fields !== undefined) return false;
  if (form.proto) return true;
  return givesHttpBody(plan);
}

/**
 * Prints the message, or the field that `response_body` names. INTERNAL if the service's bytes do not fit its schema.
 * Throws BudgetExceeded beyond the budget.
 */
export function decodeResponse(
  plan: BindingPlan,
  message: Uint8Array,
  codecs: Codecs,
  form: ResponseForm = PLAIN,
  budget?: Budget,
): PrintedBody | Status {
  const output = plan.descriptor.output;
  const field = plan.responseField;
  try {
    if (form.proto) {
      const bytes = form.fields === undefined ? message : maskMessage(message, form.fields);
      return { contentType: PROTO_TYPE, body: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength) };
    }
    if (givesHttpBody(plan)) return rawBody(httpBodyOf(message, field?.number));
    const codec = codecs.of(output);
    return field === undefined
      ? printed(output, codec.decode(message, form.fields, budget), codecs, form)
      : printed(field, codec.decodeField(field, message, form.fields, budget), codecs, form);
  } catch (e) {
    if (e instanceof BudgetExceeded) throw e;
    const why = e instanceof DecodeError && e.cause instanceof DecodeError ? `: ${e.cause.message}` : "";
    return refusal(
      "UNPRINTABLE_RESPONSE",
      `the service's response cannot be converted to JSON as ${output.typeName}${why}`,
      { cause: e },
    );
  }
}

/** The codec's output, in the requested format. */
function printed(
  desc: DescMessage | DescField,
  json: Buffer,
  codecs: Codecs,
  form: ResponseForm,
): PrintedBody | Status {
  if (form.xml === undefined) {
    return {
      contentType: JSON_TYPE,
      body: form.pretty ? prettyJson(json, form.inStream === true ? 1 : 0) : json,
    };
  }
  const body = printXmlBody(desc, json, codecs, { pretty: form.pretty, declared: form.inStream !== true });
  return body instanceof Status ? body : { contentType: form.xml, body };
}

function rawBody({ contentType, data }: HttpBodyBytes): PrintedBody {
  return {
    // It becomes a header field: only valid field values are allowed (RFC 9110 §5.5).
    contentType: /^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/.test(contentType)
      ? contentType
      : "application/octet-stream",
    body: Buffer.from(data.buffer, data.byteOffset, data.byteLength),
  };
}
