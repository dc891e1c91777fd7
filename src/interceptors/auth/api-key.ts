// Authenticates API keys: looked up by SHA-256, in the config's list and in a file that is read again when it changes.
import { createHash } from "node:crypto";
import type { Call, Identity } from "../../call/call.js";
import type { InterceptorContext } from "../../call/interceptor.js";
import type { Status } from "../../call/status/status.js";
import { readSmallFile } from "../../config/small-file.js";
import { type FileWatch, watchFiles } from "../../kit/files/watch-files.js";
import type { Log } from "../../kit/log.js";
import { UserError } from "../../kit/text/user-error.js";
import { type Authenticator, type AuthResult, REPEATED, singleValue } from "./authenticator.js";
import { GenerationalCache } from "./generational-cache.js";
import { parseKeyFile } from "./key-file.js";
import { REALM, unauthenticated } from "./refusals.js";
import type { ApiKeyConfig, ApiKeysConfig } from "./section.js";

/** Bytes of a key; longer ones are rejected without a look-up. */
const MAX_KEY_BYTES = 4096;
/** Valid keys that are cached. */
const MAX_REMEMBERED = 10_000;

/** Throws a UserError if the key file cannot be read or is invalid. */
export function apiKeyAuthenticator(config: ApiKeysConfig, context: InterceptorContext): Authenticator {
  const keys = context.retained.keep("auth:api-keys", config, () => new ApiKeys(config, context));
  const { header } = config;
  const challenge = `ApiKey realm="${REALM}", header="${header}"`;
  const refuse = (message: string): Status => unauthenticated("INVALID_API_KEY", message, [challenge]);
  // Made once: a rejected call costs less than an admitted one.
  const several = refuse(`the call has several ${header} headers: send one`);
  const oversized = refuse(`the API key in ${header} is longer than ${MAX_KEY_BYTES} bytes`);
  const unknown = refuse(`the API key in ${header} is not known here`);
  return {
    challenge,
    invitation: `an API key in ${header}`,
    check(call: Call): AuthResult {
      const presented = singleValue(call.headers, header);
      if (presented === undefined) return undefined;
      if (presented === REPEATED) return several;
      if (presented.length > MAX_KEY_BYTES) return oversized;
      return keys.find(presented) ?? unknown;
    },
  };
}

/** The keys in force. Keys themselves are kept only in the cache, and never logged. */
class ApiKeys {
  private readonly config: ApiKeysConfig;
  private readonly log: Log;
  private readonly watch: FileWatch | undefined;
  private byDigest: ReadonlyMap<string, Identity>;
  private readonly remembered = new GenerationalCache<Identity>(MAX_REMEMBERED);

  constructor(config: ApiKeysConfig, { log }: InterceptorContext) {
    this.config = config;
    this.log = log;
    const { file } = config;
    const more = file === undefined ? [] : readKeys(file);
    this.byDigest = index([...config.keys, ...more]);
    this.watch = file === undefined ? undefined : watchFiles([file], () => this.reload(file));
  }

  /**
   * The timing of look-ups, by digest or by a cached key, reveals nothing: an attacker who measures the comparison of
   * digests learns part of a digest, from which no key can be derived, and a Map compares texts only if V8's seeded
   * hashes are equal.
   */
  find(presented: string): Identity | undefined {
    const known = this.remembered.get(presented);
    if (known !== undefined) return known;
    // Header values are ISO-8859-1 text, one character a byte as received.
    const digest = createHash("sha256").update(presented, "latin1").digest("hex");
    const identity = this.byDigest.get(digest);
    if (identity !== undefined) this.remembered.set(presented, identity);
    return identity;
  }

  private reload(file: string): void {
    try {
      this.byDigest = index([...this.config.keys, ...readKeys(file)]);
      this.remembered.clear();
      this.log.info(`API keys read anew from ${file}: ${this.byDigest.size} in force`);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.log.warn(`${reason}; the API keys from before stay in force`);
    }
  }

  close(): void {
    this.watch?.close();
  }
}

function readKeys(file: string): readonly ApiKeyConfig[] {
  const text = readSmallFile(file, "the API keys");
  const keys = parseKeyFile(text);
  if (!keys.ok) throw new UserError(`the API keys in ${file}: ${keys.reason}`);
  return keys.value;
}

function index(keys: readonly ApiKeyConfig[]): ReadonlyMap<string, Identity> {
  return new Map(keys.map(({ name, sha256, roles }) => [sha256, { name, kind: "api-key", roles }]));
}
