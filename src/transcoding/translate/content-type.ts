// Which Content-Types carry JSON, one value or a stream of values.
import { refusal } from "../../call/status/reasons.js";
import type { Status } from "../../call/status/status.js";
import { cut } from "../../kit/text/text.js";

/** Listed in the response to an unsupported type. */
export const SUPPORTED_TYPES: readonly string[] = ["application/json"];

/** protobuf's binary format, if the body is a message. */
export const PROTO_TYPE = "application/x-protobuf";

/** Further types if a rule was written: both need a preflight from pages of other sites. */
export const XML_TYPES: readonly string[] = ["application/xml", "text/xml"];

/** HTML forms: pages of other sites can send them without a preflight. */
export const FORM_TYPES = ["application/x-www-form-urlencoded", "multipart/form-data"] as const;

/** The kind of form that a Content-Type names; undefined if it is not a form. */
export function formTypeOf(contentType: string | undefined): (typeof FORM_TYPES)[number] | undefined {
  const type = (contentType ?? "").split(";", 1)[0]?.trim().toLowerCase();
  return FORM_TYPES.find((known) => known === type);
}

/**
 * `application/json` and `application/*+json`, in UTF-8 (RFC 8259 §8.1 has no other). A missing type does not count: a
 * page of another site can send a body without one, without a preflight.
 */
export function isJsonType(contentType: string | undefined): boolean {
  if (contentType === "application/json") return true;
  if (contentType === undefined) return false;
  const [type = "", ...parameters] = contentType.toLowerCase().split(";");
  if (!/^application\/(?:[a-z0-9!#$&^_.-]+\+)?json$/.test(type.trim())) return false;
  return parameters.every(isUtf8Charset);
}

/** `application/xml` and `text/xml` (RFC 7303), in UTF-8. */
export function isXmlType(contentType: string | undefined): boolean {
  if (contentType === undefined) return false;
  const [type = "", ...parameters] = contentType.toLowerCase().split(";");
  return XML_TYPES.includes(type.trim()) && parameters.every(isUtf8Charset);
}

/** protobuf's binary format, by either of its names. */
export function isProtoType(contentType: string | undefined): boolean {
  return contentType !== undefined && /^application\/(?:x-)?protobuf\s*(?:;|$)/i.test(contentType);
}

/** One JSON text per line, under the names in use: none is registered. */
export function isNdjsonType(contentType: string | undefined): boolean {
  const [type = "", ...parameters] = contentType?.toLowerCase().split(";") ?? [];
  return (
    /^application\/(?:x-ndjson|ndjson|jsonl|x-jsonlines)$/.test(type.trim()) &&
    parameters.every(isUtf8Charset)
  );
}

/** The 415 that lists the supported types. */
export function unsupportedType(contentType: string | undefined, types: readonly string[]): Status {
  const got = contentType === undefined ? "there is none" : `got '${cut(contentType, 100)}'`;
  const supported = types.join(", ");
  const message = `this route takes Content-Type ${supported} (charset utf-8), ${got}`;
  return refusal("UNSUPPORTED_MEDIA_TYPE", message, { info: { supported } });
}

/** True for every parameter but a charset that is not UTF-8. */
function isUtf8Charset(parameter: string): boolean {
  const [name = "", value = ""] = parameter.split("=");
  return name.trim() !== "charset" || /^"?utf-?8"?$/.test(value.trim());
}
