// What the owner of a connection is told: of requests, of its beginning and its end, and of what went wrong.
import { reportFault as report } from "../kit/faults.js";
import type { HeaderBlock } from "./hpack/decoder.js";
import type { Stream } from "./stream.js";
import type { LimitName } from "./wire/limits.js";

export interface ConnectionHandler {
  /** Server role: a request has begun. Sets `stream.handler` before it returns. */
  onStream(stream: Stream, block: HeaderBlock, end: boolean): void;
  /** The peer's first SETTINGS came: the connection is usable. */
  onReady?(): void;
  /** The peer will take no new streams (GOAWAY came), or room for streams came back. */
  onCapacity?(): void;
  /** Once: the connection is over, whoever ended it. Its streams have been told before. */
  onClose(reason: string): void;
  /**
   * A handler threw, or the engine did: a bug, for the log. The stream it was for is reset, or the connection closed,
   * with INTERNAL_ERROR. Without this it is told as a fault like others. A stream's handler with an `onFault` of its
   * own ends its stream itself, and this is not called.
   */
  onFault?(error: unknown): void;
  /** The peer passed a limit: for the log and for metrics. What it ends has been told, or will be, on its own way. */
  onLimit?(limit: LimitName, ends: "stream" | "connection", reason: string): void;
  /** The peer sent a request that is none, or what is no HTTP/2: for metrics. `code`: of RFC 9113 §7. */
  onMalformed?(ends: "stream" | "connection", code: number, reason: string): void;
}

/** Never throws. */
export function reportFault(handler: ConnectionHandler, error: unknown): void {
  try {
    if (handler.onFault !== undefined) handler.onFault(error);
    else report("on an HTTP/2 connection", error);
  } catch (second) {
    report("while reporting a fault of an HTTP/2 connection", second);
  }
}
