// What does it cost to put a request together? From its path, query and body to protobuf bytes: `node build/bench/micro/request.js`
import { strict as assert } from "node:assert";
import { createFileRegistry, fromBinary, fromJson, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { Codecs } from "#src/transcoding/codec/codecs.js";
import { splitPath } from "#src/transcoding/routes/path.js";
import { planBinding } from "#src/transcoding/routes/rule-plan.js";
import {
  bindRequest,
  encodeRequest,
  type MessageBody,
  type RequestOptions,
} from "#src/transcoding/translate/request.js";

const ROUNDS = 7;
const REQUESTS_PER_ROUND = 100_000;

const field = (name: string, number: number, more: object = { type: "TYPE_STRING" }) => ({
  name,
  jsonName: name === "page_size" ? "pageSize" : name,
  number,
  label: "LABEL_OPTIONAL",
  ...more,
});
const file = fromJson(FileDescriptorSetSchema, {
  file: [
    {
      name: "bench.proto",
      package: "bench",
      syntax: "proto3",
      messageType: [
        {
          name: "Book",
          field: [field("name", 1), field("title", 2), field("pages", 3, { type: "TYPE_INT32" })],
        },
        {
          name: "Request",
          field: [
            field("name", 1),
            field("page_size", 2, { type: "TYPE_INT32" }),
            field("book", 3, { type: "TYPE_MESSAGE", typeName: ".bench.Book" }),
          ],
        },
      ],
      service: [
        { name: "Books", method: [{ name: "Do", inputType: ".bench.Request", outputType: ".bench.Book" }] },
      ],
    },
  ],
});
const registry = createFileRegistry(
  fromBinary(FileDescriptorSetSchema, toBinary(FileDescriptorSetSchema, file)),
);
const descriptor = registry.getService("bench.Books")?.methods[0];
assert.ok(descriptor);
const method = {
  service: "bench.Books",
  name: "Do",
  path: "/bench.Books/Do",
  kind: "unary",
  idempotent: false,
  descriptor,
} as const;
const options: RequestOptions = {
  codecs: new Codecs(registry),
  unknownQuery: "reject",
  unknownFields: "reject",
  ignoredQuery: new Set(),
  bareSystemParameters: false,
  read: {},
};

const rows: readonly (readonly [
  httpMethod: string,
  template: string,
  body: string,
  target: string,
  json: string,
])[] = [
  ["GET", "/v1/{name=books/*}", "", "/v1/books/12", ""],
  ["GET", "/v1/books", "", "/v1/books?pageSize=10&name=books%2F12", ""],
  ["POST", "/v1/books", "*", "/v1/books", '{"name":"books/12","book":{"title":"Solaris","pages":204}}'],
  ["POST", "/v1/{name=books/*}", "*", "/v1/books/12", '{"book":{"title":"Solaris","pages":204}}'],
  ["PATCH", "/v1/{book.name=books/*}", "book", "/v1/books/12", '{"title":"Solaris","pages":204}'],
];
console.log("ns per request");
for (const [httpMethod, template, body, target, json] of rows) {
  const rule = { httpMethod, template, body, responseBody: "", additionalBindings: [] };
  const plan = planBinding(method, descriptor, rule, "config");
  if (typeof plan === "string") throw new Error(plan);
  const [path = "", query = ""] = target.split("?");
  const part: MessageBody | undefined = json === "" ? undefined : { kind: "text", text: Buffer.from(json) };
  const rounds: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const start = process.hrtime.bigint();
    for (let i = 0; i < REQUESTS_PER_ROUND; i++) {
      const split = splitPath(path);
      const bound = split === undefined ? undefined : bindRequest(plan, split, query, options);
      if (bound === undefined || !("plan" in bound)) throw new Error("a path that does not fit");
      const bytes = encodeRequest(bound, part, options);
      if (!(bytes instanceof Uint8Array)) throw new Error(bytes.message);
    }
    rounds.push(Number(process.hrtime.bigint() - start) / REQUESTS_PER_ROUND);
  }
  const median = rounds.sort((a, b) => a - b)[Math.floor(ROUNDS / 2)] ?? 0;
  console.log(`${median.toFixed(0).padStart(6)}  ${httpMethod} ${target} ${json}`);
}
