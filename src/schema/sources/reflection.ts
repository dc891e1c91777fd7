// Learns a schema from a running server, by gRPC server reflection
// (github.com/grpc/grpc/blob/master/doc/server-reflection.md). The transport is a parameter: schema/ opens no
// connection.

import { createHash } from "node:crypto";
import { RpcError } from "../../call/status/rpc-error.js";
import { Code, codeName } from "../../call/status/status.js";
import { inSlices } from "../../kit/in-slices.js";
import { cut } from "../../kit/text/text.js";
import { reasonOf, wellKnownFile } from "../descriptors/file-descriptor.js";
import { type FileHead, fileHead } from "../descriptors/file-head.js";
import {
  decodeReflectionResponse,
  encodeQuery,
  type ReflectionQuery,
  type ReflectionResponse,
} from "../descriptors/reflection-messages.js";
import type { SchemaTables } from "../tables/schema-tables.js";
import { isRoutable, type Schema, SchemaError, schemaOf } from "../types/schema.js";
import { SchemaReading } from "./schema-reading.js";

/** One bidirectional gRPC stream to an endpoint; messages are without their gRPC prefix. */
export interface ReflectionStream {
  send(message: Uint8Array): void;
  /** No more messages will be sent. */
  end(): void;
  /** Cancels the call; does nothing when it has ended. */
  cancel(): void;
  /** Iterated once. Throws an RpcError when the call ends with a status other than OK. */
  readonly messages: AsyncIterable<Uint8Array>;
}

/** @param path `/grpc.reflection.v1.ServerReflection/ServerReflectionInfo`, or that of v1alpha */
export type OpenReflectionStream = (path: string) => ReflectionStream;

export interface ReflectionOptions {
  /** Cancels the learning, which then rejects with a SchemaError. */
  readonly signal?: AbortSignal;
  /** Default 10,000. */
  readonly maxFiles?: number;
  /** Bytes of all different descriptors together; default 64 MiB. */
  readonly maxBytes?: number;
  /** Default 10,000. */
  readonly maxServices?: number;
  /** State of one upstream, kept from one learning to the next. */
  readonly last?: LastRead;
  /** Called when all that was listed has been sent. */
  readonly answered?: () => void;
}

const PATHS = [
  "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
  "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
] as const;
const MAX_FILES = 10_000;
const MAX_BYTES = 64 * 1024 * 1024;
const MAX_SERVICES = 10_000;
/** Queries for each possible file and service: files may have imports that the server does not have. */
const MAX_QUERIES_RATIO = 4;
/** How often missing types of files that were received are requested. */
const MAX_ROUNDS = 100;
/** Of an import or a type. */
const MAX_NAME_CHARS = 1000;
/** Length of the server's error text. */
const MAX_ERROR_CHARS = 300;
/** Concurrent queries: enough to hide the round trips, few enough for any server's buffers. */
const WINDOW = 16;

const RULES_DROPPED =
  "the server's descriptors are those of @grpc/proto-loader, which drop google.api.http rules, comments and imports: " +
  "JSON clients reach the methods only by POST /package.Service/Method. If the .proto files have rules, give them to the hub: " +
  "--proto DIR, schema: { protos: [DIR] } or { protoset: FILE }";

/** Results for the files that one upstream sent last: the same bytes are not read again, valid or not. */
export class LastRead {
  key: string | undefined = undefined;
  outcome: Schema | SchemaError | undefined = undefined;
}

/**
 * Learns all services of a server, with v1 of the protocol first, then v1alpha. All queries use one stream, since an
 * address may have servers of different builds behind it. Services that cannot be described are for gRPC clients only,
 * with a warning.
 * @throws SchemaError if the server cannot be queried, does not offer reflection, or exceeds a limit.
 */
export async function learnByReflection(
  open: OpenReflectionStream,
  options: ReflectionOptions = {},
): Promise<Schema> {
  for (const path of PATHS) {
    const learning = new Learning(open, path, options);
    try {
      return await learning.run();
    } catch (error) {
      if (error instanceof SchemaError) throw error;
      if (!(error instanceof RpcError)) throw new SchemaError(`reflection failed: ${reasonOf(error)}`);
      // Only in the very first response it means that the version is not offered.
      if (error.code !== Code.UNIMPLEMENTED || learning.answers > 0) {
        throw new SchemaError(
          `reflection failed: ${codeName(error.code)}: ${cut(error.message, MAX_ERROR_CHARS, "…")}`,
        );
      }
    } finally {
      learning.close();
    }
  }
  throw new SchemaError(
    "the server does not offer reflection (neither grpc.reflection.v1 nor v1alpha): switch it on, or give " +
      "schema: { protoset: FILE } or { protos: [DIR] }; schema: none passes gRPC through without",
  );
}

class Learning {
  /** How many messages the server has sent. */
  answers = 0;
  readonly #stream: ReflectionStream;
  readonly #messages: AsyncIterator<Uint8Array>;
  readonly #options: ReflectionOptions;
  readonly #aborted: Promise<never>;
  #onAbort: () => void = () => {};
  readonly #reading = new SchemaReading("parts");
  readonly #files = new Map<string, Uint8Array>();
  /** Services that the files declare. */
  readonly #declared = new Set<string>();
  #bytes = 0;
  /** Queries that were sent or are queued: none is sent twice. */
  readonly #asked = new Set<string>();
  readonly #queue: ReflectionQuery[] = [];
  /** Why a file or symbol is not available, by its name. */
  readonly #problems = new Map<string, string>();

  constructor(open: OpenReflectionStream, path: string, options: ReflectionOptions) {
    this.#options = options;
    const { signal } = options;
    this.#aborted = new Promise((_, reject) => {
      this.#onAbort = () => {
        // Reading continues in a thread, which would not notice it.
        this.#reading.close();
        reject(new SchemaError("reflection was cancelled: the server did not respond in time"));
      };
      if (signal?.aborted) this.#onAbort();
      else signal?.addEventListener("abort", this.#onAbort, { once: true });
    });
    this.#aborted.catch(() => {});
    this.#stream = open(path);
    this.#messages = this.#stream.messages[Symbol.asyncIterator]();
  }

  close(): void {
    this.#options.signal?.removeEventListener("abort", this.#onAbort);
    this.#reading.close();
    this.#stream.cancel();
  }

  async run(): Promise<Schema> {
    const listed = await this.#listServices();
    for (const name of listed) this.#ask({ kind: "symbol", name });
    await this.#askAll();
    const { last, answered } = this.#options;
    answered?.();
    const key = await inSlices(keyOf(listed, this.#files));
    if (last?.outcome !== undefined && last.key === key) {
      this.#stream.end();
      if (last.outcome instanceof SchemaError) throw last.outcome;
      return last.outcome;
    }
    const asked = this.#asked.size;
    let outcome: Schema | SchemaError;
    try {
      // Types that no file declares: some libraries drop the imports, or name them otherwise.
      for (let i = 0; i < MAX_ROUNDS && (await this.#askForTypes()); i++) await this.#askAll();
      this.#stream.end();
      const tables = await this.#reading.finish({ listed, warnings: [], problems: this.#problems });
      outcome = await inSlices(schemaOf(withHint(tables)));
    } catch (error) {
      if (!(error instanceof SchemaError)) throw error;
      outcome = error;
    }
    // Further queries may have other responses the next time.
    if (last !== undefined && asked === this.#asked.size && this.#options.signal?.aborted !== true) {
      last.key = key;
      last.outcome = outcome;
    }
    if (outcome instanceof SchemaError) throw outcome;
    return outcome;
  }

  async #listServices(): Promise<string[]> {
    this.#stream.send(encodeQuery({ kind: "services" }));
    const answer = await this.#next();
    if (answer.kind === "error") {
      throw new SchemaError(`the server does not list its services: ${describeError(answer)}`);
    }
    if (answer.kind !== "services")
      throw new SchemaError("the server's response to list_services is of another type");
    const names = [...new Set(answer.names)].filter(isRoutable).sort();
    const limit = this.#options.maxServices ?? MAX_SERVICES;
    if (answer.count > limit) {
      throw new SchemaError(`the server lists ${answer.count} services, more than the limit of ${limit}`);
    }
    return names;
  }

  /** Sends the queued queries, a window at a time; imports missing in the responses join the queue. */
  async #askAll(): Promise<void> {
    const sent: ReflectionQuery[] = [];
    while (this.#queue.length > 0 || sent.length > 0) {
      while (sent.length < WINDOW) {
        const query = this.#queue.shift();
        if (query === undefined) break;
        // An earlier response may have contained it.
        const has = query.kind === "symbol" ? this.#declared : this.#files;
        if (has.has(queryName(query))) continue;
        this.#stream.send(encodeQuery(query));
        sent.push(query);
      }
      // Responses come in the order of the queries.
      const query = sent.shift();
      if (query !== undefined) this.#take(query, await this.#next());
    }
  }

  #take(query: ReflectionQuery, answer: ReflectionResponse): void {
    const name = queryName(query);
    if (answer.kind === "files") {
      for (const bytes of answer.files) this.#addFile(bytes);
    } else if (answer.kind === "error") {
      this.#problems.set(name, describeError(answer));
    } else {
      throw new SchemaError(`the server's response to a query for "${name}" is a list of services`);
    }
    // Servers that lost the descriptors of google/protobuf are common; everybody has those.
    if (query.kind === "file" && !this.#files.has(name)) {
      const bytes = wellKnownFile(name);
      if (bytes !== undefined) this.#addFile(bytes);
    }
  }

  #addFile(bytes: Uint8Array): void {
    let head: FileHead;
    try {
      head = fileHead(bytes);
    } catch {
      // A file without a name cannot be imported; its declarations will be missing.
      return;
    }
    const { name } = head;
    if (name === "" || this.#files.has(name)) return;
    this.#bytes += bytes.length;
    const { maxFiles = MAX_FILES, maxBytes = MAX_BYTES } = this.#options;
    if (this.#files.size >= maxFiles)
      throw new SchemaError(`the server has more files than the limit of ${maxFiles}`);
    if (this.#bytes > maxBytes) {
      throw new SchemaError(`the server's descriptors have more bytes than the limit of ${maxBytes}`);
    }
    const kept = shared(bytes);
    this.#files.set(name, kept);
    this.#reading.add(name, kept);
    for (const service of head.services) this.#declared.add(service);
    for (const file of head.imports) this.#ask({ kind: "file", name: file });
  }

  #ask(query: ReflectionQuery): void {
    const name = queryName(query);
    const key = `${query.kind} ${name}`;
    if (this.#asked.has(key)) return;
    const max =
      MAX_QUERIES_RATIO *
      ((this.#options.maxFiles ?? MAX_FILES) + (this.#options.maxServices ?? MAX_SERVICES));
    if (this.#asked.size >= max || name.length > MAX_NAME_CHARS) {
      throw new SchemaError(
        name.length > MAX_NAME_CHARS
          ? `the server's descriptors name "${cut(name, 60, "…")}", which has more than ${MAX_NAME_CHARS} characters`
          : `the server's descriptors import or use more than ${max} files and types that they do not have`,
      );
    }
    this.#asked.add(key);
    this.#queue.push(query);
  }

  /** True if there are queries left. */
  async #askForTypes(): Promise<boolean> {
    for (const { type } of await this.#reading.missing())
      if (type !== undefined) this.#ask({ kind: "symbol", name: type });
    return this.#queue.length > 0;
  }

  async #next(): Promise<ReflectionResponse> {
    const result = await Promise.race([this.#messages.next(), this.#aborted]);
    if (result.done === true)
      throw new SchemaError("the server ended the reflection call without a response");
    this.answers++;
    const { maxFiles = MAX_FILES, maxServices = MAX_SERVICES } = this.#options;
    const answer = decodeReflectionResponse(result.value, { maxNames: maxServices, maxFiles: maxFiles + 1 });
    if (answer === undefined) throw new SchemaError("the server sent a malformed reflection response");
    return answer;
  }
}

function queryName(query: ReflectionQuery): string {
  return query.kind === "services" ? "" : query.name;
}

function describeError(error: { readonly code: number; readonly message: string }): string {
  return `${codeName(error.code)}: ${cut(error.message, MAX_ERROR_CHARS, "…")}`;
}

/** Identifies what the server sent and lists, whatever the order. */
function* keyOf(listed: readonly string[], files: ReadonlyMap<string, Uint8Array>): Generator<void, string> {
  const hash = createHash("sha256").update(listed.join("\n"));
  for (const name of [...files.keys()].sort()) {
    const bytes = files.get(name) ?? new Uint8Array();
    hash.update(`\n${bytes.length} ${name}\n`).update(bytes);
    yield;
  }
  return hash.digest("hex");
}

function withHint(tables: SchemaTables): SchemaTables {
  if (tables.hasHttpRules || !tables.isOfProtobufjs) return tables;
  return { ...tables, warnings: [...tables.warnings, RULES_DROPPED] };
}

/** A copy in memory that threads share: no thread needs its own. */
function shared(bytes: Uint8Array): Uint8Array {
  const copy = new Uint8Array(new SharedArrayBuffer(bytes.length));
  copy.set(bytes);
  return copy;
}
