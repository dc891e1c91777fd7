// Connections and bytes that never became a request: closed before HTTP began, or malformed HTTP. No call stands for them
// in the access log, so they are counted by reason, and logged once an hour for each reason and client network.

import type { Log } from "../../kit/log.js";
import type { LogOnce } from "../../kit/log-once.js";
import type { Counter, Meters } from "../../kit/meters.js";
import { clientNetwork } from "../../kit/net/ip.js";
import { cut } from "../../kit/text/text.js";

const CONNECTION_REASONS = [
  /** The address already has as many connections as it may have (`limits.connectionsPerAddress`). */
  "address_limit",
  /** Clear text where TLS is expected, and TLS where clear text is. */
  "clear_text",
  "tls",
  /** Neither HTTP/1.1 nor HTTP/2. */
  "not_http",
  /** Nothing, or not enough, within `limits.firstBytesTimeout`. */
  "silence",
] as const;
export type ConnectionReason = (typeof CONNECTION_REASONS)[number];

/** Characters in the log. */
const MAX_DETAIL = 200;

export interface RejectedOptions {
  /** The listener's address, as in the config. */
  readonly listener: string;
  readonly meters: Meters;
  readonly log: Log | undefined;
  readonly logOnce: LogOnce;
}

export class Rejected {
  private readonly options: RejectedOptions;
  private readonly connections: ReadonlyMap<ConnectionReason, Counter>;

  constructor(options: RejectedOptions) {
    const { listener, meters } = options;
    this.options = options;
    // All of them from the start: a rate over a series that appears with its first event misses that event.
    this.connections = new Map(
      CONNECTION_REASONS.map((reason) => [
        reason,
        meters.counter(
          "linchpin.connections.refused",
          "Connections of clients that were closed before they said anything in HTTP, by why.",
          { "linchpin.listener": listener, "linchpin.reason": reason },
        ),
      ]),
    );
  }

  connection(reason: ConnectionReason): void {
    this.connections.get(reason)?.add();
  }

  /**
   * @param reason of the catalogue of refusals, or HTTP/2's name of the error that ended the connection
   * @param detail in words, for the log
   */
  request(version: "1.1" | "2", reason: string, ip: string, detail: string): void {
    const { listener, meters, log, logOnce } = this.options;
    const labels = {
      "linchpin.listener": listener,
      "network.protocol.version": version,
      "linchpin.reason": reason,
    };
    meters
      .counter(
        "linchpin.requests.malformed",
        "What clients sent that could not be read as a request, by why.",
        labels,
      )
      .add();
    if (log === undefined || !logOnce.first(`${reason} ${clientNetwork(ip)}`)) return;
    // It may contain a field's name, which can be any bytes.
    const shown = cut(detail.replace(/[^ -~]/g, "?"), MAX_DETAIL);
    log.info(`${ip} sent a malformed HTTP/${version} request: ${shown} (${reason}; logged once an hour)`);
  }
}
