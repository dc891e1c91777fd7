// The path of a request: split while it is raw, decoded after, never twice.
import { decodePercent, NEEDS_DECODING } from "../../kit/text/percent.js";
import type { KeptEscapes } from "./read-options.js";

const SLASH = 0x2f;
const PERCENT = 0x25;

/** A request's path, split at its slashes. */
export interface RequestPath {
  /** As received. `/v1/a` is `["v1", "a"]`, `/` is `[""]`, `/v1/` is `["v1", ""]`. */
  readonly raw: readonly string[];
  /** Each completely decoded, `%2F` included; the same array as `raw` if nothing was encoded. */
  readonly decoded: readonly string[];
  /** The text before and after the last ":" of the last segment: a possible verb. */
  readonly tail: PathTail | undefined;
}

export interface PathTail {
  readonly rawHead: string;
  readonly head: string;
  readonly verb: string;
}

/** Splits and decodes a path that begins with "/"; undefined when an escape is malformed or is no UTF-8. */
export function splitPath(path: string): RequestPath | undefined {
  const raw: string[] = [];
  let plain = true;
  let from = 1;
  // One pass instead of a split and a search: every call passes here.
  for (let i = 1; i < path.length; i++) {
    const c = path.charCodeAt(i);
    if (c === SLASH) {
      raw.push(path.slice(from, i));
      from = i + 1;
    } else if (c === PERCENT || c > 0x7f) plain = false;
  }
  raw.push(path.slice(from));
  const last = raw[raw.length - 1] ?? "";
  // A ":" with nothing after it starts no verb.
  const lastColon = last.lastIndexOf(":");
  const colon = lastColon === last.length - 1 ? -1 : lastColon;
  if (plain) {
    if (colon === -1) return { raw, decoded: raw, tail: undefined };
    const head = last.slice(0, colon);
    return { raw, decoded: raw, tail: { rawHead: head, head, verb: last.slice(colon + 1) } };
  }
  const decoded: string[] = [];
  for (const segment of raw) {
    const text = decodePercent(segment);
    if (text === undefined) return undefined;
    decoded.push(text);
  }
  if (colon === -1) return { raw, decoded, tail: undefined };
  // Each half can be decoded separately: a ":" is not part of a longer UTF-8 sequence, nor of an escape.
  const rawHead = last.slice(0, colon);
  const head = decodePercent(rawHead);
  const verb = decodePercent(last.slice(colon + 1));
  if (head === undefined || verb === undefined) return undefined;
  return { raw, decoded, tail: { rawHead, head, verb } };
}

/** Escapes that stay as they were written. The reserved characters are those of RFC 6570 §1.5. */
const KEPT = {
  slash: /(%2f)/i,
  reserved: /(%(?:2[1346-9abcf]|3[abdf]|40|5[bd]))/i,
} as const;

/** As `decodePercent`, but some escapes stay as they were written: `a%2fb/c` would else gain a segment. */
export function decodeKeepingEscapes(text: string, kept: KeptEscapes): string | undefined {
  if (kept === "none" || !NEEDS_DECODING.test(text)) return decodePercent(text);
  const parts: string[] = [];
  for (const [i, part] of text.split(KEPT[kept]).entries()) {
    const decoded = i % 2 === 1 ? part : decodePercent(part);
    if (decoded === undefined) return undefined;
    parts.push(decoded);
  }
  return parts.join("");
}

/** Decodes one name or value of a query; "+" is a space (application/x-www-form-urlencoded) if `plusAsSpace`. */
export function decodeQueryPart(text: string, plusAsSpace = true): string | undefined {
  return decodePercent(plusAsSpace && text.includes("+") ? text.replaceAll("+", " ") : text);
}
