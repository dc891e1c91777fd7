// A plain HTTP response without a call: uses nothing that may have thrown.

import type { Status } from "../../call/status/status.js";
import { field } from "../../kit/headers.js";
import type { Exchange } from "./exchange.js";

/**
 * Responds with the status in JSON; if even that fails, the exchange is aborted.
 * @param text google.rpc.Status in JSON; left out: without its details
 */
export function respondBare(exchange: Exchange, { http, code, message }: Status, text?: string): void {
  try {
    const body = Buffer.from(text ?? JSON.stringify({ code, message, details: [] }));
    const fields = [
      field("content-type", "application/json"),
      field("x-content-type-options", "nosniff"),
      field("content-length", String(body.length)),
    ];
    const bodyless = exchange.head.method === "HEAD";
    exchange.respond(http, fields, bodyless);
    if (!bodyless) exchange.write(body, 0, body.length, true);
  } catch {
    exchange.reset();
  }
}
