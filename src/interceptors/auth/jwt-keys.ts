// The public keys of one token issuer: from a file, a URL, or OIDC discovery; refreshed while the hub runs.
import type { JSONWebKeySet, LocalJWKSet } from "jose";
import type { InterceptorContext } from "../../call/interceptor.js";
import { readSmallFile } from "../../config/small-file.js";
import type { Clock, Timer } from "../../kit/clock.js";
import { lateLoad } from "../../kit/files/late-load.js";
import { type FileWatch, watchFiles } from "../../kit/files/watch-files.js";
import type { Log } from "../../kit/log.js";
import { UserError } from "../../kit/text/user-error.js";
import { fieldsOf, json, parseKeySet } from "./key-set.js";
import type { JwtConfig } from "./section.js";

/** Calls trigger a fetch at most this often, however many unknown key ids they have. */
export const MIN_ASK_MS = 10_000;
/** Validity of keys if the issuer gives none, and its bounds: a removed key is dropped within an hour. */
const DEFAULT_LIFETIME_MS = 600_000;
const MIN_LIFETIME_MS = 60_000;
const MAX_LIFETIME_MS = 3_600_000;
/** They are fetched again after this share of it. */
const REFRESH_SHARE = 0.8;
const RETRY_MS = 10_000;
const FETCH_TIMEOUT_MS = 5_000;
const MAX_BYTES = 256 * 1024;

let jose: Promise<typeof import("jose")> | undefined;

/** Loaded if a config has issuers: it costs 50 ms of CPU. Rejects if it cannot be loaded now. */
export async function loadJose(): Promise<typeof import("jose")> {
  jose ??= lateLoad(() => import("jose"));
  return jose;
}

export class IssuerKeys {
  readonly issuer: string;
  /** Incremented when the keys change; 0: there were never any. Tokens verified with older keys are verified again. */
  generation = 0;
  private readonly source: JwtConfig["jwks"];
  private readonly clock: Clock;
  private readonly log: Log;
  private keys: JSONWebKeySet = { keys: [] };
  private text = "";
  private local: { readonly generation: number; readonly set: LocalJWKSet } | undefined = undefined;
  private readonly watch: FileWatch | undefined;
  private timer: Timer | undefined = undefined;
  private asking: Promise<void> | undefined = undefined;
  private mayAskAt = Number.NEGATIVE_INFINITY;
  private failing = false;
  private readonly closing = new AbortController();

  /** Throws a UserError if a key file cannot be read or has no keys. */
  constructor({ issuer, jwks }: Pick<JwtConfig, "issuer" | "jwks">, { clock, log }: InterceptorContext) {
    this.issuer = issuer;
    this.source = jwks;
    this.clock = clock;
    this.log = log;
    if (jwks.kind === "file") {
      const { file } = jwks;
      this.readFile(file);
      this.watch = watchFiles([file], () => {
        try {
          this.readFile(file);
        } catch (error) {
          log.warn(`${reasonOf(error)}; the keys from before stay in force`);
        }
      });
      return;
    }
    this.watch = undefined;
    const url = jwks.kind === "url" ? jwks.url : issuer;
    if (/^http:/i.test(url) && !/^http:\/\/(?:localhost|127\.|\[::1\])/i.test(url)) {
      log.warn(`the keys of issuer ${issuer} come over plain http: whoever is on the way can replace them`);
    }
    this.refresh();
  }

  /** Whether a key with this id is in the set. */
  has(kid: string): boolean {
    return this.keys.keys.some((key) => key.kid === kid);
  }

  /** The set for jose; only with a generation above 0. */
  async set(): Promise<LocalJWKSet> {
    const { createLocalJWKSet } = await loadJose();
    if (this.local?.generation !== this.generation) {
      this.local = { generation: this.generation, set: createLocalJWKSet(this.keys) };
    }
    return this.local.set;
  }

  /**
   * Fetches newer keys on behalf of a call, unless that was done a moment ago. Resolves when it is done; never rejects.
   */
  async ask(): Promise<void> {
    if (this.source.kind === "file") return;
    if (this.asking === undefined) {
      const now = this.clock.now();
      if (now < this.mayAskAt) return;
      this.mayAskAt = now + MIN_ASK_MS;
      this.refresh();
    }
    await this.asking;
  }

  private refresh(): void {
    if (this.asking !== undefined || this.closing.signal.aborted) return;
    this.timer?.cancel();
    this.asking = this.fetchKeys().then(
      (lifetimeMs) => this.settled(lifetimeMs * REFRESH_SHARE),
      (error: unknown) => {
        if (this.closing.signal.aborted) return;
        if (!this.failing) {
          const old = this.generation > 0 ? "; those from before stay in force" : "";
          this.log.warn(`the keys of issuer ${this.issuer} cannot be had: ${reasonOf(error)}${old}`);
        }
        this.failing = true;
        this.mayAskAt = this.clock.now() + MIN_ASK_MS;
        this.settled(RETRY_MS);
      },
    );
  }

  private settled(nextMs: number): void {
    this.asking = undefined;
    if (!this.closing.signal.aborted) this.timer = this.clock.setTimeout(() => this.refresh(), nextMs);
  }

  /** Resolves with their validity, in milliseconds. */
  private async fetchKeys(): Promise<number> {
    const url = this.source.kind === "url" ? this.source.url : await this.discover();
    const { text, lifetimeMs } = await this.fetch(url);
    const problem = this.take(text);
    if (problem !== undefined) throw new Error(`${url} ${problem}`);
    if (this.failing) this.log.info(`the keys of issuer ${this.issuer} can be had again`);
    this.failing = false;
    return lifetimeMs;
  }

  /** OpenID Connect Discovery 1.0, section 4. */
  private async discover(): Promise<string> {
    const url = `${this.issuer.replace(/\/$/, "")}/.well-known/openid-configuration`;
    const document = fieldsOf(json((await this.fetch(url)).text));
    // Section 4.3: otherwise another issuer could act for this one.
    if (document.issuer !== this.issuer) throw new Error(`${url} is of another issuer`);
    const { jwks_uri: uri } = document;
    const allowed = /^https:/i.test(this.issuer) ? /^https:\/\// : /^https?:\/\//;
    if (typeof uri !== "string" || !allowed.test(uri)) throw new Error(`${url} has no jwks_uri to trust`);
    return uri;
  }

  private async fetch(url: string): Promise<{ text: string; lifetimeMs: number }> {
    const signal = AbortSignal.any([this.closing.signal, AbortSignal.timeout(FETCH_TIMEOUT_MS)]);
    // A redirect could lead to keys that nobody configured.
    const response = await fetch(url, { redirect: "error", signal, headers: { accept: "application/json" } });
    const chunks: Uint8Array[] = [];
    let bytes = 0;
    if (response.status !== 200) {
      await response.body?.cancel();
      throw new Error(`${url} answers with HTTP status ${response.status}`);
    }
    for await (const chunk of response.body ?? []) {
      bytes += chunk.length;
      if (bytes > MAX_BYTES) throw new Error(`${url} answers with more than ${MAX_BYTES} bytes`);
      chunks.push(chunk);
    }
    const lifetimeMs = lifetimeOf(response.headers.get("cache-control"));
    return { text: Buffer.concat(chunks).toString("utf8"), lifetimeMs };
  }

  private readFile(file: string): void {
    const problem = this.take(readSmallFile(file, `the keys of issuer ${this.issuer}`));
    if (problem !== undefined) throw new UserError(`the keys of issuer ${this.issuer}: ${file} ${problem}`);
  }

  /** Applies a key set; returns the problem of an invalid one. */
  private take(text: string): string | undefined {
    if (text === this.text && this.generation > 0) return undefined;
    const keys = parseKeySet(text);
    if (!keys.ok) return keys.reason;
    this.text = text;
    if (JSON.stringify(keys.value) === JSON.stringify(this.keys)) return undefined;
    if (this.generation > 0) {
      this.log.info(`the keys of issuer ${this.issuer} have changed: ${keys.value.keys.length} in force`);
    }
    this.keys = keys.value;
    this.generation++;
    return undefined;
  }

  close(): void {
    this.closing.abort();
    this.timer?.cancel();
    this.watch?.close();
  }
}

/** `max-age` within bounds, in milliseconds. */
function lifetimeOf(cacheControl: string | null): number {
  const seconds = /(?:^|[\s,])max-age=(\d{1,9})/i.exec(cacheControl ?? "")?.[1];
  if (seconds === undefined) return DEFAULT_LIFETIME_MS;
  return Math.min(MAX_LIFETIME_MS, Math.max(MIN_LIFETIME_MS, Number(seconds) * 1000));
}

/** fetch reports only "fetch failed"; the cause is the reason. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? error.cause.message : error.message;
}
