// What never became a request: connections that were let go, and bytes that nobody can read as HTTP. There is no call
// that could stand in the access log, so they are counted by why, and told in the hub's log once an hour for each client.

import type { Log } from "../../kit/log.js";
import type { Counter, Meters } from "../../kit/meters.js";
import { clientNetwork } from "../../kit/net/ip.js";
import { cut } from "../../kit/text/text.js";
import type { Told } from "../../kit/told.js";

const CONNECTION_REASONS = [
  /** The address has as many connections as it may (`limits.connectionsPerAddress`). */
  "address_limit",
  /** Clear text where TLS is expected, and the other way round. */
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

export interface TurnedAwayOptions {
  /** The listener's address, as the config has it. */
  readonly listener: string;
  readonly meters: Meters;
  readonly log: Log | undefined;
  readonly told: Told;
}

export class TurnedAway {
  private readonly options: TurnedAwayOptions;
  private readonly connections: ReadonlyMap<ConnectionReason, Counter>;

  constructor(options: TurnedAwayOptions) {
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
   * @param detail for people
   */
  request(version: "1.1" | "2", reason: string, ip: string, detail: string): void {
    const { listener, meters, log, told } = this.options;
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
    if (log === undefined || !told.first(`${reason} ${clientNetwork(ip)}`)) return;
    // A field's name may be in it, which can be anything.
    const shown = cut(detail.replace(/[^ -~]/g, "?"), MAX_DETAIL);
    log.info(`${ip} sent what is no request of HTTP/${version}: ${shown} (${reason}; told once an hour)`);
  }
}
