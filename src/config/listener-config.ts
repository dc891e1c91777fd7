// Config of the listeners, as the program uses it.
import type { ServerTlsConfig } from "../tls/config.js";
import type { ListenAddress, UnixAddress } from "./address.js";

/** One address on which clients call. */
export interface ListenerConfig {
  readonly address: ListenAddress | UnixAddress;
  /** undefined: clear text. */
  readonly tls: ServerTlsConfig | undefined;
}

export interface AdminConfig extends ListenAddress {
  /** SHA-256 of the callers' token, hexadecimal; undefined: callers on this machine need none. */
  readonly tokenSha256?: string;
  readonly tls?: ServerTlsConfig;
}
