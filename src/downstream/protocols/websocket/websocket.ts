// WebSockets from clients (RFC 6455): a streaming method, with a frame for each message in both directions. Its steps
// run before the handshake's response, so a rejection is plain HTTP.
import type { Gateway, Snapshot } from "../../../call/gateway.js";
import { Status } from "../../../call/status/status.js";
import type { Exchange, WebSocketUpgrade } from "../../carriers/exchange.js";
import type { ClientProtocol } from "../client-protocol.js";
import { noRoute, rest } from "../rest/rest.js";
import { readRestHead } from "../rest/rest-head.js";
import { RestResponse } from "../rest/rest-response.js";
import { TranscodedCall } from "../transcoded/transcoded-call.js";
import { WebSocketResponse } from "./websocket-response.js";

const NO_BYTES = Buffer.alloc(0);

export const webSocket: ClientProtocol = {
  name: "WebSocket",
  pauses: true,
  claims: (head) => head.webSocket !== undefined,

  open(gateway, exchange) {
    const { webSocket: upgrade, target } = exchange.head;
    if (upgrade === undefined) throw new TypeError("the exchange asks for no WebSocket");
    const { snapshot } = gateway;
    const call = callOf(gateway, snapshot, exchange, upgrade);
    const match = snapshot.rest.matchWebSocket(target);
    if (match.kind === "miss") {
      call.refuseBy(snapshot.planFor(""), () => noRoute(match));
      return;
    }
    const plan = snapshot.planFor(match.method.path);
    const transcoding = match.open(call);
    if (transcoding instanceof Status) call.refuseBy(plan, () => transcoding, match);
    else {
      const accept = (): void => upgrade.accept(transcoding.givesBytes === true);
      call.serve(plan, match, transcoding, accept);
      // Path and query are all of the request: no frame is waited for.
      if (transcoding.bodyless === true) call.onBody(NO_BYTES, 0, 0, true);
    }
  },

  // Until it is accepted it is plain HTTP.
  refuse: (gateway, exchange, status) => rest.refuse(gateway, exchange, status),
  reject: (gateway, exchange, status) => rest.reject(gateway, exchange, status),
};

function callOf(
  gateway: Gateway,
  snapshot: Snapshot,
  exchange: Exchange,
  upgrade: WebSocketUpgrade,
): TranscodedCall {
  const head = readRestHead(exchange.head, snapshot.http.metadata);
  const refusal = new RestResponse(gateway, snapshot, exchange, head);
  return new TranscodedCall(gateway, exchange, head, new WebSocketResponse(exchange, upgrade, refusal));
}
