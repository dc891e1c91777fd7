// Holds response heads and trailers within the client's SETTINGS_MAX_HEADER_LIST_SIZE: some clients close the whole
// connection over a larger list, and with it all its other calls.

import { listBytes } from "../../http2/frames/list-bytes.js";
import { type Field, field } from "../../kit/headers.js";

/** `:status` and its value. */
const STATUS_BYTES = listBytes([field(":status", "200")]);

/** Whether the head of a response, `:status` included, is within the limit. */
export function fitsHeaderListLimit(maxHeaderListBytes: number, fields: readonly Field[]): boolean {
  return (
    maxHeaderListBytes === Number.POSITIVE_INFINITY || STATUS_BYTES + listBytes(fields) <= maxHeaderListBytes
  );
}

/**
 * The trailers, cut to the limit if they are larger: the status always, then as much of its message as fits, then those
 * details and metadata that still fit. The status is sent even if it alone is over the limit.
 */
export function trimToHeaderListLimit(
  maxHeaderListBytes: number,
  trailers: readonly Field[],
): readonly Field[] {
  if (fitsHeaderListLimit(maxHeaderListBytes, trailers)) return trailers;
  let room = maxHeaderListBytes - STATUS_BYTES;
  const kept = trailers.filter((f) => f.name === "grpc-status" || f.name === "content-type");
  room -= listBytes(kept);
  for (const f of trailers) {
    if (f.name !== "grpc-message") continue;
    const characters = Math.max(0, room - listBytes([field(f.name, "")]));
    // Do not cut within a percent escape.
    const message = f.value.slice(0, characters).replace(/%.?$/, "");
    if (message === "") continue;
    kept.push(f.value.length <= characters ? f : field(f.name, message));
    room -= listBytes([field(f.name, message)]);
  }
  for (const f of trailers) {
    const bytes = listBytes([f]);
    if (kept.includes(f) || f.name === "grpc-message" || bytes > room) continue;
    kept.push(f);
    room -= bytes;
  }
  return kept;
}
