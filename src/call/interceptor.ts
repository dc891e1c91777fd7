// What a policy is: an Interceptor plans, once per method, a Step that runs once per call.

import type { Clock } from "../kit/clock.js";
import type { Headers } from "../kit/headers.js";
import type { Lives } from "../kit/lives.js";
import type { Log } from "../kit/log.js";
import type { Meters } from "../kit/meters.js";
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

export interface Step {
  /** The interceptor's name, for messages. */
  readonly name: string;
  /** Before a byte goes upstream. Nothing admits; a Status refuses. A promise only where it must wait. */
  start?(call: Call): undefined | Status | Promise<undefined | Status>;
  /** Only for steps that see messages or answer themselves (validation, cache, tap); composed at plan time. */
  around?(next: Handler): Handler;
  /** Observes the attempts at services of the method's calls. */
  attempts?: AttemptObserver;
  /** Exactly once for every started step, in reverse order, however the call ended. */
  end?(call: Call, outcome: Outcome): void;
}

/** What interceptors are made with, besides their own config. */
export interface InterceptorContext {
  readonly clock: Clock;
  readonly log: Log;
  /** For what must live longer than one snapshot of the config. */
  readonly lives: Pick<Lives, "keep">;
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
