// Content that browsers would run: pages, drawings, documents and scripts that a service sends in an HttpBody. Anybody
// may have written them, and they would act with the rights of the site.
import { type Field, field } from "../../kit/headers.js";

/** A content type that is safe to send, with the fields that keep its body from running. */
export interface SafeContent {
  readonly contentType: string;
  readonly fields: readonly Field[];
}

const BYTES = "application/octet-stream";
const DOWNLOAD: readonly Field[] = [
  field("content-disposition", "attachment"),
  field("content-security-policy", "sandbox; default-src 'none'"),
];
const NONE: readonly Field[] = [];

/**
 * Strictly RFC 9110 §8.3.1: type, subtype, and parameters that are tokens or quoted strings. Browsers parse other forms
 * each in their own way, and find `text/html` in many of them.
 */
const WELL_FORMED =
  /^([!#$%&'*+.^_`|~0-9a-z-]+\/[!#$%&'*+.^_`|~0-9a-z-]+)(?:[ \t]*;[ \t]*[!#$%&'*+.^_`|~0-9a-z-]+=(?:[!#$%&'*+.^_`|~0-9a-z-]+|"(?:[\t\x20\x21\x23-\x5b\x5d-\x7e]|\\[\t\x20-\x7e])*"))*$/;

/** Types that run nothing, whatever their content; none that ends in +xml. */
const INERT =
  /^(?:(?:image|audio|video|font)\/.*|text\/(?:plain|csv|tab-separated-values|markdown|calendar|vcard|event-stream)|application\/(?:json|.*\+json|octet-stream|pdf|zip|gzip|x-protobuf|protobuf|x-ndjson|ndjson|jsonl|x-jsonlines))$/;
/**
 * Not even under their name: scripts run wherever a page of the site refers to them, as a download too; the parts of a
 * multipart body have types of their own.
 */
const NEVER = /^(?:(?:text|application)\/(?:x-)?(?:javascript|ecmascript|jscript|livescript)|multipart\/)/;

/**
 * The type with which a body is sent. Types that are not on the list of inert ones become downloads, without rights if
 * they are displayed after all.
 */
export function safeContent(contentType: string): SafeContent {
  // Nearly all responses.
  if (contentType === "application/json") return { contentType, fields: NONE };
  const type = WELL_FORMED.exec(contentType.toLowerCase())?.[1];
  if (type === undefined || NEVER.test(type)) return { contentType: BYTES, fields: DOWNLOAD };
  return { contentType, fields: INERT.test(type) && !type.endsWith("+xml") ? NONE : DOWNLOAD };
}
