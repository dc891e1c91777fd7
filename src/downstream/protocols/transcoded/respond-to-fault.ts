// Ends a call after a fault of the hub: in whatever state its response is, the client gets an end.
import type { Status } from "../../../call/status/status.js";
import type { ResponseWriter } from "../../../call/transcoding.js";
import { attempt } from "../../../kit/faults.js";
import { respondBare } from "../../carriers/bare-response.js";
import type { Exchange } from "../../carriers/exchange.js";
import type { CallResponse } from "./call-response.js";

const WHERE = "while a fault was answered";

/** @param shown the status as the caller may see it */
export function respondToFault(
  exchange: Exchange,
  response: CallResponse,
  writer: ResponseWriter | undefined,
  status: Status,
  shown: Status,
): void {
  if (!response.begun) {
    attempt(WHERE, () => response.refuse(status));
    if (!response.begun && !response.ended) respondBare(exchange, status);
    if (response.begun && !response.ended) attempt(WHERE, () => exchange.reset());
  } else {
    // The body expresses it in its format, if its writer still can.
    if (writer !== undefined) attempt(WHERE, () => writer.fail(shown, true));
    if (!response.ended) attempt(WHERE, () => exchange.reset());
  }
  if (!response.ended) attempt(WHERE, () => response.close());
}
