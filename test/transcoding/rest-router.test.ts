// Rules and their errors, and which route answers.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Method } from "#src/call/call.js";
import type { RestMiss } from "#src/call/rest.js";
import { Status } from "#src/call/status/status.js";
import type { BuiltRestRouter } from "#src/transcoding/rest-router.js";
import { httpRuleFromJson, readHttpRule } from "#src/transcoding/routes/http-rule.js";
import { registry } from "./support/library.js";
import { compileProtos, methodsOf, routerFor, send } from "./support/schema.js";
import { encodeBody, writeAnswer } from "./support/translate.js";

function answer(built: BuiltRestRouter, request: string): string {
  const space = request.indexOf(" ");
  const match = built.router.match(request.slice(0, space), request.slice(space + 1));
  return match.kind === "match"
    ? `${match.method.name} ${match.route}`
    : `${match.status.http} ${match.allow.join(" ")}`.trim();
}

function miss(built: BuiltRestRouter, method: string, target: string): RestMiss {
  const match = built.router.match(method, target);
  if (match.kind === "match") assert.fail(match.route);
  return match;
}

describe("HTTP rules", () => {
  it("are read from the options of a method, additional bindings and custom methods too", () => {
    const books = methodsOf(registry).find((m) => m.name === "Books")?.descriptor ?? assert.fail();
    const rule = readHttpRule(books);
    assert.equal(rule?.httpMethod, "GET");
    assert.equal(rule.template, "/v1/page");
    assert.equal(rule.responseBody, "books");
    assert.equal(rule.additionalBindings.length, 6);
    assert.deepEqual(rule.additionalBindings.at(-1), {
      httpMethod: "PURGE",
      template: "/v1/page",
      body: "",
      responseBody: "",
      additionalBindings: [],
    });
    const plain = methodsOf(registry).find((m) => m.name === "Plain")?.descriptor ?? assert.fail();
    assert.equal(readHttpRule(plain), undefined);
  });

  it("are read from config in both spellings", () => {
    const full = { httpMethod: "POST", template: "/a", body: "*", responseBody: "x", additionalBindings: [] };
    assert.deepEqual(httpRuleFromJson({ post: "/a", body: "*", response_body: "x" }), full);
    assert.deepEqual(httpRuleFromJson({ selector: "s", post: "/a", body: "*", responseBody: "x" }), full);
    const nested = httpRuleFromJson({
      get: "/a",
      additionalBindings: [{ custom: { kind: "*", path: "/b" } }],
    });
    assert.ok(typeof nested === "object");
    assert.equal(nested.additionalBindings[0]?.httpMethod, "*");
  });

  const badJson: [rule: unknown, says: RegExp][] = [
    ["/v1/a", /mapping/],
    [[], /mapping/],
    [{ gte: "/a" }, /unknown key 'gte'/],
    [{ get: 1 }, /'get' must be a path template/],
    [{ get: "/a", post: "/b" }, /two patterns/],
    [{ custom: "x" }, /'custom' needs a kind/],
    [{ get: "/a", body: 1 }, /'body' must be the name/],
    [{ get: "/a", additional_bindings: {} }, /list of rules/],
    [{ get: "/a", additional_bindings: [{ x: 1 }] }, /unknown key 'x'/],
  ];
  for (const [rule, says] of badJson) {
    it(`in config are refused: ${JSON.stringify(rule)}`, () => {
      const result = httpRuleFromJson(rule);
      assert.ok(typeof result === "string");
      assert.match(result, says);
    });
  }

  const problems: [rule: Record<string, unknown>, says: RegExp][] = [
    [{}, /no pattern/],
    [
      { get: "v1/a" },
      /^http\.rules, test\.v1\.Test\.Plain: column 1 of 'v1\/a': a path template must begin with '\/'/,
    ],
    [
      { get: "/x/{nmae}" },
      /column 5 of '\/x\/\{nmae\}': test.v1.NameRequest has no field 'nmae'; did you mean 'name'/,
    ],
    [{ get: "/x/{author}" }, /'author' is a message/],
    [{ get: "/x/{author.pupils}" }, /'author.pupils' is repeated/],
    [{ get: "/x/{author.pupils.name}" }, /repeated/],
    [{ get: "/x/{name.x}" }, /'name' has no fields/],
    [{ post: "/x", body: "nope" }, /body: test.v1.NameRequest has no field 'nope'/],
    [{ post: "/x", body: "author.name" }, /a body must be '\*' or a top-level field of the request/],
    [{ put: "/x/{page}", body: "page" }, /bound by the path and also by the body/],
    [{ get: "/x", response_body: "nope" }, /response_body: test.v1.Book has no field 'nope'/],
    [{ custom: { kind: "GE T", path: "/x" } }, /no HTTP method/],
    [
      { get: "/v1/things/{page}" },
      /GET \/v1\/things\/\{page\} is the same route as GET \/v1\/things\/\{name\} of test.v1.Test.GetAny, which is used/,
    ],
    [
      { get: "/x", additional_bindings: [{ get: "/y", additional_bindings: [{ get: "/z" }] }] },
      /additional_bindings\[0\]: additional bindings nest one level deep/,
    ],
  ];
  for (const [rule, says] of problems) {
    it(`that do not fit are named: ${JSON.stringify(rule)}`, () => {
      const built = routerFor(registry, {}, { rules: [{ selector: "test.v1.Test.Plain", rule }] });
      assert.equal(built.problems.length, 1, built.problems.join("\n"));
      assert.match(built.problems[0] ?? "", says);
      assert.equal(answer(built, "GET /v1/things/a"), "GetAny /v1/things/{name}");
    });
  }

  const LOCATIONS: [location: string, says: string | undefined][] = [
    ["/v1/{name}", undefined],
    ["/v1/{author.name}", undefined],
    ["/v1/{nmae}", "test.v1.Book has no field 'nmae'"],
    ["/v1/{name.first}", "test.v1.Book has no field 'name.first'"],
    ["/v1/{author}", "test.v1.Book has no text in 'author'"],
  ];
  for (const [location, says] of LOCATIONS) {
    it(`a Location that no answer can have is named: ${location}`, () => {
      const success = ({ name }: Method) => (name === "Plain" ? { success: 201, location } : undefined);
      const { problems } = routerFor(registry, {}, { success });
      const problem = `methods, test.v1.Test.Plain: http.location ${location}: ${says}`;
      assert.deepEqual(problems, says === undefined ? [] : [problem]);
    });
  }

  it("leave the method's other bindings working", () => {
    const rule = { get: "/x/{nope}", additional_bindings: [{ get: "/y/{name}" }] };
    const built = routerFor(registry, {}, { rules: [{ selector: "test.v1.Test.Plain", rule }] });
    assert.equal(answer(built, "GET /y/a"), "Plain /y/{name}");
    assert.equal(answer(built, "GET /x/a"), "404");
  });

  it("of the config replace the method's own, and the last one wins", () => {
    const rules = [
      { selector: "test.v1.Test.GetAny", rule: { get: "/one/{name}" } },
      { selector: "test.v1.Test.GetAny", rule: { get: "/two/{name}" } },
      { selector: "test.v1.Test.Nope", rule: { get: "/three" } },
    ];
    const built = routerFor(registry, {}, { rules });
    assert.deepEqual(built.problems, ["http.rules, test.v1.Test.Nope: no such method"]);
    assert.equal(answer(built, "GET /two/a"), "GetAny /two/{name}");
    assert.equal(answer(built, "GET /one/a"), "404");
    assert.equal(answer(built, "GET /v1/things/a"), "404");
    assert.deepEqual(
      built.bindings.filter((b) => b.method === "test.v1.Test/GetAny"),
      [
        { verb: "GET", path: "/two/{name}", method: "test.v1.Test/GetAny", source: "config" },
        { verb: "POST", path: "/test.v1.Test/GetAny", method: "test.v1.Test/GetAny", source: "auto" },
      ],
    );
  });
});

describe("routes", () => {
  const built = routerFor(registry);
  const cases: [request: string, answer: string][] = [
    ["GET /v1/page", "Books /v1/page"],
    ["HEAD /v1/page", "Books /v1/page"],
    ["PURGE /v1/page", "Books /v1/page"],
    ["POST /v1/page", "405 GET HEAD PURGE"],
    ["OPTIONS /v1/page", "405 GET HEAD PURGE"],
    ["GET /v1/page?x=/y:z", "Books /v1/page"],
    ["GET /v1/nowhere", "404"],
    ["GET /v1/page/%zz", "400"],
    ["POST /test.v1.Test/Plain", "Plain /test.v1.Test/Plain"],
    ["POST /test.v1.Test/GetAny", "GetAny /test.v1.Test/GetAny"],
    ["GET /test.v1.Test/Plain", "405 POST"],
    ["GET v1/page", "404"],
    ["OPTIONS *", "404"],
  ];
  for (const [request, expected] of cases) {
    it(`${request}: ${expected}`, () => assert.equal(answer(built, request), expected));
  }

  describe("of a POST that says it is another method", () => {
    const overriding = routerFor(registry, { methodOverride: true }).router;
    const outcome = (match: ReturnType<typeof overriding.match>) =>
      match.kind === "match" ? `${match.method.name} ${match.route}` : `${match.status.http}`;
    const rows: [method: string, target: string, override: string | undefined, answer: string][] = [
      ["POST", "/v1/books/1", "PATCH", "UpdateBook /v1/{book.name=books/*}"],
      ["POST", "/v1/page", "GET", "Books /v1/page"],
      ["POST", "/v1/page", "PURGE", "Books /v1/page"],
      ["POST", "/v1/page", "PUT", "405"],
      ["POST", "/v1/page", undefined, "405"],
      ["PUT", "/v1/page", "GET", "405"],
      ["GET", "/v1/page", "DELETE", "Books /v1/page"],
      ["POST", "/v1/page", "get", "400"],
      ["POST", "/v1/page", "", "400"],
      ["POST", "/v1/page", "HEAD", "400"],
      ["POST", "/v1/page", "G ET", "400"],
    ];
    for (const [method, target, override, expected] of rows) {
      it(`${method} ${target}, in truth ${override}: ${expected}`, () => {
        assert.equal(outcome(overriding.match(method, target, override)), expected);
      });
    }
    it("stay those of POST where that is not configured", () => {
      assert.equal(outcome(built.router.match("POST", "/v1/books/1", "PATCH")), "405");
    });
  });

  it("auto-mapped give way to any explicit rule, a wildcard too", () => {
    const rules = [{ selector: "test.v1.Test.Plain", rule: { post: "/{name=test.v1.Test/*}", body: "*" } }];
    const wild = routerFor(registry, {}, { rules });
    assert.equal(answer(wild, "POST /test.v1.Test/GetAny"), "Plain /{name=test.v1.Test/*}");
  });

  it("auto-mapped are found under an escaped name too, but no slash is made of one", () => {
    assert.equal(answer(built, "POST /test.v1.Test/Pl%61in"), "Plain /test.v1.Test/Plain");
    assert.equal(answer(built, "GET /test.v1.Test/Pl%61in"), "405 POST");
    assert.equal(answer(built, "POST /test.v1.Test%2FPlain"), "404");
  });

  it("say whether a path is used unchanged", () => {
    const rules = [
      { selector: "test.v1.Test.Plain", rule: { custom: { kind: "*", path: "/docs" } } },
      { selector: "test.v1.Test.GetAny", rule: { get: "/{name}" } },
    ];
    for (const prefix of ["", "/api"]) {
      const own = routerFor(registry, {}, { rules, prefix });
      const method = (verb: string, path: string) => own.literal(verb, prefix + path)?.method.name;
      assert.equal(method("GET", "/v1/page"), "Books");
      assert.equal(method("GET", "/v1/p%61ge"), "Books");
      assert.equal(method("POST", "/v1/page"), undefined);
      assert.equal(method("GET", "/docs"), "Plain");
      assert.equal(method("GET", "/openapi.json"), undefined, "a wildcard does not take it");
      assert.equal(method("GET", "/%"), undefined);
      if (prefix !== "") assert.equal(own.literal("GET", "/v1/page"), undefined);
    }
  });

  it("stand below a prefix", () => {
    for (const prefix of ["/api", "api/", "/api/"]) {
      const prefixed = routerFor(registry, {}, { prefix });
      assert.equal(answer(prefixed, "GET /api/v1/page"), "Books /api/v1/page");
      assert.equal(answer(prefixed, "POST /api/test.v1.Test/Plain"), "Plain /api/test.v1.Test/Plain");
      for (const path of ["/v1/page", "/apix/v1/page", "/api", "/API/v1/page"]) {
        assert.equal(answer(prefixed, `GET ${path}`), "404");
      }
      assert.equal(prefixed.bindings[0]?.path, "/api/v1/all");
    }
  });

  it("hint at the nearest ones of a path that has none", () => {
    assert.equal(miss(built, "GET", "/v1/pgae").hints()[0], "GET /v1/page");
    assert.equal(miss(built, "GET", "/v1/thing/a").hints()[0], "GET /v1/things/{name}");
    assert.equal(miss(built, "DELETE", "/v1/page").hints()[0], "GET /v1/page");
    assert.deepEqual(miss(built, "GET", "/entirely/else/where").hints(), []);
    assert.ok(miss(built, "GET", `/${"a/".repeat(5000)}`).hints().length === 0);
    assert.doesNotMatch(miss(built, "GET", "/v1/pgae").status.message, /v1/);
  });

  for (const [method, path, nearest] of [
    ["GET", "/v1/page/", "GET /v1/page"],
    ["GET", "/v1/page//", "GET /v1/page"],
    ["GET", "/v1//page", "GET /v1/page"],
    ["GET", "//v1/page", "GET /v1/page"],
    ["GET", "/v1/pgae/", "GET /v1/page"],
    ["GET", "/v1/page/?text=1", "GET /v1/page"],
    ["GET", "/v1/things/a/", "GET /v1/things/{name}"],
    ["GET", "/v1/things/a:read/", "GET /v1/things/{name}:read"],
    ["GET", "/v1/things/", "GET /v1/things/{name}"],
  ] as const) {
    it(`hint at ${nearest} for ${path}: slashes are the least of what may be wrong`, () => {
      assert.equal(miss(built, method, path).hints()[0], nearest);
    });
  }

  it("look for the nearest ones among a thousand, but not for long", () => {
    const word = (i: number): string => `resource${i}`.padEnd(60, "abcdefgh");
    const among = (count: number): string[] => {
      const bindings = Array.from({ length: count }, (_, i) => ({ get: `/v2/${word(i)}` }));
      const rule = { get: "/v2/first", additional_bindings: bindings };
      const many = routerFor(registry, {}, { rules: [{ selector: "test.v1.Test.Plain", rule }] });
      return [...miss(many, "GET", `/v2/${word(count - 1)}x`).hints()];
    };
    assert.equal(among(20)[0], `GET /v2/${word(19)}`);
    const hints = among(1000);
    assert.equal(hints.length, 3);
    assert.ok(!hints.includes(`GET /v2/${word(999)}`), "the last was compared, after all the others");
  });

  it("carry reasons that programs read", () => {
    const reason = (m: RestMiss) => JSON.parse(built.router.renderStatus(m.status)).details[0];
    assert.deepEqual(reason(miss(built, "GET", "/v1/nowhere")), {
      "@type": "type.googleapis.com/google.rpc.ErrorInfo",
      reason: "NO_ROUTE",
      domain: "linchpin",
    });
    assert.deepEqual(reason(miss(built, "PUT", "/v1/page")).metadata, { allow: "GET, HEAD, PURGE" });
  });
});

describe("explanations", () => {
  const { explain } = routerFor(
    registry,
    {},
    { rules: [{ selector: "test.v1.Test.Plain", rule: { get: "/v1/**" } }] },
  );
  const cases: [request: [string, string], lines: RegExp[]][] = [
    [
      ["GET", "/v1/things/a"],
      [
        /^GET \/v1\/things\/\{name\} answers: test.v1.Test\/GetAny \(by its google.api.http option\)$/,
        /not GET \/v1\/\*\*: segment 2 is '\*\*' here and a literal there/,
      ],
    ],
    [
      ["GET", "/v1/things/a:b"],
      [/answers/, /':b' belongs to the value/],
    ],
    [
      ["GET", "/v1/things/a:read"],
      [/\{name\}:read answers/, /not GET \/v1\/things\/\{name\}: the other one has the verb/],
    ],
    [
      ["DELETE", "/v1/page"],
      [/the path has no DELETE; it has GET, HEAD, PURGE \(405\)/, /not GET \/v1\/page: it takes GET/],
    ],
    [
      ["GET", "/v2/page"],
      [/no route matches this path \(404\)/, /near: GET \/v1\/page/],
    ],
    [["GET", "/v1/%"], [/percent-encoded/]],
    [
      ["GET", "/v1/things/a"],
      [/^ {2}path: name = "a"$/, /^ {2}body: none; the query sets the other fields$/],
    ],
    [
      ["PATCH", "/v1/books/1"],
      [/^ {2}path: book.name = "books\/1"$/, /^ {2}body: the field book; the query sets the others$/],
    ],
    [["POST", "/v1/all"], [/^ {2}body: the whole request message; the query sets nothing$/]],
    [["GET", "/v1/all?txet=1"], [/^ {2}refused \(400\): query parameter 'txet': .*did you mean 'text'/]],
    [["GET", "/v1/pages/x"], [/^ {2}refused \(400\): path parameter 'page': expected an integer/]],
    [["OPTIONS", "/v1/things/a"], [/the hub answers by itself, with Allow: GET, HEAD, OPTIONS \(204\)/]],
    [["GET", "/v2/page"], [/near: GET \/v1\/page of .*: segment 1 is 'v1' there and 'v2' here/]],
    [["GET", "/v1/things/a/"], [/near: GET \/v1\/things\/\{name\} of .*: the path ends with a slash here/]],
    [["GET", "/v1/things/"], [/near: GET \/v1\/things\/\{name\} of .*: segment 3 is empty here/]],
    [
      ["GET", "/v1/things/a:raed"],
      [/near: GET \/v1\/things\/\{name\}:read of .*: its path ends with ':read'/],
    ],
    [["PUT", "/v1/names"], [/near: PUT \/v1\/names\/\{name\} of .*: its path has more segments than 2/]],
    [
      ["PUT", "/v1/names/a/b"],
      [/near: PUT \/v1\/names\/\{name\} of .*: its path has 3 segments, this one 4/],
    ],
    [["GET", "/v1/else"], [/GET \/v1\/\*\* answers: test.v1.Test\/Plain \(by a rule in the config\)/]],
  ];
  for (const [[method, target], lines] of cases) {
    it(`${method} ${target}`, () => {
      const said = explain(method, target);
      for (const line of lines)
        assert.ok(
          said.some((text) => line.test(text)),
          `${line}\n${said.join("\n")}`,
        );
    });
  }
});

// As Firestore, KMS inventory, Managed Kafka and Discovery Engine have them.
describe("templates that go on behind a `**`", () => {
  const gets = [
    "/v1/{parent=projects/*/documents/*/**}/{collection_id}",
    "/v1/{parent=projects/*/documents}/{collection_id}",
    "/v1/{name=projects/*/keys/**}/summary",
    "/v1/{name=projects/*/keys/**}:search",
    "/v1/{parent=**}/groups/{collection_id}:reset",
    "/v1/{parent=a/**/b}/{name=c/*}/{collection_id}",
  ];
  const schema = compileProtos({
    "deep/v1/deep.proto": `syntax = "proto3"; package deep.v1;
      message Ask { string parent = 1; string collection_id = 2; string name = 3; string note = 4; }
      service Deep { rpc Get(Ask) returns (Ask); }`,
  });
  const [first, ...more] = gets.map((get) => ({ get }));
  const rule = { ...first, additional_bindings: more };
  const built = routerFor(schema, {}, { rules: [{ selector: "deep.v1.Deep.Get", rule }] });
  it("all hold", () => assert.deepEqual(built.problems, []));

  const cases: [target: string, message: unknown][] = [
    ["/v1/projects/p/documents/c/d/e", { parent: "projects/p/documents/c/d", collectionId: "e" }],
    [
      "/v1/projects/p/documents/c/e?note=n",
      { parent: "projects/p/documents/c", collectionId: "e", note: "n" },
    ],
    ["/v1/projects/p/documents/c", { parent: "projects/p/documents", collectionId: "c" }],
    [
      "/v1/projects/p/documents/c/d%2Fe/f%2Fg",
      { parent: "projects/p/documents/c/d%2Fe", collectionId: "f/g" },
    ],
    ["/v1/projects/p/documents/c/d:e", { parent: "projects/p/documents/c", collectionId: "d:e" }],
    ["/v1/projects/p/keys/a/b/summary", { name: "projects/p/keys/a/b" }],
    ["/v1/projects/p/keys/summary", { name: "projects/p/keys" }],
    ["/v1/projects/p/keys/a/b:search", { name: "projects/p/keys/a/b" }],
    ["/v1/x/y/groups/g:reset", { parent: "x/y", collectionId: "g" }],
    ["/v1/groups/g%3A1:reset", { parent: "", collectionId: "g:1" }],
    ["/v1/a/x/y/b/c/n/i", { parent: "a/x/y/b", name: "c/n", collectionId: "i" }],
    ["/v1/a/b/c/n/i", { parent: "a/b", name: "c/n", collectionId: "i" }],
  ];
  for (const [target, message] of cases) {
    it(target, () => {
      const sent = send(built, schema, `GET ${target}`);
      if (sent instanceof Status) assert.fail(sent.message);
      const { parent = "", ...rest } = Object(sent.message);
      assert.deepEqual({ ...("parent" in Object(message) ? { parent } : {}), ...rest }, message);
    });
  }
  for (const target of [
    "/v1/projects/p/documents",
    "/v1/projects/p/keys/a/b",
    "/v1/a/b/c/n/",
    "/v1/a/c/n/i",
  ]) {
    it(`${target} has none`, () => assert.equal(answer(built, `GET ${target}`), "404"));
  }

  it("are explained", () => {
    const rules = [
      { selector: "deep.v1.Deep.Get", rule: { get: "/v1/{name=**}", additional_bindings: more.slice(1, 2) } },
    ];
    const { explain } = routerFor(schema, {}, { rules });
    const said = explain("GET", "/v1/projects/p/keys/a/summary").join("\n");
    assert.match(said, /^GET \/v1\/\{name=projects\/\*\/keys\/\*\*\}\/summary answers/);
    assert.match(said, /path: name = "projects\/p\/keys\/a"/);
    assert.match(
      built.explain("GET", "/v1/projects/p/keys/a/sumary").join("\n"),
      /segment 6 is 'summary' there/,
    );
    const both = routerFor(
      schema,
      {},
      {
        rules: [
          {
            selector: "deep.v1.Deep.Get",
            rule: { get: "/v1/{name=**}", additional_bindings: [{ get: "/v1/{name=**}/x" }] },
          },
        ],
      },
    );
    assert.match(
      both.explain("GET", "/v1/a/x").join("\n"),
      /not GET \/v1\/\{name=\*\*\}: the other one matches more segments at the end of the path/,
    );
  });

  it("are the same route as another of their shape", () => {
    const rules = [
      {
        selector: "deep.v1.Deep.Get",
        rule: {
          get: "/v1/{parent=keys/**}/{collection_id}",
          additional_bindings: [{ get: "/v1/keys/{name=**}/{note}" }],
        },
      },
    ];
    const { problems } = routerFor(schema, {}, { rules });
    assert.match(
      problems.join(),
      /keys\/\{name=\*\*\}\/\{note\} is the same route as GET \/v1\/\{parent=keys/,
    );
  });
});

describe("older and newer kinds of protos", () => {
  const proto2 = compileProtos({
    "old/v1/old.proto": `syntax = "proto2"; package old.v1; import "google/api/annotations.proto";
      enum Closed { ONE = 1; TWO = 2; }
      message Old { required string name = 1; optional int32 n = 2 [default = 7]; optional Closed closed = 3;
        optional group Inner = 4 { optional string text = 1; } extensions 100 to 199; }
      extend Old { optional string extra = 100; }
      service OldService { rpc Get(Old) returns (Old) { option (google.api.http) = { get: "/old" additional_bindings { post: "/old" body: "*" } }; } }`,
  });
  const built = routerFor(proto2);
  const send = (method: string, target: string, body = "") => {
    const match = built.router.match(method, target);
    if (match.kind === "miss") assert.fail(match.status.message);
    const bytes = encodeBody(match, Buffer.from(body), "application/json");
    if (!(bytes instanceof Uint8Array)) return bytes.message;
    const printed = writeAnswer(match, [bytes]);
    return "body" in printed ? String(printed.body) : printed.message;
  };
  const cases: [what: string, outcome: string | Uint8Array, expected: RegExp][] = [
    [
      "a required field that is missing",
      send("GET", "/old"),
      /^the required field 'name' of old.v1.Old is missing/,
    ],
    ["a required field from the query", send("GET", "/old?name=a"), /^\{"name":"a"\}$/],
    ["a default that is set", send("GET", "/old?name=a&n=7"), /^\{"name":"a","n":7\}$/],
    ["a value of a closed enum", send("GET", "/old?name=a&closed=2"), /"closed":"TWO"/],
    [
      "no value of a closed enum",
      send("GET", "/old?name=a&closed=3"),
      /expected one of ONE, TWO, or its number, got 3/,
    ],
    ["a group", send("POST", "/old", '{"name":"a","inner":{"text":"b"}}'), /"inner":\{"text":"b"\}/],
    ["an extension", send("POST", "/old", '{"name":"a","[old.v1.extra]":"b"}'), /"\[old.v1.extra\]":"b"/],
    [
      "an extension that is none",
      send("POST", "/old", '{"name":"a","[old.v1.nope]":"b"}'),
      /\$\["\[old.v1.nope\]"\]: /,
    ],
    [
      "a wrong type in an extension",
      send("POST", "/old", '{"name":"a","[old.v1.extra]":1}'),
      /expected a string, got 1/,
    ],
  ];
  for (const [what, outcome, expected] of cases) {
    it(`proto2: ${what}`, () => assert.match(String(outcome), expected));
  }
});
