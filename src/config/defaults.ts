// Every default of the config, once, in the words of the config file. The schema, its documentation and
// the command line read them here; this file imports types alone, so that serving targets loads no schema.

import type { PoolLimits } from "./config.js";

export const DEFAULTS = {
  listen: "127.0.0.1:8080",
  admin: "127.0.0.1:9901",
  traceSample: 0.01,
  trustedPeers: ["127.0.0.0/8", "::1"],
  metrics: true,
  accessLog: "off",
  deadlineDefault: "15s",
  deadlineMax: "none",
  authRequired: true,
  apiKeyHeader: "x-api-key",
  rolesClaim: "roles",
  // Never taken from clients, whether they are configured or not.
  identityHeader: "x-linchpin-identity",
  rolesHeader: "x-linchpin-roles",
  forwardAuthorization: true,
  httpPrefix: "",
  unknownQuery: "reject",
  unknownFields: "reject",
  bareSystemParameters: false,
  methodOverride: false,
  httpOpenapi: "/openapi",
  httpDocs: "/docs",
  httpHealth: "/healthz",
  maxMessage: "4MiB",
  reflection: true,
  hints: "auto",
  // A proxy that is not known as one has one address for all its clients.
  addressRate: "none",
  addressConcurrent: "none",
  // Kubernetes kills 30 s after SIGTERM: end before it.
  readinessWait: "30s",
  drainDelay: "0s",
  drainGrace: "25s",
} as const;

/** `upstreams.NAME.connections` and `.pending`: the schema writes the durations of this in words. */
export const DEFAULT_POOL: PoolLimits = {
  // A service that allows 100 streams per connection, as many do, can have 10,000 calls.
  maxPerEndpoint: 100,
  // Envoy's circuit breakers: connections and pending requests.
  maxConnections: 1024,
  idleMs: 60_000,
  maxPending: 1024,
  // A restart takes a second or two; a service that is longer away is down, and callers should know.
  lostWaitMs: 5_000,
};
