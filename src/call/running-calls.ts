// The running calls of one hub, so that a drain can end each of them with a response when its time is over.
import type { Abort } from "./sink.js";

/** A call in the list; the links belong to the list. Linked in place, since every call is added and removed. */
export interface RunningCall {
  runningNext: RunningCall | undefined;
  runningPrevious: RunningCall | undefined;
  /** Ends it; it leaves the list. Never throws. */
  cut(cause: Abort): void;
}

export class RunningCalls {
  #first: RunningCall | undefined;

  add(call: RunningCall): void {
    const first = this.#first;
    call.runningNext = first;
    if (first !== undefined) first.runningPrevious = call;
    this.#first = call;
  }

  /** Once for each call that was added. */
  delete(call: RunningCall): void {
    const { runningNext: next, runningPrevious: previous } = call;
    if (previous === undefined) this.#first = next;
    else previous.runningNext = next;
    if (next !== undefined) next.runningPrevious = previous;
    call.runningNext = undefined;
    call.runningPrevious = undefined;
  }

  /** Ends every call. Returns how many there were. */
  cut(cause: Abort): number {
    const calls: RunningCall[] = [];
    for (let call = this.#first; call !== undefined; call = call.runningNext) calls.push(call);
    for (const call of calls) call.cut(cause);
    return calls.length;
  }
}
