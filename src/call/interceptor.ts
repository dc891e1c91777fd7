// What a policy is: an Interceptor plans, once per method, a Step that runs once per call.

import type { Clock } from "../kit/clock.js";
import type { Headers } from "../kit/headers.js";
import type { Log } from "../kit/log.js";
import type { Meters } from "../kit/meters.js";
import type { Retained } from "../kit/retained.js";
import type { AttemptObserver } from "./attempt.js";
import type { Call, Method } from "./call.js";
import type { Abort, Handler } from "./sink.js";
import type { Status } from "./status/status.js";

/** First in hub.ts's list is outermost. Planned once per method at load, run once per call. */
export interface Interceptor {
  readonly name: string;
  /**
   * It is for CORS preflights as well. Browsers send those without credentials, and an answer that is no success
   * fails the call they are for: what asks who calls, or lets callers wait their turn, leaves them out. Default: no.
   */
  readonly preflights?: boolean;
  /** undefined: not on this method's path at all. */
  plan(method: Method): Step | undefined;
}

/** Nothing admits; a Status refuses. */
export type Verdict = undefined | Status;

export interface Step {
  /** The interceptor's name, for messages. */
  readonly name: string;
  /** Before a byte goes upstream. Nothing admits; a Status refuses. A promise only where it must wait. */
  start?(call: Call): Verdict | Promise<Verdict>;
  /** Sees the messages of both directions (rules, validation, tap). Nothing is split where no step of a plan has it. */
  messages?: MessageHooks;
  /**
   * For steps that answer themselves or call more than once (cache, retry); composed at plan time, behind the `start`
   * and the `messages` of all steps. The handler that it returns owes what every `Handler` does: see there.
   */
  around?(next: Handler): Handler;
  /** Observes the attempts at services of the method's calls. */
  attempts?: AttemptObserver;
  /** Exactly once for every started step, in reverse order, however the call ended. */
  end?(call: Call, outcome: Outcome): void;
}

/**
 * Looks at messages: protobuf bytes, unpacked, of gRPC, JSON and WebSocket calls alike. It cannot replace them: what goes
 * on are the bytes as they came, compression included. They are for reading only, and may be kept.
 *
 * A message goes on once every step has accepted it, and nothing goes to the service before the first. While a promise
 * waits, its direction stands still, without credit: the peer's own flow control bounds what comes. The other one goes
 * on. A Status ends the call, which began or not; the service is reset, the client is answered in its protocol. So do
 * what a hook throws, a message over `limits.maxMessage`, one that cannot be unpacked (`gzip` and `deflate` are known),
 * and one that is cut short. A promise of a call that has ended meanwhile counts no more.
 */
export interface MessageHooks {
  /** For each message of the client, in the order of the steps. */
  request?(call: Call, message: Buffer): Verdict | Promise<Verdict>;
  /** The client has sent its last message. `messages`: how many there were; a request may end without one. */
  requestEnd?(call: Call, messages: number): Verdict | Promise<Verdict>;
  /** For each message of the service, innermost step first. The answer's headers have gone out before. */
  response?(call: Call, message: Buffer): Verdict | Promise<Verdict>;
}

/** What interceptors are made with, besides their own config. */
export interface InterceptorContext {
  readonly clock: Clock;
  readonly log: Log;
  /** For what must live longer than one snapshot of the config. */
  readonly retained: Pick<Retained, "keep">;
  /** Counters for /metrics. */
  readonly meters: Meters;
}

/** How a call ended. */
export interface Outcome {
  /** gRPC status code. */
  readonly code: number;
  /** Who decided it: the service answered, or someone aborted. */
  readonly by: Abort["by"];
  /** The service's trailers, where the service answered. */
  readonly trailers: Headers | undefined;
  /** Where the call was aborted or refused. */
  readonly cause: Abort | undefined;
  readonly durationMs: number;
  /** Bytes of the body as carried: gRPC frames, prefix included. */
  readonly requestBytes: number;
  readonly responseBytes: number;
}
