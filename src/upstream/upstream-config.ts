// The config of an upstream, as the program uses it.
import type { ClientTlsConfig } from "../tls/config.js";
import type { UpstreamFeatures } from "./upstream-keys.js";

export type SchemaSource =
  | { readonly kind: "reflection" }
  | { readonly kind: "protoset"; readonly file: string }
  | { readonly kind: "protos"; readonly dirs: readonly string[] }
  /** There is no schema: gRPC alone. `services`: full names; undefined: all that no other upstream has. */
  | { readonly kind: "none"; readonly services: readonly string[] | undefined };

export interface UpstreamConfig extends UpstreamFeatures {
  readonly name: string;
  readonly schema: SchemaSource;
  /** undefined: clear text. */
  readonly tls?: ClientTlsConfig;
}
