// The thread that schema-reading.ts starts: reads one schema.
import { parentPort } from "node:worker_threads";
import { SchemaError } from "../descriptors/schema-error.js";
import { SchemaReader } from "../tables/schema-reader.js";
import type { ReadRequest, ReadResult } from "./schema-reading.js";

let reader = new SchemaReader("whole");

async function work(request: ReadRequest): Promise<ReadResult> {
  switch (request.kind) {
    case "start":
      reader = new SchemaReader(request.mode);
      return { missing: [] };
    case "add":
      for (const [name, bytes] of request.files) reader.add(name, bytes);
      return { missing: [] };
    case "missing":
      return { missing: reader.missing() };
    case "finish":
      return { tables: reader.finish(request.finish) };
    case "protoset": {
      const { readProtoset } = await import("./protoset.js");
      return { tables: readProtoset(request.bytes) };
    }
    case "protos": {
      // The parser is loaded only for .proto files.
      const { readProtos } = await import("./protos.js");
      return { tables: await readProtos(request.dirs) };
    }
  }
}

parentPort?.on("message", (request: ReadRequest) => {
  work(request)
    .catch((error: unknown): ReadResult => {
      if (error instanceof SchemaError) return { refused: error.message };
      return { fault: error instanceof Error ? error.message : String(error) };
    })
    .then((answer) => parentPort?.postMessage(answer));
});
