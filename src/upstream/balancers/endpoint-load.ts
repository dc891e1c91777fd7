// What balancers know of one endpoint. It lives as long as the endpoint, so that neither a reload nor another balancer
// forgets it; plain numbers in one object, so that a pick looks at two objects and allocates nothing.
import type { Attempt, AttemptObserver } from "../../call/attempt.js";

export class EndpointLoad {
  /** Its share beside others, as configured; never 0 among endpoints that are picked. */
  base = 1;
  /** The share in force: `base`, less while it starts slowly. */
  weight = 1;
  /** Those before it have enough room: no connections beyond the first are made to it in advance. */
  spare = false;
  /** It has been connected to. */
  connected = false;
  /** When a balancer first saw it, ms; NaN: none has. */
  since = Number.NaN;
  /** `healthy` as it was last counted. */
  healthy = true;
  /** When it began, or was well again: its slow start counts from there, ms. */
  startedAt = Number.NEGATIVE_INFINITY;
  /** Whose calls they are, where there are several groups. */
  group: AttemptObserver | undefined = undefined;

  /** peak_ewma: the average when it was last told, ms. */
  rttMs = 0;
  /** When that was, or the endpoint was first seen; NaN: neither. */
  rttAt = Number.NaN;
  /** Since when a unary call waits that began after the last answer, ms; ∞: none does. */
  waitingSince = Number.POSITIVE_INFINITY;

  /** weighted_round_robin: what the last report came to; 0: there is none. */
  reported = 0;
  /** When reports began to come, and when the last came, ms. */
  reportedSince = Number.POSITIVE_INFINITY;
  reportedAt = Number.NEGATIVE_INFINITY;
}

/** Of the endpoint where an attempt runs. */
export function loadOf({ endpoint }: Attempt): EndpointLoad | undefined {
  if (endpoint === undefined || !("load" in endpoint)) return undefined;
  return endpoint.load instanceof EndpointLoad ? endpoint.load : undefined;
}
