// `linchpin upstreams`: the endpoints of a running hub, as its admin listener shows them: states, loads, and why one is out.
import { formatAddress } from "../../config/address.js";
import { DEFAULTS } from "../../config/defaults.js";
import { UserError } from "../../kit/text/user-error.js";
import { askAdmin } from "../terminal/admin-client.js";
import { readArguments, UsageError } from "../terminal/args.js";
import { COMMANDS } from "../terminal/commands.js";
import { defaultConfigFile, isConfigFile } from "../terminal/config-file.js";
import type { Io } from "../terminal/io.js";

export async function run(args: readonly string[], io: Io): Promise<number> {
  const given = readArguments(COMMANDS.upstreams, args);
  const url = await adminUrlOf(given.positionals[0], io);
  const token = io.env.LINCHPIN_ADMIN_TOKEN;
  const accept = given.flag("json") ? "application/json" : "text/plain";
  const shown = await askAdmin({
    url,
    path: "/upstreams",
    accept,
    token: token === "" ? undefined : token,
  });
  await io.data(shown.endsWith("\n") ? shown : `${shown}\n`);
  return 0;
}

/** What `[ADMIN-URL|FILE]` means. Without one: `admin` of the config file that there is, else the default address. */
async function adminUrlOf(source: string | undefined, io: Io): Promise<URL> {
  const file = source === undefined ? defaultConfigFile(io) : isConfigFile(source) ? source : undefined;
  if (file !== undefined) return adminOf(file, io);
  if (source === undefined) return new URL(`http://${DEFAULTS.admin}`);
  const text = source.includes("://") ? source : `http://${source}`;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.hostname === "")
    throw new UsageError(`${source} is neither a config file nor an address, as in http://${DEFAULTS.admin}`);
  return url;
}

async function adminOf(file: string, io: Io): Promise<URL> {
  const { loadConfig } = await import("../../settings/load.js");
  const { admin } = loadConfig(file, io.env);
  if (admin === undefined) throw new UserError(`${file}: admin is off, so the hub cannot be asked`);
  // A listener on all addresses is asked on this machine.
  const anywhere: Readonly<Record<string, string>> = { "0.0.0.0": "127.0.0.1", "::": "::1" };
  const address = formatAddress({ host: anywhere[admin.host] ?? admin.host, port: admin.port });
  return new URL(`${admin.tls === undefined ? "http" : "https"}://${address}`);
}
