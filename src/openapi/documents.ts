// The OpenAPI documents of one set of routes: each made in a thread on demand, once for all that wait; the last
// requested ones are cached.
import { hubFault } from "../call/status/hub-fault.js";
import { refusal } from "../call/status/reasons.js";
import { Code, Status } from "../call/status/status.js";
import { type Clock, systemClock, type Timer } from "../kit/clock.js";
import { inSlices, ownTurn } from "../kit/in-slices.js";
import { isWithoutDescriptors, notNow } from "../transcoding/messages/not-now.js";
import type { BindingPlan } from "../transcoding/routes/binding.js";
import { type ThreadTypes, typesOfFile } from "../transcoding/threads/schema.js";
import { type ThreadLost, Threads } from "../transcoding/threads/threads.js";
import type { OpenApiInput } from "./document.js";
import {
  type DocumentJob,
  type DocumentResult,
  type DocumentSchema,
  type Format,
  headOf,
  routeOf,
} from "./document-job.js";
import { filterProblem, isInPart, type OpenApiFilter, type Parts, partsOfServices } from "./filter.js";
import { DocumentTooLarge } from "./schemas/document-too-large.js";

const MIB = 1024 * 1024;
/** Size of the cached documents, besides the last one: that of compute.googleapis.com, 900 methods, has 14. */
const MAX_KEPT_BYTES = 64 * MIB;
/** Documents of different services and versions that may wait. */
const MAX_MAKING = 16;
/** All of googleapis, which is 218 MB of JSON, takes 20 s of a core. */
const MAX_MS = 120_000;
/** Routes per step of a slice: a fraction of a millisecond. */
const ROUTES_PER_STEP = 100;

/** A page that is reloaded disconnects and requests again. */
const LINGER_MS = 1000;

export type DocumentThreads = Threads<DocumentSchema, DocumentJob, DocumentResult>;

/** One thread, beside those for messages: no call waits for a document. A hub has one for all its documents. */
export function documentThreads(clock = systemClock): DocumentThreads {
  return new Threads({
    script: new URL("./document-worker.js", import.meta.url),
    maxThreads: 1,
    // The same as a thread for messages: MAX_VALUES of schemas.ts uses a part of it.
    maxHeapMib: 4096,
    maxYoungMib: 32,
    // MAX_MAKING bounds the queue.
    maxWaitingBytes: () => Number.POSITIVE_INFINITY,
    maxMs: MAX_MS,
    endsCancelled: true,
    clock,
  });
}

export interface GeneratedDocument {
  /** The same object each time, as long as it is cached. */
  readonly body: Buffer;
  readonly etag: string;
}

export interface DocumentsOptions {
  /** Default: some of these documents' own. */
  readonly threads?: DocumentThreads;
  readonly clock?: Clock;
}

/** Derived from the routes. */
interface Survey {
  readonly parts: Parts;
  /** The parts of all services, with their index in the schema that the thread gets. */
  readonly types: ReadonlyMap<ThreadTypes, number>;
  readonly schema: DocumentSchema;
}

/** A document in progress. */
interface Making {
  readonly made: Promise<GeneratedDocument | Status>;
  /** All that waited have left. */
  readonly unwanted: AbortController;
  waiters: number;
  /** Until it is cancelled, once all have left. */
  lingering: Timer | undefined;
}

export class Documents {
  readonly #input: OpenApiInput;
  readonly #threads: DocumentThreads;
  readonly #clock: Clock;
  /** The last requested one at the end. */
  readonly #kept = new Map<string, GeneratedDocument | Status>();
  #keptBytes = 0;
  readonly #making = new Map<string, Making>();
  #survey: Promise<Survey> | undefined;

  constructor(input: OpenApiInput, { threads, clock = systemClock }: DocumentsOptions = {}) {
    this.#input = input;
    this.#threads = threads ?? documentThreads(clock);
    this.#clock = clock;
  }

  /**
   * A Status describes an invalid filter, or why there is no document. Rejects with unexpected errors.
   * @param gone aborted when the client has left: a document that all have left is cancelled
   */
  async get(format: Format, filter: OpenApiFilter, gone: AbortSignal): Promise<GeneratedDocument | Status> {
    this.#survey ??= inSlices(surveying(this.#input.plans));
    const survey = await this.#survey;
    if (gone.aborted) return NOBODY_WAITS;
    const problem = filterProblem(survey.parts, filter);
    if (problem !== undefined) return refusal("NO_SUCH_SERVICE", problem);
    const key = JSON.stringify([format, filter.service, filter.version]);
    const kept = this.#kept.get(key);
    if (kept !== undefined) {
      this.#kept.delete(key);
      this.#kept.set(key, kept);
      return kept;
    }
    let making = this.#making.get(key);
    if (making === undefined) {
      if (this.#making.size >= MAX_MAKING)
        return notNow("too many OpenAPI documents are waiting to be generated: try again");
      making = this.#begin(key, format, filter, survey);
    }
    return this.#wait(key, making, gone);
  }

  #begin(key: string, format: Format, filter: OpenApiFilter, survey: Survey): Making {
    const unwanted = new AbortController();
    const made = this.#make(format, filter, survey, unwanted.signal);
    const making: Making = { made, unwanted, waiters: 0, lingering: undefined };
    this.#making.set(key, making);
    const onEnd = (): void => {
      making.lingering?.cancel();
      if (this.#making.get(key) === making) this.#making.delete(key);
    };
    made.then((document) => this.#keep(key, document)).then(onEnd, onEnd);
    return making;
  }

  #wait(key: string, making: Making, gone: AbortSignal): Promise<GeneratedDocument | Status> {
    making.waiters++;
    making.lingering?.cancel();
    const giveUp = (): void => {
      this.#making.delete(key);
      making.unwanted.abort();
    };
    const leave = (): void => {
      if (--making.waiters === 0 && this.#making.get(key) === making)
        making.lingering = this.#clock.setTimeout(giveUp, LINGER_MS);
    };
    gone.addEventListener("abort", leave, { once: true });
    return making.made.finally(() => gone.removeEventListener("abort", leave));
  }

  #keep(key: string, made: GeneratedDocument | Status): void {
    // A temporary failure is not cached.
    if (made instanceof Status && made.http !== TOO_LARGE.http) return;
    this.#kept.set(key, made);
    this.#keptBytes += bytesOf(made);
    for (const [oldest, document] of this.#kept) {
      if (this.#keptBytes <= MAX_KEPT_BYTES || this.#kept.size === 1) break;
      this.#kept.delete(oldest);
      this.#keptBytes -= bytesOf(document);
    }
  }

  async #make(
    format: Format,
    filter: OpenApiFilter,
    { types, schema }: Survey,
    unwanted: AbortSignal,
  ): Promise<GeneratedDocument | Status> {
    const bytes = await inSlices(this.#lines(filter, types, unwanted));
    // Starting the thread, or passing it the schema, takes some milliseconds.
    await ownTurn();
    const outcome = await new Promise<DocumentResult | ThreadLost | undefined>((resolve) => {
      if (unwanted.aborted) return resolve(undefined);
      const cancel = this.#threads.run(schema, { format, bytes }, resolve);
      unwanted.addEventListener("abort", () => {
        cancel?.();
        resolve(undefined);
      });
    });
    if (outcome === undefined) return NOBODY_WAITS;
    if (!("bytes" in outcome)) return statusOf(outcome);
    const body = Buffer.from(outcome.bytes.buffer, outcome.bytes.byteOffset, outcome.bytes.byteLength);
    return { body, etag: outcome.etag };
  }

  *#lines(
    filter: OpenApiFilter,
    types: ReadonlyMap<ThreadTypes, number>,
    unwanted: AbortSignal,
  ): Generator<void, Buffer> {
    const parts = [Buffer.from(JSON.stringify(headOf(this.#input)))];
    for (const [i, plan] of this.#input.plans.entries()) {
      if (isInPart(plan, filter)) {
        const route = routeOf(plan, types.get(typesOf(plan)) ?? -1, this.#input);
        parts.push(Buffer.from(`\n${JSON.stringify(route)}`));
      }
      if (i % ROUTES_PER_STEP !== 0) continue;
      if (unwanted.aborted) break;
      yield;
    }
    return Buffer.concat(parts);
  }
}

function* surveying(plans: readonly BindingPlan[]): Generator<void, Survey> {
  const services = new Set<string>();
  const types = new Map<ThreadTypes, number>();
  for (const [i, plan] of plans.entries()) {
    services.add(plan.method.service);
    const own = typesOf(plan);
    if (!types.has(own)) types.set(own, types.size);
    if (i % ROUTES_PER_STEP === 0) yield;
  }
  return { parts: partsOfServices(services), types, schema: { types: [...types.keys()] } };
}

function typesOf({ descriptor }: BindingPlan): ThreadTypes {
  return typesOfFile(descriptor.parent.file);
}

/** The client has left. */
const NOBODY_WAITS = new Status(Code.CANCELLED, "the document is no longer wanted");

const TOO_LARGE = tooLarge("generating it takes too long, or too much memory");

function tooLarge(why: string): Status {
  return refusal("RESPONSE_TOO_LARGE", new DocumentTooLarge(why).message);
}

function statusOf(outcome: Exclude<DocumentResult, { bytes: unknown }> | ThreadLost): Status {
  if ("tooLarge" in outcome) return refusal("RESPONSE_TOO_LARGE", outcome.tooLarge);
  const where = "in the thread that generates OpenAPI documents";
  if ("fault" in outcome)
    return hubFault("the OpenAPI document could not be generated", where, outcome.fault);
  const { lost, outOfMemory, tookTooLong } = outcome;
  if (outOfMemory || tookTooLong) return TOO_LARGE;
  if (isWithoutDescriptors(lost)) return notNow("the hub cannot start a thread now: try again", lost);
  return hubFault("the thread that generated the OpenAPI document died", where, lost);
}

function bytesOf(made: GeneratedDocument | Status): number {
  return made instanceof Status ? 0 : made.body.length;
}
