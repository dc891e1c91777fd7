// Deadlines: the caller's, the method's default, the maximum. The runner enforces them, upstream/ sends the remaining
// time.
import type { Call, Method } from "../../call/call.js";
import type { Interceptor, Step } from "../../call/interceptor.js";
import { refusal } from "../../call/status/reasons.js";
import type { Status } from "../../call/status/status.js";
import { badRequest } from "../../call/status/status-details.js";
import { parseTimeout } from "../../call/wire/timeout.js";
import { cut } from "../../kit/text/text.js";

export interface DeadlineOptions {
  /** Milliseconds; for unary methods whose caller sets none. undefined: none. */
  readonly defaultMs: number | undefined;
  /** Milliseconds; the maximum for callers' deadlines and the default. undefined: none. */
  readonly maxMs: number | undefined;
  /** A method's own default: milliseconds, or `none`; undefined: the general one. */
  readonly forMethod: (method: Method) => number | "none" | undefined;
}

/** Rejects a malformed grpc-timeout (INVALID_ARGUMENT), and gives every call its deadline. */
export function deadline(options: DeadlineOptions): Interceptor {
  return {
    name: "deadline",
    plan(method): Step {
      const own = options.forMethod(method);
      // Streams live as long as they are used: a default meant for unary calls would cut them (envoyproxy/gateway#5446).
      const general = method.kind === "unary" ? options.defaultMs : undefined;
      const fallback = own === "none" ? undefined : (own ?? general);
      return { name: "deadline", start: (call) => setDeadline(call, fallback, options.maxMs) };
    },
  };
}

function setDeadline(
  call: Call,
  fallbackMs: number | undefined,
  maxMs: number | undefined,
): Status | undefined {
  let ms = fallbackMs;
  const asked = call.headers.get("grpc-timeout");
  if (asked !== undefined) {
    ms = parseTimeout(asked);
    if (ms === undefined) {
      const shown = cut(asked, 16);
      const description = `"${shown}" is not valid: 1 to 8 digits and one of H M S m u n, as in 500m`;
      return refusal("INVALID_TIMEOUT", `grpc-timeout ${description}`, {
        details: [badRequest([{ field: "grpc-timeout", description }])],
      });
    }
  }
  if (maxMs !== undefined && (ms === undefined || ms > maxMs)) {
    ms = maxMs;
    call.deadlineCapped = true;
  }
  if (ms === undefined) return undefined;
  call.deadline = call.startedAt + ms;
  if (ms <= 0) return refusal("DEADLINE_EXCEEDED", "the deadline had passed when the call arrived");
  return undefined;
}
