// A client that knows the running hub by its OpenAPI document alone: every operation of the samples is called, with each
// parameter and each type of body that stands there, and each answer is what the document says of it.
import assert from "node:assert/strict";
import { once } from "node:events";
import { after, describe, test } from "node:test";
import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import fc from "fast-check";
import { WebSocket } from "ws";
import {
  at,
  closed,
  compile,
  type Operation,
  objectOf,
  operation,
  operationsOf,
} from "../openapi/support/check.js";
import {
  bodyFor,
  type GeneratedRequest,
  type Known,
  parametersOf,
  requestFor,
  resolved,
} from "../openapi/support/requests.js";
import { type Answer, http } from "./support/http.js";
import { startHub, startHubWithConfig } from "./support/hub.js";
import { startService } from "./support/service.js";

const scope = { after };
const library = await startService(scope, "library");
const { address } = await startHub(scope, [library.address]);
const configured = await startHubWithConfig(
  scope,
  `upstreams: { library: { endpoints: ["${library.address}"] } }
methods:
  library.v1.LibraryService/CreateBook: { http: { success: 201, location: "/v1/{name}" }, forms: true }
  library.v1.LibraryService/ListBooks: { auth: none }
http: { emptyAs204: true, errorForm: problem, streamFormat: ndjson, bareSystemParameters: true, etag: false }
interceptors:
  auth: { apiKeys: { header: x-key, keys: [{ name: web, sha256: fe372517ad18bd4ef08c931b6f58a73a1e10ad754cc729a8ccd705be55c47fbd }] } }
`,
);
const documentAt = async (hub: string, headers: Record<string, string> = {}): Promise<JsonObject> =>
  objectOf(JSON.parse((await http("1.1", hub, "/openapi.json", { headers })).text));
const document = await documentAt(address);
const strict = closed(document);

/** What a person knows: which books there are, what can be found, and that nobody has time. */
const KNOWN: Known = {
  book: "the-hobbit",
  shelf: "speculative",
  query: "sea",
  pageSize: 2,
  pageToken: "",
  orderBy: "title",
  interval: "0s",
  maxResults: 2,
};
/** Each is called so often, with other values. */
const SAMPLES = 4;

const succeeded = new Set<string>();

function send(hub: string, request: GeneratedRequest, more: Record<string, string> = {}): Promise<Answer> {
  const { method, target, contentType, body, headers } = request;
  const type = contentType === undefined ? {} : { "content-type": contentType };
  return http("1.1", hub, target, {
    method,
    headers: { ...headers, ...type, ...more },
    ...(body === undefined ? {} : { body }),
  });
}

/** The answer is what the operation says of its status and type. */
function judge(own: Operation, answer: Answer, said: string, whole = strict): void {
  const responses = objectOf(own.operation.responses);
  const response = resolved(whole, objectOf(responses[String(answer.status)] ?? responses.default));
  if (response.content === undefined) {
    assert.equal(answer.text, "", said);
    return;
  }
  const type = String(answer.headers["content-type"]).replace(/;.*/, "");
  const { schema } = objectOf(at(response, "content", type));
  if (schema === undefined || type === "application/xml" || type === "application/x-protobuf") return;
  const fits = compile(whole, objectOf(at(closed({ schema }), "schema")));
  for (const value of valuesOf(type, answer.text))
    assert.ok(fits(value), `${said}: ${JSON.stringify(fits.errors)}`);
}

/** What the schema of a media type is of: lines and events one by one. */
function valuesOf(type: string, text: string): JsonValue[] {
  const parse = (json: string): JsonValue => JSON.parse(json);
  if (type === "application/x-ndjson") return text.split("\n").filter(Boolean).map(parse);
  if (type === "text/event-stream")
    return [...text.matchAll(/^data: (.*)$/gm)].map(([, data = ""]) => parse(data));
  return [parse(text)];
}

/** One request that the samples answer well, with nothing but what must be there. */
function plainest(whole: JsonObject, own: Operation): GeneratedRequest {
  const parameters = parametersOf(whole, own.operation).filter(
    ({ name, required }) => required === true || String(name) in KNOWN,
  );
  const alone = { ...own, operation: { ...own.operation, parameters } };
  const [request] = fc.sample(requestFor(whole, alone, KNOWN), { numRuns: 1, seed: 7 });
  return request ?? assert.fail();
}

describe("each operation responds as the document says", () => {
  // What changes the book comes after what reads it, and what deletes it last.
  const operations = operationsOf(document);
  const last = ({ method }: { readonly method: string }): number => ["PATCH", "DELETE"].indexOf(method);
  for (const own of operations.sort((a, b) => last(a) - last(b))) {
    test(`${own.method} ${own.path}`, async () => {
      for (const request of fc.sample(requestFor(document, own, KNOWN), { numRuns: SAMPLES, seed: 7 })) {
        const answer = await send(address, request);
        const said = `${request.method} ${request.target} ${request.body}: ${answer.status} ${answer.text}`;
        if (!request.target.includes("enum-encoding")) judge(own, answer, said);
        if (answer.status === 200) succeeded.add(String(own.operation.operationId));
        // Services may refuse what they get; the hub has promised to take it.
        assert.doesNotMatch(answer.text, /"domain":"linchpin"/, said);
      }
    });
  }

  test("and those whose values a document can describe succeed", () => {
    const ids = operations.map(({ operation }) => String(operation.operationId));
    // A body of any values is no book; under the gRPC path the book's name is in the body.
    const failed = ids.filter((id) => !succeeded.has(id) && !/_rpc$|CreateBook$/.test(id));
    assert.deepEqual(failed, []);
  });
});

describe("each type that stands in the document is to be had by Accept, and what does not stand there is 406", () => {
  for (const own of operationsOf(document)) {
    // Those that answer well, whatever they are given.
    if (own.method !== "GET") continue;
    test(`${own.method} ${own.path}`, async () => {
      const request = {
        ...plainest(document, own),
        target: plainest(document, own).target.replace("the-hobbit", "dune"),
      };
      const content = objectOf(at(own.operation, "responses", "200", "content"));
      const all = [
        "application/json",
        "application/x-ndjson",
        "text/event-stream",
        "application/xml",
        "application/x-protobuf",
      ];
      for (const accept of all) {
        const answer = await send(address, request, { accept });
        const said = `${request.target} ${accept}: ${answer.status} ${answer.text}`;
        assert.equal(answer.status, accept in content ? 200 : 406, said);
        judge(own, answer, said);
        if (accept in content) assert.equal(answer.headers["content-type"], accept);
        if ("304" in objectOf(own.operation.responses) && accept in content) {
          const again = await send(address, request, {
            accept,
            "if-none-match": String(answer.headers.etag),
          });
          assert.equal(again.status, 304);
        }
      }
      const late = await send(address, request, { "x-request-timeout": "0" });
      assert.equal(late.status, 504, late.text);
      for (const accept of Object.keys(objectOf(at(document, "components", "responses", "504", "content")))) {
        const failed = await send(address, request, {
          "x-request-timeout": "0",
          accept: `${accept}, */*;q=0.1`,
        });
        assert.equal(failed.headers["content-type"], accept, failed.text);
        judge(own, failed, failed.text);
      }
    });
  }
});

describe("each type of body that stands in the document is taken, and what does not stand there is 415", () => {
  const all = [
    "application/json",
    "application/x-ndjson",
    "application/xml",
    "application/x-protobuf",
    "application/x-www-form-urlencoded",
    "multipart/form-data",
  ];
  test("by default, and as configured", async () => {
    const key = { "x-key": "web-key" };
    const other = await documentAt(configured.address, key);
    for (const [hub, whole] of [
      [address, document],
      [configured.address, other],
    ] as const) {
      for (const own of operationsOf(whole)) {
        if (own.operation.requestBody === undefined) continue;
        const content = objectOf(at(own.operation, "requestBody", "content"));
        for (const type of all) {
          const body: Pick<GeneratedRequest, "contentType" | "body"> | undefined =
            type in content
              ? fc.sample(bodyFor(whole, own.operation.requestBody, type), { numRuns: 1, seed: 3 })[0]
              : { contentType: type, body: "x" };
          const answer = await send(hub, { ...plainest(whole, own), ...body, headers: {} }, key);
          const said: string = `${own.method} ${own.path} ${type} ${body?.body}: ${answer.status} ${answer.text}`;
          if (type in content) assert.doesNotMatch(answer.text, /"domain":"linchpin"/, said);
          else assert.equal(answer.status, 415, said);
        }
      }
    }
  });
});

test("a WebSocket calls what x-websocket says, with its frames and for its frames", async () => {
  for (const [request, target, frames, messages] of [
    ["GET /v1/books:search", "/v1/books:search?query=sea", [], 2],
    [
      "POST /v1/books:borrow",
      "/v1/books:borrow",
      ['{"borrow":{"book":"books/dune","reader":"readers/ann"}}'],
      1,
    ],
    ["POST /v1/books:import", "/v1/books:import", ['{"book":{"title":"x","authors":["y"]}}'], 1],
  ] as const) {
    const note = at(operation(document, request), "x-websocket");
    for (const text of frames)
      assert.ok(compile(strict, at(note, "send", "schema"))(JSON.parse(text)), request);
    const socket = new WebSocket(`ws://${address}${target}`);
    const received: JsonValue[] = [];
    socket.on("message", (data) => received.push(JSON.parse(String(data))));
    socket.on("open", () => {
      for (const text of [...frames, ""]) socket.send(text);
    });
    await once(socket, "close");
    assert.equal(received.length, messages, request);
    const fits = compile(strict, at(note, "receive", "schema"));
    for (const one of received)
      assert.ok(fits(one), `${JSON.stringify(one)}: ${JSON.stringify(fits.errors)}`);
  }
});

describe("what the config says is what the document says, and what the hub does", () => {
  const KEY = { "x-key": "web-key" };
  const call = (path: string, init: Parameters<typeof http>[3] = {}): Promise<Answer> =>
    http("1.1", configured.address, path, { ...init, headers: { ...KEY, ...init?.headers } });

  test("statuses, headers, forms, streams, failures and keys", async () => {
    const whole = await documentAt(configured.address, KEY);
    const sealed = closed(whole);
    const of = (request: string): Operation => ({
      path: "",
      method: "",
      operation: operation(whole, request),
    });
    const rows: [request: string, answer: Answer, status: number, type: string | undefined][] = [
      [
        "POST /v1/books",
        await call("/v1/books?book_id=made", {
          body: "title=Emma&authors=Jane+Austen",
          headers: { "content-type": "application/x-www-form-urlencoded" },
        }),
        201,
        "application/json",
      ],
      ["DELETE /v1/books/{book}", await call("/v1/books/made", { method: "DELETE" }), 204, undefined],
      ["GET /v1/books:search", await call("/v1/books:search?query=sea"), 200, "application/x-ndjson"],
      ["GET /v1/books:search", await call("/v1/books:search?query=sea&alt=sse"), 200, "text/event-stream"],
      ["GET /v1/books/{book}", await call("/v1/books/nope"), 404, "application/problem+json"],
      [
        "GET /v1/books/{book}",
        await http("1.1", configured.address, "/v1/books/dune"),
        401,
        "application/problem+json",
      ],
      ["GET /v1/books", await http("1.1", configured.address, "/v1/books?fields=*"), 200, "application/json"],
    ];
    for (const [request, answer, status, type] of rows) {
      const said = `${request}: ${answer.status} ${answer.text}`;
      assert.equal(answer.status, status, said);
      assert.ok(String(status) in objectOf(of(request).operation.responses), said);
      assert.equal(answer.headers["content-type"], type, said);
      judge(of(request), answer, said, sealed);
      const response = resolved(whole, objectOf(at(of(request).operation, "responses", String(status))));
      for (const name of Object.keys(response.headers === undefined ? {} : objectOf(response.headers)))
        assert.ok(answer.headers[name.toLowerCase()] !== undefined, `${said} has no ${name}`);
      assert.ok(answer.headers.etag === undefined, said);
    }
    assert.equal(rows[0]?.[1].headers.location, "/v1/books/made");
    assert.deepEqual(at(whole, "components", "securitySchemes", "apiKey", "name"), "x-key");
    assert.deepEqual(of("GET /v1/books").operation.security, []);
    assert.deepEqual(of("GET /v1/books/{book}").operation.security, [{ apiKey: [] }]);
  });
});
