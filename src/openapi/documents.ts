// The OpenAPI documents of one set of routes: each made in a thread, when it is first asked for, once for all who wait;
// those that were asked for last are kept.
import { hubFault } from "../call/hub-fault.js";
import { refusal } from "../call/status/reasons.js";
import { Status } from "../call/status/status.js";
import { inSlices, nextTurn } from "../kit/in-slices.js";
import { isWithoutDescriptors, notNow } from "../transcoding/messages/not-now.js";
import type { BindingPlan } from "../transcoding/routes/binding.js";
import { type ThreadTypes, typesOfFile } from "../transcoding/threads/schema.js";
import { type Lost, Threads } from "../transcoding/threads/threads.js";
import type { OpenApiInput } from "./document.js";
import {
  type DocumentJob,
  type DocumentResult,
  type DocumentSchema,
  type Format,
  headOf,
  routeOf,
} from "./document-job.js";
import { filterProblem, isOf, type OpenApiFilter, type Parts, partsOf } from "./filter.js";
import { DocumentTooLarge } from "./schemas/document-too-large.js";

const MIB = 1024 * 1024;
/** Of the documents that are kept, beside the last one: that of compute.googleapis.com, 900 methods, has 14. */
const MAX_KEPT_BYTES = 64 * MIB;
/** Documents of different services and versions that wait to be made. */
const MAX_MAKING = 16;
/** All of googleapis, which is 218 MB of JSON, takes 20 s of a core. */
const MAX_MS = 120_000;
/** Routes that are looked at in one step of a slice: a fraction of a millisecond. */
const ROUTES_PER_STEP = 100;

/** One for the whole process, beside those for messages: no call waits for a document. */
const THREAD = new Threads<DocumentSchema, DocumentJob, DocumentResult>({
  script: new URL("./document-worker.js", import.meta.url),
  maxThreads: 1,
  // As much as a thread for messages: MAX_VALUES of schemas.ts comes to a part of it.
  maxHeapMib: 4096,
  maxYoungMib: 32,
  // MAX_MAKING bounds what waits.
  maxWaitingBytes: () => Number.POSITIVE_INFINITY,
  maxMs: MAX_MS,
});

export interface MadeDocument {
  /** The same object each time, as long as it is kept. */
  readonly body: Buffer;
  readonly etag: string;
}

export class Documents {
  readonly #input: OpenApiInput;
  /** The one that was asked for last at the end. */
  readonly #kept = new Map<string, MadeDocument | Status>();
  #keptBytes = 0;
  readonly #making = new Map<string, Promise<MadeDocument | Status>>();
  #parts: Parts | undefined;
  #types: Promise<ReadonlyMap<ThreadTypes, number>> | undefined;
  #schema: DocumentSchema | undefined;

  constructor(input: OpenApiInput) {
    this.#input = input;
  }

  /** A Status says what is wrong with the filter, or why there is no document. Rejects with what nobody expected. */
  async get(format: Format, filter: OpenApiFilter): Promise<MadeDocument | Status> {
    const problem = this.#problem(filter);
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
        return notNow("too many OpenAPI documents wait to be made: try again");
      making = this.#make(format, filter).finally(() => this.#making.delete(key));
      this.#making.set(key, making);
      making.then((made) => this.#keep(key, made)).catch(() => {});
    }
    return making;
  }

  #problem(filter: OpenApiFilter): string | undefined {
    if (filter.service === undefined && filter.version === undefined) return undefined;
    this.#parts ??= partsOf(this.#input.plans);
    return filterProblem(this.#parts, filter);
  }

  #keep(key: string, made: MadeDocument | Status): void {
    // What another moment may change is asked for anew.
    if (made instanceof Status && made.http !== TOO_LARGE.http) return;
    this.#kept.set(key, made);
    this.#keptBytes += bytesOf(made);
    for (const [oldest, document] of this.#kept) {
      if (this.#keptBytes <= MAX_KEPT_BYTES || this.#kept.size === 1) break;
      this.#kept.delete(oldest);
      this.#keptBytes -= bytesOf(document);
    }
  }

  async #make(format: Format, filter: OpenApiFilter): Promise<MadeDocument | Status> {
    this.#types ??= inSlices(this.#allTypes());
    const types = await this.#types;
    this.#schema ??= { types: [...types.keys()] };
    const bytes = await inSlices(this.#lines(filter, types));
    const schema = this.#schema;
    // To start the thread and to hand it the schema takes some milliseconds.
    await nextTurn();
    const outcome = await new Promise<DocumentResult | Lost>((resolve) =>
      THREAD.run(schema, { format, bytes }, resolve),
    );
    if ("bytes" in outcome) {
      const { bytes, etag } = outcome;
      return { body: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength), etag };
    }
    return statusOf(outcome);
  }

  /** What all services are made of, with its index in the schema that the thread gets. */
  *#allTypes(): Generator<void, ReadonlyMap<ThreadTypes, number>> {
    const all = new Map<ThreadTypes, number>();
    for (const [i, plan] of this.#input.plans.entries()) {
      const types = typesOf(plan);
      if (!all.has(types)) all.set(types, all.size);
      if (i % ROUTES_PER_STEP === 0) yield;
    }
    return all;
  }

  *#lines(filter: OpenApiFilter, types: ReadonlyMap<ThreadTypes, number>): Generator<void, Buffer> {
    const parts = [Buffer.from(JSON.stringify(headOf(this.#input)))];
    for (const [i, plan] of this.#input.plans.entries()) {
      if (isOf(plan, filter)) {
        const route = routeOf(plan, types.get(typesOf(plan)) ?? -1, this.#input);
        parts.push(Buffer.from(`\n${JSON.stringify(route)}`));
      }
      if (i % ROUTES_PER_STEP === 0) yield;
    }
    return Buffer.concat(parts);
  }
}

function typesOf({ descriptor }: BindingPlan): ThreadTypes {
  return typesOfFile(descriptor.parent.file);
}

const TOO_LARGE = tooLarge("it takes too long, or too much memory");

function tooLarge(why: string): Status {
  return refusal("RESPONSE_TOO_LARGE", new DocumentTooLarge(why).message);
}

function statusOf(outcome: Exclude<DocumentResult, { bytes: unknown }> | Lost): Status {
  if ("tooLarge" in outcome) return refusal("RESPONSE_TOO_LARGE", outcome.tooLarge);
  const where = "in the thread that makes OpenAPI documents";
  if ("fault" in outcome) return hubFault("the OpenAPI document could not be made", where, outcome.fault);
  const { lost, outOfMemory, tookTooLong } = outcome;
  if (outOfMemory || tookTooLong) return TOO_LARGE;
  if (isWithoutDescriptors(lost)) return notNow("the hub cannot start a thread now: try again", lost);
  return hubFault("the thread that made the OpenAPI document died", where, lost);
}

function bytesOf(made: MadeDocument | Status): number {
  return made instanceof Status ? 0 : made.body.length;
}
