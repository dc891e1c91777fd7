// The end of a call on whose way something of the hub threw: in whatever state its answer is, the client gets an end.
import type { Status } from "../../../call/status/status.js";
import type { ResponseWriter } from "../../../call/transcoding.js";
import { attempt } from "../../../kit/faults.js";
import { answerBare } from "../../carriers/bare-answer.js";
import type { Exchange } from "../../carriers/exchange.js";
import type { CallAnswer } from "./call-answer.js";

const WHERE = "while a fault was answered";

/** @param shown the status as the caller may see it */
export function answerFault(
  exchange: Exchange,
  answer: CallAnswer,
  writer: ResponseWriter | undefined,
  status: Status,
  shown: Status,
): void {
  if (!answer.begun) {
    attempt(WHERE, () => answer.refuse(status));
    if (!answer.begun && !answer.ended) answerBare(exchange, status);
    if (answer.begun && !answer.ended) attempt(WHERE, () => exchange.reset());
  } else {
    // The body says it in its own way, if its writer still can.
    if (writer !== undefined) attempt(WHERE, () => writer.fail(shown, true));
    if (!answer.ended) attempt(WHERE, () => exchange.reset());
  }
  if (!answer.ended) attempt(WHERE, () => answer.close());
}
