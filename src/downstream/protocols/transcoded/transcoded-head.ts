// The parts of a request's head that a transcoded call needs.
import type { Peer } from "../../../call/call.js";
import type { Status } from "../../../call/status/status.js";
import type { Field } from "../../../kit/headers.js";
import type { Coding } from "./content-coding.js";

export interface TranscodedHead {
  readonly contentType: string | undefined;
  readonly accept: string | undefined;
  /** Bytes of the decompressed body, if known. */
  readonly contentLength: number | undefined;
  /** The body's Content-Encoding; an unsupported one is a `problem`. */
  readonly coding: Coding | "identity";
  readonly peer: Peer;
  /** Metadata for the service, forwarding included. */
  readonly metadata: readonly Field[];
  /** The problem of a field: the call is rejected with it. */
  readonly problem: Status | undefined;
}
