// Large messages in both directions: translated in a thread, by the same code as small ones.

import { hubFault } from "../../call/status/hub-fault.js";
import { refusal } from "../../call/status/reasons.js";
import { Code, Status } from "../../call/status/status.js";
import { barrier } from "../../kit/barrier.js";
import { BudgetExceeded, type Codecs } from "../codec/codecs.js";
import { isWithoutDescriptors, notNow } from "../messages/not-now.js";
import type { BindingPlan } from "../routes/binding.js";
import type { MatchedRequest } from "../translate/request.js";
import { decodeResponse, isCopied, type PrintedBody, type ResponseForm } from "../translate/response.js";
import { eventLoopBudget, LARGE_RESPONSE_BYTES } from "../translate/work.js";
import { planSource, statusOf } from "./job.js";
import type { Outcome, ThreadPool } from "./pool.js";
import { threadSchema } from "./schema.js";
import type { Cancel } from "./threads.js";

export type { Cancel } from "./threads.js";

/** Nothing runs that could be cancelled. */
const NOTHING: Cancel = () => {};

/** A request whose large messages have threads. */
export interface ThreadedRequest extends MatchedRequest {
  readonly threads: ThreadPool;
}

/**
 * A message of a request. body: the whole body of a unary one, of this type; text: the JSON of one of a stream. `done`
 * is called once, possibly at once, unless it is cancelled before; if it throws when it is called later, that goes to
 * `onFault`.
 */
export function encodeLarge(
  match: ThreadedRequest,
  kind: "body" | "text",
  bytes: Uint8Array,
  contentType: string | undefined,
  done: (message: Uint8Array | Status) => void,
  onFault: (error: unknown) => void,
): Cancel {
  const bound = match.bound();
  if (bound instanceof Status) {
    done(bound);
    return NOTHING;
  }
  const { plan, threads } = match;
  const { path, query } = bound;
  const { codecs, ...options } = match.options;
  const schema = threadSchema(codecs, plan.descriptor.parent.file);
  const overridden = match.overridden === true;
  const job = { kind, plan: planSource(plan), bytes, contentType, path, query, overridden, options };
  const onOutcome = (outcome: Outcome): void => {
    const result = resultOf(outcome, "request");
    done(result instanceof Status ? result : result.body);
  };
  const cancel = threads.run(schema, job, barrier(onOutcome, onFault));
  if (cancel !== undefined) return cancel;
  done(busy("request"));
  return NOTHING;
}

/** A message of a response, printed in place; undefined: that is too much work here. */
export function printInPlace(
  plan: BindingPlan,
  message: Uint8Array,
  codecs: Codecs,
  form: ResponseForm,
): PrintedBody | Status | undefined {
  if (message.length >= LARGE_RESPONSE_BYTES && !isCopied(plan, form)) return undefined;
  try {
    return decodeResponse(plan, message, codecs, form, eventLoopBudget(form));
  } catch (e) {
    if (e instanceof BudgetExceeded) return undefined;
    throw e;
  }
}

/** The same in a thread; as `encodeLarge`. */
export function printLarge(
  threads: ThreadPool,
  plan: BindingPlan,
  message: Uint8Array,
  codecs: Codecs,
  form: ResponseForm,
  done: (printed: PrintedBody | Status) => void,
  onFault: (error: unknown) => void,
): Cancel {
  const schema = threadSchema(codecs, plan.descriptor.parent.file);
  const job = { kind: "response" as const, plan: planSource(plan), bytes: message, form };
  const onOutcome = (outcome: Outcome): void => done(resultOf(outcome, "response"));
  const cancel = threads.run(schema, job, barrier(onOutcome, onFault));
  if (cancel !== undefined) return cancel;
  done(busy("response"));
  return NOTHING;
}

function resultOf(outcome: Outcome, what: "request" | "response"): PrintedBody | Status {
  if ("bytes" in outcome) {
    const { bytes, contentType } = outcome;
    return { contentType, body: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength) };
  }
  if ("status" in outcome) return statusOf(outcome.status);
  if ("fault" in outcome) {
    return hubFault(`the ${what} could not be translated`, "in a thread that translates", outcome.fault);
  }
  const cause = outcome.lost;
  // No call can do anything about that, and the next may find it over.
  if (isWithoutDescriptors(cause))
    return what === "request" ? notNow("the hub cannot start a thread now: try again", cause) : busy(what);
  if (!outcome.outOfMemory)
    return hubFault(`the thread that translated the ${what} died`, "in a thread that translates", cause);
  return what === "request"
    ? refusal("MESSAGE_TOO_LARGE", "translating the body takes too much memory: send less at once", {
        cause,
      })
    : refusal("RESPONSE_TOO_LARGE", "translating the response takes too much memory: ask for less", {
        cause,
      });
}

function busy(what: "request" | "response"): Status {
  const message = `too many large messages are waiting to be translated${what === "request" ? ": try again" : ""}`;
  // The service has done its work: a client that retries on UNAVAILABLE would have it done twice.
  return what === "request"
    ? notNow(message)
    : refusal("TRANSLATION_OVERLOADED", message, { code: Code.RESOURCE_EXHAUSTED, http: 503 });
}
