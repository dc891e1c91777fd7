// The interface of a policy: an Interceptor plans, once per method, a Step that runs once per call.

import type { Clock } from "../kit/clock.js";
import type { Headers } from "../kit/headers.js";
import type { Log } from "../kit/log.js";
import type { Meters } from "../kit/meters.js";
import type { Retained } from "../kit/retained.js";
import type { AttemptObserver } from "./attempt.js";
import type { Call, Method } from "./call.js";
import type { Abort, Handler } from "./sink.js";
import type { Status } from "./status/status.js";

/**
 * A policy: plans for each method a Step, or nothing. The first in the list (interceptors/order.ts) is outermost.
 * @see docs/interceptors.md for the obligations of each part
 */
export interface Interceptor {
  /** Unique; names it in lists and messages. */
  readonly name: string;
  /**
   * It also runs for CORS preflights. Browsers send these without credentials, and fail the actual call if the
   * preflight does not succeed; so authentication and quotas leave this unset. Default: false.
   */
  readonly preflights?: boolean;
  /**
   * Called once per method: at a start, a reload, and a change of schema. undefined: the method's calls have no step of
   * it, and pay nothing. If it throws, the start or the reload fails; after a change of schema the hub logs it and keeps
   * the previous plans.
   */
  plan(method: Method): Step | undefined;
}

/** undefined admits; a Status rejects. */
export type Verdict = undefined | Status;

/** What an interceptor does for the calls of one method. One object for all of them: state of a call goes under a CallKey. */
export interface Step {
  /** The interceptor's name, for messages. */
  readonly name: string;
  /**
   * Runs before a byte is sent upstream. Returns a promise only if it must wait; meanwhile the request is buffered
   * within the client's window. If it throws or rejects, the call ends with HUB_FAULT.
   */
  start?(call: Call): Verdict | Promise<Verdict>;
  /**
   * Sees the messages of both directions (rules, validation, tap). Messages are split only if a step of the plan has
   * it.
   */
  messages?: MessageHooks;
  /**
   * Wraps the plan's handler, for steps that respond themselves or call more than once (cache, retry). Composed at plan
   * time, behind the `start` and the `messages` of all steps. The returned handler has all obligations of a `Handler`:
   * credit, abort, one ending.
   */
  around?(next: Handler): Handler;
  /** Observes the attempts at services of the method's calls. */
  attempts?: AttemptObserver;
  /** Exactly once for every started step, in reverse order, however the call ended. An exception is logged. */
  end?(call: Call, outcome: Outcome): void;
}

/**
 * Sees messages: decompressed protobuf bytes, of gRPC, JSON and WebSocket calls alike. It cannot replace them: the
 * original bytes are passed on, compression included. The buffers are read-only, and may be kept.
 *
 * A message is passed on once every step has accepted it, and nothing is sent to the service before the first message
 * was accepted. While a promise is pending, its direction is paused without credit, so the sender's own flow control
 * bounds what arrives; the other direction continues. A Status ends the call, whether its response has begun or not:
 * the service is reset, and the client gets the status in its protocol. The same happens if a hook throws, and for a
 * message over `limits.maxMessage`, one that cannot be decompressed (`gzip` and `deflate` are supported), and one that
 * is truncated. The result of a promise is ignored if the call has ended.
 */
export interface MessageHooks {
  /** For each message of the client, in the order of the steps. */
  request?(call: Call, message: Buffer): Verdict | Promise<Verdict>;
  /** The client has sent its last message. `messages`: their number; a request may end without one. */
  requestEnd?(call: Call, messages: number): Verdict | Promise<Verdict>;
  /** For each message of the service, innermost step first. The response's headers have already been sent. */
  response?(call: Call, message: Buffer): Verdict | Promise<Verdict>;
}

/** What an interceptor is made with, besides its own config. */
export interface InterceptorContext {
  readonly clock: Clock;
  readonly log: Log;
  /** For state that must outlive one generation of the config (a reload). */
  readonly retained: Pick<Retained, "keep">;
  /** Counters for /metrics. */
  readonly meters: Meters;
}

/** How a call ended. */
export interface Outcome {
  /** gRPC status code. */
  readonly code: number;
  /** Who ended it: the service responded, or someone aborted. */
  readonly by: Abort["by"];
  /** The service's trailers, if the service responded. */
  readonly trailers: Headers | undefined;
  /** Set if the call was aborted or rejected. */
  readonly cause: Abort | undefined;
  readonly durationMs: number;
  /** Bytes of the body as carried: gRPC frames, prefix included. */
  readonly requestBytes: number;
  readonly responseBytes: number;
}
