// Which services calls can be routed to.

// The hub serves these itself; an upstream's are never routed, listed or compared.
const NOT_ROUTABLE = /^(grpc\.(health|reflection|channelz)|linchpin)\./;

/** False for the services that every hub serves itself. */
export function isRoutable(service: string): boolean {
  return !NOT_ROUTABLE.test(service);
}
