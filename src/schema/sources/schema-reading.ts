// Chooses where a schema is read: small ones in place, large ones in a thread, so that calls continue meanwhile.
import { Worker } from "node:worker_threads";
import { SchemaError } from "../descriptors/schema-error.js";
import { WorkLimitExceeded } from "../tables/read-file.js";
import {
  type Finish,
  type Missing,
  type ReadMode,
  SchemaReader,
  type Work,
} from "../tables/schema-reader.js";
import type { SchemaTables } from "../tables/schema-tables.js";
import { type Turn, takeTurn } from "../tables/turns.js";

/** Bytes of all files that are read in place, some milliseconds: a thread would cost as much to start. */
const IN_PLACE_BYTES = 256 * 1024;
/** For bytes that are more work than others of their length. */
const IN_PLACE: Work = { lookupChars: 2_000_000, records: 20_000 };
/** All of googleapis takes four seconds of one core. */
const MAX_READ_MS = 60_000;
/**
 * Heap of the thread, in MiB. The largest file decides: no more than the fields that descriptor-scan.ts lets pass, at
 * some hundred bytes each.
 */
const MAX_HEAP_MIB = 2048;

/** Requests to the thread and their results: in this order, one at a time. */
export type ReadRequest =
  | { readonly kind: "start"; readonly mode: ReadMode }
  | { readonly kind: "add"; readonly files: readonly NamedFile[] }
  | { readonly kind: "missing" }
  | { readonly kind: "finish"; readonly finish: Finish }
  | { readonly kind: "protoset"; readonly bytes: Uint8Array }
  | { readonly kind: "protos"; readonly dirs: readonly string[] };

export type ReadResult =
  | { readonly missing: readonly Missing[] }
  | { readonly tables: SchemaTables }
  /** A SchemaError's text. */
  | { readonly refused: string }
  | { readonly fault: string };

export type NamedFile = readonly [name: string, bytes: Uint8Array];

/** Reads one schema's files into its tables. Everything rejects with a SchemaError once `close` is called. */
export class SchemaReading {
  readonly #mode: ReadMode;
  /** Files that no reader has yet. */
  #pending: NamedFile[] = [];
  #bytes = 0;
  #reader: SchemaReader | undefined;
  #thread: ReadThread | undefined;
  /** All of them, until a thread has them: if they are too much work in place, it starts again there. */
  #all: NamedFile[] = [];

  constructor(mode: ReadMode) {
    this.#mode = mode;
  }

  add(name: string, bytes: Uint8Array): void {
    this.#bytes += bytes.length;
    this.#pending.push([name, bytes]);
    if (this.#thread === undefined) this.#all.push([name, bytes]);
  }

  /** Missing dependencies of the files. */
  async missing(): Promise<readonly Missing[]> {
    const answer = await this.#do((reader) => ({ missing: reader.missing() }), { kind: "missing" });
    if (!("missing" in answer))
      throw new SchemaError("the thread that reads schemas sent an unexpected message");
    return answer.missing;
  }

  /** @throws SchemaError if they are not a valid schema. */
  async finish(finish: Finish): Promise<SchemaTables> {
    const answer = await this.#do((reader) => ({ tables: reader.finish(finish) }), {
      kind: "finish",
      finish,
    });
    if (!("tables" in answer))
      throw new SchemaError("the thread that reads schemas sent an unexpected message");
    return answer.tables;
  }

  async #do(inPlace: (reader: SchemaReader) => ReadResult, request: ReadRequest): Promise<ReadResult> {
    if (this.#thread === undefined && this.#bytes <= IN_PLACE_BYTES) {
      try {
        this.#reader ??= new SchemaReader(this.#mode, IN_PLACE);
        for (const [name, bytes] of this.#pending) this.#reader.add(name, bytes);
        this.#pending = [];
        return inPlace(this.#reader);
      } catch (error) {
        if (!(error instanceof WorkLimitExceeded)) throw error;
      }
    }
    if (this.#thread === undefined) {
      this.#thread = new ReadThread();
      this.#reader = undefined;
      this.#pending = this.#all;
      this.#all = [];
      await this.#thread.ask({ kind: "start", mode: this.#mode });
    }
    if (this.#pending.length > 0) {
      const files = this.#pending;
      this.#pending = [];
      await this.#thread.ask({ kind: "add", files });
    }
    return this.#thread.ask(request);
  }

  close(): void {
    this.#thread?.close();
  }
}

/** Reads folders of .proto files in a thread. */
export function readProtosInThread(dirs: readonly string[]): Promise<SchemaTables> {
  return readInThread({ kind: "protos", dirs });
}

/** Reads a serialized FileDescriptorSet in a thread. */
export function readProtosetInThread(bytes: Uint8Array): Promise<SchemaTables> {
  return readInThread({ kind: "protoset", bytes });
}

async function readInThread(request: ReadRequest): Promise<SchemaTables> {
  const thread = new ReadThread();
  try {
    const answer = await thread.ask(request);
    if ("tables" in answer) return answer.tables;
    throw new SchemaError("the thread that reads schemas sent an unexpected message");
  } finally {
    thread.close();
  }
}

/** A thread for one schema. One works at a time: they would compete for the same cores. */
class ReadThread {
  #worker: Worker | undefined;
  #turn: Turn | undefined;
  #fail: ((error: SchemaError) => void) | undefined;
  #closed = false;

  async ask(request: ReadRequest): Promise<ReadResult> {
    if (this.#turn === undefined) {
      this.#turn = takeTurn();
      await this.#turn.mine;
    }
    if (this.#closed) throw new SchemaError("reading the schema was cancelled");
    const worker = this.#worker ?? this.#start();
    const answer = await new Promise<ReadResult>((resolve, reject) => {
      const timer = setTimeout(
        () => this.#end(`the schema could not be read within ${MAX_READ_MS / 1000} s: it is too large`),
        MAX_READ_MS,
      ).unref();
      this.#fail = (error) => {
        clearTimeout(timer);
        reject(error);
      };
      worker.once("message", (message: ReadResult) => {
        clearTimeout(timer);
        this.#fail = undefined;
        resolve(message);
      });
      worker.postMessage(request);
    });
    if ("refused" in answer) throw new SchemaError(answer.refused);
    if ("fault" in answer) throw new Error(answer.fault);
    return answer;
  }

  #start(): Worker {
    const resourceLimits = { maxOldGenerationSizeMb: MAX_HEAP_MIB };
    // Flags of the program that embeds the hub, such as --input-type, may not fit.
    const worker = new Worker(new URL("./schema-worker.js", import.meta.url), {
      execArgv: [],
      resourceLimits,
    });
    this.#worker = worker;
    worker.on("error", (error) => this.#end(`the schema cannot be read: ${error.message}`));
    worker.on("exit", () => this.#end("the thread that reads the schema has ended"));
    return worker;
  }

  #end(reason: string): void {
    this.#closed = true;
    this.#worker?.removeAllListeners();
    // A worker that is being terminated may still report a failure: ignore it.
    this.#worker?.on("error", () => {});
    void this.#worker?.terminate();
    this.#turn?.end();
    this.#fail?.(new SchemaError(reason));
    this.#fail = undefined;
  }

  close(): void {
    if (!this.#closed) this.#end("reading the schema was cancelled");
  }
}
