// Every default of the config, once, in the words of the config file. The schema, its documentation and
// the command line read them here; this file imports nothing, so that serving targets loads no schema.

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
  maxMessage: "4MiB",
  maxConcurrentStreams: 256,
  reflection: true,
  hints: "auto",
  // A proxy that is not known as one has one address for all its clients.
  addressRate: "none",
  addressConcurrent: "none",
  // Far more than one client needs, and few enough that a flood from one address leaves room for others.
  connectionsPerAddress: 1024,
  // Kubernetes kills 30 s after SIGTERM: end before it.
  drainGrace: "25s",
} as const;
