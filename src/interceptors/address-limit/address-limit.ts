// Limits per client address, before authentication: calls per time, and concurrent calls.

import type { Call } from "../../call/call.js";
import type { Interceptor, InterceptorContext, Step } from "../../call/interceptor.js";
import { refuser } from "../../call/status/reasons.js";
import type { Status } from "../../call/status/status.js";
import { retryInfo } from "../../call/status/status-details.js";
import { formatRate } from "../../config/rate.js";
import { Headers } from "../../kit/headers.js";
import type { Counter } from "../../kit/meters.js";
import { AddressCounts } from "../../kit/net/address-counts.js";
import { clientNetwork, ipOf } from "../../kit/net/ip.js";
import { TokenBuckets } from "../kit/token-bucket.js";
import type { AddressLimitConfig } from "./kind.js";

/** How long concurrent calls run is not known; a second is a first guess. */
const CONCURRENT_RETRY_SECONDS = 1;

/** Running calls outlive a reload, and so does their count. */
class Running extends AddressCounts {
  close(): void {}
}

/** Plans nothing if there is no limit. */
export function addressLimit(config: AddressLimitConfig, context: InterceptorContext): Interceptor {
  const { rate, concurrent } = config;
  const steps: Step[] = [];
  const counter = (limit: string): Counter =>
    context.meters.counter("linchpin.address_limit.refusals", "Calls refused because of their address.", {
      "linchpin.limit": limit,
    });
  if (rate !== undefined) {
    const buckets = context.retained.keep(
      "address-limit",
      rate,
      () => new TokenBuckets({ perMs: rate.count / rate.perMs, burst: rate.count }),
    );
    const refused = counter("rate");
    const start = (call: Call): Status | undefined => {
      const now = context.clock.now();
      const slot = buckets.slotOf(networkOf(call));
      const waitMs = buckets.waitMs(slot, 1, now);
      if (waitMs === 0) {
        buckets.take(slot, 1, now);
        return undefined;
      }
      refused.add();
      return tooOften(formatRate(rate), waitMs);
    };
    steps.push({ name: "address-limit", start });
  }
  if (concurrent !== undefined) {
    const running = context.retained.keep("address-limit-running", {}, () => new Running());
    const refused = counter("concurrent");
    steps.push({
      name: "address-limit",
      // Counted first: the end of a rejected call is called as well.
      start: (call) => {
        if (running.add(networkOf(call)) <= concurrent) return undefined;
        refused.add();
        return tooMany(concurrent);
      },
      end: (call) => running.remove(networkOf(call)),
    });
  }
  const [first, second] = steps;
  const step = first === undefined || second === undefined ? first : both(first, second);
  return { name: "address-limit", preflights: true, plan: () => step };
}

/** Concurrent calls first: a rejected call takes no token. */
function both(rate: Step, concurrent: Step): Step {
  return {
    name: "address-limit",
    start: (call) => concurrent.start?.(call) ?? rate.start?.(call),
    end: (call, outcome) => concurrent.end?.(call, outcome),
  };
}

function networkOf(call: Call): string {
  return clientNetwork(call.peer.ip ?? ipOf(call.peer.address));
}

const refuse = refuser("ADDRESS_LIMIT_EXCEEDED");

function tooOften(limit: string, waitMs: number): Status {
  const seconds = Math.max(1, Math.ceil(waitMs / 1000));
  return refuse(`too many calls from this address (${limit}): try again in ${seconds} s`, {
    details: [retryInfo(waitMs)],
    metadata: Headers.of(["retry-after", String(seconds)]),
  });
}

function tooMany(limit: number): Status {
  return refuse(`more than ${limit} calls of this address run at once`, {
    metadata: Headers.of(["retry-after", String(CONCURRENT_RETRY_SECONDS)]),
  });
}
