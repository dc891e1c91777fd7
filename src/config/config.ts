// The hub's configuration once it has been read: validated, immutable, with every default filled in.

import type { Hints } from "../call/gateway.js";
import type { AddressRange } from "../kit/net/ip.js";
import type { ClientTlsConfig, ServerTlsConfig } from "../tls/config.js";
import type { ClientLimits } from "./listener-limits.js";
import type { AuthConfig, MethodAuth } from "./sections/auth.js";
import type { AddressLimitConfig } from "./sections/edge.js";
import type { HttpConfig } from "./sections/http.js";
import type { MethodHttpConfig } from "./sections/http-answers.js";
import type { MethodQuota, QuotaConfig } from "./sections/quota.js";
import type { AccessLogConfig, MetricsConfig, TracingConfig } from "./sections/telemetry.js";

export interface ListenAddress {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
}

/** A socket of the file system. */
export interface UnixAddress {
  readonly path: string;
}

/** One address on which clients call. */
export interface ListenerConfig {
  readonly address: ListenAddress | UnixAddress;
  /** undefined: clear text. */
  readonly tls: ServerTlsConfig | undefined;
}

export interface AdminConfig extends ListenAddress {
  /** SHA-256 of the token that callers show, hexadecimal; undefined: those on this machine need none. */
  readonly tokenSha256?: string;
  readonly tls?: ServerTlsConfig;
}

export type SchemaSource =
  | { readonly kind: "reflection" }
  | { readonly kind: "protoset"; readonly file: string }
  | { readonly kind: "protos"; readonly dirs: readonly string[] }
  /** Nothing describes it: gRPC alone. `services`: full names; undefined: all that no other upstream has. */
  | { readonly kind: "none"; readonly services: readonly string[] | undefined };

/** What an upstream's connections may grow to, and how long calls wait for them. */
export interface PoolLimits {
  /** Connections to one endpoint. */
  readonly maxPerEndpoint: number;
  /** Connections to all endpoints together; an endpoint that has none gets its first one all the same. */
  readonly maxConnections: number;
  /** A connection that is not the endpoint's only one is closed when it has had no call for so long. */
  readonly idleMs: number;
  /** Calls that wait for a connection. */
  readonly maxPending: number;
  /** How long calls wait for an upstream all of whose endpoints were lost a moment ago; counted from the loss. */
  readonly lostWaitMs: number;
}

export interface UpstreamConfig {
  readonly name: string;
  readonly endpoints: readonly ListenAddress[];
  readonly schema: SchemaSource;
  readonly pool: PoolLimits;
  /** undefined: clear text. */
  readonly tls?: ClientTlsConfig;
}

export interface MethodConfig {
  /** `pkg.Service/Method`, or `pkg.Service` for all of them */
  readonly selector: string;
  readonly deadlineMs: number | "none" | undefined;
  readonly idempotent: boolean | undefined;
  readonly auth: MethodAuth | undefined;
  /** At least one of them; undefined: no role is asked for. */
  readonly roles: readonly string[] | undefined;
  readonly quota: MethodQuota | undefined;
  /** HTML forms are bodies too. Default false. */
  readonly forms?: boolean | undefined;
  /** undefined: 200. */
  readonly http?: MethodHttpConfig | undefined;
}

/** How the hub leaves. */
export interface DrainConfig {
  /** How long it still accepts connections and calls, milliseconds; at most `graceMs`. */
  readonly delayMs: number;
  /** How long all of it may take, the delay included, milliseconds; then running calls are cut off. */
  readonly graceMs: number;
}

export interface Config {
  /** At least one. */
  readonly listen: readonly ListenerConfig[];
  readonly admin: AdminConfig | undefined;
  readonly upstreams: readonly UpstreamConfig[];
  readonly metrics: MetricsConfig;
  readonly tracing: TracingConfig;
  readonly accessLog: AccessLogConfig;
  readonly deadline: {
    /** Milliseconds; unary methods without a deadline of their own. */
    readonly defaultMs: number | undefined;
    /** Milliseconds; caps what the caller asks for and the default. undefined: no cap. */
    readonly maxMs: number | undefined;
  };
  readonly addressLimit: AddressLimitConfig;
  /** undefined: everybody may call. */
  readonly auth: AuthConfig | undefined;
  readonly quota: readonly QuotaConfig[];
  readonly methods: readonly MethodConfig[];
  readonly http: HttpConfig;
  readonly limits: ClientLimits & {
    /** Bytes of one message, after the gRPC prefix. */
    readonly maxMessageBytes: number;
  };
  /** Whose x-forwarded-for, -proto and -host are believed. */
  readonly trustedProxies: readonly AddressRange[];
  readonly hints: Hints;
  readonly reflection: boolean;
  /** Folder in which the schemas of upstreams are remembered; undefined: nowhere. */
  readonly schemaCache: string | undefined;
  /** How long the hub is not ready for want of upstreams that were never learned, milliseconds; undefined: until they are. */
  readonly readinessWaitMs: number | undefined;
  readonly drain: DrainConfig;
}
