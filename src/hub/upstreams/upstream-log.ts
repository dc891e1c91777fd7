// Log lines about one upstream: learned, changed, lost, back. Flapping is counted, not logged each time.
import type { Clock, Timer } from "../../kit/clock.js";
import type { Log } from "../../kit/log.js";
import { LogOnce } from "../../kit/log-once.js";
import type { Schema } from "../../schema/types/schema.js";
import { schemaChanges } from "./schema-changes.js";

/** Minimum interval between log lines about the loss of one endpoint; losses between them are counted. */
const MIN_INTERVAL_MS = 60_000;
/** Endpoints that are followed; beyond them, lines about the upstream as a whole suffice. */
const MAX_ENDPOINTS = 1_000;

interface Followed {
  ready: boolean;
  /** The last line about it reported its loss. */
  saidLost: boolean;
  /** When that line was logged, milliseconds of the clock. */
  saidAt: number;
  /** Losses since then that were not logged. */
  unsaid: number;
  timer: Timer | undefined;
}

/** An endpoint that is or was out because of its health. */
interface Out {
  /** undefined: it gets calls. */
  why: string | undefined;
  /** The last line about it reported that it is out. */
  said: boolean;
  saidAt: number;
  timer: Timer | undefined;
}

/** A schema, and where it comes from. */
export interface KnownSchema {
  readonly schema: Schema;
  /** When it was learned, if it is a remembered schema: Unix time, milliseconds. */
  readonly remembered: number | undefined;
}

export interface EndpointView {
  readonly address: string;
  readonly state: string;
  /** Why it is unreachable, if it is. */
  readonly problem: string;
}

export class UpstreamLog {
  readonly #name: string;
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #endpoints = new Map<string, Followed>();
  /** Endpoints that are or were out because of their health. */
  readonly #health = new Map<string, Out>();
  /** The problem of its source that was logged last. */
  #sourceProblem: string | undefined = undefined;
  readonly #sourceProblems: LogOnce;
  #badReports = 0;
  #badReportSaidAt = Number.NEGATIVE_INFINITY;

  constructor(name: string, log: Log, clock: Clock) {
    this.#name = name;
    this.#log = log;
    this.#clock = clock;
    this.#sourceProblems = new LogOnce(() => clock.now());
  }

  /** @param before undefined: there was none until now */
  schema(before: KnownSchema | undefined, { schema, remembered }: KnownSchema): void {
    const methods = schema.services.reduce((sum, { methods }) => sum + methods.length, 0);
    const counts = `${counted(schema.services.length, "service")}, ${counted(methods, "method")}`;
    if (remembered !== undefined)
      this.#info(`not learned yet, its schema is remembered, from ${timeOf(remembered)}: ${counts}`);
    else if (before === undefined) this.#info(`learned: ${counts}`);
    else if (before.schema.hash === schema.hash) this.#info(`learned: ${counts}, as it was remembered`);
    else {
      const since =
        before.remembered === undefined ? "" : ` since it was remembered, on ${timeOf(before.remembered)}`;
      this.#info(`its schema has changed${since}: ${schemaChanges(before.schema, schema)}`);
    }
  }

  /** An endpoint's state may have changed. */
  endpoint({ address, state, problem }: EndpointView): void {
    const followed = this.#endpoints.get(address);
    if (followed === undefined) {
      // The first connection is not logged, and a failure from the start is reported by the learning of the schema.
      const saidAt = Number.NEGATIVE_INFINITY;
      if (state === "ready" && this.#endpoints.size < MAX_ENDPOINTS)
        this.#endpoints.set(address, { ready: true, saidLost: false, saidAt, unsaid: 0, timer: undefined });
      return;
    }
    if (state === "ready" && !followed.ready) this.#back(address, followed);
    // An endpoint between two connections is not lost.
    if (state === "backoff" && followed.ready) this.#lost(address, followed, problem);
  }

  /** An endpoint was taken out for its health (with a reason), or gets calls again. */
  health(address: string, why: string | undefined): void {
    const known = this.#health.get(address);
    if (known === undefined) {
      if (why === undefined || this.#health.size >= MAX_ENDPOINTS) return;
      const said: Out = { why, said: false, saidAt: Number.NEGATIVE_INFINITY, timer: undefined };
      this.#health.set(address, said);
      this.#out(address, said);
      return;
    }
    known.why = why;
    if (why !== undefined) this.#out(address, known);
    else if (known.said) {
      known.said = false;
      this.#info(`${address} gets calls again`);
    }
  }

  #out(address: string, known: Out): void {
    const wait = known.saidAt + MIN_INTERVAL_MS - this.#clock.now();
    if (wait > 0) {
      // If it stays out, that is logged when the interval is over.
      known.timer ??= this.#clock.setTimeout(() => {
        known.timer = undefined;
        if (known.why !== undefined && !known.said) this.#out(address, known);
      }, wait);
      return;
    }
    this.#log.warn(`upstream "${this.#name}": ${address} gets no calls: ${known.why}`);
    known.said = true;
    known.saidAt = this.#clock.now();
  }

  /** Its source of endpoints has a problem, or (undefined) has reported them. */
  source(problem: string | undefined): void {
    if (problem === this.#sourceProblem) return;
    if (problem === undefined) this.#info("its endpoints are known again");
    else if (!this.#sourceProblems.first(problem)) return;
    else this.#log.warn(`upstream "${this.#name}": its endpoints are not known, or out of date: ${problem}`);
    this.#sourceProblem = problem;
  }

  /** A load report of an endpoint is unusable. */
  badReport(address: string, reason: string): void {
    const now = this.#clock.now();
    this.#badReports++;
    if (now - this.#badReportSaidAt < MIN_INTERVAL_MS) return;
    this.#badReportSaidAt = now;
    const more = this.#badReports === 1 ? "" : ` (${this.#badReports} of this upstream so far)`;
    this.#log.warn(
      `upstream "${this.#name}": a load report (endpoint-load-metrics-bin) of ${address} is ignored: ${reason}${more}`,
    );
  }

  /** Forgets endpoints that are not in this list. */
  retain(addresses: readonly string[]): void {
    const kept = new Set(addresses);
    for (const [address, { timer }] of this.#endpoints) {
      if (kept.has(address)) continue;
      timer?.cancel();
      this.#endpoints.delete(address);
    }
    for (const [address, { timer }] of this.#health) {
      if (kept.has(address)) continue;
      timer?.cancel();
      this.#health.delete(address);
    }
  }

  close(): void {
    for (const { timer } of this.#endpoints.values()) timer?.cancel();
    this.#endpoints.clear();
    for (const { timer } of this.#health.values()) timer?.cancel();
    this.#health.clear();
  }

  #back(address: string, followed: Followed): void {
    followed.ready = true;
    if (followed.saidLost) this.#info(`${address} is back`);
    followed.saidLost = false;
  }

  #lost(address: string, followed: Followed, problem: string): void {
    followed.ready = false;
    const now = this.#clock.now();
    const wait = followed.saidAt + MIN_INTERVAL_MS - now;
    if (wait > 0) {
      followed.unsaid++;
      // If it stays away, that is logged when the interval is over.
      followed.timer ??= this.#clock.setTimeout(() => {
        followed.timer = undefined;
        if (!followed.ready && !followed.saidLost) this.#lost(address, followed, problem);
      }, wait);
      return;
    }
    const times = followed.unsaid === 0 ? "" : `, ${followed.unsaid + 1} times since the last line of it`;
    this.#log.warn(`upstream "${this.#name}": ${address} is lost${times}: ${problem}`);
    followed.saidLost = true;
    followed.saidAt = now;
    followed.unsaid = 0;
  }

  #info(text: string): void {
    this.#log.info(`upstream "${this.#name}": ${text}`);
  }
}

/** The time at which a schema was learned, as logs and pages show it. */
export function timeOf(milliseconds: number): string {
  return new Date(milliseconds).toISOString();
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}
