// What a transcoded call needs of its request's head.
import type { Peer } from "../../../call/call.js";
import type { Status } from "../../../call/status/status.js";
import type { Field } from "../../../kit/headers.js";
import type { Coding } from "./content-coding.js";

export interface TranscodedHead {
  readonly contentType: string | undefined;
  readonly accept: string | undefined;
  /** Bytes of the body as it is once unpacked, where that is known. */
  readonly contentLength: number | undefined;
  /** How the body is packed; what is not supported is a `problem`. */
  readonly coding: Coding | "identity";
  readonly peer: Peer;
  /** What the service is told, forwarding included. */
  readonly metadata: readonly Field[];
  /** What is wrong with a field: the call is refused by it. */
  readonly problem: Status | undefined;
}
