// Builders of the google.rpc error details (google/rpc/error_details.proto) in the hub's own errors. Encoded by hand:
// call/ does not depend on generated code.
import { BinaryReader, BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import type { StatusDetail } from "./status.js";

export interface FieldViolation {
  /** Path of the field in the request message, e.g. `book.author.name` or `tags[2]`, or a header's name; "" for the whole. */
  readonly field: string;
  /** What is wrong with it, and what is allowed. */
  readonly description: string;
}

export interface QuotaViolation {
  /** Whose quota is used up, e.g. `identity:web`. */
  readonly subject: string;
  /** Which quota, with its limit. */
  readonly description: string;
}

/** google.rpc.BadRequest: which fields are wrong. */
export function badRequest(violations: readonly FieldViolation[]): StatusDetail {
  const w = new BinaryWriter();
  for (const { field, description } of violations) {
    w.uint32(tag(1)).fork();
    text(w, 1, field);
    text(w, 2, description);
    w.join();
  }
  return detail("BadRequest", w);
}

/**
 * google.rpc.ErrorInfo: a reason for programs. `reason` is UPPER_SNAKE_CASE and constant; `domain` says who defines it;
 * `metadata` has the variable part.
 */
export function errorInfo(
  reason: string,
  domain: string,
  metadata: Readonly<Record<string, string>> = {},
): StatusDetail {
  const w = new BinaryWriter();
  text(w, 1, reason);
  text(w, 2, domain);
  for (const [key, value] of Object.entries(metadata)) {
    w.uint32(tag(3)).fork();
    text(w, 1, key);
    text(w, 2, value);
    w.join();
  }
  return detail("ErrorInfo", w);
}

/** google.rpc.QuotaFailure: which quotas are used up. */
export function quotaFailure(violations: readonly QuotaViolation[]): StatusDetail {
  const w = new BinaryWriter();
  for (const { subject, description } of violations) {
    w.uint32(tag(1)).fork();
    text(w, 1, subject);
    text(w, 2, description);
    w.join();
  }
  return detail("QuotaFailure", w);
}

/** google.rpc.RetryInfo: when it makes sense to try again. `delayMs` is rounded up to a whole millisecond. */
export function retryInfo(delayMs: number): StatusDetail {
  const ms = Math.max(0, Math.ceil(delayMs));
  const seconds = Math.floor(ms / 1000);
  const nanos = (ms % 1000) * 1_000_000;
  const w = new BinaryWriter();
  w.uint32(tag(1)).fork();
  if (seconds !== 0) w.uint32(tag(1) - 2).int64(seconds);
  if (nanos !== 0) w.uint32(tag(2) - 2).int32(nanos);
  w.join();
  return detail("RetryInfo", w);
}

/**
 * Whole seconds to wait, from a google.rpc.RetryInfo among the details; undefined if there is none that can be read.
 */
export function retrySeconds(details: readonly StatusDetail[]): number | undefined {
  for (const { typeUrl, value } of details) {
    if (!typeUrl.endsWith("/google.rpc.RetryInfo")) continue;
    try {
      return readRetryInfo(value);
    } catch {
      return undefined;
    }
  }
  return undefined;
}

function readRetryInfo(bytes: Uint8Array): number {
  const r = new BinaryReader(bytes);
  let seconds = 0;
  let nanos = 0;
  while (r.pos < r.len) {
    const [field, wire] = r.tag();
    if (field !== 1 || wire !== WireType.LengthDelimited) {
      r.skip(wire, field);
      continue;
    }
    const end = r.uint32() + r.pos;
    while (r.pos < end) {
      const [inner, type] = r.tag();
      if (inner === 1) seconds = Number(r.int64());
      else if (inner === 2) nanos = r.int32();
      else r.skip(type, inner);
    }
  }
  return Math.max(0, seconds + (nanos > 0 ? 1 : 0));
}

/** The tag of a length-delimited field (wire type 2); two less is that of a varint. */
function tag(field: number): number {
  return field * 8 + 2;
}

function text(w: BinaryWriter, field: number, value: string): void {
  if (value !== "") w.uint32(tag(field)).string(value);
}

function detail(name: string, w: BinaryWriter): StatusDetail {
  return { typeUrl: `type.googleapis.com/google.rpc.${name}`, value: w.finish() };
}
