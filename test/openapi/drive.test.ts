// What a client makes of the document alone is what the hub takes, and what the hub prints is what the document says.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject } from "@bufbuild/protobuf";
import fc from "fast-check";
import { Status } from "#src/call/status/status.js";
import { openApiDocument } from "#src/openapi/document.js";
import type { PrintOptions } from "#src/transcoding/codec/codecs.js";
import { routerFor } from "../transcoding/support/schema.js";
import { encodeBody, writeAnswer } from "../transcoding/support/translate.js";
import { at, closed, compile, type Operation, objectOf, operationsOf } from "./support/check.js";
import { inputFor } from "./support/input.js";
import { parametersOf, requestFor } from "./support/requests.js";
import { torture } from "./support/torture.js";

const RUNS = 5;
/** Of each, values that some route may take; `*` is every field. */
const SYSTEM: Readonly<Record<string, readonly string[]>> = {
  $alt: ["json", "ndjson", "sse", "xml", "proto"].flatMap((alt) => [alt, `${alt};enum-encoding=int`]),
  $fields: ["*"],
};
const ALT_TYPES: Readonly<Record<string, string>> = {
  json: "application/json",
  ndjson: "application/x-ndjson",
  sse: "text/event-stream",
  xml: "application/xml",
  proto: "application/x-protobuf",
};
/** They answer with the message that they got. */
const ECHOES = new Set(["torture.v1.Things/Echo", "torture.old.Legacy/Call"]);

const PRINTS: readonly PrintOptions[] = [
  {},
  { protoNames: true, enumsAsNumbers: true, emitDefaults: true },
  { protoNames: true, emitDefaults: true, emitNulls: true },
  { int64AsNumbers: true },
];
for (const print of PRINTS) {
  const byDefault = Object.keys(print).length === 0;
  const built = routerFor(torture, { print }, { forms: () => true });
  const document: JsonObject = openApiDocument(inputFor(built, { print }));
  const strict = closed(document);
  /** What headers say is not read here. */
  const withoutHeaders = (own: Operation): Operation => {
    const parameters = parametersOf(document, own.operation).filter((one) => one.in !== "header");
    return { ...own, operation: { ...own.operation, parameters } };
  };
  const streams = new Set(
    built.plans
      .filter(({ method: { kind } }) => kind === "client_streaming" || kind === "bidi_streaming")
      .map(({ method }) => `${method.service}/${method.name}`),
  );
  for (const own of operationsOf(document)) {
    const method = String(own.operation["x-grpc-method"]);
    // How messages print matters where one is printed.
    if (streams.has(method) || (!byDefault && !ECHOES.has(method))) continue;
    test(`${own.method} ${own.path} takes what the document says, printed with ${JSON.stringify(print)}`, () => {
      fc.assert(
        fc.property(requestFor(document, withoutHeaders(own)), (request) => {
          const match = built.router.match(request.method, request.target);
          assert.ok(match.kind === "match", `${request.method} ${request.target} has no route`);
          assert.equal(`${match.method.service}/${match.method.name}`, method);
          const message = encodeBody(match, Buffer.from(request.body ?? ""), request.contentType);
          if (message instanceof Status) assert.fail(`${message.message}: ${JSON.stringify(request)}`);
          if (!ECHOES.has(method)) return;
          const answer = writeAnswer(match, [message]);
          if (answer instanceof Status) assert.fail(answer.message);
          const { schema } = objectOf(at(own.operation, "responses", "200", "content", answer.contentType));
          // Fields are told of JSON alone; printed by other names than the schemas', enums are not told either.
          if (answer.contentType !== "application/json" || request.target.includes("enum-encoding")) return;
          assert.ok(schema !== undefined);
          const judge = compile(strict, schema);
          assert.ok(
            judge(JSON.parse(String(answer.body))),
            `${answer.body}: ${JSON.stringify(judge.errors)}`,
          );
        }),
        { numRuns: RUNS },
      );
    });
    // It requires what has a pattern: such text is not made up.
    const made = method !== "torture.v2beta1.Ruled/Check";
    test(`${own.method} ${own.path} takes its own examples, printed with ${JSON.stringify(print)}`, () => {
      if (!made) return;
      const { target, body } = exampleRequest(document, own);
      const match = built.router.match(own.method, target);
      assert.ok(match.kind === "match", `${own.method} ${target} has no route`);
      assert.equal(`${match.method.service}/${match.method.name}`, method);
      const type = body === undefined ? undefined : "application/json";
      const message = encodeBody(match, Buffer.from(body ?? ""), type);
      if (message instanceof Status) assert.fail(`${message.message}: ${target} ${body}`);
    });
    if (!byDefault) continue;
    test(`${own.method} ${own.path} takes the system parameters that stand there, and no others`, () => {
      const parameters = parametersOf(document, own.operation);
      const declared = objectOf(at(own.operation, "responses", "200", "content"));
      const [request] = fc.sample(requestFor(document, withoutShared(own)), {
        numRuns: 1,
        seed: 1,
      });
      assert.ok(request !== undefined);
      for (const [name, values] of Object.entries(SYSTEM)) {
        const schema = parameters.find((parameter) => parameter.name === name)?.schema;
        for (const value of values) {
          const target: string = `${request.target}${request.target.includes("?") ? "&" : "?"}${name}=${value}`;
          const match = built.router.match(request.method, target);
          const body = Buffer.from(request.body ?? "");
          const message = encodeBody(match, body, request.contentType);
          if (schema === undefined || !compile(document, schema)(value)) {
            assert.ok(message instanceof Status && message.http === 400, `${target} is taken`);
            assert.match(message.message, /^query parameter '\$/);
            continue;
          }
          if (message instanceof Status) assert.fail(`${target}: ${message.message}`);
          const given = ECHOES.has(method) ? message : new Uint8Array();
          const answer = writeAnswer(match, [given], { contentType: request.contentType });
          assert.ok(!(answer instanceof Status), target);
          assert.ok(
            answer.contentType in declared,
            `${answer.contentType} of ${target} does not stand there`,
          );
          if (name === "$alt") assert.equal(answer.contentType, ALT_TYPES[value.replace(/;.*/, "")]);
        }
      }
    });
  }
}

/** What a page fills in; each example fits its schema too. */
function exampleRequest(document: JsonObject, own: Operation): { target: string; body: string | undefined } {
  const parameters = parametersOf(document, own.operation);
  const fitting = ({ name, schema, example }: JsonObject): string => {
    assert.ok(example !== undefined, `${name} has no example`);
    assert.ok(compile(document, objectOf(schema))(example), `${name}: ${JSON.stringify(example)}`);
    return String(example);
  };
  const path = own.path.replace(/\{([^}]+)\}/g, (_, name: string) => {
    const parameter = parameters.find((one) => one.in === "path" && one.name === name);
    return fitting(objectOf(parameter)).split("/").map(encodeURIComponent).join("/");
  });
  const required = parameters.filter((one) => one.in === "query" && one.required === true);
  const query = required.map((one) => `${one.name}=${encodeURIComponent(fitting(one))}`);
  const target = query.length === 0 ? path : `${path}?${query.join("&")}`;
  if (own.operation.requestBody === undefined) return { target, body: undefined };
  const content = objectOf(at(own.operation, "requestBody", "content"));
  const media = content["application/json"] === undefined ? {} : objectOf(content["application/json"]);
  if (media.examples === undefined) return { target, body: undefined };
  const value = at(media, "examples", "minimal", "value");
  assert.ok(value !== undefined);
  const judge = compile(document, objectOf(media.schema));
  assert.ok(judge(value), `${JSON.stringify(value)}: ${JSON.stringify(judge.errors)}`);
  return { target, body: JSON.stringify(value) };
}

/** Parameters of its own alone. */
function withoutShared(own: Operation): Operation {
  const { parameters } = own.operation;
  assert.ok(Array.isArray(parameters));
  const filtered = parameters.filter((one) => objectOf(one).$ref === undefined);
  return { ...own, operation: { ...own.operation, parameters: filtered } };
}
