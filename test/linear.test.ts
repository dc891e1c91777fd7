// Whatever reads what strangers send takes time that grows with it, and no faster: each reader gets texts of 1, 2, 4 and 8
// times a length, of every shape that makes one look at the same place again. CPU time of this process, least of several.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { createFileRegistry, type DescMessage, fromBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { MessageSplitter } from "#src/call/messages.js";
import {
  decodeGrpcMessage,
  decodeStatusProto,
  encodeGrpcMessage,
  parseGrpcStatus,
} from "#src/call/status/status.js";
import { isGrpcContentType } from "#src/call/wire/grpc-content-type.js";
import { parseTimeout } from "#src/call/wire/timeout.js";
import { HeadReader } from "#src/downstream/carriers/http1/head-reader.js";
import { preflightOf } from "#src/downstream/protocols/rest/cors.js";
import { matchesTag } from "#src/downstream/protocols/rest/etag.js";
import { readMetadata } from "#src/downstream/protocols/rest/rest-headers.js";
import {
  isCompressible,
  requestCoding,
  responseCoding,
} from "#src/downstream/protocols/transcoded/content-coding.js";
import { checkRequest, checkResponse, checkTrailers } from "#src/http2/frames/messages.js";
import { HeaderBlock, HpackDecoder } from "#src/http2/hpack/decoder.js";
import { field } from "#src/kit/headers.js";
import { isAuthority } from "#src/kit/net/authority.js";
import { ipOf, plainIp } from "#src/kit/net/ip.js";
import { didYouMean } from "#src/kit/text/nearest.js";
import { parseTemplate } from "#src/kit/text/path-template.js";
import { decodePercent } from "#src/kit/text/percent.js";
import { cut, printable, printableLine } from "#src/kit/text/text.js";
import { trimEndOf, trimOf } from "#src/kit/text/trim.js";
import { summaryOf } from "#src/openapi/schemas/comments.js";
import { parseProtoFile } from "#src/schema/compiler/parse-file.js";
import { decodeReflectionResponse } from "#src/schema/descriptors/reflection-messages.js";
import { parseConfig } from "#src/settings/load.js";
import { joinTracestate, traceFlags } from "#src/telemetry/tracing/trace-context.js";
import { alternativeNames } from "#src/tls/peer-certificate.js";
import { safeContent } from "#src/transcoding/bodies/active-content.js";
import { chooseFraming, wantsProblem, wantsProto, wantsXml } from "#src/transcoding/bodies/framing.js";
import { JsonStreamSplitter } from "#src/transcoding/bodies/json-stream.js";
import { Codecs } from "#src/transcoding/codec/codecs.js";
import { DecodeError } from "#src/transcoding/codec/decode-error.js";
import { parseFieldsMask } from "#src/transcoding/messages/fields-mask.js";
import { parseJson } from "#src/transcoding/messages/json.js";
import { looseText } from "#src/transcoding/messages/loose-text.js";
import { formTypeOf, isJsonType, isNdjsonType, isXmlType } from "#src/transcoding/translate/content-type.js";
import { readForm, readMultipart } from "#src/transcoding/translate/forms.js";
import { readXmlBody } from "#src/transcoding/xml/body.js";
import { processorMs } from "./support/cpu.js";
import { routerFor } from "./transcoding/support/schema.js";
import { encodeBody } from "./transcoding/support/translate.js";

const IMAGE = readFileSync(fileURLToPath(new URL("../../generated/image.binpb", import.meta.url)));
const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, IMAGE));
const messageOf = (name: string): DescMessage => registry.getMessage(name) ?? assert.fail(name);
const KINDS = messageOf("test.v1.Kinds");
const SPAN = KINDS.fields.find((f) => f.name === "span") ?? assert.fail();
const codecs = new Codecs(registry, { unknownFields: "ignore" });
const strict = new Codecs(registry);
const kinds = codecs.of(KINDS);
const { router } = routerFor(registry, { unknownQuery: "ignore" });
const RULES = {
  input: messageOf("test.v1.TakeRequest"),
  body: "none",
  unknown: "ignore",
  ignored: new Set<string>(),
} as const;
const GATEWAY = {
  requestPrefix: "grpc-metadata-",
  standardPrefix: "grpcgateway-",
  responsePrefix: "",
  trailerPrefix: "",
  prefixTrailers: false,
};

/** Characters of the longest of the four texts; `make test-all` takes as many as a header list may have bytes. */
const LONGEST = process.env.FUZZ_RUNS === undefined ? 16_384 : 65_536;
/** What takes less of a processor is not looked at: a look at every pair of places takes ten times as long, and more. */
const HARMLESS_MS = 12;
/** From a text to one of 8 times its length. 8 is linear, 64 is quadratic. */
const MOST_GROWTH = 3 * 8;
const TRIES = 6;

function costOf(read: (text: string) => unknown, text: string, runs: number): number {
  let least = Number.POSITIVE_INFINITY;
  for (let i = 0; i < runs; i++) {
    const before = processorMs();
    read(text);
    least = Math.min(least, processorMs() - before);
    if (least < HARMLESS_MS) break;
  }
  return least;
}

/** undefined: it grows as its text. Else what was measured. */
function growth(
  read: (text: string) => unknown,
  make: (length: number) => string,
  longest: number,
  tries = TRIES,
): string | undefined {
  if (costOf(read, make(longest), 3) < HARMLESS_MS) return undefined;
  let told = "";
  // Doubt falls on the machine first.
  for (let i = 0; i < tries; i++) {
    const costs = [8, 4, 2, 1].map((part) => {
      const text = make(Math.ceil(longest / part));
      let least = Number.POSITIVE_INFINITY;
      for (let run = 0; run < 3; run++) {
        const before = processorMs();
        read(text);
        least = Math.min(least, processorMs() - before);
      }
      return least;
    });
    const [one = 0, , , eight = 0] = costs;
    if (eight < HARMLESS_MS || eight < MOST_GROWTH * one) return undefined;
    told = costs.map((ms) => ms.toFixed(1)).join(", ");
  }
  return `${told} ms for 1, 2, 4, 8 times the length`;
}

/** What stands again and again in a text. */
const UNITS: readonly string[] = [
  ...Array.from({ length: 95 }, (_, i) => String.fromCharCode(0x20 + i)).filter((c) =>
    /[^B-Zb-z2-9]/.test(c),
  ),
  ..."\t\n\r\0é\u{1f600}",
  ..."a,|,a|, | ,|a=|=a|a;|;a=b|;a=|a.|.a|a/|/a|//|/*|/**|{a}|{a=|a:|:a|:1|::|%2|%20|%e2|%25|a%|".split("|"),
  ..."a(|a)|(a,|()|--|-----|(--|--)|\r\n|\r\na: |\na: |- |  |\n |\n\n| \n|a: |*a |&a |a b|1,|0.|1e|1h|1m1|a-|-a|".split(
    "|",
  ),
  ...'\\"|","|"a"|"a|="|a="|="a",|"a",|[]|[[|[{|{"a":|[1,|\\\\|\\u0041|<a>|<a/>|<a |</a>|<!--|<!|<?|&lt;|&a|&a=1|a=1&'.split(
    "|",
  ),
  "W/",
  'W/"a",',
  "*,",
  "*/*;q=0.5,",
  "text/html;q=",
  "gzip;q=0.5, ",
  "a=b;",
  "a;q=1,",
  "grpc-",
  "trailers",
  "bearer ",
  "import public ",
  "/*",
  "*/",
  "//\n",
  "message a{",
  "Content-",
].filter((unit) => unit !== "");
const ENDS: readonly (readonly [string, string])[] = [
  ["", ""],
  [" x", "x\0"],
];
/** Each time another. */
const DISTINCT: readonly ((i: number) => string)[] = [
  (i) => `k${i},`,
  (i) => `k${i}=v&`,
  (i) => `k${i};q=0.${i % 1000}, `,
  (i) => `"k${i}":1,`,
  (i) => `k${i}: 1\n`,
  (i) => `<k${i}/>`,
  (i) => `/k${i}`,
  (i) => `k${i}.`,
];

function* shapes(): Generator<readonly [what: string, make: (length: number) => string]> {
  for (const unit of UNITS)
    for (const [before, after] of ENDS)
      yield [
        `${JSON.stringify(before)} ${JSON.stringify(unit)}… ${JSON.stringify(after)}`,
        (length) => before + unit.repeat(Math.ceil(length / unit.length)) + after,
      ];
  for (const part of DISTINCT)
    yield [
      `${part(1)}${part(2)}…`,
      (length) => {
        let text = "";
        for (let i = 0; text.length < length; i++) text += part(i);
        return text;
      },
    ];
}

const fieldsOf = (name: string, value: string): HeaderBlock =>
  new HeaderBlock(
    [field(":status", "200"), field("content-type", "application/grpc"), field(name, value)],
    0,
    false,
  );
const requestOf = (name: string, value: string): HeaderBlock =>
  new HeaderBlock(
    [
      field(":method", "POST"),
      field(":scheme", "http"),
      field(":path", name === ":path" ? value : "/a/b"),
      field(":authority", name === ":authority" ? value : "a"),
      ...(name.startsWith(":") ? [] : [field(name, value)]),
    ],
    0,
    false,
  );
const utf8 = (text: string): Buffer => Buffer.from(text);
const latin1 = (text: string): Buffer => Buffer.from(text, "latin1");
/** Misfits are values; what cannot be printed is an error, and as fast. */
const printed = (read: () => unknown): void => {
  try {
    read();
  } catch (error) {
    assert.ok(error instanceof DecodeError || error instanceof RangeError, String(error));
  }
};
const parsed = (read: () => unknown): void => {
  try {
    read();
  } catch (error) {
    assert.ok(error instanceof Error);
  }
};
const configOptions = { file: "c", directory: "/", env: {}, checkPath: () => undefined };

/** Every reader of a text of strangers, of clients and services alike, and of those who write configs and schemas. */
const READERS: Readonly<Record<string, readonly ((text: string) => unknown)[]>> = {
  "header fields and trailers over HTTP/2": [
    (s) => checkRequest(requestOf("a", s), false),
    (s) => checkRequest(requestOf(s, "a"), false),
    (s) => checkRequest(requestOf("cookie", s), false),
    (s) => checkRequest(requestOf("content-length", s), false),
    (s) => checkRequest(requestOf(":path", s), false),
    (s) => checkRequest(requestOf(":authority", s), false),
    (s) => checkResponse(fieldsOf("a", s)),
    (s) => checkResponse(fieldsOf("grpc-message", s)),
    (s) => checkTrailers(fieldsOf("grpc-message", s)),
  ],
  "status and its message": [
    (s) => decodeGrpcMessage(s),
    (s) => encodeGrpcMessage(s),
    (s) => parseGrpcStatus(s),
    (s) => decodeStatusProto(latin1(s)),
    (s) => parseTimeout(s),
    (s) => isGrpcContentType(s),
    (s) => isGrpcContentType(`application/grpc${s}`),
  ],
  "names of hosts and addresses": [(s) => isAuthority(s), (s) => ipOf(s), (s) => ipOf(plainIp(s))],
  "heads of HTTP/1.1": [
    (s) => new HeadReader().read(latin1(`${s} / HTTP/1.1\r\n`), 0),
    (s) => new HeadReader().read(latin1(`GET /${s} HTTP/1.1\r\nhost: a\r\n\r\n`), 0),
    (s) => new HeadReader().read(latin1(`GET / HTTP/1.1\r\nhost: a\r\n${s}`), 0),
    (s) => new HeadReader().read(latin1(`GET / HTTP/1.1\r\nhost: ${s}\r\n\r\n`), 0),
    (s) => new HeadReader().read(latin1(`GET / HTTP/1.1\r\nhost: a\r\nb: ${s}\r\n\r\n`), 0),
    (s) => new HeadReader().read(latin1(`GET / HTTP/1.1\r\nhost: a\r\nconnection: ${s}\r\n\r\n`), 0),
  ],
  "metadata of plain HTTP": [
    (s) => readMetadata([field("a", s), field("a-bin", s), field("connection", s)], GATEWAY, []),
    (s) =>
      readMetadata(
        [field(s, "a"), field("x-request-timeout", s), field("grpc-metadata-a-bin", s)],
        GATEWAY,
        [],
      ),
    (s) =>
      preflightOf("OPTIONS", [
        field("origin", s),
        field("access-control-request-method", s),
        field("access-control-request-headers", s),
      ]),
  ],
  "Accept and Content-Type": [
    (s) => chooseFraming(s, "array"),
    (s) => chooseFraming(s, undefined),
    (s) => [wantsXml(s), wantsProto(s), wantsProblem(s)],
    (s) => [isJsonType(s), isXmlType(s), isNdjsonType(s), formTypeOf(s), isCompressible(s), safeContent(s)],
    (s) => [isJsonType(`application/json;${s}`), safeContent(`text/plain;a="${s}`), safeContent(`a/b${s}`)],
  ],
  "codings and entity tags": [
    (s) => [requestCoding(s), responseCoding(s)],
    (s) => matchesTag(s, '"a"'),
    (s) => matchesTag('"a"', s),
  ],
  "trace context": [
    (s) => joinTracestate([s]),
    (s) => joinTracestate(s.split(",", 1000)),
    (s) => traceFlags(s),
  ],
  "paths and templates": [
    (s) => router.match("GET", s),
    (s) => router.match("GET", `/match/${s}`),
    (s) => router.match("GET", `/match/deep/${s}`),
    (s) => router.match("POST", `/match/deep/${s}:approve`),
    (s) => decodePercent(s),
    (s) => parseTemplate(s),
    (s) => parseTemplate(`/v1/{a=${s}}`),
  ],
  queries: [
    (s) => askQuery(s),
    (s) => askQuery(`text=${s}`),
    (s) => askQuery(`kinds.${s}=1`),
    (s) => askQuery(`kinds.mask=${s}`),
    (s) => askQuery(`kinds.data=${s}`),
    (s) => askQuery(`kinds.big=${s}`),
    (s) => askQuery(`labels[${s}]=1`),
    (s) => askQuery(`$alt=${s}`),
    (s) => askQuery(`$fields=${s}`),
    (s) => looseText(SPAN, s),
    (s) => didYouMean(s, ["text", "display_name"]),
  ],
  forms: [
    (s) => readForm(latin1(s), RULES, codecs),
    (s) => readForm(latin1(`text=${s}`), RULES, codecs),
    (s) => readMultipart(latin1(s), "multipart/form-data; boundary=a", RULES, codecs),
    (s) => readMultipart(latin1(`--a\r\n${s}`), "multipart/form-data; boundary=a", RULES, codecs),
    (s) =>
      readMultipart(
        latin1(`--a\r\nContent-Disposition: form-data; ${s}\r\n\r\nb\r\n--a--`),
        "multipart/form-data; boundary=a",
        RULES,
        codecs,
      ),
    (s) =>
      readMultipart(
        latin1(`--a\r\nContent-Disposition: form-data; name="text"\r\n\r\n${s}\r\n--a--`),
        "multipart/form-data; boundary=a",
        RULES,
        codecs,
      ),
    (s) => readMultipart(latin1(`--a\r\n\r\n\r\n--a--`), `multipart/form-data; ${s}`, RULES, codecs),
  ],
  JSON: [
    (s) => parseJson(s),
    (s) => kinds.encodeText(utf8(s)),
    ...[
      "text",
      "data",
      "big",
      "number",
      "ratio",
      "color",
      "time",
      "span",
      "mask",
      "flag",
      "wrappedBig",
    ].flatMap((name) => [
      (s: string) => kinds.encodeText(utf8(`{"${name}":"${s}"}`)),
      (s: string) => kinds.encodeText(utf8(`{"${name}":${s}}`)),
    ]),
    (s) => kinds.encodeText(utf8(`{${s}}`)),
    (s) => kinds.encodeText(utf8(`{"${s}":1}`)),
    (s) => strict.of(KINDS).encodeText(utf8(`{"${s}":1}`)),
    (s) => kinds.encodeText(utf8(`{"labels":{${s}}}`)),
    (s) => kinds.encodeText(utf8(`{"any":{"@type":"${s}"}}`)),
    (s) => {
      const bytes = utf8(s);
      const splitter = new JsonStreamSplitter("values", 4 * LONGEST, () => {});
      parsed(() => splitter.push(bytes, 0, bytes.length));
    },
  ],
  masks: [(s) => parseFieldsMask(KINDS, s), (s) => parseFieldsMask(KINDS, `child(${s}`)],
  XML: [
    (s) => readXmlBody(KINDS, utf8(s), codecs, "ignore"),
    (s) => readXmlBody(KINDS, utf8(`<Kinds><text>${s}</text></Kinds>`), codecs, "ignore"),
    (s) => readXmlBody(KINDS, utf8(`<Kinds><text a="${s}"/></Kinds>`), codecs, "ignore"),
    (s) => readXmlBody(KINDS, utf8(`<Kinds>${s}</Kinds>`), codecs, "ignore"),
    (s) => readXmlBody(KINDS, utf8(`<Kinds ${s}/>`), codecs, "ignore"),
    (s) => readXmlBody(KINDS, utf8(`<?xml ${s}?><Kinds/>`), codecs, "ignore"),
    (s) => readXmlBody(KINDS, utf8(`<${s}/>`), codecs, "ignore"),
  ],
  "protobuf of services": [
    (s) => printed(() => kinds.decode(latin1(s))),
    (s) => printed(() => kinds.decode(Buffer.concat([Buffer.from([0xaa, 1, 0x80, 0x80, 4]), latin1(s)]))),
    (s) => decodeReflectionResponse(latin1(s), { maxNames: 1000, maxFiles: 1000 }),
  ],
  "HPACK and gRPC frames": [
    (s) => parsed(() => new HpackDecoder().decode(latin1(s), 0, s.length)),
    (s) => new MessageSplitter(4 * LONGEST, undefined).push(latin1(s), 0, s.length, { onMessage: () => {} }),
  ],
  certificates: [(s) => alternativeNames(s), (s) => alternativeNames(`DNS:${s}`)],
  "texts for people": [
    (s) => [cut(s, 100), printable(s), printableLine(s), trimOf(s, " \t"), trimEndOf(s, "/"), summaryOf(s)],
  ],
  ".proto files": [
    (s) => parsed(() => parseProtoFile("a.proto", s)),
    (s) => parsed(() => parseProtoFile("a.proto", `syntax = "proto3"; message A { ${s} }`)),
  ],
  configs: [
    (s) => parseConfig(utf8(s), configOptions),
    (s) => parseConfig(utf8(`listen: ${s}`), configOptions),
    (s) => parseConfig(utf8(`listen: "${s}"`), configOptions),
  ],
};

function askQuery(query: string): void {
  const match = router.match("GET", `/kinds/take?${query}`);
  if (match.kind === "match") parsed(() => encodeBody(match, Buffer.alloc(0), undefined));
}

const ALL = [...shapes()];

test("a reader that looks at each run of spaces once for each of its spaces is found, a linear one is not", () => {
  const spaces = (length: number): string => ` x${" ".repeat(length)}x`;
  assert.match(growth((s) => s.replace(/^ +| +$/g, ""), spaces, LONGEST, 1) ?? "", /ms for 1, 2, 4, 8/);
  const slow = (s: string): number => {
    let sum = 0;
    for (let i = 0; i < 2000 * s.length; i++) sum += i & 3;
    return sum;
  };
  assert.equal(growth(slow, spaces, LONGEST / 2), undefined);
});

/** A hundred times slower than all others, and of those who run the hub. */
const CONFIG_PART = 16;
for (const [name, reads] of Object.entries(READERS))
  test(`${name}: ${reads.length} readers, ${ALL.length} shapes`, (t) => {
    const before = processorMs();
    const longest = name === "configs" ? LONGEST / CONFIG_PART : LONGEST;
    const wrong = reads.flatMap((read, i) =>
      ALL.flatMap(([what, make]) => {
        const told = growth(read, make, longest);
        return told === undefined ? [] : [`reader ${i}, ${what}: ${told}`];
      }),
    );
    t.diagnostic(`${(processorMs() - before).toFixed(0)} ms`);
    assert.deepEqual(wrong, []);
  });

/** A text of parts, each with its number, between a beginning and an end. */
function of(
  begin: string,
  part: (i: number) => string,
  end: string,
  between = "",
): (length: number) => string {
  return (length) => {
    const parts: string[] = [];
    for (let i = 0, sum = 0; sum < length; i++) {
      const next = part(i);
      parts.push(next);
      sum += next.length + between.length;
    }
    return begin + parts.join(between) + end;
  };
}

/** Nested so deep, or as deep as a limit allows, and that again. */
const nested =
  (open: string, inner: string, close: string, depth = Number.POSITIVE_INFINITY) =>
  (length: number): string => {
    const levels = Math.min(depth, Math.ceil(length / (open.length + close.length)));
    return open.repeat(levels) + inner + close.repeat(levels);
  };

const bytesOf = (...bytes: number[]): string => String.fromCharCode(...bytes);
/** A field of a message: its number and its bytes, fewer than 128. */
const lengthField = (no: number, content: string): string =>
  bytesOf((((no << 3) | 2) & 0x7f) | 0x80, no >> 4, content.length) + content;
const toBytes = (s: string): unknown => kinds.encodeText(utf8(s));
const toJson = (s: string): void => printed(() => kinds.decode(latin1(s)));
const toUnmaskedJson = (s: string): void => {
  const mask = parseFieldsMask(KINDS, "text,child(child(text)),labels,parts");
  assert.ok(mask instanceof Map);
  printed(() => kinds.decode(latin1(s), mask));
};
const fromXml = (s: string): unknown => readXmlBody(KINDS, utf8(s), codecs, "ignore");
const fromForm = (s: string): unknown => readForm(latin1(s), RULES, codecs);
const fromParts = (s: string): unknown =>
  readMultipart(latin1(s), "multipart/form-data; boundary=a", RULES, codecs);
const part = (name: string): string => `--a\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n1\r\n`;
const proto = (s: string): void => parsed(() => parseProtoFile("a.proto", s));
const yaml = (s: string): unknown => parseConfig(utf8(s), configOptions);

/** Right ones, with many of one thing. */
const MANY: Readonly<
  Record<string, readonly [read: (text: string) => unknown, make: (length: number) => string][]>
> = {
  "JSON to protobuf": [
    [toBytes, of('{"numbers":[', () => "1", "]}", ",")],
    [toBytes, of('{"words":[', (i) => `"w${i}"`, "]}", ",")],
    [toBytes, of('{"children":[', () => "{}", "]}", ",")],
    [toBytes, of('{"children":[', () => '{"text":"a","child":{"text":"b"}}', "]}", ",")],
    [toBytes, of('{"labels":{', (i) => `"k${i}":"v"`, "}}", ",")],
    [toBytes, of('{"labels":{', () => '"k":"v"', "}}", ",")],
    [toBytes, of('{"counts":{', (i) => `"${i}":"1"`, "}}", ",")],
    [toBytes, of('{"parts":{', (i) => `"k${i}":{"text":"a"}`, "}}", ",")],
    [toBytes, of('{"struct":{', (i) => `"k${i}":{"a":[1,null]}`, "}}", ",")],
    [toBytes, of('{"struct":{', () => '"k":1', "}}", ",")],
    [toBytes, of('{"list":[', () => "[null]", "]}", ",")],
    [toBytes, of("{", () => '"number":1', "}", ",")],
    [toBytes, of("{", () => '"child":{"text":"a"}', "}", ",")],
    [toBytes, of("{", (i) => `"x${i}":{"a":1}`, "}", ",")],
    [(s) => strict.of(KINDS).encodeText(utf8(s)), of("{", (i) => `"x${i}":1`, "}", ",")],
    [toBytes, of("{", (i) => (i % 2 === 0 ? '"one":"a"' : '"two":1'), "}", ",")],
    [toBytes, of('{"mask":"', () => "text", '"}', ",")],
    [toBytes, of('{"mask":"', (i) => `a${i}.b${i}`, '"}', ",")],
    [toBytes, of('{"mask":"', () => "child", '"}', ".")],
    [toBytes, nested('{"child":', "{}", "}", 90)],
    [toBytes, nested('{"child":', "{}", "}")],
    [toBytes, nested("[", "", "]")],
    [toBytes, of('{"data":"', () => "QUJD", '"}')],
    [toBytes, of('{"big":"', () => "0", '1"}')],
    [toBytes, of('{"big":', () => "1", "}")],
    [toBytes, of('{"ratio":1', () => "0", "}")],
    [toBytes, of('{"ratio":0.', () => "0", "1}")],
    [toBytes, of('{"value":1', () => "3", "}")],
    [toBytes, of('{"any":{"@type":"type.googleapis.com/test.v1.Kinds","words":[', () => '"a"', "]}}", ",")],
    [toBytes, of("", () => " ", "{}")],
    [(s) => parseJson(s), of("[", (i) => `{"k${i}":1e5}`, "]", ",")],
  ],
  "protobuf to JSON": [
    ...[toJson, toUnmaskedJson].flatMap((to): [(s: string) => unknown, (length: number) => string][] => [
      [to, of("", () => lengthField(25, ""), "")],
      [to, of("", () => lengthField(25, lengthField(25, lengthField(1, "a"))), "")],
      [to, of("", (i) => lengthField(25, lengthField(20, lengthField(1, `a${i}`))), "")],
      [to, of("", (i) => lengthField(1, `a${i}`), "")],
      [to, of("", () => lengthField(18, "a") + lengthField(1, "a"), "")],
      [to, of("", (i) => lengthField(20 - (i % 3), ""), "")],
      [to, of("", () => lengthField(21, bytesOf(10, 1, 97, 18, 1, 98)), "")],
      [to, of("", (i) => lengthField(21, bytesOf(10, 6) + String(100_000 + i) + bytesOf(18, 1, 98)), "")],
      [to, of("", () => lengthField(24, bytesOf(10, 1, 97, 18, 0)), "")],
      [to, of("", (i) => lengthField(24, bytesOf(10, 6) + String(100_000 + i) + bytesOf(18, 0)), "")],
      [to, of("", (i) => (i % 2 === 0 ? lengthField(26, "a") : lengthField(28, lengthField(1, "b"))), "")],
      [to, of("", () => lengthField(28, lengthField(1, "b")), "")],
      [to, of("", () => lengthField(30, bytesOf(8, 1)), "")],
      [to, of("", () => lengthField(33, lengthField(1, bytesOf(10, 1, 97, 18, 2, 32, 1))), "")],
      [to, of("", () => lengthField(34, bytesOf(50, 2, 10, 0)), "")],
      [to, of("", () => lengthField(35, bytesOf(10, 2, 32, 1)), "")],
      [to, of("", () => lengthField(36, ""), "")],
      [to, of("", () => lengthField(17, bytesOf(1, 2, 3)), "")],
      [to, of("", (i) => lengthField(100 + (i % 900), "x"), "")],
      [to, of("", (_i) => lengthField(32, `${bytesOf(10, 4)}text${bytesOf(10, 5)}words`), "")],
      [to, of("", () => bytesOf(0x83, 0x07), "")],
      [to, of("", () => bytesOf(0x83, 0x07, 0x84, 0x07), "")],
    ]),
  ],
  XML: [
    [fromXml, of("<Kinds>", () => "<numbers>1</numbers>", "</Kinds>")],
    [fromXml, of("<Kinds>", () => "<children><text>a</text></children>", "</Kinds>")],
    [
      fromXml,
      of("<Kinds>", (i) => `<labels><entry><key>k${i}</key><value>v</value></entry></labels>`, "</Kinds>"),
    ],
    [
      fromXml,
      of("<Kinds><labels>", (i) => `<entry><key>k${i}</key><value>v</value></entry>`, "</labels></Kinds>"),
    ],
    [
      fromXml,
      of("<Kinds><labels>", () => "<entry><key>k</key><value>v</value></entry>", "</labels></Kinds>"),
    ],
    [fromXml, of("<Kinds>", (i) => `<x${i}/>`, "</Kinds>")],
    [fromXml, of("<Kinds>", () => "<text>a</text>", "</Kinds>")],
    [fromXml, of("<Kinds>", () => "a<number>1</number>", "</Kinds>")],
    [fromXml, of("<Kinds><text>", () => "&amp;a", "</text></Kinds>")],
    [fromXml, of("<Kinds><text>", () => "<![CDATA[a]]>", "</text></Kinds>")],
    [fromXml, of("<Kinds><text>", () => "<!-- a -->", "</text></Kinds>")],
    [fromXml, of("<Kinds><struct>", (i) => `<k${i} type="number">1</k${i}>`, "</struct></Kinds>")],
    [fromXml, nested("<child>", "", "</child>", 90)],
    [fromXml, nested("<a>", "", "</a>")],
    [fromXml, of("<Kinds ", (i) => `a${i}="b" `, "/>")],
  ],
  "queries and forms": [askQuery, fromForm].flatMap(
    (read): [(s: string) => unknown, (length: number) => string][] => [
      [read, of("", () => "numbers=1", "", "&")],
      [read, of("", (i) => `labels[k${i}]=v`, "", "&")],
      [read, of("", (i) => `labels.k${i}=v`, "", "&")],
      [read, of("", (i) => `kinds.labels[k${i}]=v`, "", "&")],
      [read, of("", () => "kinds.words=a", "", "&")],
      [read, of("", () => "text=a", "", "&")],
      [read, of("", (i) => `x${i}=a`, "", "&")],
      [read, of("", (i) => `kinds.child.x${i}=a`, "", "&")],
      [read, of("kinds.", () => "child.", "text=a")],
      [read, of("", (i) => `kinds.${"child.".repeat(i % 20)}text=a`, "", "&")],
      [read, of("", () => "kinds.mask=text", "", "&")],
      [read, of("", () => "$fields=got", "", "&")],
      [read, of("$fields=", () => "got", "", ",")],
      [read, of("", () => "", "", "&")],
    ],
  ),
  multipart: [
    [fromParts, of("", () => part("numbers"), "--a--\r\n")],
    [fromParts, of("", (i) => part(`labels[k${i}]`), "--a--\r\n")],
    [fromParts, of("", (i) => part(`x${i}`), "--a--\r\n")],
    [fromParts, of("--a\r\n", (i) => `x${i}: a\r\n`, "\r\n1\r\n--a--\r\n")],
    [
      fromParts,
      of('--a\r\nContent-Disposition: form-data; name="text"', (i) => `; x${i}=a`, "\r\n\r\n1\r\n--a--\r\n"),
    ],
  ],
  ".proto files": [
    [proto, of('syntax = "proto3";', (i) => `message M${i} { string a = 1; }\n`, "")],
    [proto, of("message M {", (i) => `/*c*/ optional int32 f${i} = ${i + 1}; `, "}")],
    [proto, of("message M {", (i) => `/*c*/ optional group G${i} = ${i + 1} {} `, "}")],
    [proto, of('syntax = "proto3"; enum E {', (i) => `V${i} = ${i};\n`, "}")],
    [proto, of('syntax = "proto3";', (i) => `import public "a${i}.proto";\n`, "")],
    [proto, of('syntax = "proto3";', (i) => `// a${i}\nmessage M${i} {}\n`, "")],
    [
      proto,
      of(
        'syntax = "proto3"; service S {',
        (i) => `rpc M${i}(A) returns (A) { option (a.b) = { get: "/a${i}" }; }\n`,
        "}",
      ),
    ],
    [proto, nested("message M { ", "", " }", 60)],
  ],
  configs: [
    [yaml, of("upstreams:\n", (i) => `  u${i}: { endpoints: ["h:1"] }\n`, "")],
    [
      yaml,
      of("upstreams: { a: { endpoints: [h:1] } }\nmethods:\n", (i) => `  a.B/C${i}: { deadline: 1s }\n`, ""),
    ],
    [yaml, of("upstreams: { a: { endpoints: [", (i) => `"h:${i + 1}"`, "] } }\n", ",")],
    [yaml, of("", (i) => `k${i}: 1\n`, "")],
    [yaml, of("a: &a [1]\nb: [", () => "*a", "]\n", ",")],
    [yaml, nested("[", "", "]")],
  ],
};
for (const [name, rows] of Object.entries(MANY))
  test(`many of one thing: ${name}, ${rows.length} shapes`, (t) => {
    const before = processorMs();
    const longest = name === "configs" ? LONGEST / 2 : 4 * LONGEST;
    const wrong = rows.flatMap(([read, make], i) => {
      const told = growth(read, make, longest);
      return told === undefined ? [] : [`row ${i}, ${make(10).slice(0, 100)}: ${told}`];
    });
    t.diagnostic(`${(processorMs() - before).toFixed(0)} ms`);
    assert.deepEqual(wrong, []);
  });
