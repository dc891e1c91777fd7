// From an attempt to its stream: on the balancer's endpoint if one has room, else through the cluster's queue.

import { refusal } from "../call/status/reasons.js";
import type { Status } from "../call/status/status.js";
import { retryInfo } from "../call/status/status-details.js";
import { Headers } from "../kit/headers.js";
import type { Cluster } from "./cluster.js";
import type { Link } from "./pool/link.js";
import type { Waiter } from "./queue.js";
import { headBytes, writeHead } from "./request-head.js";
import type { StreamAttempt } from "./stream-attempt.js";

/** Sends an attempt to one of its cluster's endpoints, at once or when its turn comes. Never throws. */
export function dispatch(attempt: StreamAttempt): void {
  try {
    pick(attempt);
  } catch (error) {
    attempt.onFault(error);
  }
}

function pick(attempt: StreamAttempt): void {
  const link = attempt.cluster.queue.pick(attempt);
  if (link === undefined) wait(attempt);
  else open(attempt, link);
}

function open(attempt: StreamAttempt, link: Link): void {
  const { call, cluster } = attempt;
  const { deadline } = call;
  const now = cluster.clock.now();
  const leftMs = deadline === undefined ? Number.POSITIVE_INFINITY : deadline - now;
  if (leftMs <= 0) {
    // The runner's timer is a little late; an attempt whose deadline has passed is never sent.
    const message = `the deadline passed while in stage: ${call.stage}`;
    attempt.fail(refusal("DEADLINE_EXCEEDED", message), "never");
    return;
  }
  const { maxHeaderListBytes } = link.connection;
  if (maxHeaderListBytes !== Number.POSITIVE_INFINITY && headBytes(attempt, link) > maxHeaderListBytes) {
    const { name } = cluster;
    const message = `the request's metadata are more than the ${maxHeaderListBytes} bytes that upstream "${name}" takes`;
    attempt.fail(refusal("HEADERS_TOO_LARGE", message, { info: { upstream: name } }), "never");
    return;
  }
  const refused = cluster.health.breakers?.refuses(call);
  if (refused !== undefined) {
    attempt.fail(refused, "never");
    return;
  }
  const stream = link.connection.open(attempt);
  if (stream === undefined) {
    pick(attempt);
    return;
  }
  attempt.begin(link, stream, now);
  writeHead(stream, attempt, link, leftMs);
  attempt.request.sendTo(stream);
}

function wait(attempt: StreamAttempt): void {
  const { call, cluster } = attempt;
  call.stage = cluster.waitingStage;
  const waiter = new Waiting(attempt);
  attempt.waiter = waiter;
  switch (cluster.queue.wait(waiter)) {
    case "refused":
      waiter.onDropped();
      break;
    case "unavailable":
      waiter.onUnavailable();
      break;
    default:
  }
}

class Waiting implements Waiter {
  readonly attempt: StreamAttempt;

  constructor(attempt: StreamAttempt) {
    this.attempt = attempt;
  }

  onLink(link: Link): void {
    this.attempt.waiter = undefined;
    open(this.attempt, link);
  }

  onDropped(): void {
    this.attempt.fail(overloaded(this.attempt.cluster), "never");
  }

  onUnavailable(): void {
    this.attempt.fail(unreachable(this.attempt.cluster), "never");
  }

  onFault(error: unknown): void {
    this.attempt.onFault(error);
  }
}

function overloaded({ name, limits }: Cluster): Status {
  const message = `upstream "${name}" has ${limits.maxPending} calls waiting for a connection`;
  const hint = `; upstreams.${name}.pending.max is the limit`;
  return refusal("UPSTREAM_OVERLOADED", message, { info: { upstream: name }, hint });
}

/** Endpoints named in a message, at most. */
const MAX_NAMED = 10;

function unreachable({ name, endpoints, source }: Cluster): Status {
  const reasons = endpoints
    .filter((_, i) => i < MAX_NAMED)
    // System errors repeat the address.
    .map((e) => `${e.address}: ${e.health?.why ?? e.problem.replace(` ${e.address}`, "")}`);
  if (endpoints.length > MAX_NAMED) reasons.push(`and ${endpoints.length - MAX_NAMED} more`);
  if (source.problem !== undefined) reasons.unshift(`its endpoints: ${source.problem.text}`);
  else if (source.silent) reasons.unshift("its endpoints are not known yet");
  else if (reasons.length === 0) reasons.push("it has no endpoints");
  const waits = endpoints.flatMap((e) => e.retryInMs ?? []);
  // Whole seconds, and never 0: an immediate retry has just failed.
  const seconds = waits.length === 0 ? undefined : Math.max(1, Math.ceil(Math.min(...waits) / 1000));
  return refusal("UPSTREAM_UNAVAILABLE", `upstream "${name}" cannot be reached`, {
    info: { upstream: name },
    hint: ` (${reasons.join("; ")})`,
    ...(seconds === undefined
      ? {}
      : {
          details: [retryInfo(seconds * 1000)],
          metadata: Headers.of(["retry-after", String(seconds)]),
        }),
  });
}
