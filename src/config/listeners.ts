// The admin listener beside those of clients: one address cannot be both.
import type { ListenAddress, UnixAddress } from "./config.js";
import type { ParsedConfig } from "./schema.js";
import type { Path } from "./yaml.js";

export function checkListeners(
  { listen, admin }: Pick<ParsedConfig, "listen" | "admin">,
  wrong: (path: Path, message: string) => void,
): void {
  if (admin !== undefined && listen.some(({ address }) => sameAddress(address, admin.address)))
    wrong(["admin"], "must not be an address of listen");
}

function sameAddress(a: ListenAddress | UnixAddress, b: ListenAddress): boolean {
  const any = (host: string): boolean => host === "0.0.0.0" || host === "::";
  return (
    !("path" in a) && a.port !== 0 && a.port === b.port && (a.host === b.host || any(a.host) || any(b.host))
  );
}
