// Drives a route's Transcoding as the REST adapter does, for one message each way.

import type { RestMatch, RestMiss } from "#src/call/rest.js";
import { Code, Status } from "#src/call/status/status.js";
import type { BodyRequest, Transcoding } from "#src/call/transcoding.js";
import type { Field } from "#src/kit/headers.js";

const REQUEST: BodyRequest = {
  contentType: undefined,
  accept: undefined,
  contentLength: undefined,
  maxMessageBytes: 4 * 1024 * 1024,
};

export function openBody(
  match: RestMatch | RestMiss,
  request: Partial<BodyRequest> = {},
): Transcoding | Status {
  return match.kind === "miss" ? match.status : match.open({ ...REQUEST, ...request });
}

/** What a body becomes: the message for the service, or the refusal. */
export function encodeBody(
  match: RestMatch | RestMiss,
  body: Uint8Array,
  contentType: string | undefined,
): Uint8Array | Status {
  const transcoding = openBody(match, { contentType });
  if (transcoding instanceof Status) return transcoding;
  let result: Uint8Array | Status | undefined;
  let ended = false;
  const reader = transcoding.reader({
    message: (message) => {
      result = message;
    },
    end: () => {
      ended = true;
    },
    refuse: (status) => {
      result = status;
    },
    fault: (error) => {
      throw error;
    },
  });
  const bytes = Buffer.from(body);
  reader.push(bytes, 0, bytes.length, true);
  if (result === undefined || ended === result instanceof Status) throw new Error("no outcome, or two");
  return result;
}

/** An answer as it is written. */
export interface Written {
  readonly contentType: string;
  readonly fields: readonly Field[];
  readonly length: number | undefined;
  readonly body: Buffer;
}

/** What messages of the service become, ended or failed; a Status where that is the whole answer. */
export function writeAnswer(
  match: RestMatch | RestMiss,
  messages: readonly Uint8Array[],
  request: Partial<BodyRequest> = {},
  failure?: Status,
): Written | Status {
  const transcoding = openBody(match, request);
  if (transcoding instanceof Status) return transcoding;
  let head: Omit<Written, "body"> | undefined;
  let failed: Status | undefined;
  const pieces: Buffer[] = [];
  const writer = transcoding.writer({
    head: (contentType, fields, length) => {
      head = { contentType, fields, length };
    },
    write: (bytes) => pieces.push(bytes),
    failed: (status) => {
      failed = status;
    },
    fault: (error) => {
      throw error;
    },
  });
  for (const message of messages) writer.message(message);
  if (failure === undefined) writer.end();
  else writer.fail(failure);
  if (head === undefined) return failed ?? new Status(Code.UNKNOWN, "no answer");
  return { ...head, body: Buffer.concat(pieces) };
}
