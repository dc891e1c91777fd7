// Plain HTTP from clients, over HTTP/1.1 and HTTP/2: the routes of services and the hub's pages, OPTIONS, CORS
// preflights. It takes every request that no other protocol claims.
import type { Gateway, Snapshot } from "../../../call/gateway.js";
import type { Plan } from "../../../call/pipeline.js";
import type { RestMiss } from "../../../call/rest.js";
import { Status } from "../../../call/status/status.js";
import { field, Headers } from "../../../kit/headers.js";
import { respondBare } from "../../carriers/bare-response.js";
import type { Exchange } from "../../carriers/exchange.js";
import type { ClientProtocol } from "../client-protocol.js";
import { respondingPlan } from "../transcoded/adapted-plan.js";
import { TranscodedCall } from "../transcoded/transcoded-call.js";
import { addCorsFields, preflightFields, preflightOf } from "./cors.js";
import { NO_SNIFF } from "./response-fields.js";
import { type RestHead, readRestHead } from "./rest-head.js";
import { addFields } from "./rest-headers.js";
import { RestResponse } from "./rest-response.js";

/** For `OPTIONS *`, which has no path. */
const ALL_METHODS: readonly string[] = ["DELETE", "GET", "HEAD", "PATCH", "POST", "PUT"];

export const rest: ClientProtocol = {
  name: "plain HTTP",
  pauses: false,
  claims: () => true,

  open(gateway, exchange) {
    const { method, target } = exchange.head;
    const request = new RestRequest(gateway, exchange);
    if (method === "OPTIONS" && request.answerOptions()) return;
    const { snapshot, restHead, response, call } = request;
    const match = snapshot.rest.match(method, target, restHead.methodOverride);
    if (match.kind === "miss") {
      call.refuseBy(snapshot.planFor(""), () => noRoute(match));
      return;
    }
    const plan = snapshot.planFor(match.method.path);
    if (match.kind === "page") {
      call.respondFromHub(plan, (headers, body) => response.page(headers, body), match);
      return;
    }
    const transcoding = match.open(call);
    if (match.accept !== undefined) response.accept = match.accept;
    if (transcoding instanceof Status) call.refuseBy(plan, () => transcoding, match);
    else call.serve(plan, match, transcoding);
  },

  refuse(gateway, exchange, status) {
    const { call, snapshot } = new RestRequest(gateway, exchange);
    call.refuseBy(snapshot.planFor(""), () => status);
  },

  reject({ snapshot }, exchange, status) {
    respondBare(exchange, status, snapshot.rest.renderStatus(status));
  },
};

/** The error for a missing route: the allowed methods, and the nearest routes for callers who may see them. */
export function noRoute(miss: RestMiss): Status {
  const { status, allow } = miss;
  // It has a better hint than near routes: an upstream is missing.
  if (status.hint !== undefined) return status;
  const { code, message, details, http } = status;
  return new Status(code, message, {
    details,
    http,
    ...(allow.length === 0 ? {} : { metadata: Headers.of(["allow", allow.join(", ")]) }),
    hint: () => {
      const hints = miss.hints();
      return hints.length === 0 ? "" : `; the nearest are: ${hints.join(", ")}`;
    },
  });
}

/** A request with its call and its response. */
class RestRequest {
  readonly snapshot: Snapshot;
  readonly restHead: RestHead;
  readonly response: RestResponse;
  readonly call: TranscodedCall;
  private readonly exchange: Exchange;

  constructor(gateway: Gateway, exchange: Exchange) {
    const { snapshot } = gateway;
    this.snapshot = snapshot;
    this.exchange = exchange;
    this.restHead = readRestHead(exchange.head, snapshot.http.metadata);
    this.response = new RestResponse(gateway, snapshot, exchange, this.restHead);
    this.call = new TranscodedCall(gateway, exchange, this.restHead, this.response);
  }

  /**
   * OPTIONS: served by the hub itself, unless a route has OPTIONS. Callers must authenticate as for the call, except
   * for preflights, which never have credentials (https://fetch.spec.whatwg.org/#cors-protocol-and-credentials).
   */
  answerOptions(): boolean {
    const { snapshot, restHead, response, call } = this;
    const { target, fields: sent } = this.exchange.head;
    const { rest: routes, http } = snapshot;
    const match = routes.match("OPTIONS", target);
    const asked = http.cors === undefined ? undefined : preflightOf("OPTIONS", sent);
    if (match.kind !== "miss" && asked === undefined) return false;
    const plan: Plan = asked === undefined ? snapshot.planFor("") : snapshot.preflight;
    if (match.kind === "miss" && match.allow.length === 0 && target !== "*") {
      call.refuseBy(plan, () => noRoute(match));
      return true;
    }
    let methods = target === "*" ? ALL_METHODS : match.kind === "miss" ? match.allow : [];
    if (match.kind !== "miss" && asked !== undefined) {
      methods = routes.match(asked.method, target).kind !== "miss" ? [asked.method] : [];
    }
    const fields = [NO_SNIFF, field("allow", [...methods, "OPTIONS"].join(", "))];
    if (http.cors !== undefined && asked !== undefined) {
      fields.push(...preflightFields(http.cors, asked, methods));
    } else if (http.cors !== undefined) addCorsFields(fields, http.cors, restHead.origin);
    call.respondFromHub(respondingPlan(plan), (headers) => {
      addFields(fields, headers, http.metadata.responsePrefix);
      response.respond(204, fields, true);
    });
    return true;
  }
}
