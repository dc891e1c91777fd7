// Which HTTP fields become metadata and which metadata become fields.
import { type Field, field, Headers } from "../core/headers.js";
import { refusal } from "../core/reasons.js";
import type { Status } from "../core/status.js";
import { isForwarding } from "./client.js";

/** Fields that speak of this hop or those before, of the body's HTTP form, or that gRPC keeps for itself. */
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
/** Padded or not (gRPC over HTTP/2 allows both); one digit of base64 is less than a byte. */
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}(?:==)?|[A-Za-z0-9+/]{3}=?)?$/;
/** What a field value may have (RFC 9110 §5.5); node:http throws on anything else. */
const FIELD_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

/** Request fields → metadata. `-bin` values must be base64 (gRPC over HTTP/2); anything else is INVALID_ARGUMENT. */
export function metadataFromRequest(fields: readonly Field[]): Headers | Status {
  const metadata: Field[] = [field("content-type", "application/grpc")];
  let timeout: string | undefined;
  const ofThisHop = connectionOptions(fields);
  for (const f of fields) {
    const { name, value } = f;
    if (ofThisHop?.has(name) === true) continue;
    if (name === "x-request-timeout") timeout = value;
    if (NOT_METADATA.has(name) || isForwarding(name) || (name.startsWith("grpc-") && name !== "grpc-timeout"))
      continue;
    if (name.endsWith("-bin") && !value.split(",").every((v) => BASE64.test(v.trim()))) {
      return refusal("INVALID_METADATA", `header ${name} must be base64: names that end in -bin carry bytes`);
    }
    metadata.push(SENSITIVE.has(name) ? field(name, value, true) : f);
  }
  if (timeout !== undefined && !metadata.some((f) => f.name === "grpc-timeout")) {
    if (!/^\d{1,6}(\.\d{1,3})?$/.test(timeout)) {
      return refusal(
        "INVALID_TIMEOUT",
        `header x-request-timeout must be seconds, as in 2 or 0.5, not "${timeout}"`,
      );
    }
    const ms = Math.round(Number(timeout) * 1000);
    metadata.push(field("grpc-timeout", ms > 99_999_999 ? `${Math.floor(ms / 1000)}S` : `${ms}m`));
  }
  return new Headers(metadata);
}

/** Names that Connection lists as being of this hop alone (RFC 9110 §7.6.1). */
function connectionOptions(fields: readonly Field[]): Set<string> | undefined {
  const connection = fields.filter((f) => f.name === "connection");
  if (connection.length === 0) return undefined;
  return new Set(connection.flatMap((f) => f.value.toLowerCase().split(",")).map((option) => option.trim()));
}

/** Adds response metadata as fields, each name with this prefix; the call's status itself is told elsewhere. */
export function addFields(fields: Field[], metadata: Headers | undefined, prefix: string): void {
  if (metadata === undefined) return;
  for (const f of metadata.fields) {
    if (!passes(f)) continue;
    fields.push(prefix === "" ? f : field(prefix + f.name, f.value, f.sensitive));
  }
}

function passes({ name, value }: Field): boolean {
  return !NOT_METADATA.has(name) && !name.startsWith("grpc-") && FIELD_VALUE.test(value);
}
