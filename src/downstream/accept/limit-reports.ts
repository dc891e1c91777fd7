// Clients that exceeded a limit of their connection: counted, and logged once an hour for each limit and client.
import { CLIENT_LIMITS, type ClientLimits } from "../../config/listener-limits.js";
import type { Log } from "../../kit/log.js";
import type { LogOnce } from "../../kit/log-once.js";
import type { Meters } from "../../kit/meters.js";
import { clientNetwork } from "../../kit/net/ip.js";
import type { Client } from "../client/client.js";

const PASSED = {
  http2: {
    name: "linchpin.http2.limits.passed",
    help: "How often clients passed a limit of HTTP/2 (docs/security.md), by limit and by what it ended: a stream or the connection.",
  },
  http1: {
    name: "linchpin.http1.limits.passed",
    help: "How often clients of HTTP/1.1 passed a limit that ended their connection (docs/security.md), by limit.",
  },
} as const;

export interface LimitReportsOptions {
  readonly meters: Meters;
  readonly log: Log | undefined;
  readonly logOnce: LogOnce;
}

export class LimitReports {
  readonly #options: LimitReportsOptions;

  constructor(options: LimitReportsOptions) {
    this.#options = options;
  }

  /** @param reason for people */
  passed(
    version: keyof typeof PASSED,
    limit: keyof ClientLimits,
    ends: "stream" | "connection",
    reason: string,
    { ip }: Client,
  ): void {
    const { meters, log, logOnce } = this.#options;
    const { key = limit } = CLIENT_LIMITS[limit];
    const { name, help } = PASSED[version];
    const labels = { "linchpin.limit": key, ...(version === "http2" ? { "linchpin.ends": ends } : {}) };
    meters.counter(name, help, labels).add();
    if (ends === "stream") return; // an honest client may have a slow reader, or a cookie too many
    if (log === undefined || !logOnce.first(`${key} ${clientNetwork(ip)}`)) return;
    const setting = CLIENT_LIMITS[limit].key === undefined ? "" : `limits.${key}; `;
    log.warn(`a connection of ${ip} was closed: ${reason} (${setting}logged once an hour)`);
  }
}
