// Bodies in XML, both ways: the mapping, its refusals, and what those send who mean ill.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { create, fromBinary, toBinary, toJson } from "@bufbuild/protobuf";
import { AnySchema } from "@bufbuild/protobuf/wkt";
import fc from "fast-check";
import { Code, Status } from "#src/call/status/status.js";
import { costsLess } from "../../support/cpu.js";
import { registry } from "../support/library.js";
import { compileProtos, encode, routerFor, send } from "../support/schema.js";
import { shapes } from "../support/shapes.js";
import { encodeBody, openBody, writeAnswer } from "../support/translate.js";

const built = routerFor(registry);
const shaped = routerFor(shapes);
const DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n';
const TYPE = "application/xml";

/** A message and its XML; `given` where XML says it in another way too. */
const MAPPING: [what: string, json: Record<string, unknown>, xml: string][] = [
  ["nothing", {}, "<All/>"],
  ["a string", { text: ' a <b> & "c" ]]>\t\n' }, "<text> a &lt;b&gt; &amp; &quot;c&quot; ]]&gt;\t\n</text>"],
  ["a carriage return", { text: "a\r\nb\r" }, "<text>a&#13;\nb&#13;</text>"],
  ["text beyond the BMP", { text: "\u{1f600}é" }, "<text>\u{1f600}é</text>"],
  ["numbers", { d: -0.5, i32: -7, u32: 4294967295 }, "<d>-0.5</d><i32>-7</i32><u32>4294967295</u32>"],
  ["numbers that are none", { d: "NaN", f: "-Infinity" }, "<d>NaN</d><f>-Infinity</f>"],
  [
    "64 bits",
    { i64: "-9223372036854775808", u64: "18446744073709551615" },
    "<i64>-9223372036854775808</i64><u64>18446744073709551615</u64>",
  ],
  ["a bool and bytes", { flag: true, data: "+/8=" }, "<flag>true</flag><data>+/8=</data>"],
  [
    "an enum, one that is unknown too",
    { genre: "NOVEL", genres: ["POETRY", 7] },
    "<genre>NOVEL</genre><genres>POETRY</genres><genres>7</genres>",
  ],
  [
    "times",
    { at: "2024-05-01T10:00:00Z", lasts: "1.500s", mask: "a,bC" },
    "<at>2024-05-01T10:00:00Z</at><lasts>1.500s</lasts><mask>a,bC</mask>",
  ],
  [
    "free JSON",
    { struct: { "a b": [1, null, "\u0000\uffff<"] }, value: "x", list: [] },
    `<struct>{&quot;a b&quot;:[1,null,&quot;\\u0000\\uffff&lt;&quot;]}</struct><value>&quot;x&quot;</value><list>[]</list>`,
  ],
  [
    "a null value",
    { value: null, values: [null, true] },
    "<value>null</value><values>null</values><values>true</values>",
  ],
  [
    "an Any of a message",
    { any: { "@type": "type.googleapis.com/test.v1.Author", name: "x", displayName: "y" } },
    '<any type="type.googleapis.com/test.v1.Author"><name>x</name><displayName>y</displayName></any>',
  ],
  [
    "an Any of what has its own JSON",
    { any: { "@type": "type.googleapis.com/google.protobuf.Duration", value: "1s" } },
    '<any type="type.googleapis.com/google.protobuf.Duration"><value>1s</value></any>',
  ],
  [
    "wrappers and Empty",
    { empty: {}, wBool: false, wInt64: "5", wString: "", wBytes: "AA==" },
    "<empty/><wBool>false</wBool><wInt64>5</wInt64><wString/><wBytes>AA==</wBytes>",
  ],
  [
    "lists",
    { nums: [1, 2], authors: [{ name: "a" }, {}], flags: [false] },
    "<nums>1</nums><nums>2</nums><authors><name>a</name></authors><authors/><flags>false</flags>",
  ],
  [
    "maps",
    { labels: { "a b": "1", "": "" }, byNumber: { "-3": true }, byName: { __proto: { name: "n" } } },
    "<labels><entry><key>a b</key><value>1</value></entry><entry><key/><value/></entry></labels><byNumber><entry><key>-3</key><value>true</value></entry></byNumber><byName><entry><key>__proto</key><value><name>n</name></value></entry></byName>",
  ],
  ["a oneof", { person: { teacher: { name: "t" } } }, "<person><teacher><name>t</name></teacher></person>"],
  ["a default that is set", { maybe: 0 }, "<maybe>0</maybe>"],
];

function xmlOf(typeJson: Record<string, unknown>): string {
  const written = writeAnswer(
    built.router.match("GET", "/v1/all"),
    [encode(registry, "test.v1.All", typeJson)],
    { accept: TYPE },
  );
  assert.ok(!(written instanceof Status), String(written));
  assert.equal(written.contentType, TYPE);
  assert.equal(written.length, written.body.length);
  return written.body.toString();
}

/** What `POST /v1/all` makes of a body. */
function jsonOf(xml: string): unknown {
  const outcome = send(built, registry, "POST /v1/all", xml, TYPE);
  return outcome instanceof Status ? `${outcome.http} ${outcome.message}` : outcome.message;
}

describe("a message in XML", () => {
  for (const [what, json, content] of MAPPING) {
    const xml = content === "<All/>" ? content : `<All>${content}</All>`;
    it(`has ${what}, and is read again`, () => {
      assert.equal(xmlOf(json), DECLARATION + xml);
      assert.deepEqual(jsonOf(xml), toJson(...decoded(json)));
    });
  }

  function decoded(json: Record<string, unknown>) {
    const desc = registry.getMessage("test.v1.All") ?? assert.fail();
    return [desc, fromBinary(desc, encode(registry, "test.v1.All", json)), { registry }] as const;
  }

  const SAME: [xml: string, json: unknown][] = [
    [`${DECLARATION}<!-- x --><All>\n  <i32> 7\n</i32> <?pi x?></All>\n`, { i32: 7 }],
    ["\ufeff<All><text>a<!-- - -->b<![CDATA[<&]]>&#x41;&#65;</text></All>", { text: "ab<&AA" }],
    ["<All><text> </text></All>", { text: " " }],
    ["<All><text>a\r\nb</text></All>", { text: "a\nb" }],
    ["<All><data>AA\n  EC\n</data></All>", { data: "AAEC" }],
    [
      "<All><w_bool>true</w_bool><by_flag><entry><value>1</value><key> true </key></entry></by_flag></All>",
      { wBool: true, byFlag: { true: "NOVEL" } },
    ],
    ["<All><nums>1</nums><text>x</text><nums>2</nums></All>", { nums: [1, 2], text: "x" }],
    [
      '<All xmlns="urn:x" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:schemaLocation="a b" xml:lang="en"><maybe xsi:nil="true"/><text xsi:nil="false">a</text><nums xsi:nil="1"/></All>',
      { text: "a" },
    ],
  ];
  for (const [xml, json] of SAME)
    it(`may say ${JSON.stringify(xml)}`, () => assert.deepEqual(jsonOf(xml), json));

  it("may have fields that are called like JavaScript's own", () => {
    for (const name of ["constructor", "__proto__", "toString", "prototype", "hasOwnProperty"]) {
      assert.match(
        String(jsonOf(`<All><${name}>1</${name}></All>`)),
        new RegExp(`^400 \\$.${name}: .* has no field '${name}'`),
      );
      assert.match(String(jsonOf(`<All ${name}="1"/>`)), /^400 .*unknown attribute/);
      assert.deepEqual(
        jsonOf(`<All><labels><entry><key>${name}</key><value>v</value></entry></labels></All>`),
        { labels: Object.fromEntries([[name, "v"]]) },
      );
    }
  });
});

describe("a body in XML is refused with the place", () => {
  const refusals: [xml: string, message: RegExp][] = [
    ["<Book/>", /^400 \$: expected <All> as root element, got <Book>$/],
    ["<All><titel>x</titel></All>", /^400 \$\.titel: test\.v1\.All has no field 'titel'/],
    ["<All><a:text>x</a:text></All>", /^400 \$\["a:text"\]: /],
    ['<All><text lang="en">x</text></All>', /^400 \$\.text\.@lang: unknown attribute/],
    ['<All><author name="x"/></All>', /^400 \$\.author\.@name: unknown attribute/],
    ["<All><text>a</text><text>b</text></All>", /^400 \$\.text: the element is given twice/],
    ["<All><labels/><labels/></All>", /^400 \$\.labels: the element is given twice/],
    ["<All>x<text>a</text></All>", /^400 \$: expected elements, got the text "x"$/],
    ["<All><author>x</author></All>", /^400 \$\.author: expected elements/],
    ["<All><text><b>x</b></text></All>", /^400 \$\.text: expected text, got the element <b>$/],
    ["<All><i32>x</i32></All>", /^400 \$\.i32: expected an integer/],
    ["<All><i32/></All>", /^400 \$\.i32: expected an integer/],
    ["<All><flag>yes</flag></All>", /^400 \$\.flag: expected true or false/],
    ["<All><genre>NONE</genre></All>", /^400 \$\.genre: expected one of /],
    ["<All><authors/><authors><name/><nme/></authors></All>", /^400 \$\.authors\[1\]\.nme: /],
    ["<All><struct>{</struct></All>", /^400 \$\.struct: expected JSON text .*line 1, column 2/],
    ["<All><value>x</value></All>", /^400 \$\.value: expected JSON text/],
    ["<All><left>a</left><right>1</right></All>", /^400 \$\.right: 'left' is given too/],
    ["<All><labels><key>a</key></labels></All>", /^400 \$\.labels\[0\]: expected <entry>/],
    ["<All><labels><entry><key>a</key></entry></labels></All>", /^400 \$\.labels\[0\]: an <entry> must have/],
    [
      "<All><labels><entry><key>a</key><value/><value/></entry></labels></All>",
      /is not allowed in an <entry>/,
    ],
    [
      "<All><labels><entry><key>a</key><value/></entry><entry><key>a</key><value/></entry></labels></All>",
      /^400 \$\.labels\.a: the key is given twice$/,
    ],
    ["<All><any><name>x</name></any></All>", /^400 \$\.any: an Any needs its type in the attribute 'type'$/],
    ['<All><any type="x/no.Such"/></All>', /^400 \$\.any.*'x\/no\.Such' is unknown/],
    [
      '<All><any type="x/google.protobuf.Duration"/></All>',
      /^400 \$\.any: an Any of google.protobuf.Duration must have its content in one <value>/,
    ],
    ['<All><text xsi:nil="true">x</text></All>', /nil cannot have content/],
    ['<All><text xsi:nil="maybe"/></All>', /expected true or false in 'xsi:nil'/],
    ['<All><nums xsi:nil="true"/><nums>1</nums></All>', /^400 \$\.nums: a list that is nil/],
  ];
  for (const [xml, message] of refusals) it(xml, () => assert.match(String(jsonOf(xml)), message));

  const malformed: [xml: string, place: string][] = [
    ["x", "line 1, column 1"],
    [" ", "line 1, column 2"],
    ["<All>\n <text>x</txt></All>", "line 2, column 9"],
    ["<All><text>x</All>", "line 1, column 13"],
    ["<All><text>", "line 1, column 6"],
    ["<All></All></All>", "line 1, column 12"],
    ["<All/><All/>", "line 1, column 7"],
    ["<All/>x", "line 1, column 7"],
    ["<All/><![CDATA[x]]>", "line 1, column 7"],
    ["<All>\n<!-- </All>", "line 2, column 1"],
    ["<All><!-- a -- b --></All>", "line 1, column 6"],
    ["<All><![CDATA[ </All>", "line 1, column 6"],
    ["<All><?pi </All>", "line 1, column 6"],
    ["<All><text>]]></text></All>", "line 1, column 12"],
    ["<All><text>a & b</text></All>", "line 1, column 14"],
    ["<All><text>&nbsp;</text></All>", "line 1, column 12"],
    ["<All><text>&#0;</text></All>", "line 1, column 12"],
    ["<All><text>&#xD800;</text></All>", "line 1, column 12"],
    ["<All><text>&#x110000;</text></All>", "line 1, column 12"],
    ["<All><text>\u0001</text></All>", "line 1, column 12"],
    ["<All a=1/>", "line 1, column"],
    ["<All a='1' a='2'/>", "line 1, column"],
    ["<All a='<'/>", "line 1, column 9"],
    ["<All a='&x;'/>", "line 1, column 9"],
    ["<1All/>", "line 1, column"],
    ["<All><text>x</text", "line 1, column 13"],
    ["<All><text", "line 1, column 6"],
    [' <?xml version="1.0"?><All/>', "line 1, column 2"],
    ['<?xml version="1.0" encoding="latin1"?><All/>', "line 1, column 1"],
  ];
  for (const [xml, place] of malformed) {
    it(JSON.stringify(xml), () => {
      const got = String(jsonOf(xml));
      assert.ok(got.startsWith(`400 the body is not valid XML: ${place}`), got);
    });
  }

  it("that is not UTF-8", () => {
    const status = encodeBody(
      built.router.match("POST", "/v1/all"),
      Buffer.from("<All><text>\xe9</text></All>", "latin1"),
      TYPE,
    );
    assert.ok(status instanceof Status);
    assert.match(status.message, /not UTF-8/);
  });
});

/** What `POST /v1/all` makes of a body of any length: large ones are read in a thread. */
function outcomeOf(xml: string): Promise<Uint8Array | Status> {
  return new Promise((resolve, reject) => {
    const transcoding = openBody(built.router.match("POST", "/v1/all"), { contentType: TYPE });
    if (transcoding instanceof Status) return resolve(transcoding);
    const fault = (error: unknown): void => reject(error);
    const reader = transcoding.reader({ message: resolve, end: () => {}, refuse: resolve, fault });
    const body = Buffer.from(xml);
    reader.push(body, 0, body.length, true);
  });
}

/** An answer in XML, in a thread or not: the failure, if it is one. */
function printedOf(message: Uint8Array): Promise<Status | undefined> {
  return new Promise((resolve, reject) => {
    const transcoding = openBody(built.router.match("GET", "/v1/all"), { accept: TYPE });
    if (transcoding instanceof Status) return resolve(transcoding);
    const fault = (error: unknown): void => reject(error);
    const writer = transcoding.writer({
      head: () => {},
      write: () => resolve(undefined),
      failed: resolve,
      fault,
    });
    writer.message(message);
    writer.end();
  });
}

describe("who sends XML to do harm", () => {
  const attacks: [what: string, xml: string, http: number][] = [
    [
      "a billion laughs",
      `<!DOCTYPE l [<!ENTITY a "ha">${"<!ENTITY b '&a;&a;'>".repeat(9)}]><All><text>&b;</text></All>`,
      400,
    ],
    [
      "an external entity",
      '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><All><text>&e;</text></All>',
      400,
    ],
    ["an external DTD", '<!DOCTYPE All SYSTEM "http://127.0.0.1/x.dtd"><All/>', 400],
    ["100,000 elements within each other", "<a>".repeat(100_000) + "</a>".repeat(100_000), 400],
    ["as many that never end", "<All>".repeat(100_000), 400],
    ["as many ends", `<All>${"</All>".repeat(100_000)}`, 400],
    [
      "100,000 attributes",
      `<All ${Array.from({ length: 100_000 }, (_, i) => `a${i}=""`).join(" ")}/>`.slice(0, 1_000_000),
      400,
    ],
    ["a tag of nothing but space", `<All${" ".repeat(1_000_000)}/>`, 400],
    ["100,000 references", `<All>${"&amp;".repeat(200_000)}</All>`, 400],
    ["comments that do not end", "<All>".concat("<!-- ".repeat(150_000)), 400],
    ["instructions that do not end", "<?a ".repeat(200_000), 400],
    [
      "deep maps and messages",
      `<All>${"<author><teacher>".repeat(140)}${"</teacher></author>".repeat(140)}</All>`,
      400,
    ],
    ["100,000 elements", `<All>${"<nums/>".repeat(100_000)}</All>`, 400],
    [
      "20,000 tags full of references",
      `<All>${`<nums a="${"&lt;".repeat(10)}"/>`.repeat(20_000)}</All>`.slice(0, 1_000_000),
      400,
    ],
    ["more than a megabyte", `<All>${" ".repeat(1024 * 1024)}</All>`, 413],
  ];
  for (const [what, xml, http] of attacks) {
    it(`${what}: ${http}, at once`, async () => {
      const outcome = await costsLess(3000, () => outcomeOf(xml));
      assert.ok(outcome instanceof Status);
      assert.equal(outcome.http, http, outcome.message);
      assert.ok(outcome.message.length < 500, "the answer repeats the attack");
    });
  }
});

describe("a long body in XML", () => {
  const long: [what: string, xml: string][] = [
    ["of many elements", `<All>${"<nums>1</nums>".repeat(19_999)}</All>`],
    ["of many empty ones", `<All>${"<authors/>".repeat(19_999)}</All>`],
    ["of one text", `<All><text>${"x&amp;".repeat(150_000)}</text></All>`],
    ["of many CDATA sections", `<All><text>${"<![CDATA[x]]>".repeat(70_000)}</text></All>`],
    ["of many comments", `<All>${"<!-- x -->".repeat(90_000)}</All>`],
    [
      "of many entries",
      `<All><labels>${Array.from({ length: 6_000 }, (_, i) => `<entry><key>${i}</key><value/></entry>`).join("")}</labels></All>`,
    ],
  ];
  for (const [what, xml] of long) {
    it(`${what} is read and printed in linear time`, () =>
      costsLess(3000, async () => {
        const bytes = await outcomeOf(xml);
        assert.ok(!(bytes instanceof Status), String(bytes));
        assert.equal(await printedOf(bytes), undefined);
      }));
  }
});

describe("what only proto2 has", () => {
  const old = compileProtos({
    "old/v1/old.proto": `syntax = "proto2"; package old.v1; import "google/api/annotations.proto";
      message Old { required string id = 1; optional string odd = 2 [json_name = "an odd name"]; optional group Part = 3 { optional int32 n = 4; }
        extensions 100 to 200; }
      extend Old { optional string note = 100; repeated int32 counts = 101; optional Old inner = 102; }
      service S { rpc Get(Old) returns (Old) { option (google.api.http) = { post: "/v1/old" body: "*" additional_bindings { get: "/v1/old" } }; } }`,
  });
  const router = routerFor(old).router;
  const xml =
    '<Old><id>1</id><odd>o</odd><part><n>5</n></part><extension name="old.v1.note">x</extension><extension name="old.v1.counts">1</extension><extension name="old.v1.counts">2</extension><extension name="old.v1.inner"><id>2</id></extension></Old>';

  it("are groups, extensions, names that are invalid in XML", () => {
    const bytes = encodeBody(router.match("POST", "/v1/old"), Buffer.from(xml), TYPE);
    assert.ok(!(bytes instanceof Status), String(bytes));
    const written = writeAnswer(router.match("GET", "/v1/old"), [bytes], { accept: TYPE });
    assert.equal(written instanceof Status ? written.message : written.body.toString(), DECLARATION + xml);
  });

  for (const [body, message] of [
    ["<Old/>", /the required field 'id' of old\.v1\.Old is missing/],
    [
      '<Old><id/><extension name="old.v1.nope">1</extension></Old>',
      /^\$\["\[old\.v1\.nope\]"\]: old\.v1\.Old has no field/,
    ],
    ["<Old><id/><extension>1</extension></Old>", /^\$\.extension: old\.v1\.Old has no field/],
    [
      '<Old><id/><extension name="old.v1.note">1</extension><extension name="old.v1.note">1</extension></Old>',
      /given twice/,
    ],
  ] as const) {
    it(`${body} is refused`, () => {
      const status = encodeBody(router.match("POST", "/v1/old"), Buffer.from(body), TYPE);
      assert.ok(status instanceof Status);
      assert.equal(status.http, 400);
      assert.match(status.message, message);
    });
  }
});

describe("any message", () => {
  const text = fc
    .string({ unit: "grapheme", maxLength: 8 })
    .filter((s) => !/[^\t\n\r\x20-\ud7ff\ue000-\u{10ffff}]|[\ufffe\uffff]/u.test(s));
  const int = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
  const author = fc.record(
    { name: text, displayName: text, pupils: fc.array(fc.record({ name: text }), { maxLength: 2 }) },
    { requiredKeys: [] },
  );
  const message = fc.record(
    {
      d: fc.double({ noNaN: true, noDefaultInfinity: true }),
      i32: int,
      i64: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String),
      flag: fc.boolean(),
      text,
      data: fc.uint8Array({ maxLength: 9 }).map((b) => Buffer.from(b).toString("base64")),
      genre: fc.constantFrom("NOVEL", "POETRY", 9),
      struct: fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 2 })),
      value: fc.jsonValue({ maxDepth: 2 }),
      author,
      authors: fc.array(author, { maxLength: 3 }),
      labels: fc.dictionary(text, text),
      byNumber: fc.dictionary(int.map(String), fc.boolean()),
      byName: fc.dictionary(text, author),
      wString: text,
      maybe: int,
      nums: fc.array(int),
      left: text,
      any: author.map((a) => ({ "@type": "type.googleapis.com/test.v1.Author", ...a })),
    },
    { requiredKeys: [] },
  );

  it("is the same after the way to XML and back", () => {
    fc.assert(
      fc.property(message, fc.boolean(), (json, pretty) => {
        const bytes = encode(registry, "test.v1.All", json);
        const query = pretty ? "?$prettyPrint=true" : "";
        const match = built.router.match("GET", `/v1/all${query}`);
        encodeBody(match, Buffer.alloc(0), undefined);
        const written = writeAnswer(match, [bytes], { accept: TYPE });
        assert.ok(!(written instanceof Status), String(written));
        const again = encodeBody(built.router.match("POST", "/v1/all"), written.body, TYPE);
        assert.ok(!(again instanceof Status), `${again} ${written.body}`);
        const desc = registry.getMessage("test.v1.All") ?? assert.fail();
        assert.deepEqual(toBinary(desc, fromBinary(desc, again)), toBinary(desc, fromBinary(desc, bytes)));
      }),
      { numRuns: 150 },
    );
  });

  it("or a 4xx is what any text becomes", () => {
    const piece = fc.constantFrom(
      "<All>",
      "</All>",
      "<All/>",
      "<text>",
      "</text>",
      "<author>",
      "</author>",
      "<name/>",
      "<labels>",
      "</labels>",
      "<entry>",
      "</entry>",
      "<key>a</key>",
      "<value>",
      "</value>",
      "<any type='x/test.v1.Author'>",
      "</any>",
      "<struct>",
      "</struct>",
      "{}",
      "<![CDATA[",
      "]]>",
      "<!--",
      "-->",
      "<?",
      "?>",
      "<!",
      "&amp;",
      "&#65;",
      "&",
      "<",
      ">",
      "'",
      '"',
      "/",
      "=",
      " a='1'",
      "x",
      "\n",
      " ",
      "\0",
      "<i32>1</i32>",
      "<constructor/>",
    );
    const any = fc.oneof(
      fc.string(),
      fc.array(piece, { maxLength: 12 }).map((p) => p.join("")),
      fc.array(piece, { maxLength: 8 }).map((p) => `<All>${p.join("")}</All>`),
    );
    fc.assert(
      fc.property(any, (xml) => {
        const outcome = send(built, registry, "POST /v1/all", xml, TYPE);
        if (outcome instanceof Status)
          assert.ok(outcome.http >= 400 && outcome.http < 500, `${outcome.http}`);
      }),
      { numRuns: 1500 },
    );
  });
});

describe("where XML stands for a part of the request", () => {
  const rows: [request: string, xml: string, expected: unknown][] = [
    [
      "PATCH /v1/books/one",
      "<Book><title>t</title><author><displayName>d</displayName></author></Book>",
      {
        book: { name: "books/one", title: "t", author: { displayName: "d" } },
        updateMask: "author.displayName,title",
      },
    ],
    ["PATCH /v1/books/one", "<Book><name>books/two</name></Book>", 400],
    [
      "PATCH /v1/books/one",
      '<Book><tags xsi:nil="true"/></Book>',
      { book: { name: "books/one" }, updateMask: "tags" },
    ],
    ["PATCH /v1/books/one", "<book/>", 400],
    ["PUT /v1/tags/x", "<tags><item>a</item><item/></tags>", { name: "x", tags: ["a", ""] }],
    ["PUT /v1/tags/x", "<tags><tag>a</tag></tags>", 400],
    ["PUT /v1/counts/x", "<count>5</count>", { name: "x", count: "5" }],
    [
      "PUT /v1/labels/x",
      "<labels><entry><key>k</key><value>v</value></entry></labels>",
      { name: "x", labels: { k: "v" } },
    ],
    ["POST /v1/choices/1", "<Choice><isbn>2</isbn></Choice>", 400],
    ["PUT /v1/names/x", "<NameRequest><name>x</name><page>2</page></NameRequest>", { name: "x", page: 2 }],
    ["PUT /v1/names/x", "", { name: "x" }],
    ["GET /v1/watch", "<NameRequest/>", 400],
    ["POST /test.v1.Test/Plain", "<NameRequest/>", 415],
  ];
  for (const [request, xml, expected] of rows) {
    for (const type of [TYPE, "text/xml; charset=UTF-8"]) {
      it(`${request} ${xml} as ${type}`, () => {
        const outcome = send(built, registry, request, xml, type);
        assert.deepEqual(outcome instanceof Status ? outcome.http : outcome.message, expected);
      });
    }
  }
  const shapedRows: [request: string, xml: string, expected: unknown][] = [
    ["POST /v1/w", "<StringValue>x</StringValue>", "x"],
    ["PUT /v1/w", "<value>x</value>", "x"],
    ["POST /v1/free", "<Struct>{&quot;a&quot;: 1}</Struct>", { a: 1 }],
    ["POST /v1/value", "<Value>[true]</Value>", [true]],
    ["POST /v1/when", "<Timestamp> 2024-05-01T10:00:00Z </Timestamp>", "2024-05-01T10:00:00Z"],
    ["POST /v1/nothing", "<Empty/>", {}],
    ["POST /v1/b/1/colours", "<colours><item>RED</item></colours>", { id: "1", colours: ["RED"] }],
    [
      "POST /v1/b/1/things",
      "<things><item><name>a</name></item><item/></things>",
      { id: "1", things: [{ name: "a" }, {}] },
    ],
  ];
  for (const [request, xml, expected] of shapedRows) {
    it(`${request} ${xml}`, () => {
      const outcome = send(shaped, shapes, request, xml, TYPE);
      assert.deepEqual(outcome instanceof Status ? outcome.message : outcome.message, expected);
    });
  }

  it("unknown elements and attributes are ignored where config says so", () => {
    const lenient = routerFor(registry, { unknownFields: "ignore" });
    const outcome = send(
      lenient,
      registry,
      "POST /v1/all",
      '<All a="1"><nope><x/></nope><text b="2">t</text></All>',
      TYPE,
    );
    assert.deepEqual(outcome instanceof Status ? outcome.message : outcome.message, { text: "t" });
  });

  for (const type of [
    "application/xml; charset=latin1",
    "application/soap+xml",
    "text/xmlx",
    "image/svg+xml",
  ]) {
    it(`${type} is 415 with what there is`, () => {
      const status = send(built, registry, "POST /v1/all", "<All/>", type);
      assert.ok(status instanceof Status);
      assert.equal(status.http, 415);
      assert.match(status.message, /application\/xml, text\/xml/);
    });
  }
});

describe("Accept", () => {
  const book = encode(registry, "test.v1.Book", {
    title: "a",
    pages: "5",
    genre: "NOVEL",
    author: { displayName: "b" },
  });
  const chosen: [accept: string, type: string | number][] = [
    ["application/xml", TYPE],
    ["text/xml", "text/xml; charset=utf-8"],
    ["application/xml, text/xml;q=0.9", TYPE],
    ["Application/XML; q=0.9, application/json;q=0.8", TYPE],
    ["application/json, application/xml", "application/json"],
    ["application/xml, */*;q=0.1", TYPE],
    ["application/*", "application/json"],
    ["*/*", "application/json"],
    ["text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "application/json"],
    ["text/html,application/xml;q=0.9", TYPE],
    ["application/xml;q=0", 406],
  ];
  for (const [accept, type] of chosen) {
    it(`${accept}: ${type}, of an answer and of a failure`, () => {
      const written = writeAnswer(built.router.match("GET", "/v1/things/1"), [book], { accept });
      assert.equal(written instanceof Status ? written.http : written.contentType, type);
      if (!(written instanceof Status)) assert.deepEqual(written.fields, [], "it is no download");
      const error = built.router.renderError(new Status(Code.NOT_FOUND, "x"), accept, "/");
      assert.equal(error.contentType, typeof type === "number" ? "application/json" : type);
    });
  }

  const parts: [target: string, xml: string][] = [
    ["/v1/page", "<books><item><title>t</title></item><item/></books>"],
    ["/v1/page/first", "<Book><title>f</title></Book>"],
    ["/v1/page/labels", "<labels><entry><key>k</key><value>v</value></entry></labels>"],
  ];
  const page = encode(registry, "test.v1.Page", {
    books: [{ title: "t" }, {}],
    first: { title: "f" },
    labels: { k: "v" },
  });
  for (const [target, xml] of parts) {
    it(`of ${target}, which is one field`, () => {
      const match = built.router.match("GET", target);
      const written = writeAnswer(match, [page], { accept: TYPE });
      assert.equal(written instanceof Status ? written.message : written.body.toString(), DECLARATION + xml);
    });
  }

  it("of one field that is not set is nil", () => {
    const none = encode(registry, "test.v1.Page", {});
    const written = writeAnswer(built.router.match("GET", "/v1/page/first"), [none], { accept: TYPE });
    const nil = '<Book xsi:nil="true" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"/>';
    assert.equal(written instanceof Status ? written.message : written.body.toString(), DECLARATION + nil);
  });

  it("with $fields and $prettyPrint", () => {
    const match = built.router.match("GET", "/v1/things/1?$fields=author,genre&$prettyPrint=true");
    encodeBody(match, Buffer.alloc(0), undefined);
    const written = writeAnswer(match, [book], { accept: TYPE });
    assert.equal(
      written instanceof Status ? written.message : written.body.toString(),
      `${DECLARATION}<Book>\n  <author>\n    <displayName>b</displayName>\n  </author>\n  <genre>NOVEL</genre>\n</Book>\n`,
    );
  });

  it("of what XML cannot say is 406, with the place", () => {
    const odd = encode(registry, "test.v1.Book", { author: { pupils: [{}, { name: "a\u0000" }] } });
    const written = writeAnswer(built.router.match("GET", "/v1/things/1"), [odd], { accept: TYPE });
    assert.ok(written instanceof Status);
    assert.equal(written.http, 406);
    assert.match(written.message, /'author\.pupils\[1\]\.name' has the character U\+0000/);
  });
});

describe("a stream in XML", () => {
  const one = encode(registry, "test.v1.Book", { title: "é" });
  const watch = () => built.router.match("GET", "/v1/watch");
  const text = (written: ReturnType<typeof writeAnswer>) =>
    written instanceof Status ? `${written.http}` : `${written.contentType} ${written.body}`;

  it("is a <stream> of messages", () => {
    assert.equal(
      text(writeAnswer(watch(), [one, one], { accept: TYPE })),
      `${TYPE} ${DECLARATION}<stream>\n<Book><title>é</title></Book>\n<Book><title>é</title></Book>\n</stream>\n`,
    );
    assert.equal(
      text(writeAnswer(watch(), [], { accept: TYPE })),
      `${TYPE} ${DECLARATION}<stream>\n</stream>\n`,
    );
  });

  it("ends with <error> when it fails, and is an <error> by itself before the first message", () => {
    const failure = new Status(Code.ABORTED, "a < b");
    const end = "<error><code>10</code><message>a &lt; b</message></error>\n</stream>\n";
    assert.equal(
      text(writeAnswer(watch(), [one], { accept: TYPE }, failure)),
      `${TYPE} ${DECLARATION}<stream>\n<Book><title>é</title></Book>\n${end}`,
    );
    assert.equal(text(writeAnswer(watch(), [], { accept: TYPE }, failure)), "409");
  });

  it("fails at a message that XML cannot say", () => {
    const odd = encode(registry, "test.v1.Book", { title: "\u0001" });
    assert.match(
      text(writeAnswer(watch(), [one, odd, one], { accept: TYPE })),
      /<\/Book>\n<error><code>3<\/code><message>the response cannot be represented in XML: 'title' has the character U\+0001.*<\/error>\n<\/stream>\n$/,
    );
  });
});

describe("a failure in XML", () => {
  for (const accept of [
    "application/x-ndjson, application/xml;q=0.5",
    "text/event-stream, text/xml",
    "image/png",
    undefined,
  ]) {
    it(`is not XML for Accept: ${accept}`, () => {
      const { contentType } = built.router.renderError(new Status(Code.NOT_FOUND, "x"), accept, "/");
      assert.equal(contentType, "application/json");
    });
  }

  const render = (status: Status) => {
    const { contentType, body } = built.router.renderError(status, TYPE, "/");
    return `${contentType} ${body}`;
  };
  const any = (typeUrl: string, value: Uint8Array) => create(AnySchema, { typeUrl, value });

  it("is a Status with its details", () => {
    const details = [
      any(
        "type.googleapis.com/test.v1.Author",
        encode(registry, "test.v1.Author", { name: "n", pupils: [{}] }),
      ),
      any("x/no.Such", Buffer.from("hi")),
      any("type.googleapis.com/test.v1.Author", Buffer.from([0x0a, 0xff])),
    ];
    assert.equal(
      render(new Status(Code.NOT_FOUND, 'no "x"', { details })),
      `${TYPE} ${DECLARATION}<Status><code>5</code><message>no &quot;x&quot;</message><details type="type.googleapis.com/test.v1.Author"><name>n</name><pupils/></details><details type="x/no.Such"><value>aGk=</value></details><details type="type.googleapis.com/test.v1.Author"><value>Cv8=</value></details></Status>`,
    );
  });

  it("is JSON where XML cannot say it", () => {
    assert.match(render(new Status(Code.NOT_FOUND, "\u0000")), /^application\/json \{"code":5/);
  });
});
