// What a hub takes from its process. Made once, at the edge, and handed down: no code below reads it by itself, so that
// tests control the time and two hubs in one program share nothing.
import { type Clock, systemClock } from "./clock.js";

/** Environment variables. */
export type Environment = Readonly<Record<string, string | undefined>>;

export interface Runtime {
  readonly clock: Clock;
  /** 0 ≤ x < 1. */
  random(): number;
  /** `OTEL_*`, `SSL_CERT_FILE` and the like. */
  readonly env: Environment;
}

/** That of this process. */
export function processRuntime(): Runtime {
  return { clock: systemClock, random: Math.random, env: process.env };
}
