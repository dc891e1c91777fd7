// Encodes a body as its service's message, combined with what path and query bind: on the event loop and in threads.
import type { DescMessage } from "@bufbuild/protobuf";
import { refusal } from "../../call/status/reasons.js";
import { Status } from "../../call/status/status.js";
import { badRequest } from "../../call/status/status-details.js";
import { type Budget, BudgetExceeded, type Codecs } from "../codec/codecs.js";
import { formTypeOf, isProtoType } from "./content-type.js";
import { binaryBody, bindRequest, encodeRequest, type MatchedRequest, readBody } from "./request.js";
import { NO_SYSTEM_PARAMETERS } from "./system-parameters.js";

/** One message of a stream, from its JSON text. */
export function encodeText(match: MatchedRequest, text: Buffer): Uint8Array | Status {
  const bound = match.bound();
  if (bound instanceof Status) return bound;
  return encodeRequest(bound, text.length === 0 ? undefined : { kind: "text", text }, match.options);
}

/** The message of a unary request, from its whole body. Throws BudgetExceeded past the budget. */
export function encodeBody(
  match: MatchedRequest,
  body: Buffer,
  contentType: string | undefined,
  budget: Budget,
): Uint8Array | Status {
  const { plan, options } = match;
  const bound = match.bound();
  if (bound instanceof Status) return bound;
  if (isQuery(match, contentType)) {
    const form = body.toString("latin1");
    // The response's format is fixed before a body is read.
    const own = bindRequest(plan, bound.path, form, options);
    if (!(own instanceof Status) && own.system !== NO_SYSTEM_PARAMETERS) return inUrlOnly();
    const query = [bound.query, form].filter((part) => part !== "").join("&");
    const all = bindRequest(plan, bound.path, query, options);
    return all instanceof Status ? all : encodeRequest(all, undefined, options);
  }
  const desc = isProtoType(contentType) ? binaryBody(plan) : undefined;
  if (desc === undefined) {
    const part = readBody(plan, body, contentType, options);
    return part instanceof Status ? part : encodeRequest(bound, part, options);
  }
  // Through JSON, so that all checks of bodies apply: what the path binds, what the query may set.
  const text = asJson(desc, body, options.codecs, budget);
  if (text instanceof Status) return text;
  const part = readBody(plan, text, "application/json", options);
  return part instanceof Status ? part : encodeRequest(bound, part, options);
}

function inUrlOnly(): Status {
  const description = "$alt, $fields and $prettyPrint belong in the URL, not in the form";
  return refusal("INVALID_REQUEST", description, { details: [badRequest([{ field: "", description }])] });
}

/** The body is more of the query: that is why the likes of GET are sent as POST. */
function isQuery({ plan, overridden }: MatchedRequest, contentType: string | undefined): boolean {
  return (
    overridden === true &&
    plan.body === "none" &&
    formTypeOf(contentType) === "application/x-www-form-urlencoded"
  );
}

function asJson(desc: DescMessage, body: Uint8Array, codecs: Codecs, budget: Budget): Buffer | Status {
  try {
    return codecs.of(desc).decode(body, undefined, budget);
  } catch (cause) {
    if (cause instanceof BudgetExceeded) throw cause;
    const description = `the body is not a ${desc.typeName} in protobuf's binary formatat`;
    return refusal("INVALID_REQUEST", description, {
      cause,
      details: [badRequest([{ field: "", description }])],
    });
  }
}
