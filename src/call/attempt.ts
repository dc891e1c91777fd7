// One attempt to have a call served: what two attempts of one call must not share, and who observes attempts.

import type { Headers } from "../kit/headers.js";
import type { Call } from "./call.js";
import type { Abort } from "./sink.js";

/**
 * `transparent`: the attempt before it never left, or the service refused it unprocessed; `retry`: the one before it
 * failed, and a policy says to try again; `hedge`: beside others that still run (gRFC A6).
 */
export const ATTEMPT_KINDS = ["first", "transparent", "retry", "hedge"] as const;
export type AttemptKind = (typeof ATTEMPT_KINDS)[number];

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
  /** Endpoints that other attempts of its call went to: another one with room is better. undefined: there are none. */
  readonly avoids?: ((endpoint: AttemptEndpoint) => boolean) | undefined;
  /** Request metadata: the call's, with what `setHeader` changed for this attempt. */
  readonly headers: Headers;
  /** Replaces a field of this attempt's request. At the latest within `AttemptObserver.begin`: then the head is sent. */
  setHeader(name: string, value: string): void;
}

/** Where an attempt goes; one object for as long as the upstream has the endpoint. */
export interface AttemptEndpoint {
  /** `HOST:PORT` */
  readonly address: string;
}

/** How an attempt ended. */
export interface AttemptOutcome {
  /** gRPC status code; CANCELLED where the hub or the client gave up. */
  readonly code: number;
  /** Who decided it. */
  readonly by: Abort["by"];
  /** Whether the service can have processed it. */
  readonly sent: Abort["sent"];
  /** From the begin to the head of the response; undefined: no head came, or no observer has `headers`. */
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
  /** The response's head has come, so many milliseconds after the begin. */
  headers?(attempt: Attempt, headersMs: number): void;
  end?(attempt: Attempt, outcome: AttemptOutcome): void;
}

export const NO_OBSERVERS: readonly AttemptObserver[] = [];
