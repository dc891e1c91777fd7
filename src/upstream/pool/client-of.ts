// Who counts as one client where clients share what an upstream has room for.
import type { Call, Peer } from "../../call/call.js";
import { clientNetwork, ipOf } from "../../kit/net/ip.js";

/** A peer is one object for all calls of a connection, mostly. */
const networks = new WeakMap<Peer, string>();

/** Who the caller proved to be; of those who prove nothing, the address (an IPv6 address with its /64). */
export function clientOf({ identity, peer }: Call): string {
  if (identity !== undefined) return `${identity.kind} ${identity.name}`;
  let network = networks.get(peer);
  if (network === undefined) {
    network = clientNetwork(peer.ip ?? ipOf(peer.address));
    networks.set(peer, network);
  }
  return network;
}
