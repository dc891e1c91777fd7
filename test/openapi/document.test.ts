// The OpenAPI document: valid for tools that read it, and in agreement with the router, route by route.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { isDeepStrictEqual } from "node:util";
import {
  createFileRegistry,
  type FileRegistry,
  fromBinary,
  type JsonObject,
  type JsonValue,
} from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { type OpenApiHttp, type OpenApiInput, openApiDocument } from "#src/openapi/document.js";
import { type OpenApiFilter, partsOf, versionOf } from "#src/openapi/filter.js";
import { compileProtos, routerFor } from "../transcoding/support/schema.js";
import { assertValid, at, compile, component, objectOf, operation, operationsOf } from "./support/check.js";
import { forGenerators } from "./support/for-generators.js";
import { inputFor } from "./support/input.js";
import { torture } from "./support/torture.js";

/** The sample services, as they are in the package. */
const samples = createFileRegistry(
  fromBinary(FileDescriptorSetSchema, readFileSync("generated/image.binpb")),
);

function documentOf(
  registry: FileRegistry,
  {
    filter,
    prefix = "",
    http = {},
    forms = false,
    success = () => undefined,
  }: {
    filter?: OpenApiFilter;
    prefix?: string;
    http?: Partial<OpenApiHttp>;
    forms?: boolean;
    success?: OpenApiInput["success"];
  } = {},
): JsonObject {
  const built = routerFor(registry, http, { prefix, forms: () => forms, success });
  return openApiDocument(inputFor(built, http, { success }), filter);
}

const kinds = documentOf(torture);
const configured = documentOf(torture, {
  forms: true,
  http: {
    streamFormat: "sse",
    emptyAs204: true,
    etag: false,
    errorForm: "problem",
    bareSystemParameters: true,
    webSocketOrigins: undefined,
  },
  success: ({ name }) =>
    name === "Create"
      ? { success: 201, location: "/v1/{name}" }
      : name === "Get"
        ? { success: 204, location: undefined }
        : undefined,
});

const VARIANTS: Readonly<Record<string, JsonObject>> = {
  "the sample services": documentOf(samples),
  "every kind of field, rule and route": kinds,
  "proto names": documentOf(torture, { http: { print: { protoNames: true } } }),
  "enums as numbers": documentOf(torture, { http: { print: { enumsAsNumbers: true } } }),
  "defaults printed, below a prefix": documentOf(torture, {
    prefix: "/api",
    http: { print: { emitDefaults: true } },
  }),
  "64-bit integers as numbers": documentOf(torture, { http: { print: { int64AsNumbers: true } } }),
  "forms, events, problems, statuses": configured,
  "nothing at all": documentOf(torture, { filter: { version: "v9" } }),
};
for (const [name, document] of Object.entries(VARIANTS)) {
  test(`a validator of OpenAPI 3.1 and a strict JSON Schema compiler accept the document: ${name}`, () =>
    assertValid(document));
}

test("every route of the router stands in the document, and every operation of the document has its route", () => {
  for (const registry of [samples, torture]) {
    const built = routerFor(registry, {}, { prefix: "/api" });
    const document = documentOf(registry, { prefix: "/api" });
    const reached = new Set<string>();
    for (const { method, path, operation: own } of operationsOf(document)) {
      const match = built.router.match(method, pathFor(path, own));
      assert.ok(match.kind === "match", `${method} ${path} reaches no route`);
      assert.equal(`${match.method.service}/${match.method.name}`, own["x-grpc-method"], `${method} ${path}`);
      reached.add(`${match.method.path} ${match.route}`);
    }
    const left = document["x-routes-left-out"] === undefined ? [] : objectsOf(document["x-routes-left-out"]);
    for (const { verb, path, method, source } of built.bindings) {
      const isLeft = source === "auto" && left.some((route) => route.method === verb && route.path === path);
      assert.ok(isLeft || reached.has(`/${method} ${path}`), `${verb} ${path} of ${method}`);
    }
  }
});

/** A path that fits the template: each parameter by its schema. */
function pathFor(template: string, own: JsonObject): string {
  return template.replace(/\{([^}]+)\}/g, (_, name: string) => {
    const parameter = objectsOf(own.parameters).find((p) => p.in === "path" && p.name === name);
    const type = objectOf(parameter?.schema).type;
    return type === "integer" ? "7" : "x";
  });
}

function objectsOf(value: JsonValue | undefined): JsonObject[] {
  assert.ok(Array.isArray(value));
  return value.map(objectOf);
}

/** The parameters of the request's own as `in name`, without those that operations share. */
function namesOf(own: JsonObject): string[] {
  return objectsOf(own.parameters).flatMap((p) => (p.$ref === undefined ? [`${p.in} ${p.name}`] : []));
}

const PATHS: readonly [request: string, method: string, parameters: readonly string[]][] = [
  ["GET /v1/things/{thing}", "Get", ["path thing", "query view", "query size"]],
  ["GET /v1/shelves/{shelf}/things/{thing}", "Get", ["path shelf", "path thing", "query view", "query size"]],
  ["GET /v1/other/{name}:read", "Get", ["path name", "query view", "query size"]],
  ["POST /v1/things", "Create", ["query thingId"]],
  ["PATCH /v1/things/{thing}", "Update", ["path thing", "query updateMask"]],
  ["PUT /v1/things/{thing}", "Update", ["path thing", "query updateMask"]],
  ["POST /v1/things/{thing}:update", "Update", ["path thing"]],
  ["GET /v1/files/{name}", "File", ["path name", "query view", "query size"]],
  // `**` at the place of a `*`, which answers one segment: this is for two and more.
  ["GET /v1/files/{name_1}/{name}", "File", ["path name_1", "path name", "query view", "query size"]],
  [
    "GET /v1/tree/roots/{root}/{name_path}",
    "File",
    ["path root", "path name_path", "query view", "query size"],
  ],
  ["GET /v1/deep/roots/{root}/parts/{size}", "File", ["path root", "path size", "query view"]],
  ["GET /v1/colours/{colour}/times/{at}", "Echo", ["path colour", "path at"]],
  [
    "GET /v1/{segment}/loose/{path}",
    "Any",
    ["path segment", "path path", "query name", "query view", "query size"],
  ],
  ["GET /v1/any/{name}", "Any", ["path name", "query view", "query size"]],
  ["DELETE /v1/any/{name}", "Any", ["path name", "query view", "query size"]],
  ["PURGE /v1/any/{name}", "Any", ["path name", "query view", "query size"]],
  ["HEAD /v1/head", "Any", ["query name", "query view", "query size"]],
  ["GET /", "Any", ["query name", "query view", "query size"]],
  ["POST /torture.v1.Things/Plain", "Plain", []],
];
for (const [request, method, parameters] of PATHS) {
  test(`${request} is an operation of ${method}`, () => {
    const own = operation(kinds, request);
    assert.equal(own["x-grpc-method"], `torture.v1.Things/${method}`);
    const given = namesOf(own);
    assert.deepEqual(method === "Echo" ? given.slice(0, parameters.length) : given, parameters);
  });
}

test("a route that another one always hides is left out, and the document says why", () => {
  assert.deepEqual(kinds["x-routes-left-out"], [
    {
      method: "POST",
      path: "/torture.v1.Things/Twice",
      reason: "a rule has the same path and method, and takes precedence",
    },
  ]);
});

const PROPERTIES: readonly [name: string, schema: JsonValue][] = [
  [
    "aDouble",
    {
      anyOf: [
        { type: "number", format: "double" },
        { type: "string", enum: ["NaN", "Infinity", "-Infinity"] },
      ],
      description: "A double.",
    },
  ],
  ["anInt32", { type: "integer", format: "int32" }],
  ["anInt64", { type: "string", pattern: "^-?[0-9]+$", format: "int64" }],
  ["aUint32", { type: "integer", format: "int64", minimum: 0, maximum: 4294967295 }],
  ["aFixed64", { type: "string", pattern: "^[0-9]+$", format: "uint64" }],
  ["someBytes", { type: "string", contentEncoding: "base64" }],
  ["colour", { $ref: "#/components/schemas/torture.v1.Colour" }],
  ["colours", { type: "array", items: { $ref: "#/components/schemas/torture.v1.Colour" } }],
  ["labels", { type: "object", additionalProperties: { type: "string" } }],
  [
    "byNumber",
    {
      type: "object",
      additionalProperties: { $ref: "#/components/schemas/torture.v1.Kinds" },
      propertyNames: { pattern: "^-?[0-9]+$" },
    },
  ],
  [
    "byBool",
    {
      type: "object",
      additionalProperties: { $ref: "#/components/schemas/torture.v1.Colour" },
      propertyNames: { enum: ["true", "false"] },
    },
  ],
  ["self", { $ref: "#/components/schemas/torture.v1.Kinds" }],
  ["at", { type: "string", format: "date-time" }],
  ["object", { type: "object", additionalProperties: true }],
  ["value", { description: "Any JSON value." }],
  ["list", { type: "array", items: {} }],
  ["nothing", { const: null }],
  ["empty", { type: "object", additionalProperties: false }],
  ["wInt64", { type: ["string", "null"], pattern: "^-?[0-9]+$", format: "int64" }],
  ["wBool", { type: ["boolean", "null"] }],
  ["gone", { type: "string", deprecated: true }],
  ["other", { type: "string" }],
];
for (const [name, schema] of PROPERTIES) {
  test(`a field as ProtoJSON has it: ${name}`, () =>
    assert.deepEqual(at(component(kinds, "torture.v1.Kinds"), "properties", name), schema));
}

const RULES: readonly [name: string, schema: JsonValue][] = [
  ["low", { type: "integer", format: "int32", minimum: 0, exclusiveMaximum: 100 }],
  [
    "high",
    {
      type: "integer",
      format: "int32",
      allOf: [{ if: { exclusiveMinimum: 10 }, else: { exclusiveMaximum: 5 } }],
    },
  ],
  ["long", { type: "string", pattern: "^-?[0-9]+$", format: "int64", description: "Must be at least 7." }],
  ["ratio", { type: "number", format: "double", minimum: 0, exclusiveMaximum: 1 }],
  ["id", { type: "string", minLength: 2, maxLength: 8, pattern: "^[a-z]+$" }],
  ["email", { type: "string", if: { const: "" }, else: { format: "email" } }],
  ["host", { type: "string", description: "Must be a host and a port." }],
  ["flags", { type: "string", description: "Must match `(?i)^x` (RE2)." }],
  [
    "part",
    { type: "string", allOf: [{ pattern: "^a\\.b" }, { pattern: "\\/z$" }, { not: { pattern: "\\/\\/" } }] },
  ],
  ["word", { type: "string", enum: ["yes", "no"], examples: ["yes"] }],
  ["key", { type: "string", contentEncoding: "base64", minLength: 6, maxLength: 8 }],
  ["size", { $ref: "#/components/schemas/torture.v2beta1.Size", not: { enum: ["SIZE_UNSPECIFIED"] } }],
  [
    "tags",
    { type: "array", items: { type: "string", format: "uuid" }, minItems: 1, maxItems: 3, uniqueItems: true },
  ],
  [
    "counts",
    {
      type: "object",
      additionalProperties: { type: "integer", format: "int32", minimum: 1 },
      propertyNames: { maxLength: 3 },
      maxProperties: 2,
    },
  ],
  ["wrapped", { type: ["integer", "null"], format: "int32", maximum: 5 }],
  ["off", { type: "string" }],
  [
    "ip",
    {
      type: "string",
      allOf: [{ if: { format: "ipv4" }, else: { format: "ipv6" } }],
      description: "Rule: `this != 'x'`",
    },
  ],
  ["finite", { type: "number", format: "double" }],
  ["zero", { type: "integer", format: "int32", const: 0 }],
];
for (const [name, schema] of RULES) {
  test(`a rule of buf.validate as keywords: ${name}`, () =>
    assert.deepEqual(at(component(kinds, "torture.v2beta1.Rules"), "properties", name), schema));
}

const JUDGED: readonly [fits: boolean, type: string, value: JsonValue][] = [
  [true, "torture.v1.Kinds", { aDouble: "NaN", aFloat: 1.5, anInt64: "-9", one: "x", self: { two: 1 } }],
  [false, "torture.v1.Kinds", { one: "x", two: 1 }],
  [false, "torture.v1.Kinds", { children: [{ three: {}, two: 1 }] }],
  [false, "torture.v1.Kinds", { anInt64: 9 }],
  [false, "torture.v1.Kinds", { colour: "COLOUR_GREEN" }],
  [false, "torture.v1.Kinds", { period: "1 s" }],
  [
    true,
    "torture.v1.Kinds",
    { period: "-0.5s", byNumber: { "-3": {} }, nothing: null, any: { "@type": "x/y", z: 1 } },
  ],
  [false, "torture.v1.Kinds", { byBool: { maybe: "COLOUR_RED" } }],
  [true, "torture.v2beta1.Rules", { id: "abc", byName: "x", low: 3 }],
  [false, "torture.v2beta1.Rules", { byName: "x", low: 3 }],
  [false, "torture.v2beta1.Rules", { id: "abc", low: 3 }],
  [false, "torture.v2beta1.Rules", { id: "abc", byName: "x", low: 3, high: 11 }],
  [false, "torture.v2beta1.Rules", { id: "abc", byName: "x" }],
  [false, "torture.v2beta1.Rules", { id: "abc", byName: "x", high: 7 }],
  [true, "torture.old.Old", { must: "x", box: { data: "YWI=" } }],
  [false, "torture.old.Old", { count: 1 }],
];
for (const [fits, type, value] of JUDGED) {
  test(`${type} ${fits ? "takes" : "refuses"} ${JSON.stringify(value)}`, () => {
    const judge = compile(kinds, component(kinds, type));
    assert.equal(judge(value), fits, JSON.stringify(judge.errors));
  });
}

test("required, read-only and write-only fields follow field_behavior", () => {
  const thing = component(kinds, "torture.v1.Thing");
  // Answers never have the secret, and have this schema too.
  assert.deepEqual(thing.required, ["title"]);
  assert.equal(at(thing, "properties", "etag", "readOnly"), true);
  assert.equal(at(thing, "properties", "secret", "writeOnly"), true);
  assert.deepEqual(component(kinds, "torture.v1.Login").required, ["password"]);
  const create = objectsOf(operation(kinds, "POST /v1/things").parameters);
  assert.equal(create.find(({ name }) => name === "thingId")?.required, true);
});

test("a partial update requires nothing, and what the path carries is not in the body", () => {
  const schemaOf = (request: string) =>
    objectOf(at(operation(kinds, request), "requestBody", "content", "application/json", "schema"));
  const patch = schemaOf("PATCH /v1/things/{thing}");
  assert.equal(patch.required, undefined);
  assert.deepEqual(Object.keys(objectOf(patch.properties)), ["title", "secret", "etag"]);
  assert.deepEqual(schemaOf("PUT /v1/things/{thing}").required, ["title"]);
  const whole = schemaOf("POST /v1/things/{thing}:update");
  assert.deepEqual(Object.keys(objectOf(at(whole, "properties", "thing", "properties"))), [
    "title",
    "secret",
    "etag",
  ]);
  const level = schemaOf("PUT /v1/kinds/{inner.deep.level}");
  assert.deepEqual(at(level, "properties", "inner", "properties", "deep", "properties"), {});
});

test("query parameters are flattened, each in the form that the hub reads", () => {
  const given = new Map(objectsOf(operation(kinds, "GET /v1/kinds").parameters).map((p) => [p.name, p]));
  const told = (name: string) => {
    const {
      in: _,
      name: __,
      description: ___,
      ...rest
    } = given.get(name) ?? assert.fail(`${name} is missing`);
    return rest;
  };
  assert.deepEqual(told("colours"), {
    style: "form",
    explode: true,
    schema: { type: "array", items: { $ref: "#/components/schemas/torture.v1.Colour" } },
  });
  assert.deepEqual(told("labels"), {
    style: "deepObject",
    explode: true,
    schema: { type: "object", additionalProperties: { type: "string" } },
  });
  assert.deepEqual(told("object"), {
    content: { "application/json": { schema: { type: "object", additionalProperties: true } } },
  });
  assert.deepEqual(told("inner.deep.level"), { schema: { type: "integer", format: "int32" } });
  assert.deepEqual(told("gone"), { deprecated: true, schema: { type: "string" } });
  assert.deepEqual(told("objects"), {
    style: "form",
    explode: true,
    schema: { type: "array", items: { type: "string", contentMediaType: "application/json" } },
  });
  for (const name of ["self.aString", "children", "byNumber", "any", "raw", "nothing"])
    assert.ok(!given.has(name), `${name} cannot be set by a query`);
});

test("bodies and answers of every form", () => {
  const content = (request: string, part: "requestBody" | "200") =>
    at(operation(kinds, request), ...(part === "200" ? ["responses", "200"] : [part]), "content");
  // Without a schema generators of clients give up the whole document.
  const bytes = { schema: { type: "string", format: "binary" } };
  assert.deepEqual(content("PUT /v1/uploads/{name}", "requestBody"), {
    "application/octet-stream": bytes,
    "*/*": bytes,
  });
  assert.deepEqual(content("GET /v1/files/{name}", "200"), { "*/*": bytes });
  assert.deepEqual(content("GET /v1/page/raw", "200"), { "*/*": bytes });
  const json = (request: string) => at(content(request, "200"), "application/json", "schema");
  const thing = { $ref: "#/components/schemas/torture.v1.Thing" };
  assert.deepEqual(json("GET /v1/page"), { type: "array", items: thing });
  assert.deepEqual(json("GET /v1/page/first"), { anyOf: [thing, { type: "null" }] });
  assert.deepEqual(json("GET /v1/page/note"), { anyOf: [{ type: "string" }, { type: "null" }] });
  assert.deepEqual(json("GET /v1/page/total"), { type: "integer", format: "int32" });
  assert.deepEqual(json("POST /v1/login"), { type: "string" });
  assert.deepEqual(Object.keys(objectOf(content("GET /v1/watch", "200"))), [
    "application/json",
    "application/x-ndjson",
    "text/event-stream",
    "application/xml",
    "application/x-protobuf",
  ]);
  assert.deepEqual(at(json("GET /v1/watch"), "items", "anyOf", "1"), thing);
  assert.deepEqual(Object.keys(objectOf(content("POST /v1/things:import", "requestBody"))), [
    "application/json",
    "application/x-ndjson",
  ]);
});

const types = (request: string, part: "requestBody" | "200" | "201", document = kinds): string[] => {
  const { responses, requestBody } = operation(document, request);
  return Object.keys(objectOf(at(part === "requestBody" ? requestBody : at(responses, part), "content")));
};
const JSON_TYPE = "application/json";
const NDJSON = "application/x-ndjson";
const SSE = "text/event-stream";
const XML = "application/xml";
const PROTO = "application/x-protobuf";
const FORMS = ["application/x-www-form-urlencoded", "multipart/form-data"];

const MEDIA: readonly [
  document: JsonObject,
  request: string,
  part: "requestBody" | "200" | "201",
  types: string[],
][] = [
  [kinds, "POST /v1/things", "requestBody", [JSON_TYPE, XML, PROTO]],
  [kinds, "POST /v1/things", "200", [JSON_TYPE, XML, PROTO]],
  [kinds, "POST /v1/kinds:labels", "requestBody", [JSON_TYPE, XML]],
  [kinds, "GET /v1/page", "200", [JSON_TYPE, XML]],
  [kinds, "GET /v1/page/raw", "200", ["*/*"]],
  [kinds, "POST /torture.v1.Things/Plain", "requestBody", [JSON_TYPE]],
  [kinds, "POST /torture.v1.Things/Plain", "200", [JSON_TYPE, XML, PROTO]],
  [kinds, "POST /v1/talk", "requestBody", [JSON_TYPE, NDJSON]],
  [kinds, "POST /v1/talk", "200", [JSON_TYPE, NDJSON, SSE, XML, PROTO]],
  [kinds, "POST /v1/things:import", "200", [JSON_TYPE, XML, PROTO]],
  [configured, "POST /v1/things", "requestBody", [JSON_TYPE, XML, PROTO, ...FORMS]],
  [configured, "POST /v1/kinds:labels", "requestBody", [JSON_TYPE, XML]],
  [configured, "PUT /v1/uploads/{name}", "requestBody", ["application/octet-stream", "*/*"]],
  [configured, "POST /torture.v1.Things/Plain", "requestBody", [JSON_TYPE]],
  [configured, "POST /v1/things:import", "requestBody", [JSON_TYPE, NDJSON]],
  [configured, "GET /v1/watch", "200", [SSE, JSON_TYPE, NDJSON, XML, PROTO]],
];
for (const [document, request, part, expected] of MEDIA) {
  const where = document === kinds ? "by default" : "as configured";
  test(`${part} of ${request} ${where}: ${expected.join(", ")}`, () =>
    assert.deepEqual(types(request, part, document), expected));
}

const SHARED: readonly [document: JsonObject, request: string, parameters: string[]][] = [
  [kinds, "GET /v1/things/{thing}", ["alt", "fields", "prettyPrint", "ifNoneMatch", "timeout"]],
  [kinds, "POST /v1/things", ["alt", "fields", "prettyPrint", "contentEncoding", "timeout"]],
  [kinds, "GET /v1/page", ["altOfField", "fields", "prettyPrint", "ifNoneMatch", "timeout"]],
  // A StringValue, which is a string in JSON.
  [kinds, "POST /v1/login", ["alt", "prettyPrint", "contentEncoding", "timeout"]],
  [kinds, "GET /v1/page/total", ["altOfField", "prettyPrint", "ifNoneMatch", "timeout"]],
  [kinds, "GET /v1/files/{name}", ["ifNoneMatch", "timeout"]],
  [kinds, "GET /v1/watch", ["altOfStream", "fields", "prettyPrint", "timeout"]],
  [kinds, "POST /v1/talk", ["altOfStream", "fields", "prettyPrint", "contentEncoding", "timeout"]],
  [configured, "GET /v1/any/{name}", ["alt", "fields", "prettyPrint", "timeout"]],
];
for (const [document, request, expected] of SHARED) {
  test(`${request} shares the parameters ${expected.join(", ")}${document === kinds ? "" : " as configured"}`, () => {
    const references = objectsOf(operation(document, request).parameters).flatMap(({ $ref }) =>
      typeof $ref === "string" ? [$ref.replace("#/components/parameters/", "")] : [],
    );
    assert.deepEqual(references, expected);
  });
}

test("success responses have the statuses and headers that the config gives them", () => {
  const good = (request: string, document: JsonObject): string[] =>
    Object.keys(objectOf(operation(document, request).responses)).filter((status) => /^[23]/.test(status));
  assert.deepEqual(good("GET /v1/things/{thing}", kinds), ["200", "304"]);
  assert.deepEqual(good("POST /v1/things", kinds), ["200"]);
  assert.deepEqual(good("GET /v1/watch", kinds), ["200"]);
  assert.deepEqual(good("PUT /v1/uploads/{name}", kinds), ["200"]);
  assert.deepEqual(good("GET /v1/any/{name}", configured), ["200"]);
  assert.deepEqual(good("POST /v1/things", configured), ["201"]);
  assert.deepEqual(good("GET /v1/things/{thing}", configured), ["204"]);
  assert.deepEqual(good("PUT /v1/uploads/{name}", configured), ["204"]);
  const created = objectOf(at(operation(configured, "POST /v1/things").responses, "201"));
  assert.deepEqual(created.headers, { Location: { $ref: "#/components/headers/location" } });
  const empty = objectOf(at(operation(configured, "PUT /v1/uploads/{name}").responses, "204"));
  assert.deepEqual(empty, { description: "OK" });
  const got = objectOf(at(operation(kinds, "GET /v1/things/{thing}").responses, "200"));
  assert.deepEqual(got.headers, { ETag: { $ref: "#/components/headers/etag" } });
});

test("failures have the forms that Accept and the config choose from", () => {
  const forms = (document: JsonObject): string[] =>
    Object.keys(objectOf(at(document, "components", "responses", "404", "content")));
  assert.deepEqual(forms(kinds), [JSON_TYPE, "application/problem+json", XML, PROTO]);
  assert.deepEqual(forms(configured), ["application/problem+json"]);
  const empty = documentOf(torture, { http: { errorForm: "empty" } });
  assert.ok(!("content" in objectOf(at(empty, "components", "responses", "404"))));
});

test("a form has the fields of a query, and files where there are bytes", () => {
  const form = (request: string, type: string): JsonObject =>
    objectOf(at(operation(configured, request), "requestBody", "content", type));
  const [urlencoded = "", multipart = ""] = FORMS;
  const thing = form("POST /v1/things", urlencoded);
  assert.deepEqual(Object.keys(objectOf(at(thing, "schema", "properties"))), ["name", "title", "secret"]);
  assert.deepEqual(at(thing, "schema", "required"), ["title"]);
  const kind = form("POST /v1/kinds", urlencoded);
  const property = (media: JsonObject, name: string): JsonValue => at(media, "schema", "properties", name);
  assert.deepEqual(property(kind, "inner.deep.level"), { type: "integer", format: "int32" });
  assert.deepEqual(property(kind, "someBytes"), { type: "string", contentEncoding: "base64" });
  assert.deepEqual(at(kind, "encoding", "labels"), { style: "deepObject", explode: true });
  assert.deepEqual(at(kind, "encoding", "object"), { contentType: JSON_TYPE });
  assert.ok(!("raw" in objectOf(at(kind, "schema", "properties"))));
  const parts = form("POST /v1/kinds", multipart);
  const file = { type: "string", contentMediaType: "application/octet-stream" };
  assert.deepEqual(property(parts, "someBytes"), file);
  assert.deepEqual(property(parts, "raw"), file);
  const ofPath = objectOf(at(form("PUT /v1/kinds/{inner.deep.level}", multipart), "schema", "properties"));
  assert.ok(!("inner.deep.level" in ofPath));
});

test("streaming methods describe their WebSocket, if WebSockets are on", () => {
  const talk = operation(kinds, "POST /v1/talk")["x-websocket"];
  assert.deepEqual(at(talk, "send", "schema"), { $ref: "#/components/schemas/torture.v1.Login" });
  assert.deepEqual(at(talk, "receive", "schema", "anyOf", "1"), {
    $ref: "#/components/schemas/torture.v1.Thing",
  });
  assert.ok(!("send" in objectOf(operation(kinds, "GET /v1/watch")["x-websocket"])));
  assert.ok(!("x-websocket" in operation(kinds, "POST /v1/things")));
  assert.ok(!("x-websocket" in operation(configured, "POST /v1/talk")));
});

test("the frames of an upload are bytes, without a schema", () => {
  const document = documentOf(
    compileProtos({
      "upload.proto": `syntax = "proto3"; import "google/api/annotations.proto"; import "google/api/httpbody.proto";
        message Done {} service Uploads { rpc Upload(stream google.api.HttpBody) returns (Done) {
          option (google.api.http) = { post: "/v1/uploads" body: "*" }; } }`,
    }),
  );
  const note = objectOf(operation(document, "POST /v1/uploads")["x-websocket"]);
  assert.match(String(note.description), /Each frame is passed on unchanged/);
  assert.deepEqual(["send" in note, "receive" in note], [false, true]);
});

test("streams stand in the document as the preset of grpc-gateway sends them", () => {
  const document = documentOf(torture, { http: { streamFormat: "grpc-gateway" } });
  const schema = at(operation(document, "GET /v1/watch"), "responses", "200", "content", JSON_TYPE, "schema");
  const judge = compile(document, schema);
  assert.ok(judge({ result: { title: "x" } }) && judge({ error: { code: 5, message: "x" } }));
  assert.ok(!judge([{ title: "x" }]));
});

test("the bare names of system parameters are mentioned if they work", () => {
  const told = (document: JsonObject) =>
    String(at(document, "components", "parameters", "fields", "description"));
  assert.match(told(configured), /As `fields` as well/);
  assert.doesNotMatch(told(kinds), /As `fields` as well/);
});

test("64-bit integers are numbers where they print as such, but for the names in maps", () => {
  const document = VARIANTS["64-bit integers as numbers"] ?? {};
  const property = (name: string) => at(component(document, "torture.v1.Kinds"), "properties", name);
  assert.deepEqual(property("anInt64"), { type: "integer", format: "int64" });
  assert.deepEqual(property("aFixed64"), { type: "integer", format: "int64", minimum: 0 });
  assert.deepEqual(property("wInt64"), { type: ["integer", "null"], format: "int64" });
  assert.deepEqual(at(component(document, "torture.v2beta1.Rules"), "properties", "long"), {
    type: "integer",
    format: "int64",
    minimum: 7,
  });
  assert.equal(at(component(document, "torture.old.Old"), "properties", "big", "default"), 9);
});

test("no word of the hub's own ends the comment that a generator writes it into", () => {
  for (const { method, path, operation: own } of operationsOf(kinds)) {
    for (const { name, description = "" } of objectsOf(own.parameters)) {
      assert.ok(!String(description).includes("*/"), `${method} ${path}, ${name}: ${description}`);
    }
  }
});

test("the mask of a partial update says what holds without it", () => {
  const mask = (request: string) =>
    objectsOf(operation(kinds, request).parameters).find(({ name }) => name === "updateMask")?.description;
  assert.match(String(mask("PATCH /v1/things/{thing}")), /the fields present in the body/);
  assert.doesNotMatch(String(mask("PUT /v1/things/{thing}")), /the fields present in the body/);
});

test("names of resources say their form, and what they name", () => {
  const book = component(VARIANTS["the sample services"] ?? {}, "library.v1.Book");
  assert.match(String(at(book, "properties", "name", "description")), /It has the form `books\/\{book\}`/);
  const get = component(VARIANTS["the sample services"] ?? {}, "library.v1.GetBookRequest");
  assert.match(
    String(at(get, "properties", "name", "description")),
    /The name of a `library.example.com\/Book`/,
  );
});

test("a message named as one of the hub's own schemas has its own place", () => {
  const document = documentOf(
    compileProtos({
      "own.proto": `syntax = "proto3"; message Status { string mood = 1; } service Own { rpc Ask(Status) returns (Status); }`,
    }),
  );
  assert.deepEqual(Object.keys(objectOf(component(document, "Status").properties)), [
    "code",
    "message",
    "details",
  ]);
  assert.deepEqual(Object.keys(objectOf(component(document, "Status-2").properties)), ["mood"]);
});

test("comments are included, without parts for linters and authors", () => {
  const get = operation(kinds, "GET /v1/things/{thing}");
  assert.equal(get.summary, "Gets a thing");
  assert.equal(get.description, "Gets a thing. It must be there.\n\nNOT_FOUND: it is not.");
  assert.deepEqual(component(kinds, "torture.v1.Colour"), {
    type: "string",
    enum: ["COLOUR_UNSPECIFIED", "COLOUR_RED", "COLOUR_BLUE"],
    description: "How bright it is.\n\n- `COLOUR_RED`: As blood.",
  });
  assert.equal(component(kinds, "torture.v1.Kinds.Inner").description, "What is inside.");
  const tags = objectsOf(kinds.tags);
  assert.equal(tags.find(({ name }) => name === "torture.v1.Things")?.description, "Things of all kinds.");
  assert.equal(operation(kinds, "POST /v1/login").deprecated, true);
});

test("names and enums stand in the document as the hub prints them", () => {
  const names = component(VARIANTS["proto names"] ?? {}, "torture.v1.Thing");
  assert.deepEqual(
    Object.keys(objectOf(component(VARIANTS["proto names"] ?? {}, "torture.v1.Page").properties)),
    ["things", "first", "total", "note", "raw", "counts"],
  );
  assert.ok(isDeepStrictEqual(names.required, ["title"]));
  assert.ok("an_int64" in objectOf(component(VARIANTS["proto names"] ?? {}, "torture.v1.Kinds").properties));
  const colour = component(VARIANTS["enums as numbers"] ?? {}, "torture.v1.Colour");
  assert.deepEqual(colour.enum, [0, 1, 2]);
  assert.deepEqual(component(kinds, "torture.old.Old").properties, {
    must: { type: "string" },
    count: { type: "integer", format: "int32", default: 7 },
    kind: { $ref: "#/components/schemas/torture.old.Old.Kind", default: "SECOND" },
    box: { $ref: "#/components/schemas/torture.old.Old.Box" },
    far: {
      anyOf: [
        { type: "number", format: "double" },
        { type: "string", enum: ["NaN", "Infinity", "-Infinity"], default: "Infinity" },
      ],
    },
    big: { type: "string", pattern: "^-?[0-9]+$", format: "int64", default: "9" },
    yes: { type: "boolean", default: true },
  });
});

test("each failure that the hub makes stands under its HTTP status with its reason", () => {
  const responses = objectOf(at(kinds, "components", "responses"));
  assert.match(String(at(responses, "413", "description")), /`MESSAGE_TOO_LARGE`/);
  assert.match(String(at(responses, "429", "description")), /RESOURCE_EXHAUSTED.*`QUOTA_EXCEEDED`/s);
  assert.ok("Retry-After" in objectOf(at(responses, "429", "headers")));
  const get = Object.keys(objectOf(operation(kinds, "GET /v1/things/{thing}").responses));
  const post = Object.keys(objectOf(operation(kinds, "POST /v1/things").responses));
  assert.deepEqual(
    post.filter((status) => !get.includes(status)),
    ["408", "413", "415", "417"],
  );
  assert.ok(!get.includes("401"), "nobody is asked who they are");
});

for (const [name, document] of Object.entries(VARIANTS)) {
  test(`${name}: what is referred to is there, and nothing else`, () => {
    const components = objectOf(document.components);
    const there = ["schemas", "responses", "parameters", "headers"].flatMap((section) =>
      Object.keys(objectOf(components[section])).map((each) => `#/components/${section}/${each}`),
    );
    const references = JSON.stringify(document).matchAll(/"\$ref":"([^"]+)"/g);
    assert.deepEqual([...new Set([...references].map(([, to]) => to))].sort(), there.sort());
  });
}

test("defaults and values stand where generators of clients read them", () => {
  const document = documentOf(forGenerators);
  const property = (message: string, name: string) =>
    at(component(document, `torture.generated.${message}`), "properties", name);
  const special = { type: "string", enum: ["NaN", "Infinity", "-Infinity"] };
  assert.deepEqual(property("Presets", "half"), {
    anyOf: [{ type: "number", format: "double", default: -1.5 }, special],
  });
  assert.deepEqual(property("Presets", "most"), {
    anyOf: [
      { type: "number", format: "double" },
      { ...special, default: "Infinity" },
    ],
  });
  assert.equal(at(property("Presets", "tenth"), "anyOf", "0", "default"), 0.1);
  assert.equal(at(property("Presets", "min"), "default"), "-9223372036854775808");
  assert.deepEqual(property("Formats", "choice"), { type: "number", format: "double", enum: [0.5, 2] });
  assert.equal(at(property("Formats", "odd"), "description"), "Must be Infinity or 3.");
  const path = "/v3/formats/{uuid}/{uri}/{host}/{flag}/{level}/{long}/{size}/{at}/{word}/{key}";
  const parameters = objectsOf(operation(document, `GET ${path}`).parameters);
  const time = parameters.find(({ name }) => name === "at");
  assert.deepEqual(time?.schema, { type: "string", format: "date-time" });
});

test("one service, one version", () => {
  const { services, versions } = partsOf(routerFor(torture).plans);
  assert.deepEqual(services, ["torture.old.Legacy", "torture.v1.Things", "torture.v2beta1.Ruled"]);
  assert.deepEqual(versions, ["v1", "v2beta1"]);
  const ruled = documentOf(torture, { filter: { version: "v2beta1" } });
  assert.deepEqual(Object.keys(objectOf(ruled.paths)), ["/v2/check", "/torture.v2beta1.Ruled/Check"]);
  assert.equal(at(ruled, "info", "version"), "v2beta1");
  assert.ok(!("torture.v1.Kinds" in objectOf(at(ruled, "components", "schemas"))));
  const legacy = documentOf(torture, { filter: { service: "torture.old.Legacy" } });
  assert.deepEqual(Object.keys(objectOf(legacy.paths)), ["/torture.old.Legacy/Call"]);
  for (const [service, version] of [
    ["a.v1.B", "v1"],
    ["a.v1beta2.B", "v1beta2"],
    ["a.B", ""],
    ["B", ""],
    ["a.vx.B", ""],
  ] as const)
    assert.equal(versionOf(service), version);
});

test("who must say who they are, by method", () => {
  const built = routerFor(torture);
  const document = openApiDocument(
    inputFor(
      built,
      {},
      {
        securitySchemes: { apiKey: { type: "apiKey", in: "header", name: "x-api-key" } },
        access: ({ name }) => ({
          auth: name === "Get" ? "none" : name === "Create" ? "optional" : "required",
          roles: name === "Update" ? ["editor"] : undefined,
        }),
      },
    ),
  );
  assert.equal(document.security, undefined);
  assert.deepEqual(documentOf(torture).security, [], "nobody has to, and that is said");
  assert.deepEqual(operation(document, "GET /v1/things/{thing}").security, []);
  assert.deepEqual(operation(document, "POST /v1/things").security, [{}, { apiKey: [] }]);
  const update = operation(document, "PATCH /v1/things/{thing}");
  assert.deepEqual(update.security, [{ apiKey: [] }]);
  assert.match(String(update.description), /one of the roles editor/);
  assert.ok("403" in objectOf(update.responses) && "401" in objectOf(update.responses));
});
