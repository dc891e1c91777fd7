// The span of a traced call: set by tracing, for code that logs the trace.
import { CallKey } from "../../call/call-key.js";

/** Identifiers are lower-case hexadecimal. */
export interface CallSpan {
  readonly traceId: string;
  readonly spanId: string;
}

/** Of calls that are sampled here. */
export const CALL_SPAN = new CallKey<CallSpan>("span");
