// Compiles .proto text for the tests, with google.api declared anew as far as they need it.
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import {
  createFileRegistry,
  type DescMessage,
  type FileRegistry,
  fromBinary,
  fromJsonString,
  toBinary,
  toJson,
} from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import type { Method } from "#src/call/call.js";
import { Status } from "#src/call/status/status.js";
import {
  type BuiltRestRouter,
  createRestRouter,
  type RestOptions,
  type RestRouterInput,
} from "#src/transcoding/rest-router.js";
import { buf } from "../../support/buf.js";
import { encodeBody } from "./translate.js";

const GOOGLE_API: Record<string, string> = {
  "google/api/annotations.proto": `syntax = "proto3"; package google.api;
    import "google/api/http.proto"; import "google/protobuf/descriptor.proto";
    extend google.protobuf.MethodOptions { HttpRule http = 72295728; }`,
  "google/api/http.proto": `syntax = "proto3"; package google.api;
    message HttpRule {
      string selector = 1;
      oneof pattern {
        string get = 2; string put = 3; string post = 4; string delete = 5; string patch = 6; Custom custom = 8;
      }
      string body = 7; string response_body = 12; repeated HttpRule additional_bindings = 11;
    }
    message Custom { string kind = 1; string path = 2; }`,
  "google/api/httpbody.proto": `syntax = "proto3"; package google.api;
    import "google/protobuf/any.proto";
    message HttpBody { string content_type = 1; bytes data = 2; repeated google.protobuf.Any extensions = 3; }`,
};

/** Compiles the files; google/api/*.proto and the well-known types can be imported. */
export function compileProtos(files: Record<string, string>): FileRegistry {
  const folder = mkdtempSync(join(tmpdir(), "linchpin-protos-"));
  const dir = join(folder, "protos");
  try {
    for (const [name, text] of Object.entries({ ...GOOGLE_API, ...files })) {
      mkdirSync(dirname(join(dir, name)), { recursive: true });
      writeFileSync(join(dir, name), text);
    }
    const image = join(folder, "image.binpb");
    buf(join(folder, "home"), "build", dir, "-o", image);
    return createFileRegistry(fromBinary(FileDescriptorSetSchema, readFileSync(image)));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** The methods of all services, as the schema stage would list them. */
export function methodsOf(registry: FileRegistry): Method[] {
  return [...registry]
    .filter((type) => type.kind === "service")
    .flatMap((service) =>
      service.methods.map((descriptor) => ({
        service: service.typeName,
        name: descriptor.name,
        path: `/${service.typeName}/${descriptor.name}`,
        kind: descriptor.methodKind,
        idempotent: false,
        descriptor,
      })),
    );
}

export function routerFor(
  registry: FileRegistry,
  options: RestOptions = {},
  more: Partial<RestRouterInput> = {},
): BuiltRestRouter {
  return createRestRouter({
    methods: methodsOf(registry),
    registry,
    rules: [],
    prefix: "",
    options,
    ...more,
  });
}

/** What a request becomes: the service's message in ProtoJSON, or the refusal. */
export interface Outcome {
  readonly method: string;
  readonly message: unknown;
}

/** Sends `GET /v1/books?x=1` through the router. A `body` that is a string goes as it is. */
export function send(
  built: BuiltRestRouter,
  registry: FileRegistry,
  request: string,
  body: unknown = undefined,
  contentType: string | undefined = body === undefined ? undefined : "application/json",
): Outcome | Status {
  const space = request.indexOf(" ");
  const match = built.router.match(request.slice(0, space), request.slice(space + 1));
  if (match.kind === "miss") return match.status;
  const text = typeof body === "string" ? body : body === undefined ? "" : JSON.stringify(body);
  const bytes = encodeBody(match, Buffer.from(text), contentType);
  if (bytes instanceof Status) return bytes;
  const input = match.method.descriptor?.input ?? assert.fail();
  return { method: match.method.name, message: toJson(input, fromBinary(input, bytes), { registry }) };
}

/** ProtoJSON → bytes of a message, for answers of a pretended service. */
export function encode(registry: FileRegistry, typeName: string, json: unknown): Uint8Array {
  const desc: DescMessage = registry.getMessage(typeName) ?? assert.fail(typeName);
  return toBinary(desc, fromJsonString(desc, JSON.stringify(json), { registry }));
}
