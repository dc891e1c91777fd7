// Which calls count as one client's where clients share the capacity of an upstream.
import type { Call, Peer } from "../../call/call.js";
import { clientNetwork, ipOf } from "../../kit/net/ip.js";

/** A peer is usually one object for all calls of a connection. */
const networks = new WeakMap<Peer, string>();

/** The authenticated identity of the caller; without one, the address (an IPv6 address with its /64). */
export function clientOf({ identity, peer }: Call): string {
  if (identity !== undefined) return `${identity.kind} ${identity.name}`;
  let network = networks.get(peer);
  if (network === undefined) {
    network = clientNetwork(peer.ip ?? ipOf(peer.address));
    networks.set(peer, network);
  }
  return network;
}
