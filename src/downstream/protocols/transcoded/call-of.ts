// The Call of a plain HTTP request.
import { Call } from "../../../call/call.js";
import type { Plan } from "../../../call/pipeline.js";
import type { RestMatch } from "../../../call/rest.js";
import { Headers } from "../../../kit/headers.js";
import type { ExchangeHead } from "../../carriers/exchange.js";
import type { TranscodedHead } from "./transcoded-head.js";

/** The method that a request calls, and by which route. */
export type CalledMethod = Pick<RestMatch, "method" | "route">;

/** @param match undefined: no method is called */
export function callOf(
  { version, method, target, authority }: ExchangeHead,
  { peer, metadata }: TranscodedHead,
  plan: Plan,
  match: CalledMethod | undefined,
  now: number,
): Call {
  const path = match === undefined ? `/${plan.method.name}` : match.method.path;
  const call = new Call(plan.method, path, authority, peer, new Headers(metadata), now);
  const question = target.indexOf("?");
  call.httpVersion = version;
  call.http = {
    method,
    route: match?.route,
    path: question === -1 ? target : target.slice(0, question),
    query: question === -1 ? "" : target.slice(question + 1),
    status: 0,
  };
  return call;
}
