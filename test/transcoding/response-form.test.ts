// What a client asks of an answer's form: system parameters, and protobuf's binary format by Accept and Content-Type.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { fromBinary, toJson } from "@bufbuild/protobuf";
import fc from "fast-check";
import { Code, Status } from "#src/call/status/status.js";
import type { BodyRequest } from "#src/call/transcoding.js";
import { chooseFraming } from "#src/transcoding/bodies/framing.js";
import { prettyJson } from "#src/transcoding/messages/pretty-json.js";
import { registry } from "./support/library.js";
import { compileProtos, encode, routerFor, send } from "./support/schema.js";
import { encodeBody, writeAnswer } from "./support/translate.js";

const built = routerFor(registry);
const book = encode(registry, "test.v1.Book", {
  title: "a",
  pages: "9007199254740993",
  genre: "NOVEL",
  author: { displayName: "b" },
});

/** The answer to a GET, as text after its type; a refusal's HTTP status. */
function answer(
  target: string,
  messages: readonly Uint8Array[] = [book],
  request: Partial<BodyRequest> = {},
  by = built,
) {
  const match = by.router.match("GET", target);
  // As for every call: the request is read before the answer is written.
  if (match.kind === "match") encodeBody(match, Buffer.alloc(0), undefined);
  const written = writeAnswer(match, messages, request);
  return written instanceof Status ? written.http : `${written.contentType} ${written.body}`;
}

const END = "\n\nevent: end\ndata: {}\n\n";

describe("a system parameter", () => {
  const PLAIN = '{"title":"a","author":{"displayName":"b"},"pages":"9007199254740993","genre":"NOVEL"}';
  const BYTES = `application/x-protobuf ${Buffer.from(book)}`;
  const DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n';
  const XML = "<Book><title>a</title><genre>NOVEL</genre></Book>";
  const PRETTY = "<Book>\n  <title>a</title>\n</Book>\n";
  const unary: [query: string, accept: string | undefined, expected: string | number][] = [
    ["", undefined, `application/json ${PLAIN}`],
    ["?$fields=title", undefined, 'application/json {"title":"a"}'],
    [
      "?$fields=author.displayName,pages",
      undefined,
      'application/json {"author":{"displayName":"b"},"pages":"9007199254740993"}',
    ],
    ["?$prettyPrint=true&$fields=title", undefined, 'application/json {\n  "title": "a"\n}\n'],
    ["?$prettyPrint=true&$fields=pages", undefined, 'application/json {\n  "pages": "9007199254740993"\n}\n'],
    ["?$alt=json;enum-encoding=int&$fields=genre", undefined, 'application/json {"genre":1}'],
    ["?$alt=json;enum-encoding=string&$fields=genre", undefined, 'application/json {"genre":"NOVEL"}'],
    ["?%24alt=proto", undefined, BYTES],
    ["?$alt=proto&$fields=title", undefined, "application/x-protobuf \u0012\u0001a"],
    ["?$alt=json", "image/png", `application/json ${PLAIN}`],
    ["?$alt=xml&$fields=title,genre", "application/json", `application/xml ${DECLARATION}${XML}`],
    [
      "?$alt=xml;enum-encoding=int&$fields=genre",
      undefined,
      `application/xml ${DECLARATION}<Book><genre>1</genre></Book>`,
    ],
    ["?$alt=xml&$prettyPrint=true&$fields=title", undefined, `application/xml ${DECLARATION}${PRETTY}`],
    ["?$alt=sse", undefined, 400],
    ["?$alt=ndjson", undefined, 400],
    ["?$alt=nope", undefined, 400],
    ["", "application/x-protobuf", BYTES],
    ["", "application/protobuf", BYTES],
    ["", "application/json;q=0.5, application/x-protobuf", BYTES],
    ["", "application/*", `application/json ${PLAIN}`],
  ];
  for (const [query, accept, expected] of unary) {
    it(`${query} of one message${accept === undefined ? "" : `, Accept: ${accept}`}`, () => {
      assert.equal(answer(`/v1/things/1${query}`, [book], { accept }), expected);
    });
  }

  const title = encode(registry, "test.v1.Book", { title: "t", genre: "NOVEL" });
  const streams: [query: string, accept: string | undefined, expected: string | number][] = [
    ["?$alt=sse&$fields=title", "application/json", `text/event-stream data: {"title":"t"}${END}`],
    ["?$alt=json&$fields=title", "text/event-stream", 'application/json [{"title":"t"}]'],
    ["?$prettyPrint=true&$fields=title", "application/x-ndjson", 'application/x-ndjson {"title":"t"}\n'],
    ["?$alt=sse;enum-encoding=int&$fields=genre", undefined, `text/event-stream data: {"genre":1}${END}`],
    ["?$prettyPrint=true&$fields=title", undefined, 'application/json [\n  {\n    "title": "t"\n  }\n]\n'],
    ["?$prettyPrint=true&$fields=title", "text/event-stream", `text/event-stream data: {"title":"t"}${END}`],
    ["?$alt=ndjson&$fields=title", "text/event-stream", 'application/x-ndjson {"title":"t"}\n'],
    [
      "?$alt=xml&$fields=title",
      "*/*",
      `application/xml ${DECLARATION}<stream>\n<Book><title>t</title></Book>\n</stream>\n`,
    ],
    ["?$alt=proto&$fields=title", "application/json", "application/x-protobuf \n\x03\x12\x01t"],
    ["?$fields=title", "application/protobuf", "application/x-protobuf \n\x03\x12\x01t"],
    ["", "application/*;q=0.5", 'application/json [{"title":"t","genre":"NOVEL"}]'],
    ["?$alt=nope", undefined, 400],
  ];
  for (const [query, accept, expected] of streams) {
    it(`${query} of a stream${accept === undefined ? "" : `, Accept: ${accept}`}`, () => {
      assert.equal(answer(`/v1/watch${query}`, [title], { accept }), expected);
    });
  }

  const full = routerFor(registry, { print: { emitDefaults: true } });
  const defaults: [target: string, messages: readonly Uint8Array[], expected: string][] = [
    ["/v1/things/1?$fields=name,pages", [title], 'application/json {"name":"","pages":"0"}'],
    [
      "/v1/things/1?$alt=xml&$fields=author.name,author.displayName",
      [book],
      `application/xml ${DECLARATION}<Book><author><name/><displayName>b</displayName></author></Book>`,
    ],
    [
      "/v1/watch?$fields=title,name",
      [title, book],
      'application/json [{"name":"","title":"t"},{"name":"","title":"a"}]',
    ],
  ];
  for (const [target, messages, expected] of defaults) {
    it(`where defaults are printed: ${target}`, () =>
      assert.equal(answer(target, messages, {}, full), expected));
  }

  it("says nothing of one field's binary form, which a field alone has not", () => {
    assert.equal(answer("/v1/page?$alt=proto"), 400);
    assert.equal(answer("/v1/page", [], { accept: "application/x-protobuf" }), 406);
  });
});

describe("a stream in protobuf's binary format", () => {
  const file = compileProtos({
    "google/rpc/stream.proto": `syntax = "proto3"; package google.rpc; 
      message Status { int32 code = 1; string message = 2; }
      message StreamBody { repeated bytes messages = 1; Status status = 2; repeated bytes noop = 15; }`,
  });
  const StreamBody = file.getMessage("google.rpc.StreamBody") ?? assert.fail();

  it("is a google.rpc.StreamBody with every message and what ended it", () => {
    const messages = ["a", "é".repeat(20_000), ""].map((title) =>
      encode(registry, "test.v1.Book", { title }),
    );
    const inBase64 = messages.map((bytes) => Buffer.from(bytes).toString("base64"));
    for (const [failure, end] of [
      [undefined, {}],
      [new Status(Code.ABORTED, "mené"), { status: { code: 10, message: "mené" } }],
    ] as const) {
      const match = built.router.match("GET", "/v1/watch?$alt=proto");
      const written = writeAnswer(match, messages, {}, failure);
      assert.ok(!(written instanceof Status));
      const body = toJson(StreamBody, fromBinary(StreamBody, written.body));
      assert.deepEqual(body, { messages: inBase64, ...end });
    }
  });

  it("is silent while nothing arrives, and stays readable", () => {
    const framing = chooseFraming("application/x-protobuf", "array");
    assert.ok(!(framing instanceof Status) && framing.keepAlive !== undefined);
    const body = fromBinary(StreamBody, framing.keepAlive);
    assert.deepEqual(toJson(StreamBody, body), { noop: [""] });
  });
});

describe("a body in protobuf's binary format", () => {
  const post = (request: string, bytes: Uint8Array, contentType = "application/x-protobuf") => {
    const [method = "", target = ""] = request.split(" ");
    return encodeBody(built.router.match(method, target), bytes, contentType);
  };
  const all = encode(registry, "test.v1.All", { text: "x", i64: "9007199254740993", labels: { a: "b" } });

  it("becomes what its JSON would", () => {
    const json = send(built, registry, "POST /v1/all", {
      text: "x",
      i64: "9007199254740993",
      labels: { a: "b" },
    });
    assert.ok(!(json instanceof Status));
    for (const type of ["application/x-protobuf", "application/protobuf; x=y", "Application/Protobuf"]) {
      assert.deepEqual(Buffer.from(post("POST /v1/all", all, type) as Uint8Array), Buffer.from(all));
    }
  });

  it("must agree with the path", () => {
    const other = encode(registry, "test.v1.Book", { name: "books/other" });
    const status = post("PATCH /v1/books/one", other);
    assert.ok(status instanceof Status);
    assert.equal(status.http, 400);
  });

  it("that is broken, or has no place, is refused", () => {
    for (const [request, bytes, http] of [
      ["POST /v1/all", Buffer.from([0x0a, 0xff]), 400],
      ["PUT /v1/tags/x", all, 415],
      ["POST /v1/all", all, 415],
    ] as const) {
      const type = http === 415 && request === "POST /v1/all" ? "application/x-protobuffer" : undefined;
      const status = post(request, bytes, type);
      assert.ok(status instanceof Status, request);
      assert.equal(status.http, http, request);
    }
  });
});

describe("$prettyPrint", () => {
  it("indents as JSON.stringify does, whatever the JSON", () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 6 }), (value) => {
        const compact = JSON.stringify(value);
        assert.equal(String(prettyJson(Buffer.from(compact))), `${JSON.stringify(value, null, 2)}\n`);
        const inside = String(prettyJson(Buffer.from(compact), 1));
        assert.equal(`[\n  ${inside}\n]`, JSON.stringify([value], null, 2));
      }),
    );
  });

  it("changes no value", () => {
    const text = '{"a":-0,"b":12345678901234567890,"c":1.50e+400,"d":"\\\\\\"[1,{","e":[],"f":{},"g":[{}]}';
    const pretty = String(prettyJson(Buffer.from(text)));
    const said = '-0 12345678901234567890 1.50e+400 "\\\\\\"[1,{" [] {}'.split(" ");
    for (const value of said) assert.ok(pretty.includes(`: ${value},\n`), `${value} in ${pretty}`);
  });

  it("of 64-bit integers that are numbers, and of -0", () => {
    const numbers = routerFor(registry, { print: { int64AsNumbers: true } });
    assert.equal(
      answer("/v1/things/1?$fields=pages&$prettyPrint=true", [book], {}, numbers),
      'application/json {\n  "pages": 9007199254740993\n}\n',
    );
  });

  it("of streams, where they are arrays", () => {
    const say = (messages: readonly Uint8Array[], failure?: Status): string => {
      const match = built.router.match("GET", "/v1/watch?$prettyPrint=true&$fields=pages");
      if (match.kind === "match") encodeBody(match, Buffer.alloc(0), undefined);
      const written = writeAnswer(match, messages, {}, failure);
      return written instanceof Status ? written.message : String(written.body);
    };
    assert.equal(say([]), "[]\n");
    const parsed = [{ pages: "9007199254740993" }, { pages: "9007199254740993" }];
    assert.equal(say([book, book]), `${JSON.stringify(parsed, null, 2)}\n`);
    const failed = say([book], new Status(Code.NOT_FOUND, "gone"));
    const whole: unknown = JSON.parse(failed);
    assert.equal(failed, `${JSON.stringify(whole, null, 2)}\n`);
    assert.match(failed, /"error": \{\n {6}"code": 5/);
  });

  it("leaves alone what would become many times as long", () => {
    const deep = `${"[".repeat(90)}${"1,".repeat(40_000)}1${"]".repeat(90)}`;
    assert.equal(String(prettyJson(Buffer.from(deep))), deep);
  });
});
