// Callers with a JSON Web Token (RFC 7519): verified once, remembered until it expires or its issuer's keys change.
import type { JWTPayload, JWTVerifyOptions, JWTVerifyResult } from "jose";
import type { Call, Identity } from "../../call/call.js";
import type { InterceptorContext } from "../../call/interceptor.js";
import { type Reason, refusal } from "../../call/status/reasons.js";
import type { Status } from "../../call/status/status.js";
import { retryInfo } from "../../call/status/status-details.js";
import { Headers } from "../../kit/headers.js";
import { type Authenticator, type AuthResult, REPEATED, singleValue } from "./authenticator.js";
import { GenerationalCache } from "./generational-cache.js";
import { IssuerKeys, loadJose, MIN_ASK_MS } from "./jwt-keys.js";
import { REALM, unauthenticated } from "./refusals.js";
import type { JwtConfig } from "./section.js";
import { rolesOf } from "./token-roles.js";

/** Characters of the authorization header; some issuers write long lists of groups. */
const MAX_TOKEN_BYTES = 8192;
const MAX_REMEMBERED = 10_000;
/** Clocks differ. */
const SKEW_S = 60;
/** Keys without an id that a token without an id is tried with. */
const MAX_TRIED_KEYS = 8;
/** The name of an identity appears in logs and headers. */
const MAX_SUBJECT = 256;

interface Issuer {
  readonly config: JwtConfig;
  readonly keys: IssuerKeys;
}

/** A verified token. */
interface Verified {
  readonly identity: Identity;
  /** Milliseconds since the Unix epoch. */
  readonly until: number;
  readonly keys: IssuerKeys;
  readonly generation: number;
}

/** @param wallClock milliseconds since the Unix epoch */
export function jwtAuthenticator(
  config: readonly JwtConfig[],
  context: InterceptorContext,
  wallClock: () => number,
): Authenticator {
  const { retained } = context;
  const issuers = config.map((entry): Issuer => {
    const { issuer, jwks } = entry;
    const keys = retained.keep(`auth:jwks:${issuer}`, { issuer, jwks }, () => new IssuerKeys(entry, context));
    return { config: entry, keys };
  });
  // Before the first token arrives: then no file descriptor may be left. If there is none now, a later token reports
  // it.
  loadJose().catch(() => {});
  return retained.keep("auth:jwt", config, () => new Tokens(issuers, wallClock));
}

const CHALLENGE = `Bearer realm="${REALM}"`;

function refuse(reason: Reason, message: string, cause?: unknown): Status {
  // RFC 6750 §3.1; the description must be free of quotes and backslashes, as our sentences are.
  const challenge = `${CHALLENGE}, error="invalid_token", error_description="${message}"`;
  return unauthenticated(reason, message, [challenge], cause);
}

// Made once: a rejected call costs less than an admitted one.
const ONE_HEADER = refuse("INVALID_TOKEN", "the call has several authorization headers: send one");
const OVERSIZED = refuse("INVALID_TOKEN", `the token is longer than ${MAX_TOKEN_BYTES} bytes`);
const MALFORMED = refuse("INVALID_TOKEN", "the token is no JWT: it must be three parts of base64url");
const WRONG_ISSUER = refuse("INVALID_TOKEN", "the token is of an issuer that is not accepted here");
const UNKNOWN_KEY = refuse("INVALID_TOKEN", "the token is signed with a key that its issuer does not have");
const BAD_SIGNATURE = refuse("INVALID_TOKEN", "the signature of the token is wrong");
const EXPIRED = refuse("TOKEN_EXPIRED", "the token has expired");
const NO_EXPIRY = refuse("INVALID_TOKEN", "the token has no time of expiry (exp), or it is no number");
const NOT_YET = refuse("INVALID_TOKEN", "the token is not valid yet");
const WRONG_AUDIENCE = refuse("WRONG_AUDIENCE", "the token was made for others: its aud is none of ours");
const NOT_NOW = refusal("KEYS_UNAVAILABLE", "the hub cannot load what verifies tokens now: try again", {
  details: [retryInfo(1000)],
});
const NO_SUBJECT = refuse("INVALID_TOKEN", "the token does not say whose it is (sub, client_id or azp)");

class Tokens implements Authenticator {
  readonly challenge = CHALLENGE;
  readonly invitation = "a token in authorization: Bearer";
  private readonly issuers: ReadonlyMap<string, Issuer>;
  private readonly wallClock: () => number;
  /**
   * Cached by the whole header in its canonical spelling: a slice of it would have to be hashed for each call. Other
   * spellings (`bearer  TOKEN`) cost that, and no extra entry.
   */
  private readonly remembered = new GenerationalCache<Verified>(MAX_REMEMBERED);
  /** A new token usually arrives with many calls at once. */
  private readonly verifying = new Map<string, Promise<AuthResult>>();

  constructor(issuers: readonly Issuer[], wallClock: () => number) {
    this.issuers = new Map(issuers.map((issuer) => [issuer.config.issuer, issuer]));
    this.wallClock = wallClock;
  }

  check(call: Call): AuthResult | Promise<AuthResult> {
    const header = singleValue(call.headers, "authorization");
    if (header === undefined) return undefined;
    if (header === REPEATED) return ONE_HEADER;
    return this.knownOf(header) ?? this.readHeader(header);
  }

  private knownOf(header: string): Identity | undefined {
    if (header.length > MAX_TOKEN_BYTES) return undefined;
    const known = this.remembered.get(header);
    if (known === undefined) return undefined;
    if (known.generation === known.keys.generation && this.wallClock() < known.until) return known.identity;
    this.remembered.delete(header);
    return undefined;
  }

  private readHeader(header: string): AuthResult | Promise<AuthResult> {
    const token = /^bearer(?: +(.*))?$/is.exec(header);
    // Another scheme is not for us: the service may use it.
    if (token === null) return undefined;
    if (header.length > MAX_TOKEN_BYTES) return OVERSIZED;
    const text = token[1]?.trim() ?? "";
    if (!/^[\w-]+\.[\w-]+\.[\w-]*$/.test(text)) return MALFORMED;
    const canonical = `Bearer ${text}`;
    const known = header === canonical ? undefined : this.knownOf(canonical);
    if (known !== undefined) return known;
    let verifying = this.verifying.get(canonical);
    if (verifying === undefined) {
      verifying = this.verify(canonical, text).finally(() => this.verifying.delete(canonical));
      this.verifying.set(canonical, verifying);
    }
    return verifying;
  }

  private async verify(header: string, token: string): Promise<AuthResult> {
    const jose = await loadJose().catch(() => undefined);
    if (jose === undefined) return NOT_NOW;
    let alg: string | undefined;
    let kid: unknown;
    let iss: string | undefined;
    try {
      // Not trusted yet: it only selects the issuer whose keys and rules are applied.
      ({ alg, kid } = jose.decodeProtectedHeader(token));
      ({ iss } = jose.decodeJwt(token));
    } catch {
      return MALFORMED;
    }
    const issuer = iss === undefined ? undefined : this.issuers.get(iss);
    if (issuer === undefined) return WRONG_ISSUER;
    const { config, keys } = issuer;
    // `none` and HMAC are never listed: a public key must never serve as a secret (RFC 8725 §2.1).
    if (!config.algorithms.some((allowed) => allowed === alg)) return this.wrongAlgorithm(config);
    if (keys.generation === 0) await keys.ask();
    else if (typeof kid === "string" && !keys.has(kid)) await keys.ask();
    const { generation } = keys;
    if (generation === 0) return unavailable(config.issuer);
    if (typeof kid === "string" && !keys.has(kid)) return UNKNOWN_KEY;
    try {
      const { payload } = await this.verifySignature(token, issuer);
      const identity = identityOf(config, payload);
      if (identity === undefined) return NO_SUBJECT;
      const until = ((payload.exp ?? 0) + SKEW_S) * 1000;
      // Name and roles are parts of the token.
      this.remembered.set(header, { identity, until, keys, generation }, token.length);
      return identity;
    } catch (error) {
      return refusalFor(error) ?? this.wrongAlgorithm(config, error);
    }
  }

  private async verifySignature(
    token: string,
    { config, keys }: Issuer,
  ): Promise<JWTVerifyResult<JWTPayload>> {
    const jose = await loadJose();
    const options: JWTVerifyOptions = {
      algorithms: [...config.algorithms],
      issuer: config.issuer,
      audience: [...config.audiences],
      clockTolerance: SKEW_S,
      currentDate: new Date(this.wallClock()),
      // A token that never expires could never be revoked.
      requiredClaims: ["exp"],
    };
    try {
      return await jose.jwtVerify(token, await keys.set(), options);
    } catch (error) {
      if (!(error instanceof jose.errors.JWKSMultipleMatchingKeys)) throw error;
      let tried = 0;
      for await (const key of error) {
        tried++;
        try {
          return await jose.jwtVerify(token, key, options);
        } catch (failure) {
          const wrongKey = failure instanceof jose.errors.JWSSignatureVerificationFailed;
          if (!wrongKey || tried >= MAX_TRIED_KEYS) throw failure;
        }
      }
      throw new jose.errors.JWSSignatureVerificationFailed();
    }
  }

  close(): void {
    this.remembered.clear();
  }

  private wrongAlgorithm({ algorithms }: JwtConfig, cause?: unknown): Status {
    const message = `the token is signed with an algorithm that its key does not take; accepted are ${algorithms.join(" ")}`;
    return refuse("INVALID_TOKEN", message, cause);
  }
}

/** By the error's code: jose's messages may change. undefined: key and algorithm do not match. */
function refusalFor(error: unknown): Status | undefined {
  const { code, claim, reason } = Object(error);
  switch (code) {
    case "ERR_JWT_EXPIRED":
      return EXPIRED;
    case "ERR_JWT_CLAIM_VALIDATION_FAILED":
      if (claim === "aud") return WRONG_AUDIENCE;
      if (claim === "iss") return WRONG_ISSUER;
      if (claim === "nbf") return reason === "check_failed" ? NOT_YET : MALFORMED;
      return claim === "exp" ? NO_EXPIRY : MALFORMED;
    case "ERR_JWS_SIGNATURE_VERIFICATION_FAILED":
      return BAD_SIGNATURE;
    case "ERR_JWS_INVALID":
    case "ERR_JWT_INVALID":
      return MALFORMED;
    default:
      return undefined;
  }
}

/** UNAVAILABLE, 503: the token may be valid. The log says why the keys are not available. */
function unavailable(issuer: string): Status {
  return refusal(
    "KEYS_UNAVAILABLE",
    `the keys of issuer ${issuer} cannot be had now, so its tokens cannot be verified`,
    {
      info: { issuer },
      details: [retryInfo(MIN_ASK_MS)],
      metadata: Headers.of(["retry-after", String(MIN_ASK_MS / 1000)]),
    },
  );
}

/** `issuer#subject`, since subjects are unique only for their issuer. */
function identityOf(config: JwtConfig, payload: JWTPayload): Identity | undefined {
  const subject = [payload.sub, payload.client_id, payload.azp].find(
    (claim) => typeof claim === "string" && claim !== "",
  );
  if (typeof subject !== "string" || subject.length > MAX_SUBJECT) return undefined;
  return { name: `${config.issuer}#${subject}`, kind: "jwt", roles: rolesOf(payload, config.rolesClaim) };
}
