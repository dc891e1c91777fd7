// Fields of a failure response.
import { encodeGrpcMessage, encodeStatusProto, type Status } from "../../../call/status/status.js";
import { retrySeconds } from "../../../call/status/status-details.js";
import { type Field, field } from "../../../kit/headers.js";
import { fieldOf, NO_SNIFF } from "./response-fields.js";

/**
 * Size of details in a header field: clients accept at least some 8 KiB of fields, and node:http 16. More are left out.
 */
const MAX_DETAILS_CHARACTERS = 4096;
/** For a 401 without one: there must be a challenge (RFC 9110 §15.5.2). */
const BEARER = field("www-authenticate", "Bearer");

/** @param contentType undefined: there is no body */
export function failureFields(
  status: Status,
  contentType: string | undefined,
  bodyBytes: number,
  statusHeaders: boolean,
): Field[] {
  const all = [field("content-length", String(bodyBytes)), NO_SNIFF];
  if (contentType !== undefined) all.push(field("content-type", contentType));
  if (!statusHeaders) return all;
  const { code, message, details } = status;
  all.push(field("grpc-status", String(code)));
  if (message !== "") all.push(field("grpc-message", encodeGrpcMessage(message)));
  if (details.length > 0) {
    const text = Buffer.from(encodeStatusProto(status)).toString("base64");
    if (text.length <= MAX_DETAILS_CHARACTERS) all.push(field("grpc-status-details-bin", text));
  }
  return all;
}

/** Required fields of 401, 429 and 503, unless they are set. */
export function addRetryAndChallenge(fields: Field[], { http, details }: Status): void {
  if (http === 401 && fieldOf(fields, "www-authenticate") === undefined) fields.push(BEARER);
  if ((http !== 429 && http !== 503) || fieldOf(fields, "retry-after") !== undefined) return;
  const seconds = retrySeconds(details);
  if (seconds !== undefined) fields.push(field("retry-after", String(seconds)));
}
