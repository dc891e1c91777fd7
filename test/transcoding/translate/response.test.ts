// What clients read: messages, raw bodies, errors.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Code, Status, type StatusDetail } from "#src/call/status/status.js";
import { badRequest, errorInfo, quotaFailure, retryInfo } from "#src/call/status/status-details.js";
import { chooseFraming, type StreamFormat } from "#src/transcoding/bodies/framing.js";
import type { PrintOptions } from "#src/transcoding/codec/codecs.js";
import { costsLess } from "../../support/cpu.js";
import { registry } from "../support/library.js";
import { compileProtos, encode, routerFor } from "../support/schema.js";
import { openBody, type Written, writeAnswer } from "../support/translate.js";

function answer(target: string, bytes: Uint8Array, print: PrintOptions = {}, method = "GET"): Written {
  const match = routerFor(registry, { print }).router.match(method, target);
  assert.equal(match.kind, "match");
  const body = writeAnswer(match, [bytes]);
  if (body instanceof Status) assert.fail(body.message);
  return body;
}

function json(target: string, bytes: Uint8Array, print?: PrintOptions): unknown {
  const { contentType, body } = answer(target, bytes, print);
  assert.equal(contentType, "application/json");
  return JSON.parse(String(body));
}

const book = encode(registry, "test.v1.Book", {
  title: "a",
  pages: "9007199254740993",
  genre: "NOVEL",
  author: { displayName: "b" },
});

describe("an answer", () => {
  it("is ProtoJSON: 64-bit integers as strings, names in lowerCamelCase, defaults left out", () => {
    assert.deepEqual(json("/v1/things/1", book), {
      title: "a",
      pages: "9007199254740993",
      genre: "NOVEL",
      author: { displayName: "b" },
    });
  });

  it("prints null for messages that are not set where asked to, but not for optional fields", () => {
    const answer = json("/v1/things/1", book, { emitDefaults: true, emitNulls: true });
    assert.deepEqual(answer, {
      name: "",
      title: "a",
      author: { name: "", displayName: "b", teacher: null, pupils: [] },
      tags: [],
      pages: "9007199254740993",
      labels: {},
      genre: "NOVEL",
    });
    const unset = encode(registry, "test.v1.Book", {});
    assert.deepEqual(
      Object.entries(json("/v1/things/1", unset, { emitDefaults: true, emitNulls: true }) ?? {})
        .filter(([, value]) => value === null)
        .map(([name]) => name),
      ["author"],
    );
    assert.deepEqual(json("/v1/things/1", book, { emitNulls: true }), json("/v1/things/1", book));
  });

  it("prints defaults, proto names and enum numbers where asked to", () => {
    assert.deepEqual(
      json("/v1/things/1", book, { emitDefaults: true, protoNames: true, enumsAsNumbers: true }),
      {
        name: "",
        title: "a",
        author: { name: "", display_name: "b", pupils: [] },
        tags: [],
        pages: "9007199254740993",
        labels: {},
        genre: 1,
      },
    );
  });

  const page = encode(registry, "test.v1.Page", {
    books: [{ title: "a" }],
    first: { title: "a" },
    total: "12",
    note: "",
    labels: { x: "y" },
  });
  const fields: [target: string, value: unknown, whenEmpty: unknown][] = [
    ["/v1/page", [{ title: "a" }], []],
    ["/v1/page/first", { title: "a" }, null],
    ["/v1/page/total", "12", "0"],
    ["/v1/page/note", "", null],
    ["/v1/page/labels", { x: "y" }, {}],
  ];
  for (const [target, value, whenEmpty] of fields) {
    it(`can be one field of the message: ${target}`, () => {
      assert.deepEqual(json(target, page), value);
      assert.deepEqual(json(target, page, { protoNames: true }), value);
      assert.deepEqual(json(target, new Uint8Array(0)), whenEmpty);
    });
  }

  it("is the bytes of an HttpBody as they are", () => {
    const body = encode(registry, "google.api.HttpBody", { contentType: "image/png; x=y", data: "AP8=" });
    const raw = answer("/v1/files/a", body);
    assert.equal(raw.contentType, "image/png; x=y");
    assert.deepEqual(Buffer.from(raw.body), Buffer.from([0, 255]));
    const inField = encode(registry, "test.v1.Page", { raw: { contentType: "text/csv", data: "YQ==" } });
    assert.deepEqual(answer("/v1/page/raw", inField).contentType, "text/csv");
  });

  it("is found among all that the service writes beside it, without a look at the rest", async () => {
    const type = Buffer.concat([Buffer.from([0x0a, 8]), Buffer.from("text/csv")]);
    const data = (text: string): Buffer =>
      Buffer.concat([Buffer.from([0x12, text.length]), Buffer.from(text)]);
    // A group, a fixed64, a fixed32 and a varint of unknown fields.
    const unknown = Buffer.from([
      0x2b, 0x08, 0x01, 0x2c, 0x31, 1, 2, 3, 4, 5, 6, 7, 8, 0x3d, 1, 2, 3, 4, 0x40, 0x96, 1,
    ]);
    const { contentType, body } = answer("/v1/files/a", Buffer.concat([data("a"), unknown, type, data("b")]));
    assert.deepEqual([contentType, String(body)], ["text/csv", "b"]);
    const page = registry.getMessage("test.v1.Page") ?? assert.fail();
    const raw = page.fields.find(({ name }) => name === "raw") ?? assert.fail();
    const field = (content: Buffer): Buffer =>
      Buffer.concat([Buffer.from([raw.number * 8 + 2, content.length]), content]);
    const merged = answer("/v1/page/raw", Buffer.concat([field(data("a")), unknown, field(type)]));
    assert.deepEqual([merged.contentType, String(merged.body)], ["text/csv", "a"]);

    // Two million empty extensions: objects of them would take a second, and half a gigabyte.
    const many = Buffer.alloc(4 * 1024 * 1024, Buffer.from([0x1a, 0]));
    await costsLess(1000, () => assert.equal(answer("/v1/files/a", many).body.length, 0));

    for (const hex of ["12", "1205", "1a0561", "07", "0c", "0b", "31 01", "80808080808080808080 01", "00"]) {
      const match = routerFor(registry).router.match("GET", "/v1/files/a");
      const written = writeAnswer(match, [Buffer.from(hex.replace(/ /g, ""), "hex")]);
      assert.ok(written instanceof Status, hex);
      assert.equal(written.code, Code.INTERNAL, hex);
    }
  });

  for (const contentType of ["", "text/html\r\nset-cookie: a=b", "é", " text/plain"]) {
    it(`says application/octet-stream for an HttpBody of type ${JSON.stringify(contentType)}`, () => {
      const body = encode(registry, "google.api.HttpBody", { contentType, data: "AA==" });
      assert.equal(answer("/v1/files/a", body).contentType, "application/octet-stream");
    });
  }

  it("prints an Any of an unknown type as base64, however deep, and the rest as ever", () => {
    const author = (any: unknown) => ({ "@type": "type.googleapis.com/test.v1.All", text: "t", any });
    const known = { "@type": "type.googleapis.com/google.protobuf.StringValue", value: "s" };
    const bytes = Buffer.from(encode(registry, "test.v1.All", { any: author(known) }));
    // The inner type's name is overwritten in place by one of the same length that nobody knows.
    const at = bytes.indexOf("google.protobuf.StringValue");
    bytes.write("google.protobuf.StrangeOne!", at);
    const { router } = routerFor(registry);
    const detail: StatusDetail = { typeUrl: "type.googleapis.com/test.v1.All", value: bytes };
    assert.deepEqual(
      JSON.parse(router.renderStatus(new Status(Code.ABORTED, "", { details: [detail] }))).details,
      [
        {
          "@type": "type.googleapis.com/test.v1.All",
          any: {
            "@type": "type.googleapis.com/test.v1.All",
            text: "t",
            any: { "@type": "type.googleapis.com/google.protobuf.StrangeOne!", value: "CgFz" },
          },
        },
      ],
    );
  });

  it("that does not fit the schema is an INTERNAL error without details of it", () => {
    const match = routerFor(registry).router.match("GET", "/v1/things/1");
    assert.equal(match.kind, "match");
    const status = writeAnswer(match, [Buffer.from([0x0a, 0xff])]);
    assert.ok(status instanceof Status);
    assert.equal(status.code, Code.INTERNAL);
    assert.match(status.message, /test.v1.Book/);
  });
});

describe("an error", () => {
  const { router } = routerFor(registry);
  const render = (details: StatusDetail[]) =>
    JSON.parse(router.renderStatus(new Status(Code.NOT_FOUND, "no\n“book”", { details })));
  const typed = (name: string) => `type.googleapis.com/google.rpc.${name}`;

  it("is a google.rpc.Status", () => {
    assert.deepEqual(render([]), { code: 5, message: "no\n“book”", details: [] });
  });

  const details: [what: string, detail: StatusDetail, json: unknown][] = [
    [
      "the hub's BadRequest",
      badRequest([
        { field: "a.b", description: "wrong" },
        { field: "", description: "x" },
      ]),
      {
        "@type": typed("BadRequest"),
        fieldViolations: [{ field: "a.b", description: "wrong" }, { description: "x" }],
      },
    ],
    [
      "the hub's ErrorInfo",
      errorInfo("R", "d", { k: "v", l: "" }),
      { "@type": typed("ErrorInfo"), reason: "R", domain: "d", metadata: { k: "v", l: "" } },
    ],
    ["the hub's RetryInfo", retryInfo(1500.2), { "@type": typed("RetryInfo"), retryDelay: "1.501s" }],
    ["a RetryInfo of nothing", retryInfo(0), { "@type": typed("RetryInfo"), retryDelay: "0s" }],
    [
      "the hub's QuotaFailure",
      quotaFailure([{ subject: "s", description: "d" }]),
      { "@type": typed("QuotaFailure"), violations: [{ subject: "s", description: "d" }] },
    ],
    [
      "a service's own type",
      {
        typeUrl: "type.googleapis.com/test.v1.Author",
        value: encode(registry, "test.v1.Author", { displayName: "a" }),
      },
      { "@type": "type.googleapis.com/test.v1.Author", displayName: "a" },
    ],
    [
      "a well-known type",
      { typeUrl: "type.googleapis.com/google.protobuf.StringValue", value: Buffer.from([0x0a, 1, 0x61]) },
      { "@type": "type.googleapis.com/google.protobuf.StringValue", value: "a" },
    ],
    [
      "an unknown type",
      { typeUrl: "type.googleapis.com/no.Such", value: Buffer.from([1, 2, 255]) },
      { "@type": "type.googleapis.com/no.Such", value: "AQL/" },
    ],
    [
      "bytes that are no message of the type",
      { typeUrl: typed("BadRequest"), value: Buffer.from([0x0a, 0xff]) },
      { "@type": typed("BadRequest"), value: "Cv8=" },
    ],
    ["no type at all", { typeUrl: "", value: Buffer.from([1]) }, { "@type": "", value: "AQ==" }],
    [
      "a Help",
      { typeUrl: typed("Help"), value: Buffer.from("0a060a0161120162", "hex") },
      { "@type": typed("Help"), links: [{ description: "a", url: "b" }] },
    ],
    [
      "a LocalizedMessage",
      { typeUrl: typed("LocalizedMessage"), value: Buffer.from("0a02656e120161", "hex") },
      { "@type": typed("LocalizedMessage"), locale: "en", message: "a" },
    ],
    [
      "a DebugInfo",
      { typeUrl: typed("DebugInfo"), value: Buffer.from("0a01610a0162120163", "hex") },
      { "@type": typed("DebugInfo"), stackEntries: ["a", "b"], detail: "c" },
    ],
    [
      "a ResourceInfo",
      { typeUrl: typed("ResourceInfo"), value: Buffer.from("0a01611201621a0163220164", "hex") },
      { "@type": typed("ResourceInfo"), resourceType: "a", resourceName: "b", owner: "c", description: "d" },
    ],
  ];
  for (const [what, detail, expected] of details) {
    it(`prints ${what}`, () => assert.deepEqual(render([detail]).details, [expected]));
  }
});

describe("an error as a problem (RFC 9457)", () => {
  const { router } = routerFor(registry);
  const status = new Status(Code.INVALID_ARGUMENT, "no “book”", {
    http: 415,
    details: [errorInfo("R", "d"), { typeUrl: "x/no.Such", value: Buffer.from([1, 2, 255]) }],
  });

  it("is what Accept must name, and has the code and the details of the Status", () => {
    const { contentType, body } = router.renderError(status, "application/problem+json", "/v1/a?secret=1");
    assert.equal(contentType, "application/problem+json");
    assert.deepEqual(JSON.parse(String(body)), {
      type: "about:blank",
      title: "Unsupported Media Type",
      status: 415,
      detail: "no “book”",
      instance: "/v1/a",
      code: 3,
      details: [
        { "@type": "type.googleapis.com/google.rpc.ErrorInfo", reason: "R", domain: "d" },
        { "@type": "x/no.Such", value: "AQL/" },
      ],
    });
  });

  for (const [accept, problem] of [
    [undefined, false],
    ["*/*", false],
    ["application/json", false],
    ["application/problem+json;q=0", false],
    ["application/json, application/problem+json;q=0.1", true],
    ["Application/Problem+JSON", true],
  ] as const) {
    it(`${problem ? "goes" : "does not go"} to clients that accept ${accept}`, () => {
      const { contentType } = router.renderError(status, accept, "/");
      assert.equal(contentType === "application/problem+json", problem);
    });
  }

  it("says 499 in words of its own", () => {
    const { body } = router.renderError(new Status(Code.CANCELLED, ""), "application/problem+json", "/");
    assert.equal(JSON.parse(String(body)).title, "CANCELLED");
  });
});

describe("a success response", () => {
  const made = compileProtos({
    "made/v1/made.proto": `syntax = "proto3"; package made.v1; import "google/api/annotations.proto";
      import "google/api/httpbody.proto"; import "google/protobuf/empty.proto";
      message Inner { int64 id = 1; Kind kind = 2; bytes raw = 3; }
      enum Kind { NONE = 0; SOME = 1; }
      message Thing { string name = 1; Inner inner = 2; repeated string many = 3; }
      service Things {
        rpc Make(Thing) returns (Thing) { option (google.api.http) = { post: "/make" body: "*" }; }
        rpc Drop(Thing) returns (google.protobuf.Empty) { option (google.api.http) = { delete: "/drop" }; }
        rpc File(Thing) returns (google.api.HttpBody) { option (google.api.http) = { get: "/file" }; }
        rpc Files(Thing) returns (stream google.api.HttpBody) { option (google.api.http) = { get: "/files" }; }
      }`,
  });
  const thing = encode(made, "made.v1.Thing", {
    name: "books/a b/ü?#",
    inner: { id: "9007199254740993", kind: "SOME" },
  });

  const locations: [template: string, bytes: Uint8Array, location: string | undefined][] = [
    ["/v1/{name}", thing, "/v1/books/a%20b/%C3%BC%3F%23"],
    ["/v1/{inner.id}/{inner.kind}", thing, "/v1/9007199254740993/SOME"],
    ["/v1/fixed", thing, "/v1/fixed"],
    ["/{name}", encode(made, "made.v1.Thing", { name: "x".repeat(7999) }), `/${"x".repeat(7999)}`],
    // A head that no client reads is worse than one field less.
    ["/{name}", encode(made, "made.v1.Thing", { name: "x".repeat(8000) }), undefined],
    ["/v1/{name}", new Uint8Array(0), undefined],
    ["/v1/{nope}", thing, undefined],
    ["/v1/{inner}", thing, undefined],
    ["/v1/{inner.raw}", thing, undefined],
    ["/v1/{many}", thing, undefined],
    ["/v1/{name.inner}", thing, undefined],
    ["/{name}", encode(made, "made.v1.Thing", { name: "/evil.example" }), undefined],
  ];
  for (const [location, bytes, expected] of locations) {
    it(`has the configured status, and ${location} is ${expected?.slice(0, 60)}`, () => {
      const success = () => ({ success: 201, location });
      const match = routerFor(made, {}, { success }).router.match("POST", "/make");
      const transcoding = openBody(match);
      assert.ok(!(transcoding instanceof Status));
      assert.equal(transcoding.success, 201);
      const written = writeAnswer(match, [bytes]);
      assert.ok(!(written instanceof Status));
      assert.equal(written.fields.find((f) => f.name === "location")?.value, expected);
    });
  }

  it("of google.protobuf.Empty is 204 where config says so", () => {
    for (const emptyAs204 of [false, true]) {
      const { router } = routerFor(made, { emptyAs204 });
      for (const [method, target, status] of [
        ["DELETE", "/drop", emptyAs204 ? 204 : 200],
        ["POST", "/make", 200],
      ] as const) {
        const transcoding = openBody(router.match(method, target));
        assert.ok(!(transcoding instanceof Status));
        assert.equal(transcoding.success, status);
      }
    }
  });

  it("that is an HttpBody is not asked what Accept says: only the service knows its type", () => {
    const match = routerFor(made).router.match("GET", "/file");
    assert.ok(!(openBody(match, { accept: "image/png" }) instanceof Status));
    const json = routerFor(made).router.match("POST", "/make");
    const refused = openBody(json, { accept: "image/png" });
    assert.ok(refused instanceof Status);
    assert.equal(refused.http, 406);
  });

  type Fate = "shown" | "a download without rights" | "bytes, and a download without rights";
  const types: [fate: Fate, contentTypes: string[]][] = [
    [
      "shown",
      [
        "text/plain",
        "Text/Plain; charset=utf-8",
        'text/csv;header=present ;\tx="a \\" ; b"',
        "image/png",
        "image/vnd.microsoft.icon",
        "video/mp4",
        "font/woff2",
        "application/json",
        "application/problem+json",
        "application/pdf",
        "application/octet-stream",
        'text/plain; x="text/html"',
        // No field values at all, and so bytes from the start.
        "",
        "text/html\n",
        "text/html\u00e9",
      ],
    ],
    [
      "a download without rights",
      [
        "text/html",
        "Text/HTML; charset=utf-8",
        "application/xhtml+xml",
        "image/svg+xml",
        "IMAGE/SVG+XML;x=y",
        "audio/x+xml",
        "text/xml",
        "text/xsl",
        "application/xml",
        "application/rss+xml ; x=y",
        "text/css",
        "text/htmlx",
        "application/x-shockwave-flash",
        "application/vnd.ms-excel",
        "message/rfc822",
        "x/y",
      ],
    ],
    [
      "bytes, and a download without rights",
      [
        "text/html x",
        "text/html(x)",
        "text/html;",
        "text/html; charset",
        "text/html,x",
        "application/json,text/html",
        "application/json, text/html",
        "image/png,text/html",
        "image/png text/html",
        "image/png;text/html",
        "image/png;,text/html",
        'image/png; a="b',
        'image/png; a="b" c',
        "text/plain; charset=utf 8",
        "text /plain",
        "text/ plain",
        "/html",
        "text/",
        "text",
        "html",
        "*/*,",
        "text/plain/html",
        "image/png;a=b=c",
        "text/javascript",
        "text/javascript1.5; charset=utf-8",
        "Application/X-JavaScript",
        "application/ecmascript",
        "text/jscript",
        "multipart/x-mixed-replace;boundary=b",
        "multipart/x-mixed-replace",
        "multipart/related; boundary=b",
      ],
    ],
  ];
  for (const [fate, contentTypes] of types)
    for (const contentType of contentTypes)
      it(`${JSON.stringify(contentType)} is ${fate}, unless config allows all`, () => {
        const bytes = encode(made, "google.api.HttpBody", { contentType, data: "AA==" });
        for (const path of ["/file", "/files"])
          for (const allowActiveContent of [false, true]) {
            const match = routerFor(made, { allowActiveContent }).router.match("GET", path);
            const written = writeAnswer(match, [bytes]);
            assert.ok(!(written instanceof Status));
            const fields = Object.fromEntries(written.fields.map((f) => [f.name, f.value]));
            const guarded = fate !== "shown" && !allowActiveContent;
            assert.deepEqual(
              fields,
              guarded
                ? {
                    "content-disposition": "attachment",
                    "content-security-policy": "sandbox; default-src 'none'",
                  }
                : {},
            );
            const isField = /^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/.test(contentType);
            const own = isField ? contentType : "application/octet-stream";
            assert.equal(
              written.contentType,
              guarded && fate.startsWith("bytes") ? "application/octet-stream" : own,
            );
          }
      });
});

describe("a stream", () => {
  it("looks as config says where Accept does not decide, and as grpc-gateway has it", () => {
    const messages = [encode(registry, "test.v1.Book", { title: "a" }), encode(registry, "test.v1.Book", {})];
    const forms: [format: StreamFormat, accept: string | undefined, type: string, body: string][] = [
      ["array", undefined, "application/json", '[{"title":"a"},{}]'],
      ["ndjson", undefined, "application/x-ndjson", '{"title":"a"}\n{}\n'],
      ["ndjson", "application/json", "application/json", '[{"title":"a"},{}]'],
      ["json-lines", "application/json", "application/json", '{"title":"a"}\n{}\n'],
      ["json-lines", "application/x-ndjson", "application/x-ndjson", '{"title":"a"}\n{}\n'],
      ["sse", "*/*", "text/event-stream", 'data: {"title":"a"}\n\ndata: {}\n\nevent: end\ndata: {}\n\n'],
      ["grpc-gateway", "application/json", "application/json", '{"result":{"title":"a"}}\n{"result":{}}\n'],
      ["grpc-gateway", "application/x-ndjson", "application/x-ndjson", '{"title":"a"}\n{}\n'],
    ];
    for (const [streamFormat, accept, type, body] of forms) {
      const match = routerFor(registry, { streamFormat }).router.match("GET", "/v1/watch");
      const written = writeAnswer(match, messages, { accept });
      assert.ok(!(written instanceof Status));
      assert.equal(written.contentType, type);
      assert.equal(String(written.body), body);
    }
    const none = chooseFraming("text/plain", "json-lines");
    assert.ok(none instanceof Status && none.http === 406);
    const match = routerFor(registry, { streamFormat: "grpc-gateway" }).router.match("GET", "/v1/watch");
    const failed = writeAnswer(match, messages.slice(0, 1), {}, new Status(Code.NOT_FOUND, "gone"));
    assert.ok(!(failed instanceof Status));
    assert.match(
      String(failed.body),
      /^\{"result":.*\}\n\{"error":\{"code":5,"message":"gone","details":\[\]\}\}\n$/,
    );
  });
});
