// Lines of the log about one upstream: learned, changed, lost, back. What flaps is counted, not written each time.
import type { Clock, Timer } from "../../kit/clock.js";
import type { Log } from "../../kit/log.js";
import { LogOnce } from "../../kit/log-once.js";
import type { Schema } from "../../schema/types/schema.js";
import { schemaChanges } from "./schema-changes.js";

/** An endpoint that comes and goes gets a line for its loss so often at most; what came between is counted. */
const MIN_INTERVAL_MS = 60_000;
/** Endpoints that are followed; beyond them the upstream as a whole tells enough. */
const MAX_ENDPOINTS = 1_000;

interface Followed {
  ready: boolean;
  /** The last line about it says that it is lost. */
  saidLost: boolean;
  /** When that line was written, milliseconds of the clock. */
  saidAt: number;
  /** Losses since then that have no line. */
  unsaid: number;
  timer: Timer | undefined;
}

/** An endpoint that is or was out for its health. */
interface Out {
  /** undefined: it gets calls. */
  why: string | undefined;
  /** The last line about it says that it is out. */
  said: boolean;
  saidAt: number;
  timer: Timer | undefined;
}

/** A schema, and where it comes from. */
export interface KnownSchema {
  readonly schema: Schema;
  /** When it was learned, if it was read from where schemas are remembered: Unix time, milliseconds. */
  readonly remembered: number | undefined;
}

export interface EndpointView {
  readonly address: string;
  readonly state: string;
  /** Why it cannot be reached, if it cannot. */
  readonly problem: string;
}

export class UpstreamLog {
  readonly #name: string;
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #endpoints = new Map<string, Followed>();
  /** Of endpoints that are or were out for their health. */
  readonly #health = new Map<string, Out>();
  /** The problem that the last line about its source tells of. */
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

  /** @param before undefined: it was not known until now */
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
      // The first connection is no news, and what fails from the first is told by the learning.
      const saidAt = Number.NEGATIVE_INFINITY;
      if (state === "ready" && this.#endpoints.size < MAX_ENDPOINTS)
        this.#endpoints.set(address, { ready: true, saidLost: false, saidAt, unsaid: 0, timer: undefined });
      return;
    }
    if (state === "ready" && !followed.ready) this.#back(address, followed);
    // What is between two connections is not lost.
    if (state === "backoff" && followed.ready) this.#lost(address, followed, problem);
  }

  /** An endpoint was taken out for its health (it has a reason), or gets calls again. */
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
      // Where it stays out, the log says so in the end.
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

  /** Its source of endpoints has a problem, or (undefined) has told them. */
  source(problem: string | undefined): void {
    if (problem === this.#sourceProblem) return;
    if (problem === undefined) this.#info("its endpoints are known again");
    else if (!this.#sourceProblems.first(problem)) return;
    else this.#log.warn(`upstream "${this.#name}": its endpoints are not known, or out of date: ${problem}`);
    this.#sourceProblem = problem;
  }

  /** A load report of an endpoint is of no use. */
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

  /** Forgets endpoints that are not among these. */
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
      // Where it stays away, the log says so in the end.
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

/** As logs and pages show when a schema was learned. */
export function timeOf(milliseconds: number): string {
  return new Date(milliseconds).toISOString();
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}
