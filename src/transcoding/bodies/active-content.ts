// What browsers would run if they were let: pages, drawings, documents and scripts that a service sends in an HttpBody.
// Anybody may have written them, and they would act in the name of the site.
import { type Field, field } from "../../kit/headers.js";

/** A content type as it may go out, with the fields that keep its body from running. */
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
 * RFC 9110 §8.3.1 to the letter: type, subtype, and parameters that are tokens or quoted strings. Browsers read what is
 * not of this form each in their own way, and find `text/html` in much of it.
 */
const WELL_FORMED =
  /^([!#$%&'*+.^_`|~0-9a-z-]+\/[!#$%&'*+.^_`|~0-9a-z-]+)(?:[ \t]*;[ \t]*[!#$%&'*+.^_`|~0-9a-z-]+=(?:[!#$%&'*+.^_`|~0-9a-z-]+|"(?:[\t\x20\x21\x23-\x5b\x5d-\x7e]|\\[\t\x20-\x7e])*"))*$/;

/** Types that run nothing, whatever is in them; none of those that end in +xml. */
const INERT =
  /^(?:(?:image|audio|video|font)\/.*|text\/(?:plain|csv|tab-separated-values|markdown|calendar|vcard|event-stream)|application\/(?:json|.*\+json|octet-stream|pdf|zip|gzip|x-protobuf|protobuf|x-ndjson|ndjson|jsonl|x-jsonlines))$/;
/**
 * Not even under their name: scripts run wherever a page of the site refers to them, as a download too; the parts of a
 * multipart body have types of their own.
 */
const NEVER = /^(?:(?:text|application)\/(?:x-)?(?:javascript|ecmascript|jscript|livescript)|multipart\/)/;

/** What a body of this type goes out as. What is not on the list of what is inert is a download, without rights where it is shown after all. */
export function safeContent(contentType: string): SafeContent {
  // Nearly all answers.
  if (contentType === "application/json") return { contentType, fields: NONE };
  const type = WELL_FORMED.exec(contentType.toLowerCase())?.[1];
  if (type === undefined || NEVER.test(type)) return { contentType: BYTES, fields: DOWNLOAD };
  return { contentType, fields: INERT.test(type) && !type.endsWith("+xml") ? NONE : DOWNLOAD };
}
