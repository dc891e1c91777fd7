// The config's part about sockets: where the hub listens, with which certificates, and how it trusts upstreams.
import { createHash } from "node:crypto";
import { isIPv6 } from "node:net";
import * as z from "zod";
import { readRegularFile } from "../../kit/regular-file.js";
import { type Parsed, parsed, rejected } from "../../kit/text/parsed.js";
import type { ClientTlsConfig, ServerTlsConfig } from "../../tls/config.js";
import { readCertificates, readKeyPair } from "../../tls/pem.js";
import { formatAddress, isHost, isLoopback, parseListenAddress, parseListener } from "../address.js";
import type { AdminConfig, ListenAddress, ListenerConfig, UnixAddress } from "../config.js";
import { fileProblem } from "../files.js";
import type { Path } from "../yaml.js";

const MAX_LISTENERS = 64;
/** Characters; shorter ones can be guessed. */
const MIN_TOKEN = 16;
const MAX_TOKEN = 1024;

const file = z.string({ error: "must be a path" }).min(1, { error: "must be a path" });

const serverTls = z
  .strictObject({
    cert: file.describe("PEM file: the certificate, then the rest of its chain; read again when it changes."),
    key: file.describe("PEM file: the certificate's private key, without a passphrase."),
    clientCa: file
      .optional()
      .describe("PEM file: who signs clients' certificates (mTLS). Left out: clients are not asked for one."),
    clientAuth: z
      .enum(["require", "request"], { error: "must be require or request" })
      .optional()
      .describe(
        "With clientCa. require (the default): no connection without a certificate that it signed; request: no identity without one.",
      ),
  })
  .refine((value) => value.clientAuth === undefined || value.clientCa !== undefined, {
    error: "needs clientCa: who signs the clients' certificates",
    path: ["clientAuth"],
  })
  .describe("Serves TLS 1.2 and 1.3 instead of clear text.");

const ADDRESS = "must be HOST:PORT or unix:/PATH";

const listener = z.strictObject({
  address: z
    .string({ error: ADDRESS })
    .transform(taking(parseListener))
    .describe("HOST:PORT, or unix:/PATH."),
  tls: serverTls.optional(),
});

const FORMS = "must be HOST:PORT, unix:/PATH, { address, tls: { cert, key } }, or a list of those";

type RawListener = z.output<typeof listener>;

const listenerOrAddress = z
  .union([z.string(), listener], {
    error: "must be HOST:PORT, unix:/PATH or { address, tls: { cert, key } }",
  })
  .transform((value, ctx): RawListener => {
    if (typeof value !== "string") return value;
    return { address: taking(parseListener)(value, ctx) };
  });

/** `listen`: one or more. */
export const listenSection = z
  .union([z.string(), listener, z.array(listenerOrAddress)], { error: FORMS })
  .meta({
    examples: [
      "127.0.0.1:8080",
      "[::1]:8080",
      "unix:/run/linchpin.sock",
      [{ address: "0.0.0.0:8443", tls: { cert: "server.pem", key: "server.key" } }, "127.0.0.1:8080"],
    ],
  })
  .transform((value, ctx): readonly RawListener[] => {
    const listeners =
      typeof value === "string"
        ? [{ address: taking(parseListener)(value, ctx) }]
        : Array.isArray(value)
          ? value
          : [value];
    if (ctx.issues.length > 0) return z.NEVER;
    const count = listeners.length;
    if (count === 0 || count > MAX_LISTENERS) {
      ctx.issues.push({
        code: "custom",
        message: `must have from 1 to ${MAX_LISTENERS} addresses`,
        input: value,
      });
    }
    const seen = new Set<string>();
    for (const [i, { address }] of listeners.entries()) {
      if ("port" in address && address.port === 0) continue;
      const name = formatAddress(address);
      if (seen.has(name)) {
        ctx.issues.push({ code: "custom", message: "stands twice", input: value, path: [i] });
      }
      seen.add(name);
    }
    return listeners;
  });

const token = z
  .string({ error: "must be text" })
  .transform(taking(parseToken))
  .describe(
    "What callers send as `authorization: Bearer TOKEN`; at least 16 characters. Needed off loopback, and asked of everyone once it is there.",
  );

const adminListener = z
  .strictObject({
    address: z
      .string({ error: "must be HOST:PORT" })
      .transform(taking(parseListenAddress))
      .describe("HOST:PORT."),
    token: token.optional(),
    tokenFile: file.optional().describe("The token in a file of its own."),
    tls: serverTls.optional(),
  })
  .refine((value) => value.token === undefined || value.tokenFile === undefined, {
    error: "must not stand beside token",
    path: ["tokenFile"],
  });

type RawAdmin = z.output<typeof adminListener>;

/** `admin`: one, or off. */
export const adminSection = z
  .union([z.string(), z.literal(false), adminListener], {
    error: "must be HOST:PORT, { address, token, tls }, or off",
  })
  .meta({ examples: ["127.0.0.1:9901", "off"] })
  .transform((value, ctx): RawAdmin | undefined => {
    if (value === false || value === "off") return undefined;
    if (typeof value !== "string") return value;
    const result = parseListenAddress(value);
    if (result.ok) return { address: result.value };
    ctx.issues.push({ code: "custom", message: `${result.reason}, or off`, input: value });
    return z.NEVER;
  });

const clientTls = z
  .strictObject({
    ca: file
      .optional()
      .describe("PEM file: whose certificates are trusted. Left out: those that this machine trusts."),
    cert: file
      .optional()
      .describe(
        "PEM file: the hub's own certificate, for services that ask for one; read again when it changes.",
      ),
    key: file.optional().describe("PEM file: its private key, without a passphrase."),
    serverName: z
      .string({ error: "must be a host name" })
      .refine((name) => isHost(name) || isIPv6(name), { error: "must be a host name or an IP address" })
      .optional()
      .describe("The name in the service's certificate, where it is not the endpoint's host."),
    dangerouslyTrustAnyServer: z
      .boolean()
      .optional()
      .describe(
        "true: takes any certificate, so that whoever is in between can read and change every call. For tests alone.",
      ),
  })
  .refine((value) => (value.cert === undefined) === (value.key === undefined), {
    error: "must have both cert and key, or neither",
  })
  .refine((value) => value.dangerouslyTrustAnyServer !== true || value.ca === undefined, {
    error: "makes ca useless: leave one of them out",
    path: ["dangerouslyTrustAnyServer"],
  });

/** `upstreams.X.tls` */
export const upstreamTlsSection = z
  .union([z.boolean(), clientTls], {
    error: "must be true, or { ca, cert, key, serverName }",
  })
  .optional()
  .describe(
    "Calls the services over TLS. true: trusts what this machine trusts, and shows no certificate; else { ca, cert, key, serverName } (docs/tls.md).",
  )
  .meta({ examples: [true] });

/** What the reader of the file helps with. */
export interface FileTools {
  /** The full path; tells what is wrong with a file that is not there. */
  located(path: Path, text: string, kind: "file"): string;
  /** Adds an error. */
  wrong(path: Path, message: string): void;
  /** Whether certificates, keys and tokens are read, and what is wrong inside them is told. */
  readonly readsFiles: boolean;
}

/** `single`: the file has one listener, not a list. */
export function listenersOf(
  listeners: readonly RawListener[],
  isList: boolean,
  tools: FileTools,
): readonly ListenerConfig[] {
  return listeners.map(({ address, tls }, i) => ({
    address,
    tls:
      tls === undefined
        ? undefined
        : serverTlsOf(tls, isList ? ["listen", i, "tls"] : ["listen", "tls"], tools),
  }));
}

export function adminOf(raw: RawAdmin | undefined, tools: FileTools): AdminConfig | undefined {
  if (raw === undefined) return undefined;
  const { address, tokenFile, tls } = raw;
  const tokenSha256 = raw.token ?? (tokenFile === undefined ? undefined : tokenIn(tokenFile, tools));
  if (tokenSha256 === undefined && tokenFile === undefined && !isLoopback(address.host)) {
    tools.wrong(["admin"], NEEDS_TOKEN);
  }
  return {
    ...address,
    ...(tokenSha256 === undefined ? {} : { tokenSha256 }),
    ...(tls === undefined ? {} : { tls: serverTlsOf(tls, ["admin", "tls"], tools) }),
  };
}

/** Continues a sentence that begins with the address. */
export const NEEDS_TOKEN =
  "can be reached by other machines, and so needs a token: admin: { address, token: ... } or tokenFile";

export function clientTlsOf(
  raw: z.output<typeof upstreamTlsSection>,
  path: Path,
  tools: FileTools,
): ClientTlsConfig | undefined {
  if (raw === undefined || raw === false) return undefined;
  const { ca, cert, key, serverName, dangerouslyTrustAnyServer } = raw === true ? {} : raw;
  const file = (name: string, text: string | undefined): string | undefined =>
    text === undefined ? undefined : tools.located([...path, name], text, "file");
  const config = {
    ca: file("ca", ca),
    cert: file("cert", cert),
    key: file("key", key),
    serverName,
    dangerouslyTrustAnyServer: dangerouslyTrustAnyServer ?? false,
  };
  checkAuthorities(config.ca, [...path, "ca"], tools);
  checkPair(config.cert, config.key, path, tools);
  return config;
}

function serverTlsOf(raw: z.output<typeof serverTls>, path: Path, tools: FileTools): ServerTlsConfig {
  const { cert, key, clientCa, clientAuth } = raw;
  const config = {
    cert: tools.located([...path, "cert"], cert, "file"),
    key: tools.located([...path, "key"], key, "file"),
    clientCa: clientCa === undefined ? undefined : tools.located([...path, "clientCa"], clientCa, "file"),
    clientAuth: clientAuth ?? "require",
  };
  checkPair(config.cert, config.key, path, tools);
  checkAuthorities(config.clientCa, [...path, "clientCa"], tools);
  return config;
}

function checkPair(cert: string | undefined, key: string | undefined, path: Path, tools: FileTools): void {
  if (!tools.readsFiles || cert === undefined || key === undefined) return;
  const pair = readKeyPair(cert, key);
  if (!pair.ok) for (const problem of pair.problems) tools.wrong([...path, problem.file], problem.message);
}

function checkAuthorities(ca: string | undefined, path: Path, tools: FileTools): void {
  if (!tools.readsFiles || ca === undefined) return;
  const read = readCertificates(ca);
  if (!read.ok) tools.wrong(path, read.reason);
}

/** The digest: the token itself is kept nowhere. */
function parseToken(text: string): Parsed<string> {
  if (text.length < MIN_TOKEN || text.length > MAX_TOKEN || !/^[\x21-\x7e]+$/.test(text)) {
    return rejected(
      `must be ${MIN_TOKEN} to ${MAX_TOKEN} visible ASCII characters; openssl rand -hex 32 makes one`,
    );
  }
  return parsed(createHash("sha256").update(text).digest("hex"));
}

/** The token, and what an editor may have put about it. */
const MAX_TOKEN_FILE_BYTES = 64 * 1024;

function tokenIn(name: string, tools: FileTools): string | undefined {
  const path = ["admin", "tokenFile"];
  const full = tools.located(path, name, "file");
  if (!tools.readsFiles) return undefined;
  try {
    const result = parseToken(readRegularFile(full, MAX_TOKEN_FILE_BYTES).toString("utf8").trim());
    if (result.ok) return result.value;
    tools.wrong(path, `the token in it ${result.reason}`);
  } catch (error) {
    tools.wrong(path, `${full}: ${fileProblem(error)}`);
  }
  return undefined;
}

/** A parser as a step of a schema. */
function taking<T>(parse: (text: string) => Parsed<T>) {
  return (value: string, ctx: z.RefinementCtx): T => {
    const result = parse(value);
    if (result.ok) return result.value;
    ctx.issues.push({ code: "custom", message: result.reason, input: value });
    return z.NEVER;
  };
}

export type ListenerAddress = ListenAddress | UnixAddress;
