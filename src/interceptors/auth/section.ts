// `interceptors.auth`: API keys, tokens, client certificates, headers for services.

import type { Kit } from "../../config/kit.js";
import { mapping } from "../../config/mapping.js";
import { CALLER_NAME, KEY_SHA256, MAX_KEYS, MAX_ROLES, ROLE } from "../../config/names.js";
import { type Place, section } from "../../config/section.js";
import { readSmallFile } from "../../config/small-file.js";
import type { Parsed } from "../../kit/text/parsed.js";
import { UserError } from "../../kit/text/user-error.js";
import { parseKeyFile } from "./key-file.js";
import { parseKeySet } from "./key-set.js";

/** A key in the config: its digest, never the key itself. */
export interface ApiKeyConfig {
  /** Its owner; several keys may have one name, so that a key can be replaced without a gap. */
  readonly name: string;
  /** SHA-256 of the key, 64 hexadecimal digits, lower case. */
  readonly sha256: string;
  readonly roles: readonly string[];
}

export interface ApiKeysConfig {
  /** Lower case. */
  readonly header: string;
  readonly keys: readonly ApiKeyConfig[];
  /** A YAML or JSON list of more keys; read again when it changes. */
  readonly file: string | undefined;
}

export const JWT_ALGORITHMS = [
  "RS256",
  "RS384",
  "RS512",
  "PS256",
  "PS384",
  "PS512",
  "ES256",
  "ES384",
  "ES512",
  "EdDSA",
] as const;
export type JwtAlgorithm = (typeof JWT_ALGORITHMS)[number];

export interface JwtConfig {
  /** As tokens name it in `iss`, to the letter. */
  readonly issuer: string;
  readonly audiences: readonly string[];
  /** Where the issuer's keys are. */
  readonly jwks:
    | { readonly kind: "discovery" }
    | { readonly kind: "url"; readonly url: string }
    | { readonly kind: "file"; readonly file: string };
  /** The claim with roles; dots lead into objects. */
  readonly rolesClaim: string;
  readonly algorithms: readonly JwtAlgorithm[];
}

export interface AuthConfig {
  /** False: a call without a credential is anonymous. An invalid credential is rejected in any case. */
  readonly required: boolean;
  readonly apiKeys: ApiKeysConfig | undefined;
  readonly jwt: readonly JwtConfig[];
  readonly mtls: { readonly roles: Readonly<Record<string, readonly string[]>> } | undefined;
  readonly forward: {
    /** Names of the headers with the caller's identity for the service; undefined: not sent. */
    readonly identity: string | undefined;
    readonly roles: string | undefined;
    /** Whether the service gets the client's `authorization`. */
    readonly authorization: boolean;
  };
}

// Never accepted from clients, configured or not.
export const IDENTITY_HEADER = "x-linchpin-identity";
export const ROLES_HEADER = "x-linchpin-roles";

const MAX_ISSUERS = 100;
const MAX_AUDIENCES = 100;

/** Headers that have a meaning of their own, and can carry neither a key nor an identity. */
const TAKEN = new Set([
  "accept",
  "authorization",
  "connection",
  "content-encoding",
  "content-length",
  "content-type",
  "cookie",
  "date",
  "expect",
  "forwarded",
  "host",
  "keep-alive",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "user-agent",
  "via",
]);
const HEADER_EXPECTED =
  "must be the name of a header such as x-api-key: letters, digits and dashes, none that gRPC or HTTP uses itself, not ending in -bin";

const header = (kit: Kit) =>
  kit.z
    .string({ error: HEADER_EXPECTED })
    .regex(/^[A-Za-z][A-Za-z0-9-]{0,63}$/, { error: HEADER_EXPECTED })
    .transform((value, ctx) => {
      const name = value.toLowerCase();
      if (!TAKEN.has(name) && !name.startsWith("grpc-") && !name.endsWith("-bin")) return name;
      ctx.issues.push({ code: "custom", message: HEADER_EXPECTED, input: value });
      return kit.z.NEVER;
    });

const role = (kit: Kit) =>
  kit.z.string({ error: ROLE.expected }).regex(ROLE.pattern, { error: ROLE.expected });

export const roles = (kit: Kit) =>
  kit.z
    .array(role(kit))
    .max(MAX_ROLES)
    .meta({ examples: [["reader"]] });

const apiKey = (kit: Kit) =>
  kit.z.strictObject({
    name: kit.z
      .string({ error: CALLER_NAME.expected })
      .regex(CALLER_NAME.pattern, { error: CALLER_NAME.expected })
      .describe("Who presents the key, for logs, quotas and services."),
    sha256: kit.z
      .string({ error: KEY_SHA256.expected })
      .regex(KEY_SHA256.pattern, { error: KEY_SHA256.expected })
      .transform((value) => value.toLowerCase())
      .describe(
        "SHA-256 of the key in hexadecimal, as `printf %s KEY | sha256sum` prints it. Never the key.",
      ),
    roles: roles(kit).prefault([]).describe("What the caller may do."),
  });

/** Of a random key that nobody has: an unchanged example admits nobody. */
const EXAMPLE_SHA256 = "e4d935ebb0c80169fc7c90b577bfe6fca5ba5ec517212becf2ec99711ed9c3ed";

const apiKeys = (kit: Kit) =>
  kit.z
    .strictObject({
      header: header(kit)
        .prefault("x-api-key")
        .describe("The header (gRPC: metadata) that carries the key. Services never see it."),
      keys: kit.z
        .array(apiKey(kit))
        .max(MAX_KEYS)
        .prefault([])
        .describe("The keys.")
        .meta({ examples: [[{ name: "web", sha256: EXAMPLE_SHA256, roles: ["reader"] }]] }),
      file: kit
        .path()
        .optional()
        .describe("More keys: a YAML or JSON list in the form of `keys`, read again when it changes.")
        .meta({ examples: ["keys.yaml"] }),
    })
    .superRefine((value, ctx) => {
      const { keys, file } = value;
      if (file === undefined && keys.length === 0) {
        ctx.addIssue({ code: "custom", message: "must have keys or a file" });
      }
      const seen = new Set<string>();
      keys.forEach(({ sha256 }, i) => {
        if (seen.has(sha256)) {
          ctx.addIssue({ code: "custom", message: "is the key of an earlier entry", path: ["keys", i] });
        }
        seen.add(sha256);
      });
    })
    .optional()
    .describe("Callers with an API key.");

const URL_EXPECTED = "must be an http or https URL, or a file";

const issuer = (kit: Kit) =>
  kit.z.strictObject({
    issuer: kit.z
      .string({ error: "must be text, as tokens have it in iss" })
      .min(1, { error: "must be text, as tokens have it in iss" })
      .max(1024)
      .describe("The token's iss, to the letter."),
    audiences: kit.z
      .array(kit.z.string().min(1).max(1024))
      .min(1, { error: "must name at least one audience" })
      .max(MAX_AUDIENCES)
      .describe("The token's aud must be, or contain, one of these."),
    jwks: kit.z
      .string({ error: URL_EXPECTED })
      .min(1, { error: URL_EXPECTED })
      .refine((value) => !/^[a-z][a-z0-9+.-]*:\/\//i.test(value) || isHttpUrl(value), { error: URL_EXPECTED })
      .optional()
      .describe(
        "The issuer's public keys (a JSON Web Key Set): a URL or a file; left out: by OIDC discovery below the issuer.",
      )
      .meta({ examples: ["keys.json"] }),
    rolesClaim: kit.z
      .string({ error: "must be the name of a claim" })
      .min(1)
      .max(256)
      .prefault("roles")
      .describe(
        "The claim that lists roles, beside scope and scp; dots lead inside, as in realm_access.roles.",
      ),
    algorithms: kit.z
      .array(kit.z.enum(JWT_ALGORITHMS, { error: `must be one of ${JWT_ALGORITHMS.join(", ")}` }))
      .min(1, { error: "must name at least one algorithm" })
      .max(JWT_ALGORITHMS.length)
      .prefault([...JWT_ALGORITHMS])
      .describe("Signatures that are accepted; a key that names its own accepts no other."),
  });

const jwt = (kit: Kit) =>
  kit.z
    .array(issuer(kit))
    .max(MAX_ISSUERS)
    .superRefine((value, ctx) => {
      value.forEach((entry, i) => {
        if (value.findIndex((other) => other.issuer === entry.issuer) < i) {
          ctx.addIssue({ code: "custom", message: "is named twice", path: [i, "issuer"] });
        }
        if (entry.jwks === undefined && !isHttpUrl(entry.issuer)) {
          const message = "must be an http or https URL to find the keys by discovery; or name jwks";
          ctx.addIssue({ code: "custom", message, path: [i, "issuer"] });
        }
      });
    })
    .prefault([])
    .describe("Callers with a JSON Web Token in authorization: Bearer, by issuer.")
    .meta({ examples: [[{ issuer: "https://issuer.example", audiences: ["library"] }]] });

const mtls = (kit: Kit) =>
  kit.z
    .strictObject({
      roles: kit.z
        .record(kit.z.string(), roles(kit))
        .prefault({})
        .describe(
          "Roles by the certificate's name: its SPIFFE URI, else its first DNS name, else its subject.",
        )
        .meta({ examples: [{ "spiffe://example.org/web": ["reader"] }] }),
    })
    .optional()
    .describe("Callers with a client certificate that the listener's clientCa has signed.");

const forward = (kit: Kit) =>
  kit.z
    .strictObject({
      identity: header(kit)
        .optional()
        .describe("Header with the caller's identity for services, as in api-key:web; left out: not sent.")
        .meta({ examples: [IDENTITY_HEADER] }),
      roles: header(kit)
        .optional()
        .describe("Header that tells services the caller's roles, separated by commas.")
        .meta({ examples: [ROLES_HEADER] }),
      authorization: kit.z
        .boolean()
        .prefault(true)
        .describe("Whether services get the caller's authorization header."),
    })
    .refine((value) => value.identity === undefined || value.identity !== value.roles, {
      error: "must not have one header for both identity and roles",
    })
    .prefault({})
    .describe(
      "Headers with the caller's identity for services. Clients cannot send them: theirs are removed.",
    );

export const authSection = section({
  defaults: undefined as AuthConfig | undefined,
  secrets: ["apiKeys.keys.*.sha256"],
  unquoted: ["apiKeys"],
  schema: (kit) =>
    kit.z
      .strictObject({
        required: kit.z
          .boolean()
          .prefault(true)
          .describe(
            "false: calls without a credential are anonymous; a wrong credential is refused all the same.",
          ),
        apiKeys: apiKeys(kit),
        jwt: jwt(kit),
        mtls: mtls(kit),
        forward: forward(kit),
      })
      .refine((value) => value.apiKeys !== undefined || value.jwt.length > 0 || value.mtls !== undefined, {
        error: "must have at least one of apiKeys, jwt and mtls",
      })
      .refine((value) => value.apiKeys === undefined || !forwards(value.forward, value.apiKeys.header), {
        error: "must not tell services of the caller in the header that carries API keys",
        path: ["forward"],
      })
      .optional()
      .describe("Who may call. Left out: everybody."),
  read(file, at) {
    if (file === undefined) return undefined;
    const { required, apiKeys, jwt, mtls, forward } = file;
    if (mtls !== undefined && at.whole.intact(["listen"]) && !asksForCertificates(at.whole.value(["listen"])))
      at.wrong(
        ["mtls"],
        "needs a listener with tls.clientCa: without it no client is asked for a certificate",
      );
    return {
      required,
      apiKeys: apiKeys && {
        header: apiKeys.header,
        keys: apiKeys.keys,
        file:
          apiKeys.file === undefined
            ? undefined
            : checkedFile(apiKeys.file, ["apiKeys", "file"], parseKeyFile, at),
      },
      jwt: jwt.map(({ jwks, ...rest }, i) => ({ ...rest, jwks: jwksOf(jwks, i, at) })),
      mtls,
      forward: { identity: forward.identity, roles: forward.roles, authorization: forward.authorization },
    };
  },
});

/** @param listeners `listen`, as read */
function asksForCertificates(listeners: unknown): boolean {
  return (
    Array.isArray(listeners) &&
    listeners.some((listener: unknown) => mapping(mapping(listener).tls).clientCa !== undefined)
  );
}

function jwksOf(text: string | undefined, index: number, at: Place): JwtConfig["jwks"] {
  if (text === undefined) return { kind: "discovery" };
  if (isHttpUrl(text)) return { kind: "url", url: text };
  return { kind: "file", file: checkedFile(text, ["jwt", index, "jwks"], parseKeySet, at) };
}

function checkedFile(
  text: string,
  path: readonly (string | number)[],
  parse: (content: string) => Parsed<unknown>,
  at: Place,
): string {
  const file = at.located(path, text);
  if (!at.readsFiles) return file;
  try {
    const content = parse(readSmallFile(file, "the keys"));
    if (!content.ok) at.wrong(path, `${file} ${content.reason}`);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    at.wrong(path, error.message);
  }
  return file;
}

function forwards(forward: { identity?: string | undefined; roles?: string | undefined }, name: string) {
  return forward.identity === name || forward.roles === name;
}

function isHttpUrl(text: string): boolean {
  return /^https?:\/\//i.test(text) && URL.canParse(text) && new URL(text).username === "";
}
