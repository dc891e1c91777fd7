// `listen` and `admin`: where the hub listens, and with which certificates.
import { createHash } from "node:crypto";
import type * as z from "zod";
import {
  formatAddress,
  isLoopback,
  type ListenAddress,
  parseListenAddress,
  parseListener,
} from "../../config/address.js";
import { DEFAULTS } from "../../config/defaults.js";
import { fileProblem } from "../../config/files.js";
import type { Kit } from "../../config/kit.js";
import type { AdminConfig, ListenerConfig } from "../../config/listener-config.js";
import { mapping } from "../../config/mapping.js";
import { type Place, section } from "../../config/section.js";
import { readRegularFile } from "../../kit/files/regular-file.js";
import { type Parsed, parsed, rejected } from "../../kit/text/parsed.js";
import type { ServerTlsConfig } from "../../tls/config.js";
import { checkAuthorities, checkPair } from "./tls-files.js";

const MAX_LISTENERS = 64;
/** Characters; shorter ones can be guessed. */
const MIN_TOKEN = 16;
const MAX_TOKEN = 1024;

const serverTls = ({ z, path }: Kit) =>
  z
    .strictObject({
      cert: path().describe(
        "PEM file: the certificate, then the rest of its chain; read again when it changes.",
      ),
      key: path().describe("PEM file: the certificate's private key, without a passphrase."),
      clientCa: path()
        .optional()
        .describe(
          "PEM file: who signs clients' certificates (mTLS). Left out: clients are not asked for one.",
        ),
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
const FORMS = "must be HOST:PORT, unix:/PATH, { address, tls: { cert, key } }, or a list of those";

const listener = (kit: Kit) =>
  kit.z.strictObject({
    address: kit.z
      .string({ error: ADDRESS })
      .transform(kit.taking(parseListener))
      .describe("HOST:PORT, or unix:/PATH."),
    tls: serverTls(kit).optional(),
  });

type RawListener = z.output<ReturnType<typeof listener>>;

export const listenSection = section({
  defaults: { listen: [{ address: builtIn(parseListener(DEFAULTS.listen)), tls: undefined }] } as {
    /** At least one. */
    readonly listen: readonly ListenerConfig[];
  },
  restart: ({ listen }) => ({ "": listen }),
  schema(kit) {
    const { z, taking } = kit;
    const one = listener(kit);
    const listenerOrAddress = z
      .union([z.string(), one], {
        error: "must be HOST:PORT, unix:/PATH or { address, tls: { cert, key } }",
      })
      .transform((value, ctx): RawListener => {
        if (typeof value !== "string") return value;
        return { address: taking(parseListener)(value, ctx) };
      });
    return z
      .union([z.string(), one, z.array(listenerOrAddress)], { error: FORMS })
      .meta({
        examples: [
          DEFAULTS.listen,
          "[::1]:8080",
          "unix:/run/linchpin.sock",
          [{ address: "0.0.0.0:8443", tls: { cert: "server.pem", key: "server.key" } }, DEFAULTS.listen],
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
          const message = `must have from 1 to ${MAX_LISTENERS} addresses`;
          ctx.issues.push({ code: "custom", message, input: value });
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
      })
      .prefault(DEFAULTS.listen)
      .describe(
        "Where clients call: HOST:PORT, unix:/PATH, { address, tls }, or a list of those. Only this machine can reach the default.",
      );
  },
  read(listeners, at) {
    const isList = at.has([0]);
    const places = listeners.map((_, i) => (isList ? at.at(i, "tls") : at.at("tls")));
    if (at.whole.intact(["interceptors", "auth"]) && !at.whole.ownInterceptors) {
      const mtls = at.whole.value(["interceptors", "auth", "mtls"]);
      for (const [i, { tls }] of listeners.entries())
        if (tls?.clientAuth === "request" && mtls === undefined)
          places[i]?.wrong(
            ["clientAuth"],
            "needs interceptors.auth.mtls: without it a client with a certificate is as any other; require is the default",
          );
    }
    return {
      listen: listeners.map(({ address, tls }, i) => ({
        address,
        tls: tls && serverTlsOf(tls, places[i] ?? at),
      })),
    };
  },
});

function adminListener(kit: Kit) {
  const { z, taking, path } = kit;
  return z
    .strictObject({
      address: z
        .string({ error: "must be HOST:PORT" })
        .transform(taking(parseListenAddress))
        .describe("HOST:PORT."),
      token: z
        .string({ error: "must be text" })
        .transform(taking(parseToken))
        .describe(
          "What callers send as `authorization: Bearer TOKEN`; at least 16 characters. Needed off loopback, and asked of everyone once it is there.",
        )
        .optional(),
      tokenFile: path().optional().describe("The token in a file of its own."),
      tls: serverTls(kit).optional(),
    })
    .refine((value) => value.token === undefined || value.tokenFile === undefined, {
      error: "must not stand beside token",
      path: ["tokenFile"],
    });
}

type RawAdmin = z.output<ReturnType<typeof adminListener>>;

/** One, or off. */
export const adminSection = section({
  defaults: { admin: builtIn(parseListenAddress(DEFAULTS.admin)) } as {
    readonly admin: AdminConfig | undefined;
  },
  restart: ({ admin }) => ({ "": admin }),
  secrets: ["token"],
  schema(kit) {
    const { z } = kit;
    return z
      .union([z.string(), z.literal(false), adminListener(kit)], {
        error: "must be HOST:PORT, { address, token, tls }, or off",
      })
      .meta({ examples: [DEFAULTS.admin, "off"] })
      .transform((value, ctx): RawAdmin | undefined => {
        if (value === false || value === "off") return undefined;
        if (typeof value !== "string") return value;
        const result = parseListenAddress(value);
        if (result.ok) return { address: result.value };
        ctx.issues.push({ code: "custom", message: `${result.reason}, or off`, input: value });
        return z.NEVER;
      })
      .prefault(DEFAULTS.admin)
      .describe(
        "Address of the admin listener, with health and routes: HOST:PORT, { address, token, tls }, or off.",
      );
  },
  read(raw, at) {
    if (raw === undefined) return { admin: undefined };
    const { address, tokenFile, tls } = raw;
    if (at.whole.intact(["listen"]) && listensAt(at.whole.value(["listen"]), address))
      at.wrong([], "must not be an address of listen");
    if (tls?.clientAuth === "request")
      at.wrong(
        ["tls", "clientAuth"],
        "must be require: to the admin listener a client with a certificate is as any other",
      );
    const tokenSha256 = raw.token ?? (tokenFile === undefined ? undefined : tokenIn(tokenFile, at));
    if (tokenSha256 === undefined && tokenFile === undefined && !isLoopback(address.host))
      at.wrong([], NEEDS_TOKEN);
    return {
      admin: {
        ...address,
        ...(tokenSha256 === undefined ? {} : { tokenSha256 }),
        ...(tls === undefined ? {} : { tls: serverTlsOf(tls, at.at("tls")) }),
      },
    };
  },
});

/** Whether clients call at an address. @param listeners `listen`, as read */
function listensAt(listeners: unknown, { host, port }: ListenAddress): boolean {
  const any = (name: unknown): boolean => name === "0.0.0.0" || name === "::";
  return (
    Array.isArray(listeners) &&
    listeners.some((listener: unknown) => {
      const own = mapping(mapping(listener).address);
      return port !== 0 && own.port === port && (own.host === host || any(own.host) || any(host));
    })
  );
}

/** Continues a sentence that begins with the address. */
const NEEDS_TOKEN =
  "can be reached by other machines, and so needs a token: admin: { address, token: ... } or tokenFile";

function serverTlsOf(raw: z.output<ReturnType<typeof serverTls>>, at: Place): ServerTlsConfig {
  const { cert, key, clientCa, clientAuth } = raw;
  const config = {
    cert: at.located(["cert"], cert),
    key: at.located(["key"], key),
    clientCa: clientCa === undefined ? undefined : at.located(["clientCa"], clientCa),
    clientAuth: clientAuth ?? "require",
  };
  checkPair(config.cert, config.key, at);
  checkAuthorities(config.clientCa, "clientCa", at);
  return config;
}

/** The digest: the token itself is not stored. */
function parseToken(text: string): Parsed<string> {
  if (text.length < MIN_TOKEN || text.length > MAX_TOKEN || !/^[\x21-\x7e]+$/.test(text)) {
    return rejected(
      `must be ${MIN_TOKEN} to ${MAX_TOKEN} visible ASCII characters; openssl rand -hex 32 makes one`,
    );
  }
  return parsed(createHash("sha256").update(text).digest("hex"));
}

/** The token, without what an editor may have added. */
const MAX_TOKEN_FILE_BYTES = 64 * 1024;

function tokenIn(name: string, at: Place): string | undefined {
  const full = at.located(["tokenFile"], name);
  if (!at.readsFiles) return undefined;
  try {
    const result = parseToken(readRegularFile(full, MAX_TOKEN_FILE_BYTES).toString("utf8").trim());
    if (result.ok) return result.value;
    at.wrong(["tokenFile"], `the token in it ${result.reason}`);
  } catch (error) {
    at.wrong(["tokenFile"], `${full}: ${fileProblem(error)}`);
  }
  return undefined;
}

function builtIn<T>(result: Parsed<T>): T {
  if (result.ok) return result.value;
  throw new Error(`a built-in default ${result.reason}`);
}
