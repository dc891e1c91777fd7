// What an endpoint needs from its cluster, and how it notifies it.
import type { ConnectFailure } from "./connect-failure.js";
import type { Endpoint } from "./endpoint.js";
import type { LinkContext } from "./link.js";
import type { PoolLimits } from "./pool-limits.js";
import type { ReconnectOwner } from "./reconnect.js";

/** The cluster, as its endpoints see it. */
export interface EndpointOwner extends ReconnectOwner, LinkContext {
  readonly limits: PoolLimits;
  /** Whether the cluster may have one more connection. */
  readonly hasRoom: boolean;
  /** There may be room for calls. */
  onCapacity(): void;
  /** It has become ready, or is no longer ready. `lasted`: it was ready for long enough to be called stable. */
  onChange(endpoint: Endpoint, lasted: boolean): void;
  /** A connection was not established. */
  onConnectFailed(failure: ConnectFailure): void;
  onResetSent(): void;
  onResetHeld(client: string): void;
  onHeldEnded(client: string): void;
  onRetired(): void;
  /** A connection was made beyond the limit. */
  onReserved(): void;
}
