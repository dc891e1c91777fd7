// A gRPC service config (grpc/service_config.proto as JSON; gRFC A6, A21): which parts apply to the hub's calls, which
// do not, and what is wrong with it.
import { mapping } from "../../../config/mapping.js";
import { kindOf } from "../../../kit/text/kind-of.js";
import { nearest } from "../../../kit/text/nearest.js";
import { CODES } from "./codes.js";
import { DEFAULT_RETRIES, type RetryPolicy, type RetryThrottling } from "./policy.js";

/** The settings for a method. */
export interface ServiceConfigEntry {
  /** Differences from the upstream's policy, or from the defaults; undefined: no retry settings. */
  readonly retries: Partial<RetryPolicy> | undefined;
  /** The longest that a call may take, milliseconds; undefined: not set. */
  readonly timeoutMs: number | undefined;
}

/** By `pkg.Service/Method`, by `pkg.Service`, and by "" for all others. */
export type ServiceConfig = ReadonlyMap<string, ServiceConfigEntry>;

export interface ServiceConfigRead {
  readonly config: ServiceConfig;
  /** Each with its path, as in `methodConfig[0].name: must be a list`. */
  readonly problems: readonly string[];
  readonly warnings: readonly string[];
}

/** gRFC A6: clients use at most five for any larger number. */
const MAX_ATTEMPTS = 5;
/** The shortest timer: a delay of zero would be the same. */
const MIN_DELAY_MS = 1;
const MAX_ENTRIES = 10_000;
const DURATION = /^(\d{1,9})(?:\.(\d{1,9}))?s$/;
const KEYS = ["methodConfig", "retryThrottling"];
const METHOD_KEYS = ["name", "timeout", "retryPolicy", "hedgingPolicy"];
/** Keys of gRPC that do not apply to a proxy, and why. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  loadBalancingConfig: "balancer of the upstream is what counts",
  loadBalancingPolicy: "balancer of the upstream is what counts",
  healthCheckConfig: "health of the upstream is what counts",
  waitForReady: "calls wait for a connection as pending.wait says",
  maxRequestMessageBytes: "limits.maxMessage is what counts",
  maxResponseMessageBytes: "limits.maxMessage is what counts",
};
const RETRY_KEYS = [
  "maxAttempts",
  "initialBackoff",
  "maxBackoff",
  "backoffMultiplier",
  "retryableStatusCodes",
  "perAttemptRecvTimeout",
];
const HEDGING_KEYS = ["maxAttempts", "hedgingDelay", "nonFatalStatusCodes"];

/** @param text of the file */
export function readServiceConfig(text: string): ServiceConfigRead {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    const problem = `is not JSON: ${error instanceof Error ? error.message : String(error)}`;
    return { config: new Map(), problems: [problem], warnings: [] };
  }
  return new Reader().read(json);
}

class Reader {
  private readonly problems: string[] = [];
  private readonly warnings: string[] = [];
  private readonly entries = new Map<string, ServiceConfigEntry>();

  read(json: unknown): ServiceConfigRead {
    const { problems, warnings } = this;
    const root = this.object(json, "");
    this.unknownKeys(root, "", KEYS);
    const throttling = this.throttling(root.retryThrottling, "retryThrottling");
    const methods = this.list(root.methodConfig ?? [], "methodConfig");
    if (methods.length > MAX_ENTRIES) problems.push(`methodConfig: must have at most ${MAX_ENTRIES} entries`);
    else for (const [i, method] of methods.entries()) this.entry(method, `methodConfig[${i}]`, throttling);
    return { config: this.entries, problems, warnings };
  }

  private entry(json: unknown, path: string, throttling: RetryThrottling | undefined): void {
    const entry = this.object(json, path);
    this.unknownKeys(entry, path, METHOD_KEYS);
    if (entry.retryPolicy !== undefined && entry.hedgingPolicy !== undefined)
      this.wrong(path, "must have retryPolicy or hedgingPolicy, not both");
    const retries =
      entry.retryPolicy !== undefined
        ? this.retryPolicy(entry.retryPolicy, `${path}.retryPolicy`)
        : entry.hedgingPolicy !== undefined
          ? this.hedgingPolicy(entry.hedgingPolicy, `${path}.hedgingPolicy`)
          : undefined;
    const timeoutMs =
      entry.timeout === undefined ? undefined : this.duration(entry.timeout, `${path}.timeout`, MIN_DELAY_MS);
    const made = { retries: retries && { ...retries, throttling }, timeoutMs };
    for (const [i, name] of this.list(entry.name ?? [], `${path}.name`).entries())
      this.name(name, `${path}.name[${i}]`, made);
  }

  private name(json: unknown, path: string, entry: ServiceConfigEntry): void {
    const { service = "", method = "", ...others } = this.object(json, path);
    this.unknownKeys(others, path, ["service", "method"]);
    if (typeof service !== "string" || typeof method !== "string" || service.includes("/")) {
      this.wrong(path, "must be {}, { service } or { service, method }, with names such as pkg.Service");
      return;
    }
    if (service === "" && method !== "") {
      this.wrong(path, "must have a service, since it has a method");
      return;
    }
    const key = method === "" ? service : `${service}/${method}`;
    if (this.entries.has(key)) this.wrong(path, `stands twice: ${key === "" ? "{}" : key}`);
    this.entries.set(key, entry);
  }

  private retryPolicy(json: unknown, path: string): Partial<RetryPolicy> {
    const policy = this.object(json, path);
    this.unknownKeys(policy, path, RETRY_KEYS);
    if (policy.perAttemptRecvTimeout !== undefined)
      this.warnings.push(
        `${path}.perAttemptRecvTimeout: has no effect: an attempt may take what is left of the call`,
      );
    const multiplier = policy.backoffMultiplier;
    if (typeof multiplier !== "number" || !(multiplier > 0))
      this.wrong(`${path}.backoffMultiplier`, "must be a number above 0");
    const on = this.codes(policy.retryableStatusCodes, `${path}.retryableStatusCodes`);
    if (on.length === 0 && Array.isArray(policy.retryableStatusCodes))
      this.wrong(`${path}.retryableStatusCodes`, "must name at least one code");
    return {
      attempts: this.attempts(policy.maxAttempts, `${path}.maxAttempts`),
      on,
      backoff: {
        baseMs: this.duration(policy.initialBackoff, `${path}.initialBackoff`, MIN_DELAY_MS),
        maxMs: this.duration(policy.maxBackoff, `${path}.maxBackoff`, MIN_DELAY_MS),
        multiplier: typeof multiplier === "number" ? multiplier : DEFAULT_RETRIES.backoff.multiplier,
      },
      hedgeDelayMs: undefined,
    };
  }

  private hedgingPolicy(json: unknown, path: string): Partial<RetryPolicy> {
    const policy = this.object(json, path);
    this.unknownKeys(policy, path, HEDGING_KEYS);
    const delayMs = this.duration(policy.hedgingDelay ?? "0s", `${path}.hedgingDelay`, 0);
    return {
      attempts: this.attempts(policy.maxAttempts, `${path}.maxAttempts`),
      on: this.codes(policy.nonFatalStatusCodes ?? [], `${path}.nonFatalStatusCodes`),
      hedgeDelayMs: Math.max(delayMs, MIN_DELAY_MS),
    };
  }

  private throttling(json: unknown, path: string): RetryThrottling | undefined {
    if (json === undefined) return undefined;
    const throttling = this.object(json, path);
    this.unknownKeys(throttling, path, ["maxTokens", "tokenRatio"]);
    const { maxTokens, tokenRatio } = throttling;
    if (typeof maxTokens !== "number" || !(maxTokens > 0 && maxTokens <= 1000))
      this.wrong(`${path}.maxTokens`, "must be a number above 0, and at most 1000");
    if (typeof tokenRatio !== "number" || !(tokenRatio > 0))
      this.wrong(`${path}.tokenRatio`, "must be a number above 0");
    if (typeof maxTokens !== "number" || typeof tokenRatio !== "number") return undefined;
    // Decimals beyond the third are ignored (A6).
    return { maxTokens, tokenRatio: Math.floor(tokenRatio * 1000) / 1000 };
  }

  // ---------------------------------------------------------------- values

  private attempts(json: unknown, path: string): number {
    if (typeof json !== "number" || !Number.isInteger(json) || json < 2) {
      this.wrong(path, "must be a whole number from 2 on");
      return DEFAULT_RETRIES.attempts;
    }
    if (json > MAX_ATTEMPTS) this.warnings.push(`${path}: is ${json}, but at most ${MAX_ATTEMPTS} are made`);
    return Math.min(json, MAX_ATTEMPTS);
  }

  private codes(json: unknown, path: string): number[] {
    return this.list(json, path).flatMap((code, i) => {
      const found = typeof code === "string" ? CODES.get(code.toUpperCase()) : code;
      if (typeof found === "number" && [...CODES.values()].includes(found)) return [found];
      this.wrong(`${path}[${i}]`, `must be one of ${[...CODES.keys()].join(", ")}, or its number`);
      return [];
    });
  }

  private duration(json: unknown, path: string, minMs: number): number {
    const match = typeof json === "string" ? DURATION.exec(json) : null;
    const ms = match === null ? Number.NaN : Number(match[1]) * 1000 + Number(`0.${match[2] ?? 0}`) * 1000;
    if (ms >= minMs) return ms;
    this.wrong(
      path,
      `must be a duration in seconds, such as 0.1s${minMs > 0 ? `, of at least 0.00${minMs}s` : ""}`,
    );
    return minMs;
  }

  private object(json: unknown, path: string): Readonly<Record<string, unknown>> {
    if (kindOf(json) !== "an object") this.wrong(path, `must be an object, not ${kindOf(json)}`);
    return mapping(json);
  }

  private list(json: unknown, path: string): readonly unknown[] {
    if (Array.isArray(json)) return json;
    this.wrong(path, `must be a list, not ${kindOf(json)}`);
    return [];
  }

  private unknownKeys(object: object, path: string, known: readonly string[]): void {
    for (const key of Object.keys(object)) {
      if (known.includes(key)) continue;
      const full = path === "" ? key : `${path}.${key}`;
      const why = ELSEWHERE[key];
      const meant = nearest(key, known);
      this.warnings.push(
        why === undefined
          ? `${full}: is not known, and has no effect${meant === undefined ? "" : `; did you mean ${meant}?`}`
          : `${full}: has no effect: ${why}`,
      );
    }
  }

  private wrong(path: string, message: string): void {
    this.problems.push(path === "" ? message : `${path}: ${message}`);
  }
}
