// The last way to answer a plain HTTP request: for a fault of the hub itself, so it needs nothing of what may have thrown.

import type { Status } from "../../call/status/status.js";
import { field } from "../../kit/headers.js";
import type { Exchange } from "./exchange.js";

/** Answers with the status in JSON, without details; where even that fails, the exchange is broken off. */
export function answerBare(exchange: Exchange, { http, code, message }: Status): void {
  try {
    const body = Buffer.from(JSON.stringify({ code, message, details: [] }));
    const fields = [field("content-type", "application/json"), field("content-length", String(body.length))];
    const bodyless = exchange.head.method === "HEAD";
    exchange.respond(http, fields, bodyless);
    if (!bodyless) exchange.write(body, true);
  } catch {
    exchange.reset();
  }
}
