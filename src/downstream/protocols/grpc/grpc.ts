// gRPC over HTTP/2 from clients.

import { Call } from "../../../call/call.js";
import type { Gateway, Snapshot } from "../../../call/gateway.js";
import { type Plan, run } from "../../../call/pipeline.js";
import { refuse } from "../../../call/sink.js";
import { refusal } from "../../../call/status/reasons.js";
import { isGrpcContentType } from "../../../call/wire/grpc-content-type.js";
import { type Field, field, Headers } from "../../../kit/headers.js";
import { cut } from "../../../kit/text/text.js";
import type { Exchange } from "../../carriers/exchange.js";
import { trimToHeaderListLimit } from "../../carriers/header-list-limit.js";
import type { ClientProtocol } from "../client-protocol.js";
import { GrpcCall } from "./grpc-call.js";
import { statusTrailers } from "./status-trailers.js";

const CONTENT_TYPE = field("content-type", "application/grpc");

export const grpc: ClientProtocol = {
  name: "gRPC",
  pauses: true,

  claims: ({ version, fields }) => version === "2" && isGrpc(fields),

  open(gateway, exchange) {
    const { method, target } = exchange.head;
    const { snapshot } = gateway;
    if (method === "POST") start(gateway, exchange, snapshot, snapshot.planFor(target));
    else {
      const message = `gRPC requests are POST, not ${cut(method, 20)}`;
      this.refuse(gateway, exchange, refusal("INVALID_GRPC_REQUEST", message));
    }
  },

  refuse(gateway, exchange, status) {
    const { snapshot } = gateway;
    start(gateway, exchange, snapshot, { ...snapshot.planFor(""), handler: refuse(() => status) });
  },

  reject(_gateway, exchange, status) {
    const trailers = [CONTENT_TYPE, ...statusTrailers(status).fields];
    exchange.respond(200, trimToHeaderListLimit(exchange.maxHeaderListBytes, trailers), true);
  },
};

/** By the content type. */
export function isGrpc(fields: readonly Field[]): boolean {
  for (let i = 0; i < fields.length; i++) {
    const f = fields[i];
    if (f?.name === "content-type") return isGrpcContentType(f.value);
  }
  return false;
}

function start(gateway: Gateway, exchange: Exchange, { http }: Snapshot, plan: Plan): void {
  const { version, client, fields, authority, target, ended } = exchange.head;
  const { timers, calls } = gateway;
  const grpcCall = new GrpcCall(gateway, exchange);
  exchange.handler = grpcCall;
  const headers = new Headers(client.metadata(fields, authority, http.metadata));
  const peer = client.peer("grpc", fields);
  const call = new Call(plan.method, target, authority, peer, headers, timers.clock.now());
  call.httpVersion = version;
  grpcCall.call = call;
  grpcCall.attach(run(plan, call, grpcCall, timers, calls), ended);
}
