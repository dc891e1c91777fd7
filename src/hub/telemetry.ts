// The hub's own metrics in /metrics.
import type { Log } from "../kit/log.js";
import type { Meters } from "../kit/meters.js";
import type { Family } from "../telemetry/metrics/family.js";
import { HANDSHAKE_FAILURES, type HandshakeFailure } from "../tls/handshake-failure.js";

/** Values of the hub's own log for a scrape; empty if the log has none. */
export function logFamilies({ lost }: Log): Family[] {
  if (lost === undefined) return [];
  const help = "Lines of the hub's own log that were lost, since nobody could take them.";
  return [
    {
      type: "counter",
      name: "linchpin.log.dropped",
      unit: "1",
      help,
      points: [{ labels: {}, value: lost() }],
    },
  ];
}

/** Counts the TLS handshakes of a listener that failed; all reasons from the start. */
export function handshakeFailures(listener: string, meters: Meters): (why: HandshakeFailure) => void {
  const counters = new Map(
    HANDSHAKE_FAILURES.map((why) => [
      why,
      meters.counter("linchpin.tls.handshake.failures", "TLS handshakes of clients that failed, by why.", {
        "linchpin.listener": listener,
        "linchpin.reason": why,
      }),
    ]),
  );
  return (why) => counters.get(why)?.add();
}
