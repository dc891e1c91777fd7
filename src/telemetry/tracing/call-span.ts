// The span of a call that is traced: set by tracing, for whatever names the trace in lines of its own.
import { CallKey } from "../../call/call-key.js";

/** Identifiers are lower-case hexadecimal. */
export interface CallSpan {
  readonly traceId: string;
  readonly spanId: string;
}

/** Of calls that are sampled here. */
export const CALL_SPAN = new CallKey<CallSpan>("span");
