// What requests become: the tables of query, body and path, through the router as a client meets it.
import assert from "node:assert/strict";
import { describe, it, test } from "node:test";
import fc from "fast-check";
import { decodeStatusProto, encodeStatusProto, Status } from "#src/call/status/status.js";
import { registry } from "../support/library.js";
import { routerFor, send } from "../support/schema.js";
import { encodeBody } from "../support/translate.js";

const strict = routerFor(registry);
const lax = routerFor(registry, { unknownFields: "ignore", unknownQuery: "ignore" });

type Good = [request: string, body: unknown, message: unknown];
type Bad = [request: string, body: unknown, says: RegExp, http?: number];

function taken(cases: Good[], built = strict): void {
  for (const [request, body, message] of cases) {
    it(
      `${request} ${body === undefined ? "" : typeof body === "string" ? body : JSON.stringify(body)}`.slice(
        0,
        110,
      ),
      () => {
        const outcome = send(built, registry, request, body);
        if (outcome instanceof Status) assert.fail(outcome.message);
        assert.deepEqual(outcome.message, message);
      },
    );
  }
}

function refused(cases: Bad[], built = strict): void {
  for (const [request, body, says, http = 400] of cases) {
    it(
      `refuses ${request} ${body === undefined ? "" : typeof body === "string" ? body : JSON.stringify(body)}`.slice(
        0,
        110,
      ),
      () => {
        const outcome = send(built, registry, request, body);
        if (!(outcome instanceof Status)) assert.fail(JSON.stringify(outcome.message));
        assert.match(outcome.message, says);
        assert.equal(outcome.http, http);
      },
    );
  }
}

describe("what the path binds", () => {
  taken([
    ["GET /v1/things/a%2Fb", undefined, { name: "a/b" }],
    ["GET /v1/things/a+b", undefined, { name: "a+b" }],
    ["GET /v1/things/a%20%C3%A9", undefined, { name: "a é" }],
    ["GET /v1/things/a:b", undefined, { name: "a:b" }],
    ["GET /v1/things/a:b:read", undefined, { name: "a:b" }],
    ["GET /v1/things/%252F", undefined, { name: "%2F" }],
    ["GET /v1/shelves/1/books/a%2fb%20c", undefined, { name: "shelves/1/books/a%2fb c" }],
    ["GET /v1/files/a//b%2Fc/", undefined, { name: "a//b%2Fc/" }],
    ["GET /v1/files", undefined, {}],
    ["GET /v1/pages/12", undefined, { page: 12 }],
    ["GET /v1/pages/1e2", undefined, { page: 100 }],
    ["GET /v1/authors/Le%20Guin", undefined, { author: { displayName: "Le Guin" } }],
  ]);
  refused([
    ["GET /v1/things/%", undefined, /percent-encoded UTF-8/],
    ["GET /v1/things/%ff", undefined, /percent-encoded UTF-8/],
    [
      "GET /v1/pages/x",
      undefined,
      /^path parameter 'page': expected an integer from -2147483648 to 2147483647/,
    ],
    ["GET /v1/pages/2147483648", undefined, /path parameter 'page'/],
    ["GET /v1/pages/0x10", undefined, /path parameter 'page'/],
    ["GET /v1/things/", undefined, /no route/, 404],
    ["GET /v1/things//", undefined, /no route/, 404],
    ["DELETE /v1/pages/1", undefined, /does not take DELETE, but GET, HEAD/, 405],
  ]);
});

test("a path that says the whole message gives what the same path with a query gives", () => {
  const segment = fc.oneof(
    fc.string({ unit: "binary", maxLength: 60 }),
    fc.constantFrom("", ":read", "a:b", "%"),
  );
  const template = fc.constantFrom("/v1/things/", "/v1/files/", "/v1/shelves/1/books/", "/v1/pages/");
  const read = (target: string): unknown => {
    const outcome = send(strict, registry, `GET ${target}`, undefined);
    return outcome instanceof Status ? [outcome.http, outcome.message] : outcome.message;
  };
  fc.assert(
    fc.property(template, fc.array(segment, { maxLength: 3 }), fc.boolean(), (prefix, parts, escaped) => {
      const rest = parts
        .map((part) =>
          escaped ? encodeURIComponent(part.replace(/\p{Cs}/gu, "")) : part.replace(/[?#]/g, ""),
        )
        .join("/");
      assert.deepEqual(read(prefix + rest), read(`${prefix}${rest}?$prettyPrint=false`));
    }),
    { numRuns: 1000 },
  );
});

describe("the query", () => {
  taken([
    ["GET /v1/all", undefined, {}],
    ["GET /v1/all?", undefined, {}],
    ["GET /v1/all?&&text=a&", undefined, { text: "a" }],
    ["GET /v1/all?text", undefined, {}],
    ["GET /v1/all?text=a+b%2Bc", undefined, { text: "a b+c" }],
    ["GET /v1/all?text=a=b?c", undefined, { text: "a=b?c" }],
    [
      "GET /v1/all?text=true&i32=-5&u64=18446744073709551615",
      undefined,
      { text: "true", i32: -5, u64: "18446744073709551615" },
    ],
    ["GET /v1/all?f=3.4028235e%2B38", undefined, { f: 3.4028234663852886e38 }],
    ["GET /v1/all?d=1.5e3&f=NaN", undefined, { d: 1500, f: "NaN" }],
    [
      "GET /v1/all?s32=-1&s64=-2&x32=3&x64=4&sx32=-5&sx64=-6",
      undefined,
      { s32: -1, s64: "-2", x32: 3, x64: "4", sx32: -5, sx64: "-6" },
    ],
    ["GET /v1/all?flag=true", undefined, { flag: true }],
    ["GET /v1/all?data=-_8", undefined, { data: "+/8=" }],
    ["GET /v1/all?data=%2B/8%3D", undefined, { data: "+/8=" }],
    ["GET /v1/all?genre=NOVEL", undefined, { genre: "NOVEL" }],
    ["GET /v1/all?genre=2", undefined, { genre: "POETRY" }],
    ["GET /v1/all?genre=77", undefined, { genre: 77 }],
    ["GET /v1/all?display_name=a", undefined, { displayName: "a" }],
    ["GET /v1/all?displayName=a", undefined, { displayName: "a" }],
    [
      "GET /v1/all?author.display_name=a&author.teacher.displayName=b",
      undefined,
      { author: { displayName: "a", teacher: { displayName: "b" } } },
    ],
    ["GET /v1/all?nums=1&nums=2&nums=1", undefined, { nums: [1, 2, 1] }],
    [
      "GET /v1/all?genres=NOVEL&genres=2&flags=true&flags=false",
      undefined,
      { genres: ["NOVEL", "POETRY"], flags: [true, false] },
    ],
    ["GET /v1/all?at=2024-02-29T12:00:00.5%2B02:00", undefined, { at: "2024-02-29T10:00:00.500Z" }],
    [
      "GET /v1/all?lasts=-1.5s&mask=title,author.displayName",
      undefined,
      { lasts: "-1.500s", mask: "title,author.displayName" },
    ],
    [
      "GET /v1/all?w_bool=false&wInt64=0&w_string=&wBytes=AA&w_double=1",
      undefined,
      { wBool: false, wInt64: "0", wString: "", wBytes: "AA==", wDouble: 1 },
    ],
    [
      "GET /v1/all?times=2024-01-01T00:00:00Z&times=2025-01-01T00:00:00Z",
      undefined,
      { times: ["2024-01-01T00:00:00Z", "2025-01-01T00:00:00Z"] },
    ],
    [
      "GET /v1/all?labels[a]=b&labels%5Bc.d%5D=e&labels[]=f&labels[__proto__]=g",
      undefined,
      {
        labels: Object.fromEntries([
          ["a", "b"],
          ["c.d", "e"],
          ["", "f"],
          ["__proto__", "g"],
        ]),
      },
    ],
    [
      "GET /v1/all?by_number[-1]=true&byFlag[true]=POETRY&longs[9007199254740993]=9007199254740993&spans[x]=1s",
      undefined,
      {
        byNumber: { "-1": true },
        byFlag: { true: "POETRY" },
        longs: { "9007199254740993": "9007199254740993" },
        spans: { x: "1s" },
      },
    ],
    [
      "GET /v1/all?struct=%7B%22a%22:%5B1,null%5D%7D&value=null&list=%5Btrue%5D",
      undefined,
      { struct: { a: [1, null] }, value: null, list: [true] },
    ],
    ["GET /v1/all?left=a", undefined, { left: "a" }],
    [
      "GET /v1/all?person.name=a&person.display_name=b",
      undefined,
      { person: { name: "a", displayName: "b" } },
    ],
    ["GET /v1/all?maybe=0", undefined, { maybe: 0 }],
    ["GET /v1/things/a?name=a", undefined, { name: "a" }],
    ["GET /v1/pages/1?page=1.0", undefined, { page: 1 }],
  ]);
  refused([
    ["GET /v1/all?nope=1", undefined, /query parameter 'nope': test.v1.All has no field 'nope'/],
    ["GET /v1/all?txet=1", undefined, /did you mean 'text'/],
    ["GET /v1/all?author.nmae=1", undefined, /'author.nmae': test.v1.Author has no field 'nmae'/],
    ["GET /v1/all?text=1&text=1", undefined, /'text': given twice/],
    ["GET /v1/all?display_name=a&displayName=a", undefined, /'displayName': given twice/],
    ["GET /v1/all?labels[a]=b&labels[a]=b", undefined, /'labels\[a\]': given twice/],
    ["GET /v1/all?left=a&right=1", undefined, /'right': 'left' is given too, and only one of 'choice'/],
    ["GET /v1/all?left=a&person.name=b", undefined, /'person.name': 'left' is given too/],
    ["GET /v1/all?person.name=b&left=", undefined, /'left': 'person' is given too/],
    ["GET /v1/all?author=x", undefined, /'author': test.v1.Author is a message: name a field of it/],
    ["GET /v1/all?authors.name=x", undefined, /'authors' is repeated/],
    ["GET /v1/all?authors=x", undefined, /'authors' is a repeated message/],
    ["GET /v1/all?by_name[a]=x", undefined, /map of messages/],
    ["GET /v1/all?labels=x", undefined, /'labels' is a map: write labels\[KEY\]=VALUE/],
    ["GET /v1/all?by_number[x]=true", undefined, /by_number\[x\]': expected an integer as key/],
    ["GET /v1/all?by_number[01]=true", undefined, /as key/],
    ["GET /v1/all?nums[]=1", undefined, /repeat the parameter/],
    ["GET /v1/all?text.x=1", undefined, /'text' has no fields/],
    ["GET /v1/all?at.seconds=1", undefined, /'at' has no fields/],
    ["GET /v1/all?wBool.value=true", undefined, /'w_bool' has no fields/],
    ["GET /v1/all?flag=1", undefined, /'flag': expected true or false, got "1"/],
    ["GET /v1/all?flag", undefined, /'flag': expected true or false/],
    ["GET /v1/all?i32=", undefined, /'i32': expected an integer/],
    ["GET /v1/all?i32=1.5", undefined, /'i32': expected an integer/],
    ["GET /v1/all?i64=9223372036854775808", undefined, /9223372036854775807 \(int64\)/],
    ["GET /v1/all?u32=-1", undefined, /from 0 to 4294967295/],
    ["GET /v1/all?d=0x10", undefined, /expected a number/],
    ["GET /v1/all?f=3.5e38", undefined, /float/],
    ["GET /v1/all?genre=NOVLE", undefined, /expected one of GENRE_UNSPECIFIED, NOVEL, POETRY, or its number/],
    ["GET /v1/all?data=a", undefined, /base64/],
    ["GET /v1/all?data=a*aa", undefined, /base64/],
    ["GET /v1/all?at=2024-02-30T00:00:00Z", undefined, /RFC 3339/],
    ["GET /v1/all?at=yesterday", undefined, /RFC 3339/],
    ["GET /v1/all?lasts=1", undefined, /seconds/],
    ["GET /v1/all?mask=a-b", undefined, /lowerCamelCase/],
    ["GET /v1/all?mask=a..b", undefined, /lowerCamelCase/],
    ["GET /v1/all?mask=a,", undefined, /lowerCamelCase/],
    ["GET /v1/all?struct=%7B", undefined, /not valid JSON: column 2/],
    ["GET /v1/all?struct=1", undefined, /expected an object/],
    ["GET /v1/all?any=x", undefined, /is a message/],
    ["GET /v1/all?text=%", undefined, /'text': malformed percent-encoding/],
    ["GET /v1/all?text=%ff", undefined, /'text': malformed percent-encoding/],
    ["GET /v1/all?%zz=1", undefined, /'%zz': malformed percent-encoding/],
    ["GET /v1/all?$alt=xls", undefined, /'\$alt': expected json, xml or proto/],
    ["GET /v1/all?$key=x", undefined, /'\$key': unknown system parameter; supported are \$alt/],
    ["GET /v1/all?=1", undefined, /query parameter ''/],
    [`GET /v1/all?${"author.teacher.".repeat(40)}name=1`, undefined, /more than 32 steps/],
  ]);
  it("passes unknown names over where that is asked for, but nothing that is a field", () => {
    const some = routerFor(registry, { ignoredQuery: ["utm_source", "$key"] });
    for (const [built, query] of [
      [lax, "nope=1"],
      [lax, "$key=x"],
      [some, "utm_source=x"],
      [some, "$key=x"],
    ] as const) {
      const outcome = send(built, registry, `GET /v1/all?${query}&text=a`);
      assert.ok(!(outcome instanceof Status));
      assert.deepEqual(outcome.message, { text: "a" });
    }
    for (const [built, query] of [
      [lax, "i32=x"],
      [some, "nope=1"],
      [some, "$top=1"],
    ] as const) {
      assert.ok(send(built, registry, `GET /v1/all?${query}`) instanceof Status);
    }
  });
});

describe("the body", () => {
  const at = (field: string, value: unknown) => ["POST /v1/all", { [field]: value }] as const;
  const raw = (json: string) => ["POST /v1/all", json] as const;
  const same = (field: string, value: unknown): Good => [...at(field, value), { [field]: value }];
  taken([
    ["POST /v1/all", "", {}],
    [...raw(" {} "), {}],
    same("text", "é📚"),
    same("i64", "9223372036854775807"),
    [
      ...raw('{"i64":-9223372036854775808,"u64":18446744073709551615}'),
      { i64: "-9223372036854775808", u64: "18446744073709551615" },
    ],
    [
      ...raw('{"i32":1.0,"u32":1e2,"i64":1.50e1,"sx64":"1e3"}'),
      { i32: 1, u32: 100, i64: "15", sx64: "1000" },
    ],
    [...raw('{"i32":"12","d":"1.5","f":"-Infinity"}'), { i32: 12, d: 1.5, f: "-Infinity" }],
    [
      ...raw('{"d":12345678901234567890,"i64":12345678901234567}'),
      { d: 12345678901234567000, i64: "12345678901234567" },
    ],
    [
      ...raw('{"longs":{"1":9007199254740993},"wInt64":9007199254740993}'),
      { longs: { "1": "9007199254740993" }, wInt64: "9007199254740993" },
    ],
    [...raw('{"nums":[1.0,"2",3e0]}'), { nums: [1, 2, 3] }],
    [...at("text", null), {}],
    [...at("nums", null), {}],
    [...at("labels", null), {}],
    [...at("author", null), {}],
    [...at("value", null), { value: null }],
    [...at("wString", null), {}],
    same("values", [null, 1, "a", [{ b: true }]]),
    [...at("display_name", "a"), { displayName: "a" }],
    [...raw('{"left":null,"right":1}'), { right: 1 }],
    [...raw('{"person":null,"kind":null,"left":"a"}'), { left: "a" }],
    same("any", { "@type": "type.googleapis.com/test.v1.Author", name: "a" }),
    same("any", { "@type": "type.googleapis.com/google.protobuf.Duration", value: "1s" }),
    same("any", { "@type": "type.googleapis.com/google.protobuf.Int64Value", value: "9007199254740993" }),
    [...at("any", {}), { any: {} }],
    same("empty", {}),
    [...at("genre", 1), { genre: "NOVEL" }],
    same("byFlag", { true: "NOVEL", false: "POETRY" }),
    [
      ...raw('{"labels":{"__proto__":"a","constructor":"b"}}'),
      {
        labels: Object.fromEntries([
          ["__proto__", "a"],
          ["constructor", "b"],
        ]),
      },
    ],
    [...at("data", "-_8"), { data: "+/8=" }],
    same("lasts", "-0.500s"),
    [
      ...raw(`{"value":${"[".repeat(45)}${"]".repeat(45)}}`),
      { value: JSON.parse("[".repeat(45) + "]".repeat(45)) },
    ],
  ]);
  const tooDeep = `{"author":${'{"teacher":'.repeat(100)}{}${"}".repeat(101)}`;
  refused([
    [...raw("{"), /line 1, column 2/],
    [...raw("null"), /^\$: expected an object \(test.v1.All\), got null/],
    [...raw("[]"), /^\$: expected an object/],
    [...at("author", { nmae: "x" }), /^\$\.author\.nmae: test.v1.Author has no field 'nmae'/],
    [
      ...at("authors", [{}, { pupils: [{ nam: 1 }] }]),
      /^\$\.authors\[1\]\.pupils\[0\]\.nam: .*did you mean 'name'/,
    ],
    [...at("byName", { "a b": { x: 1 } }), /^\$\.byName\["a b"\]\.x: /],
    [...at("author", 1), /^\$\.author: expected an object \(test.v1.Author\), got 1/],
    [...at("text", 1), /^\$\.text: expected a string, got 1/],
    [...at("flag", "true"), /^\$\.flag: expected true or false, got "true"/],
    [...at("i32", 1.5), /^\$\.i32: expected an integer/],
    [...at("i32", 2147483648), /^\$\.i32: /],
    [...at("i32", "0x10"), /^\$\.i32: /],
    [...at("i64", " 1"), /^\$\.i64: /],
    [...at("i64", ""), /^\$\.i64: /],
    [...raw('{"i64":9223372036854775808}'), /^\$\.i64: .*got 9223372036854775808/],
    [...raw('{"u64":1e400}'), /^\$\.u64: /],
    [...raw('{"d":1e400}'), /^\$\.d: /],
    [...raw('{"f":1e39}'), /^\$\.f: /],
    [...raw('{"value":[1e400]}'), /^\$\.value\[0\]: /],
    [...raw('{"text":12345678901234567890}'), /^\$\.text: expected a string, got 12345678901234567890/],
    [...at("nums", 1), /^\$\.nums: expected a list, got 1/],
    [...at("nums", [1, null]), /^\$\.nums\[1\]: null is not allowed in a list/],
    [...at("authors", [null]), /^\$\.authors\[0\]: null/],
    [...at("labels", { a: null }), /^\$\.labels\.a: null/],
    [...at("labels", []), /^\$\.labels: expected an object/],
    [...at("byNumber", { "1.0": true }), /^\$\.byNumber\["1\.0"\]: /],
    [...at("byFlag", { yes: 1 }), /^\$\.byFlag\.yes: /],
    [...at("genre", "novel"), /^\$\.genre: expected one of GENRE_UNSPECIFIED, NOVEL, POETRY/],
    [...at("genre", 1.5), /^\$\.genre: /],
    [...raw('{"i32":1,"i32":1}'), /the name "i32" occurs twice/],
    [...raw('{"author":{"labels":1,"labels":1}}'), /line 1, column 23.*"labels" occurs twice/],
    [...raw('{"display_name":"a","displayName":"a"}'), /^\$\.display_name: the field is given twice/],
    [...raw('{"left":"a","right":1}'), /^\$\.right: 'left' is given too, and only one of 'choice' can be/],
    [...raw('{"text":"\\ud800"}'), /half of a surrogate pair/],
    [...at("at", "2024-13-01T00:00:00Z"), /^\$\.at: expected an RFC 3339 time/],
    [...at("at", "2023-02-29T00:00:00Z"), /^\$\.at: /],
    [...at("at", "2024-01-01T24:00:00Z"), /^\$\.at: /],
    [...at("at", "0001-01-01T00:00:00+01:00"), /^\$\.at: /],
    [...at("at", 1), /^\$\.at: /],
    [...at("lasts", "1sx"), /^\$\.lasts: /],
    [...at("lasts", "1.1234567890s"), /^\$\.lasts: /],
    [...at("lasts", "315576000001s"), /^\$\.lasts: /],
    [...at("mask", "a_b"), /^\$\.mask: /],
    [...at("mask", ["a"]), /^\$\.mask: /],
    [...at("any", { "@type": "x/test.v1.Nope" }), /^\$\.any\.@type: the type 'x\/test.v1.Nope' is unknown/],
    [...at("any", { name: "a" }), /^\$\.any: .*'@type'/],
    [...at("any", { "@type": "x/test.v1.Author", nam: "a" }), /^\$\.any\.nam: /],
    [...at("any", { "@type": "x/google.protobuf.Duration", seconds: 1 }), /^\$\.any: .*'value'/],
    [...at("empty", { a: 1 }), /^\$\.empty\.a: /],
    [...at("data", "=="), /^\$\.data: /],
    [...raw(tooDeep), /nested more than 100 deep/],
    ["GET /v1/all", {}, /takes no body/],
  ]);

  it("discards what it does not know where that is asked for, and nothing else", () => {
    const outcome = send(
      lax,
      registry,
      "POST /v1/all",
      '{"x":{"y":12345678901234567890},"genre":"NEW","i32":1,"any":{"@type":"type.googleapis.com/test.v1.Author","z":1}}',
    );
    if (outcome instanceof Status) assert.fail(outcome.message);
    assert.deepEqual(outcome.message, { i32: 1, any: { "@type": "type.googleapis.com/test.v1.Author" } });
    assert.ok(send(lax, registry, "POST /v1/all", { i32: "x" }) instanceof Status);
  });

  describe("names of enum values in any case, where that is asked for", () => {
    const anyCase = routerFor(registry, { read: { anyEnumCase: true } });
    taken(
      [
        [
          "GET /v1/all?genre=nOvel&genres=poetry&genres=1",
          undefined,
          { genre: "NOVEL", genres: ["POETRY", "NOVEL"] },
        ],
        [
          "POST /v1/all",
          { genre: "novel", genres: ["Poetry", 1] },
          { genre: "NOVEL", genres: ["POETRY", "NOVEL"] },
        ],
      ],
      anyCase,
    );
    refused(
      [
        ["GET /v1/all?genre=nov", undefined, /expected one of/],
        ["POST /v1/all", { genre: "nov" }, /expected one of/],
      ],
      anyCase,
    );
    refused([["POST /v1/all", { genre: "Novel" }, /expected one of/]]);
  });

  it("is UTF-8", () => {
    const match = strict.router.match("POST", "/v1/all");
    assert.equal(match.kind, "match");
    const status = encodeBody(match, Buffer.from('{"text":"\xff"}', "latin1"), "application/json");
    assert.ok(status instanceof Status);
    assert.match(status.message, /not UTF-8/);
  });

  it("can be a field of any kind", () => {
    const cases: Good[] = [
      ["PUT /v1/tags/x", ["a", "b"], { name: "x", tags: ["a", "b"] }],
      ["PUT /v1/counts/x", "9007199254740993", { name: "x", count: "9007199254740993" }],
      ["PUT /v1/counts/x", "null", { name: "x" }],
      ["PUT /v1/labels/x", { a: "b" }, { name: "x", labels: { a: "b" } }],
    ];
    for (const [request, body, message] of cases) {
      const outcome = send(strict, registry, request, body);
      if (outcome instanceof Status) assert.fail(outcome.message);
      assert.deepEqual(outcome.message, message);
    }
    const status = send(strict, registry, "PUT /v1/tags/x", ["a", 1]);
    assert.ok(status instanceof Status);
    assert.match(status.message, /^\$\[1\]: expected a string/);
    assert.equal(violation(status), "tags[1]");
  });

  it("is passed unchanged into an HttpBody", () => {
    const outcome = send(strict, registry, "PUT /v1/uploads/x", "\u0000raw", "image/png");
    if (outcome instanceof Status) assert.fail(outcome.message);
    assert.deepEqual(outcome.message, { name: "x", file: { contentType: "image/png", data: "AHJhdw==" } });
  });

  const types: [contentType: string | undefined, taken: boolean][] = [
    ["application/json", true],
    ["Application/JSON; charset=UTF-8", true],
    ['application/json;charset="utf-8"', true],
    ["application/vnd.api+json", true],
    ["application/json; charset=latin1", false],
    ["text/plain", false],
    ["application/x-www-form-urlencoded", false],
    ["application/jsonx", false],
    ["text/json", false],
    ["", false],
    [undefined, false],
  ];
  for (const [contentType, ok] of types) {
    it(`of type ${contentType} is ${ok ? "read" : "refused with 415"}`, () => {
      const match = strict.router.match("POST", "/v1/all");
      assert.equal(match.kind, "match");
      const outcome = encodeBody(match, Buffer.from("{}"), contentType);
      if (ok) return assert.ok(!(outcome instanceof Status));
      assert.ok(outcome instanceof Status);
      assert.equal(outcome.http, 415);
      assert.match(outcome.message, /application\/json/);
    });
  }
});

/** The field of the first violation in a BadRequest detail. */
function violation(status: Status): string | undefined {
  const json = JSON.parse(
    strict.router.renderStatus(decodeStatusProto(encodeStatusProto(status)) ?? assert.fail()),
  );
  return json.details[1]?.fieldViolations[0]?.field;
}

describe("who may set a field", () => {
  taken([
    ["PATCH /v1/books/1", { title: "x" }, { book: { name: "books/1", title: "x" }, updateMask: "title" }],
    ["PATCH /v1/books/1", { name: "books/1" }, { book: { name: "books/1" }, updateMask: "name" }],
    ["PATCH /v1/books/1", { name: "" }, { book: { name: "books/1" }, updateMask: "name" }],
    [
      "PATCH /v1/books/1?update_mask=title&allowMissing=true",
      { title: "x" },
      { book: { name: "books/1", title: "x" }, updateMask: "title", allowMissing: true },
    ],
    ["PATCH /v1/books/1", "", { book: { name: "books/1" } }],
    ["PUT /v1/names/a", { name: "a", page: 1 }, { name: "a", page: 1 }],
    ["POST /v1/choices/1", { id: "1", note: "n" }, { id: "1", note: "n" }],
    ["GET /v1/authors/a?author.name=b", undefined, { author: { name: "b", displayName: "a" } }],
    ["GET /v1/authors/a?author.display_name=a", undefined, { author: { displayName: "a" } }],
  ]);
  refused([
    [
      "PATCH /v1/books/1",
      { name: "books/2" },
      /path parameter 'book.name': the path has a different value than the body/,
    ],
    ["PATCH /v1/books/1?book.title=x", { title: "x" }, /the body carries 'book'/],
    ["PATCH /v1/books/1?book.name=books/1", { title: "x" }, /the body carries 'book'/],
    ["PATCH /v1/books/1?book=x", { title: "x" }, /the body carries 'book'/],
    ["PUT /v1/names/a", { name: "b" }, /a different value than the body/],
    ["PUT /v1/names/a?page=1", {}, /the body carries all fields/],
    ["PUT /v1/names/a?name=a", "", /the body carries all fields/],
    ["PUT /v1/names/a?nope=a", {}, /has no field 'nope'/],
    ["PUT /v1/tags/x?tags=a", "", /the body carries 'tags'/],
    ["GET /v1/things/a?name=b", undefined, /'name': the path has a different value than the query/],
    ["GET /v1/things/a?name=", undefined, /a different value than the query/],
    ["GET /v1/authors/a?author.displayName=b", undefined, /a different value than the query/],
    ["GET /v1/authors/a?author.display_name=b", undefined, /a different value than the query/],
    ["GET /v1/pages/1?page=2", undefined, /a different value than the query/],
    ["GET /v1/pages/1?page=x", undefined, /a different value than the query/],
    [
      "POST /v1/choices/1",
      { isbn: "1" },
      /path parameter 'id': 'isbn' is given too, and only one of 'by' can be/,
    ],
    ["GET /v1/choices/1?isbn=2", undefined, /query parameter 'isbn': 'id' is given too/],
  ]);

  it("says the field to programs", () => {
    const cases: [request: string, body: unknown, field: string][] = [
      ["POST /v1/all", { author: { nmae: 1 } }, "author.nmae"],
      ["PATCH /v1/books/1", { author: { nmae: 1 } }, "book.author.nmae"],
      ["GET /v1/all?author.nmae=1", undefined, "author.nmae"],
      ["GET /v1/pages/x", undefined, "page"],
    ];
    for (const [request, body, field] of cases) {
      const status = send(strict, registry, request, body);
      assert.ok(status instanceof Status);
      assert.equal(violation(status), field);
    }
  });
});

describe("auto-mapped methods", () => {
  taken([["POST /test.v1.Test/Plain", { name: "a", page: 1 }, { name: "a", page: 1 }]]);
  refused([
    ["POST /test.v1.Test/Plain?page=1", {}, /the body carries all fields/],
    ["GET /test.v1.Test/Plain", undefined, /does not take GET, but POST/, 405],
    ["POST /test.v1.Test/Nope", {}, /no route/, 404],
    ["POST /grpc.hidden.v1.Hidden/Call", {}, /no route/, 404],
  ]);
  for (const contentType of [
    undefined,
    "text/plain",
    "application/x-www-form-urlencoded",
    "multipart/form-data",
  ]) {
    it(`want a JSON type even for an empty body: not ${contentType}`, () => {
      const match = strict.router.match("POST", "/test.v1.Test/Plain");
      assert.equal(match.kind, "match");
      const status = encodeBody(match, Buffer.alloc(0), contentType);
      assert.ok(status instanceof Status);
      assert.equal(status.http, 415);
    });
  }
});

describe("64-bit integers", () => {
  // A number, a string, with a zero fraction, with an exponent: always the very same integer, or a refusal.
  const forms: [what: string, write: (n: bigint) => string][] = [
    ["a number", (n) => `${n}`],
    ["a string", (n) => `"${n}"`],
    ["a number with a fraction", (n) => `${n}.00`],
    ["a number with an exponent", (n) => (n === 0n ? "0e-3" : `${n}000e-3`)],
    ["a shifted number", (n) => (n === 0n ? "0e5" : `${n}E+0`)],
  ];
  const kinds: [field: string, min: bigint, max: bigint][] = [
    ["i64", -(2n ** 63n), 2n ** 63n - 1n],
    ["sx64", -(2n ** 63n), 2n ** 63n - 1n],
    ["u64", 0n, 2n ** 64n - 1n],
  ];
  for (const [what, write] of forms) {
    it(`keep every digit as ${what}`, () => {
      const edges = fc.constantFrom(2n ** 53n, 2n ** 63n, 2n ** 64n, -(2n ** 53n), -(2n ** 63n));
      const near = fc.tuple(edges, fc.bigInt({ min: -3n, max: 3n })).map(([edge, off]) => edge + off);
      const any = fc.oneof(
        near,
        fc.bigInt({ min: -(2n ** 65n), max: 2n ** 65n }),
        fc.bigInt({ min: -20n, max: 20n }),
      );
      fc.assert(
        fc.property(fc.constantFrom(...kinds), any, ([field, min, max], n) => {
          const outcome = send(strict, registry, "POST /v1/all", `{"text":"x","${field}":${write(n)}}`);
          if (n < min || n > max) return assert.ok(outcome instanceof Status);
          if (outcome instanceof Status) assert.fail(outcome.message);
          assert.deepEqual(outcome.message, { text: "x", ...(n === 0n ? {} : { [field]: `${n}` }) });
        }),
        { numRuns: 500 },
      );
    });
  }
});

describe("refusals", () => {
  const long = "x".repeat(30_000);
  const requests: [request: string, body: unknown][] = [
    ["POST /v1/all", { [long]: 1 }],
    ["POST /v1/all", { struct: long }],
    ["POST /v1/all", { any: { "@type": long } }],
    ["POST /v1/all", { genre: long }],
    ["POST /v1/all", { i64: `1${long}` }],
    ["POST /v1/all", `{"${long}":1,"${long}":2}`],
    ["POST /v1/all", `{"value":${`{"${long.slice(0, 500)}":`.repeat(90)}1e999${"}".repeat(90)}}`],
    [`GET /v1/all?${long}=1`, undefined],
    [`GET /v1/all?text.${long}=1`, undefined],
    [`GET /v1/all?i32=${long}`, undefined],
    [`GET /v1/all?labels[${long}]=1&labels[${long}]=1`, undefined],
    [`GET /v1/pages/${long}`, undefined],
    [`GET /v1/${long}/${long}`, undefined],
    [`${long} /v1/page`, undefined],
  ];
  for (const [request, body] of requests) {
    it(`do not repeat what is long: ${request.slice(0, 40)} ${JSON.stringify(body ?? "").slice(0, 40)}`, () => {
      const status = send(strict, registry, request, body);
      assert.ok(status instanceof Status);
      assert.ok(strict.router.renderStatus(status).length < 4000, `${status.message.length} characters`);
    });
  }
});

describe("whatever a client sends", () => {
  const built = [strict, lax];
  const outcome = (method: string, target: string, body: Uint8Array) => {
    for (const { router, explain } of built) {
      const match = router.match(method, target);
      if (match.kind === "match") {
        const result = encodeBody(match, body, "application/json");
        if (result instanceof Status) router.renderStatus(result);
      } else {
        match.hints();
        router.renderStatus(match.status);
      }
      explain(method, target);
    }
  };
  const name = fc.oneof(
    fc.constantFrom(
      "text",
      "i32",
      "labels[a]",
      "author.name",
      "any",
      "struct",
      "choice",
      "left",
      "person.name",
      "nums",
    ),
    fc.string(),
  );
  it("a query is a message or a refusal", () => {
    const query = fc.array(fc.tuple(name, fc.string({ unit: "binary" })).map((pair) => pair.join("=")));
    fc.assert(fc.property(query, (pairs) => outcome("GET", `/v1/all?${pairs.join("&")}`, Buffer.alloc(0))));
  });
  it("a path is a message or a refusal", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (path) => outcome("GET", `/v1/${path}`, Buffer.alloc(0))),
    );
  });
  it("a body is a message or a refusal", () => {
    const field = fc.constantFrom(
      ...[
        "d",
        "f",
        "i64",
        "u64",
        "flag",
        "text",
        "data",
        "genre",
        "at",
        "lasts",
        "mask",
        "struct",
        "value",
        "list",
      ],
      ...[
        "any",
        "empty",
        "wInt64",
        "nums",
        "authors",
        "times",
        "labels",
        "longs",
        "byFlag",
        "left",
        "person",
        "author",
      ],
    );
    const json = fc
      .dictionary(field, fc.jsonValue({ maxDepth: 3 }), { maxKeys: 2 })
      .map((o) => JSON.stringify(o));
    const body = fc.oneof(json, fc.json(), fc.string());
    fc.assert(
      fc.property(body, (text) => outcome("POST", "/v1/all", Buffer.from(text))),
      { numRuns: 2000 },
    );
    fc.assert(fc.property(fc.uint8Array(), (bytes) => outcome("POST", "/v1/all", bytes)));
  });
});
