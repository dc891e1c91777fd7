// The status of a call whose stream was reset by the service or by one of our own limits.
import { refusal } from "../call/status/reasons.js";
import { Code, type Status } from "../call/status/status.js";
import { retryInfo } from "../call/status/status-details.js";
import type { StreamReset } from "../http2/stream.js";
import { ErrorCode } from "../http2/wire/protocol.js";

/** @param address of the endpoint; details go to the log alone */
export function statusOfReset(reset: StreamReset, upstream: string, address: string): Status {
  const hint = ` (${address}): ${reset.reason}`;
  const info = { upstream };
  if (isHeldUp(reset)) {
    const message = `upstream "${upstream}" does not take what is sent to it`;
    return refusal("UPSTREAM_OVERLOADED", message, { info, hint, details: [retryInfo(1000)] });
  }
  const message = `the call was broken off by upstream "${upstream}"`;
  return refusal("UPSTREAM_RESET", message, { code: codeFromReset(reset), info, hint });
}

/**
 * Our own limit reset the stream (stallMs, maxQueuedBytes of http2/wire/limits.ts): data waits, and the service gives
 * no credit.
 */
function isHeldUp({ by, code }: StreamReset): boolean {
  return by === "local" && (code === ErrorCode.CANCEL || code === ErrorCode.ENHANCE_YOUR_CALM);
}

/** gRPC over HTTP/2, "HTTP2 Transport Mapping: Errors". */
function codeFromReset(reset: StreamReset): number {
  if (reset.by === "connection") return Code.UNAVAILABLE;
  switch (reset.code) {
    case ErrorCode.REFUSED_STREAM:
      return Code.UNAVAILABLE;
    case ErrorCode.CANCEL:
      return Code.CANCELLED;
    case ErrorCode.ENHANCE_YOUR_CALM:
      return Code.RESOURCE_EXHAUSTED;
    case ErrorCode.INADEQUATE_SECURITY:
      return Code.PERMISSION_DENIED;
    default:
      return Code.INTERNAL;
  }
}
