// Balancer data about one endpoint. It lives as long as the endpoint, so it survives a reload or a change of the
// balancer. Plain numbers in one object: a pick reads two objects and allocates nothing.
import type { Attempt, AttemptObserver } from "../../call/attempt.js";

export class EndpointLoad {
  /** Its configured weight; never 0 among endpoints that are picked. */
  base = 1;
  /** The effective weight: `base`, reduced during slow start. */
  weight = 1;
  /** More preferred endpoints have enough capacity: it gets no connections in advance beyond the first. */
  spare = false;
  /** It has been connected to. */
  connected = false;
  /** When a balancer first saw it, ms; NaN: never. */
  since = Number.NaN;
  /** `healthy` as it was last counted. */
  healthy = true;
  /** When it began, or became healthy again: its slow start counts from there, ms. */
  startedAt = Number.NEGATIVE_INFINITY;
  /** The observer of its calls, if there are several groups. */
  group: AttemptObserver | undefined = undefined;

  /** peak_ewma: the average at its last update, ms. */
  rttMs = 0;
  /** When that was, or when the endpoint was first seen; NaN: neither. */
  rttAt = Number.NaN;
  /** Start of the oldest waiting unary call since the last response, ms; ∞: none waits. */
  waitingSince = Number.POSITIVE_INFINITY;

  /** weighted_round_robin: the weight from the last report; 0: there is none. */
  reported = 0;
  /** Times of the first and the last report, ms. */
  reportedSince = Number.POSITIVE_INFINITY;
  reportedAt = Number.NEGATIVE_INFINITY;
}

/** The data of the endpoint where an attempt runs. */
export function loadOf({ endpoint }: Attempt): EndpointLoad | undefined {
  if (endpoint === undefined || !("load" in endpoint)) return undefined;
  return endpoint.load instanceof EndpointLoad ? endpoint.load : undefined;
}
