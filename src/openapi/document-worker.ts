// The program of the thread that documents.ts starts: makes one OpenAPI document after the other.
import { parentPort } from "node:worker_threads";
import { etagOf } from "../kit/text/etag.js";
import { KnownSchemas, planFrom, registryOf, transferable } from "../transcoding/threads/known.js";
import type { JobMessage } from "../transcoding/threads/threads.js";
import { openApiDocument } from "./document.js";
import {
  type DocumentHead,
  type DocumentJob,
  type DocumentResult,
  type DocumentRoute,
  type DocumentSchema,
  inputOf,
} from "./document-job.js";
import { printJson, printYaml } from "./print.js";
import { DocumentTooLarge } from "./schemas/document-too-large.js";

const schemas = new KnownSchemas(({ types }: DocumentSchema) => types.map(registryOf));

async function work(message: JobMessage<DocumentSchema, DocumentJob>): Promise<DocumentResult> {
  const registries = schemas.of(message);
  const { bytes, format } = message.job;
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString();
  const [first = "", ...lines] = text.split("\n");
  const head: DocumentHead = JSON.parse(first);
  const routes = lines.map((line): DocumentRoute => JSON.parse(line));
  const input = inputOf(head, routes, ({ source, types }) => {
    const registry = registries[types];
    if (registry === undefined)
      throw new Error(`the types of ${source.service} are not known in this thread`);
    return planFrom(registry, source);
  });
  const document = openApiDocument(input);
  const body = Buffer.from(format === "json" ? printJson(document) : await printYaml(document));
  return { bytes: body, etag: etagOf(body) };
}

parentPort?.on("message", (message: JobMessage<DocumentSchema, DocumentJob>) => {
  work(message)
    .catch((error: unknown): DocumentResult => {
      if (error instanceof DocumentTooLarge) return { tooLarge: error.message };
      return { fault: error instanceof Error ? (error.stack ?? error.message) : String(error) };
    })
    .then((result) => parentPort?.postMessage(result, "bytes" in result ? transferable(result.bytes) : []));
});
