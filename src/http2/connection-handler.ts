// The callbacks of a connection's owner: requests, the connection's begin and end, and errors.
import { reportFault as report } from "../kit/faults.js";
import type { HeaderBlock } from "./hpack/decoder.js";
import type { Stream } from "./stream.js";
import type { LimitName } from "./wire/limits.js";

export interface ConnectionHandler {
  /** Server role: a request has begun. Sets `stream.handler` before it returns. */
  onStream(stream: Stream, block: HeaderBlock, end: boolean): void;
  /** The peer's first SETTINGS arrived: the connection is usable. */
  onReady?(): void;
  /** The peer accepts no new streams (GOAWAY arrived), or streams became available again. */
  onCapacity?(): void;
  /** Once: the connection has ended, on either side. Its streams were notified before. */
  onClose(reason: string): void;
  /**
   * A handler threw, or the engine did: a bug, for the log. Its stream is reset, or the connection closed, with
   * INTERNAL_ERROR. Default: reported as any other fault. If a stream's handler has an `onFault`, that ends its stream,
   * and this is not called.
   */
  onFault?(error: unknown): void;
  /** The peer exceeded a limit: for the log and for metrics. Whatever it ends is notified separately. */
  onLimit?(limit: LimitName, ends: "stream" | "connection", reason: string): void;
  /** The peer sent a malformed request, or something other than HTTP/2: for metrics. `code`: of RFC 9113 §7. */
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
