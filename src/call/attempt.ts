// One attempt to serve a call: the state that two attempts of one call must not share, and the observers of attempts.

import type { Headers } from "../kit/headers.js";
import type { Call } from "./call.js";
import type { Abort } from "./sink.js";

/**
 * `transparent`: the attempt before it was never sent, or the service refused it unprocessed; `retry`: the one before
 * it failed, and a policy retries it; `hedge`: runs concurrently with other attempts (gRFC A6).
 */
export type AttemptKind = "first" | "transparent" | "retry" | "hedge";

export interface Attempt {
  readonly call: Call;
  readonly kind: AttemptKind;
  /** 1, 2, … in the order in which the attempts of a call begin; 0 while it waits for a connection. */
  readonly number: number;
  /** Name of the upstream. */
  readonly upstream: string;
  /** undefined while it waits for a connection. */
  readonly endpoint: AttemptEndpoint | undefined;
  /** When it began, monotonic milliseconds; 0 while it waits for a connection. */
  readonly startedAt: number;
  /** Endpoints that other attempts of the call used: prefer another one with room. undefined: there are none. */
  readonly avoids?: ((endpoint: AttemptEndpoint) => boolean) | undefined;
  /** Request metadata: the call's, with the changes of `setHeader` for this attempt. */
  readonly headers: Headers;
  /** Replaces a field of this attempt's request. At the latest within `AttemptObserver.begin`: then the head is sent. */
  setHeader(name: string, value: string): void;
}

/** The target of an attempt; one object for as long as the upstream has the endpoint. */
export interface AttemptEndpoint {
  /** `HOST:PORT` */
  readonly address: string;
}

/** How an attempt ended. */
export interface AttemptOutcome {
  /** gRPC status code; CANCELLED if the hub or the client gave up. */
  readonly code: number;
  /** Who ended it. */
  readonly by: Abort["by"];
  /** Whether the service can have processed it. */
  readonly sent: Abort["sent"];
  /** From the begin to the head of the response; undefined: no head arrived, or no observer has `headers`. */
  readonly headersMs: number | undefined;
  readonly durationMs: number;
  /** With grpc-status and, for balancers, load reports; undefined: the service did not end it. */
  readonly trailers: Headers | undefined;
}

/**
 * Observes attempts: those of a method's calls, as part of a `Step`, or those of an upstream, as its balancer.
 * An attempt that waits for a connection has not begun. Every attempt that began ends once, before its call ends.
 */
export interface AttemptObserver {
  /** Before the request's head is written. */
  begin?(attempt: Attempt): void;
  /** The response's head has arrived, this many milliseconds after the begin. */
  headers?(attempt: Attempt, headersMs: number): void;
  end?(attempt: Attempt, outcome: AttemptOutcome): void;
}

export const NO_OBSERVERS: readonly AttemptObserver[] = [];
