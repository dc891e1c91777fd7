// Which HTTP fields become metadata, and which metadata become fields.

import type { MetadataNames } from "../../../call/http-policy.js";
import { refusal } from "../../../call/status/reasons.js";
import type { Status } from "../../../call/status/status.js";
import { badRequest } from "../../../call/status/status-details.js";
import { isHubs, standardName } from "../../../call/upstream-names.js";
import { type Field, field, type Headers } from "../../../kit/headers.js";
import { cut } from "../../../kit/text/text.js";

/** Fields about this hop or earlier ones, about the body's HTTP form, or reserved by gRPC. */
const NOT_METADATA = new Set([
  "accept",
  "accept-encoding",
  "connection",
  "content-encoding",
  "content-length",
  "content-type",
  "expect",
  "host",
  "http2-settings",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "x-request-timeout",
]);
const SENSITIVE = new Set(["authorization", "cookie"]);
/** Padded or not (gRPC over HTTP/2 allows both); a single digit of base64 is less than a byte. */
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}(?:==)?|[A-Za-z0-9+/]{3}=?)?$/;
/** Characters of a field value (RFC 9110 §5.5); node:http throws on others. */
const FIELD_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;
/**
 * Names and values of metadata are more restricted than HTTP's (gRPC over HTTP/2, "Custom-Metadata"): other fields are
 * not passed on.
 */
const METADATA_NAME = /^[0-9a-z_.-]+$/;
const METADATA_VALUE = /^[\x20-\x7e]*$/;
const CONTENT_TYPE = field("content-type", "application/grpc");

/**
 * Request fields → metadata, added to `metadata`. A Status (INVALID_ARGUMENT) describes an invalid field: `-bin` values
 * must be base64 (gRPC over HTTP/2). The other fields are added even then.
 */
export function readMetadata(
  fields: readonly Field[],
  names: MetadataNames,
  metadata: Field[],
): Status | undefined {
  metadata.push(CONTENT_TYPE);
  let seconds: string | undefined;
  let hasTimeout = false;
  let problem: Status | undefined;
  const ofThisHop = connectionOptions(fields);
  const { requestPrefix } = names;
  for (const f of fields) {
    const { value } = f;
    let { name } = f;
    if (ofThisHop?.has(name) === true || !METADATA_VALUE.test(value)) continue;
    const standard = standardName(name, names);
    if (standard !== undefined) metadata.push(field(standard, value, SENSITIVE.has(name)));
    const prefixed = requestPrefix !== "" && name.startsWith(requestPrefix);
    if (prefixed) name = name.slice(requestPrefix.length);
    else if (name === "x-request-timeout") seconds = value;
    if (NOT_METADATA.has(name) || isHubs(name, names)) continue;
    if (name.startsWith("grpc-")) {
      if (name !== "grpc-timeout" || prefixed) continue;
      hasTimeout = true;
    }
    if (name.endsWith("-bin") && !isBase64List(value)) {
      problem ??= badHeader("INVALID_METADATA", f.name, "must be base64: names that end in -bin carry bytes");
      continue;
    }
    if (!METADATA_NAME.test(name)) continue;
    metadata.push(prefixed || SENSITIVE.has(name) ? field(name, value, SENSITIVE.has(name)) : f);
  }
  if (seconds === undefined || hasTimeout) return problem;
  if (!/^\d{1,6}(\.\d{1,3})?$/.test(seconds)) {
    return (
      problem ??
      badHeader(
        "INVALID_TIMEOUT",
        "x-request-timeout",
        `must be seconds, as in 2 or 0.5, not "${cut(seconds, 100)}"`,
      )
    );
  }
  const ms = Math.round(Number(seconds) * 1000);
  metadata.push(field("grpc-timeout", ms > 99_999_999 ? `${Math.floor(ms / 1000)}S` : `${ms}m`));
  return problem;
}

/** Several fields of a name, and several values of a field, are one list (gRPC over HTTP/2, "Custom-Metadata"). */
function isBase64List(value: string): boolean {
  return value.includes(",") ? value.split(",").every((v) => BASE64.test(v.trim())) : BASE64.test(value);
}

/** Hop-by-hop names listed by Connection (RFC 9110 §7.6.1). */
function connectionOptions(fields: readonly Field[]): Set<string> | undefined {
  let options: Set<string> | undefined;
  for (const { name, value } of fields) {
    if (name !== "connection") continue;
    options ??= new Set();
    for (const option of value.toLowerCase().split(",")) options.add(option.trim());
  }
  return options;
}

/** Adds response metadata as fields, with this prefix; the call's status itself is sent elsewhere. */
export function addFields(fields: Field[], metadata: Headers | undefined, prefix: string): void {
  if (metadata === undefined) return;
  for (const f of metadata.fields) {
    if (!passes(f)) continue;
    fields.push(prefix === "" ? f : field(prefix + f.name, f.value, f.sensitive));
  }
}

/** HTTP fields of an error, wherever the service set them. */
const OF_ERRORS = new Set(["www-authenticate", "retry-after"]);

/** Like `addFields`, but fields that tell the client how to continue after a failure keep their name. */
export function addErrorFields(fields: Field[], metadata: Headers | undefined, prefix: string): void {
  if (metadata === undefined) return;
  for (const f of metadata.fields) {
    if (!passes(f)) continue;
    fields.push(prefix === "" || OF_ERRORS.has(f.name) ? f : field(prefix + f.name, f.value, f.sensitive));
  }
}

function passes({ name, value }: Field): boolean {
  return !name.startsWith("grpc-") && !NOT_METADATA.has(name) && FIELD_VALUE.test(value);
}

function badHeader(
  reason: "INVALID_METADATA" | "INVALID_TIMEOUT",
  name: string,
  description: string,
): Status {
  return refusal(reason, `header ${name} ${description}`, {
    details: [badRequest([{ field: name, description }])],
  });
}
