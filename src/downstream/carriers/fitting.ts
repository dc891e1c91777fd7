// Answers for clients that say how large a header list they take: some end the whole connection over a larger one, and
// with it all other calls on it.

import { listBytes } from "../../http2/frames/list-bytes.js";
import { type Field, field } from "../../kit/headers.js";

/** `:status` and its value. */
const STATUS_BYTES = listBytes([field(":status", "200")]);

/** Whether the head of an answer fits, `:status` included. */
export function fits(maxHeaderListBytes: number, fields: readonly Field[]): boolean {
  return (
    maxHeaderListBytes === Number.POSITIVE_INFINITY || STATUS_BYTES + listBytes(fields) <= maxHeaderListBytes
  );
}

/**
 * Trailers that are too large, cut to what the client takes: the status, as much of its message as there is room for, and
 * of the rest, details and metadata, what fits then. A client that takes not even a status gets it nevertheless.
 */
export function fitting(maxHeaderListBytes: number, trailers: readonly Field[]): readonly Field[] {
  if (fits(maxHeaderListBytes, trailers)) return trailers;
  let room = maxHeaderListBytes - STATUS_BYTES;
  const kept = trailers.filter((f) => f.name === "grpc-status" || f.name === "content-type");
  room -= listBytes(kept);
  for (const f of trailers) {
    if (f.name !== "grpc-message") continue;
    const characters = Math.max(0, room - listBytes([field(f.name, "")]));
    // Not within an escape.
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
