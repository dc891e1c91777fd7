// Which HTTP fields become metadata and which metadata become fields (transcoding.md, "Status and headers").
import { type Field, field, Headers } from "../core/headers.js";
import { Code, Status } from "../core/status.js";

/** Fields that speak of this hop, of the body's HTTP form, or that gRPC keeps for itself. */
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
const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;

/** Request fields → metadata. `-bin` values must be base64 (gRPC over HTTP/2); anything else is INVALID_ARGUMENT. */
export function metadataFromRequest(fields: readonly Field[]): Headers | Status {
  const metadata: Field[] = [field("content-type", "application/grpc")];
  let timeout: string | undefined;
  for (const f of fields) {
    const { name, value } = f;
    if (name === "x-request-timeout") timeout = value;
    if (NOT_METADATA.has(name) || (name.startsWith("grpc-") && name !== "grpc-timeout")) continue;
    if (name.endsWith("-bin") && !value.split(",").every((v) => BASE64.test(v.trim()))) {
      return new Status(
        Code.INVALID_ARGUMENT,
        `header ${name} must be base64: names that end in -bin carry bytes`,
      );
    }
    metadata.push(SENSITIVE.has(name) ? field(name, value, true) : f);
  }
  if (timeout !== undefined && !metadata.some((f) => f.name === "grpc-timeout")) {
    if (!/^\d{1,6}(\.\d{1,3})?$/.test(timeout)) {
      return new Status(
        Code.INVALID_ARGUMENT,
        `header x-request-timeout must be seconds, as in 2 or 0.5, not "${timeout}"`,
      );
    }
    const ms = Math.round(Number(timeout) * 1000);
    metadata.push(field("grpc-timeout", ms > 99_999_999 ? `${Math.floor(ms / 1000)}S` : `${ms}m`));
  }
  return new Headers(metadata);
}

/** Response metadata → fields. */
export function responseFields(metadata: Headers | undefined): Field[] {
  return metadata === undefined ? [] : metadata.fields.filter((f) => passes(f.name));
}

/** Trailing metadata → fields or trailers with this prefix; the status itself is told elsewhere. */
export function trailerFields(trailers: Headers, prefix: string): Field[] {
  const fields: Field[] = [];
  for (const f of trailers.fields)
    if (passes(f.name)) fields.push(field(prefix + f.name, f.value, f.sensitive));
  return fields;
}

function passes(name: string): boolean {
  return !NOT_METADATA.has(name) && !name.startsWith("grpc-");
}
