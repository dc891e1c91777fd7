// Server reflection as clients use it: real sockets, and descriptors compared byte by byte with the image.
import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { fromBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { type ClientDuplexStream, credentials, Server, ServerCredentials, status } from "@grpc/grpc-js";
import {
  ServerReflectionClient,
  type ServerReflectionRequest,
  type ServerReflectionResponse,
} from "#generated/grpc/reflection/v1/reflection.js";
import { ServerReflectionClient as AlphaClient } from "#generated/grpc/reflection/v1alpha/reflection.js";
import { DescriptorIndex, splitFileDescriptorSet } from "#src/schema/descriptors/descriptor-index.js";
import { addReflection, type DescriptorSource } from "#src/services/reflection.js";

const IMAGE = splitFileDescriptorSet(
  readFileSync(new URL("../../../generated/image.binpb", import.meta.url)),
);
const WHOLE = new DescriptorIndex(IMAGE);

type Question = NonNullable<ServerReflectionRequest["messageRequest"]>;
type Answer = NonNullable<ServerReflectionResponse["messageResponse"]>;
type ReflectionStream = ClientDuplexStream<ServerReflectionRequest, ServerReflectionResponse>;

/** Tests change it: the server reads it at each request. */
const source = { names: ["library.v1.LibraryService"] as readonly string[], current: WHOLE };
const descriptors: DescriptorSource = { serviceNames: () => source.names, index: () => source.current };

let server: Server;
const clients: { v1?: ServerReflectionClient; v1alpha?: AlphaClient } = {};

before(async () => {
  server = new Server();
  addReflection(server, descriptors);
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  clients.v1 = new ServerReflectionClient(`127.0.0.1:${port}`, credentials.createInsecure());
  clients.v1alpha = new AlphaClient(`127.0.0.1:${port}`, credentials.createInsecure());
});

after(() => {
  clients.v1?.close();
  clients.v1alpha?.close();
  server.forceShutdown();
});

function open(version: "v1" | "v1alpha"): ReflectionStream {
  // The messages of both are the same.
  const stream = clients[version]?.serverReflectionInfo();
  assert.ok(stream !== undefined);
  return stream;
}

async function ask(stream: ReflectionStream, question: Question | undefined): Promise<Answer> {
  const answered = once(stream, "data");
  stream.write({ host: "some.host", messageRequest: question });
  const [response]: ServerReflectionResponse[] = await answered;
  assert.equal(response?.validHost, "some.host");
  assert.deepEqual(response?.originalRequest, { host: "some.host", messageRequest: question });
  assert.ok(response?.messageResponse !== undefined);
  return response.messageResponse;
}

/** The files of an answer by name; each must be the image's, to the byte. */
function filesOf(answer: Answer): string[] {
  assert.ok(answer.$case === "fileDescriptorResponse", JSON.stringify(answer));
  return answer.value.fileDescriptorProto.map((bytes) => {
    const { name } = fromBinary(FileDescriptorProtoSchema, bytes);
    assert.ok(bytes.equals(IMAGE.get(name) ?? Buffer.alloc(0)), `${name} differs from the image`);
    return name;
  });
}

const LIBRARY = "library/v1/library.proto";
const LIBRARY_IMPORTS = [
  "google/api/annotations.proto",
  "google/api/field_behavior.proto",
  "google/api/http.proto",
  "google/api/resource.proto",
  "google/protobuf/any.proto",
  "google/protobuf/descriptor.proto",
  "google/protobuf/duration.proto",
  "google/protobuf/empty.proto",
  "google/protobuf/field_mask.proto",
  "google/protobuf/timestamp.proto",
  "google/protobuf/wrappers.proto",
  "google/rpc/status.proto",
];

for (const version of ["v1", "v1alpha"] as const) {
  describe(`grpc.reflection.${version}`, () => {
    const one = async (question: Question | undefined): Promise<Answer> => {
      const stream = open(version);
      const answer = await ask(stream, question);
      stream.end();
      const [end] = await once(stream, "status");
      assert.equal(end.code, status.OK);
      return answer;
    };

    test("lists the services", async () => {
      assert.deepEqual(await one({ $case: "listServices", value: "*" }), {
        $case: "listServicesResponse",
        value: { service: [{ name: "library.v1.LibraryService" }] },
      });
    });

    test("gives a file by name, first, and all that it imports", async () => {
      const [first, ...rest] = filesOf(await one({ $case: "fileByFilename", value: LIBRARY }));
      assert.equal(first, LIBRARY);
      assert.deepEqual(rest.toSorted(), LIBRARY_IMPORTS);
    });

    const SYMBOLS: readonly (readonly [what: string, symbol: string, file: string])[] = [
      ["a service", "library.v1.LibraryService", LIBRARY],
      ["a method", "library.v1.LibraryService.GetBook", LIBRARY],
      ["a message", "library.v1.Book", LIBRARY],
      ["a nested message", "library.v1.BorrowBooksRequest.Return", LIBRARY],
      ["the entry of a map", "library.v1.Book.LabelsEntry", LIBRARY],
      ["a field", "library.v1.Book.title", LIBRARY],
      ["a oneof", "library.v1.Book.whereabouts", LIBRARY],
      ["an enum", "library.v1.Genre", LIBRARY],
      ["an enum value, beside its enum", "library.v1.GENRE_FICTION", LIBRARY],
      ["a nested enum", "grpc.health.v1.HealthCheckResponse.ServingStatus", "health/v1/health.proto"],
      ["a nested enum's value", "grpc.health.v1.HealthCheckResponse.SERVING", "health/v1/health.proto"],
      ["an extension", "google.api.http", "google/api/annotations.proto"],
      ["a status detail", "google.rpc.BadRequest.FieldViolation", "google/rpc/error_details.proto"],
    ];
    for (const [what, symbol, file] of SYMBOLS) {
      test(`finds the file of ${what}: ${symbol}`, async () => {
        assert.equal(filesOf(await one({ $case: "fileContainingSymbol", value: symbol }))[0], file);
      });
    }

    test("finds the file of an extension, and all extension numbers of a message", async () => {
      const containingType = "google.protobuf.MethodOptions";
      const file = await one({
        $case: "fileContainingExtension",
        value: { containingType, extensionNumber: 72295728 },
      });
      assert.equal(filesOf(file)[0], "google/api/annotations.proto");
      assert.deepEqual(await one({ $case: "allExtensionNumbersOfType", value: containingType }), {
        $case: "allExtensionNumbersResponse",
        value: { baseTypeName: containingType, extensionNumber: [72295728] },
      });
      assert.deepEqual(await one({ $case: "allExtensionNumbersOfType", value: "library.v1.Book" }), {
        $case: "allExtensionNumbersResponse",
        value: { baseTypeName: "library.v1.Book", extensionNumber: [] },
      });
    });

    const UNKNOWN: readonly Question[] = [
      { $case: "fileByFilename", value: "library.proto" },
      { $case: "fileByFilename", value: "" },
      { $case: "fileContainingSymbol", value: "library.v1.Boo" },
      { $case: "fileContainingSymbol", value: ".library.v1.Book" },
      { $case: "fileContainingSymbol", value: "library.v1" },
      { $case: "fileContainingSymbol", value: "library.v1.Genre.GENRE_FICTION" },
      { $case: "fileContainingSymbol", value: "__proto__" },
      {
        $case: "fileContainingExtension",
        value: { containingType: "google.protobuf.MethodOptions", extensionNumber: 1 },
      },
      {
        $case: "fileContainingExtension",
        value: { containingType: "library.v1.Nothing", extensionNumber: 72295728 },
      },
      { $case: "allExtensionNumbersOfType", value: "library.v1.Nothing" },
      { $case: "allExtensionNumbersOfType", value: "library.v1.Genre" },
    ];
    test("responds with NOT_FOUND to unknown names, and the stream continues", async () => {
      const stream = open(version);
      for (const question of UNKNOWN) {
        const answer = await ask(stream, question);
        assert.ok(answer.$case === "errorResponse", JSON.stringify(question));
        assert.equal(answer.value.errorCode, status.NOT_FOUND);
        assert.notEqual(answer.value.errorMessage, "");
      }
      assert.equal(filesOf(await ask(stream, { $case: "fileByFilename", value: LIBRARY }))[0], LIBRARY);
      stream.cancel();
      await once(stream, "error");
    });

    test("answers INVALID_ARGUMENT to a request without a question, and the stream continues", async () => {
      const stream = open(version);
      const answer = await ask(stream, undefined);
      assert.ok(answer.$case === "errorResponse");
      assert.equal(answer.value.errorCode, status.INVALID_ARGUMENT);
      assert.equal((await ask(stream, { $case: "listServices", value: "" })).$case, "listServicesResponse");
      stream.end();
      stream.resume();
      await once(stream, "end");
    });

    test("sends an imported file once in a call, but a file that is asked for always", async () => {
      const stream = open(version);
      const v1 = filesOf(await ask(stream, { $case: "fileByFilename", value: LIBRARY }));
      assert.equal(v1.length, 1 + LIBRARY_IMPORTS.length);
      const v2 = filesOf(await ask(stream, { $case: "fileContainingSymbol", value: "library.v2.Book" }));
      assert.deepEqual(v2, ["library/v2/library.proto", "google/type/money.proto"]);
      assert.deepEqual(filesOf(await ask(stream, { $case: "fileByFilename", value: LIBRARY })), [LIBRARY]);
      const http = "google/api/http.proto";
      assert.deepEqual(filesOf(await ask(stream, { $case: "fileByFilename", value: http })), [http]);
      stream.end();
      stream.resume();
      await once(stream, "end");
    });

    test("answers a thousand requests that come at once, in order", async () => {
      const stream = open(version);
      const names = [...IMAGE.keys()];
      const wanted = Array.from({ length: 1000 }, (_, i) => names[i % names.length] ?? "");
      for (const value of wanted)
        stream.write({ host: "", messageRequest: { $case: "fileByFilename", value } });
      stream.end();
      const got: (string | undefined)[] = [];
      for await (const response of stream) got.push(filesOf(response.messageResponse)[0]);
      assert.deepEqual(got, wanted);
    });
  });
}

test("the data may change while a call runs", async (t) => {
  t.after(() => {
    source.names = ["library.v1.LibraryService"];
    source.current = WHOLE;
  });
  const stream = open("v1");
  const question: Question = { $case: "fileByFilename", value: "bench/v1/echo.proto" };
  source.current = new DescriptorIndex(new Map());
  assert.equal((await ask(stream, question)).$case, "errorResponse");
  source.current = WHOLE;
  source.names = ["bench.v1.EchoService"];
  const before = filesOf(await ask(stream, question));
  assert.ok(before.length > 1);
  // A schema that was learned anew may have other bytes under the same names.
  source.current = new DescriptorIndex(IMAGE);
  assert.deepEqual(filesOf(await ask(stream, question)), before);
  const listed = await ask(stream, { $case: "listServices", value: "" });
  assert.deepEqual(listed, {
    $case: "listServicesResponse",
    value: { service: [{ name: "bench.v1.EchoService" }] },
  });
  stream.end();
  stream.resume();
  await once(stream, "end");
});
