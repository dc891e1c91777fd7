// The protocols that clients may speak, all on each port.
import type { ClientProtocol } from "../protocols/client-protocol.js";
import { grpc } from "../protocols/grpc/grpc.js";
import { rest } from "../protocols/rest/rest.js";
import { webSocket } from "../protocols/websocket/websocket.js";

/** In the order in which they may claim a request; the last one takes every request that no other claims. */
export const PROTOCOLS: readonly [...ClientProtocol[], ClientProtocol] = [grpc, webSocket, rest];
