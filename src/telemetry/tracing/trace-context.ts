// W3C Trace Context: parses traceparent and tracestate strictly, without an allocation in the common case.
// https://www.w3.org/TR/trace-context/
import { trimOf } from "../../kit/text/trim.js";

/**
 *   traceparent = version "-" trace-id "-" parent-id "-" trace-flags
 *                 2HEXDIGLC   32HEXDIGLC   16HEXDIGLC    2HEXDIGLC
 */
const LENGTH = 55;
const TRACE_ID = 3;
const PARENT_ID = 36;
const FLAGS = 53;
const DASH = 0x2d;
const ZERO = 0x30;

export const SAMPLED = 0x01;
/** Length of a propagated tracestate; longer ones are dropped (§3.3.1.5 asks for at least 512). */
const MAX_TRACESTATE_LENGTH = 512;
const MAX_MEMBERS = 32;

/** The flags (0 to 255) of a traceparent; -1 if it is invalid. Later versions are parsed as in §4.3. */
export function traceFlags(value: string): number {
  const length = value.length;
  if (length < LENGTH) return -1;
  const version = hexByte(value, 0);
  if (version < 0 || version === 0xff) return -1;
  if (version === 0 ? length !== LENGTH : length > LENGTH && value.charCodeAt(LENGTH) !== DASH) return -1;
  if (
    value.charCodeAt(2) !== DASH ||
    value.charCodeAt(PARENT_ID - 1) !== DASH ||
    value.charCodeAt(FLAGS - 1) !== DASH
  ) {
    return -1;
  }
  if (!isId(value, TRACE_ID, PARENT_ID - 1) || !isId(value, PARENT_ID, FLAGS - 1)) return -1;
  return hexByte(value, FLAGS);
}

/** Of a valid traceparent. */
export function traceIdOf(value: string): string {
  return value.slice(TRACE_ID, PARENT_ID - 1);
}

/** Of a valid traceparent. */
export function parentIdOf(value: string): string {
  return value.slice(PARENT_ID, FLAGS - 1);
}

/** A traceparent of version 00. */
export function traceparent(traceId: string, parentId: string, flags: number): string {
  return `00-${traceId}-${parentId}-${(flags & 0xff).toString(16).padStart(2, "0")}`;
}

// §3.3.1.3: a key is lower case, with at most one @ between tenant and system; a value is printable, without , and =.
const KEY = /^(?:[a-z][a-z0-9_\-*/]{0,255}|[a-z0-9][a-z0-9_\-*/]{0,240}@[a-z][a-z0-9_\-*/]{0,13})$/;
const VALUE = /^[ -+\--<>-~]{0,255}[!-+\--<>-~]$/;

/**
 * The tracestate fields combined for propagation; undefined if they are invalid or too long, which does not affect the
 * trace itself (§3.3).
 */
export function joinTracestate(values: readonly string[]): string | undefined {
  const joined = values.length === 1 ? (values[0] ?? "") : values.join(",");
  if (joined.length > MAX_TRACESTATE_LENGTH) return undefined;
  const seen = new Set<string>();
  for (const part of joined.split(",")) {
    const member = trimOf(part, " \t");
    if (member === "") continue; // empty members are allowed
    const equals = member.indexOf("=");
    const key = member.slice(0, Math.max(0, equals));
    if (!KEY.test(key) || !VALUE.test(member.slice(equals + 1)) || seen.has(key)) return undefined;
    seen.add(key);
  }
  return seen.size === 0 || seen.size > MAX_MEMBERS ? undefined : joined;
}

/** 0 to 15; -1 for anything but a lower-case hexadecimal digit. */
function hexDigit(code: number): number {
  if (code >= ZERO && code <= 0x39) return code - ZERO;
  return code >= 0x61 && code <= 0x66 ? code - 0x57 : -1;
}

function hexByte(value: string, at: number): number {
  const high = hexDigit(value.charCodeAt(at));
  const low = hexDigit(value.charCodeAt(at + 1));
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

/** Lower-case hexadecimal, and not all zeros. */
function isId(value: string, start: number, end: number): boolean {
  let zeros = true;
  for (let i = start; i < end; i++) {
    const code = value.charCodeAt(i);
    if (hexDigit(code) < 0) return false;
    if (code !== ZERO) zeros = false;
  }
  return !zeros;
}
