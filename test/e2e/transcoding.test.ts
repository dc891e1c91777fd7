// What users of plain HTTP may count on, request by request: matching, queries, bodies, streams, statuses and headers.
import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { brotliCompressSync, deflateSync, gunzipSync, gzipSync } from "node:zlib";
import { http, VERSIONS } from "./support/http.js";
import { startHub, startHubWithConfig } from "./support/hub.js";
import { holds, type Row } from "./support/rows.js";
import { startService } from "./support/service.js";

const scope = { after };
const [kinds, behavior, files] = await Promise.all([
  startService(scope, "kinds"),
  startService(scope, "behavior"),
  startService(scope, "files"),
]);
const upstreams = `
upstreams:
  kinds: { endpoints: ["${kinds.address}"] }
  behavior: { endpoints: ["${behavior.address}"] }
  files: { endpoints: ["${files.address}"] }
`;
const [plain, optioned, loose] = await Promise.all([
  startHub(scope, [`kinds=${kinds.address}`, `behavior=${behavior.address}`, `files=${files.address}`]),
  startHubWithConfig(
    scope,
    `${upstreams}
methods:
  test.v1.KindsService/Give: { http: { success: 201, location: "/kinds/give/{text}" } }
  test.v1.KindsService/Take: { forms: true }
http:
  ignoredQuery: [utm_source]
  methodOverride: true
  bareSystemParameters: true
  emptyAs204: true
  allowActiveContent: true
  print: { protoNames: true, enumsAsNumbers: true, int64AsNumbers: true, emitDefaults: true }
  cors: { origins: ["https://app.example.com"] }
  rules:
    - { selector: test.v1.KindsService.Plain, get: "/plain/first/{name}" }
    - { selector: test.v1.KindsService.Plain, get: "/plain/last/{name}", additional_bindings: [{ post: "/test.v1.KindsService/Rival", body: "*" }, { get: "/plain/broken/{nobody}" }] }
`,
  ),
  startHubWithConfig(scope, `${upstreams}\nhttp: { preset: grpc-gateway }\n`),
]);
const hubs = { plain, optioned, loose };

const TEXT = { "content-type": "text/plain" };
const FORM = { "content-type": "application/x-www-form-urlencoded" };
const XML = { "content-type": "application/xml" };
const NDJSON = { "content-type": "application/x-ndjson" };
const PLAIN = "/test.v1.KindsService/Plain";
const base64 = (text: string): string => Buffer.from(text).toString("base64");
/** A value inside of so many others. */
const nested = (levels: number): string => `{"kinds":${'{"child":'.repeat(levels)}{}${"}".repeat(levels)}}`;

const MATCHING: readonly Row[] = [
  { what: "a literal comes before a variable", send: "GET /match/literal", got: {} },
  { what: "a variable takes what is no literal", send: "GET /match/other", got: { name: "other" } },
  {
    what: "a literal under another method hides no wildcard",
    send: "GET /match/literal/leaf",
    got: { name: "literal" },
  },
  { what: "… and answers its own method", send: "POST /match/literal/leaf", body: {}, got: {} },
  {
    what: "the same path under two methods is two routes",
    send: "POST /match/literal",
    body: { name: "x" },
    got: { name: "x" },
  },
  {
    what: "a variable of several segments",
    send: "GET /match/shelves/1/books/2",
    got: { name: "shelves/1/books/2" },
  },
  {
    what: "a variable of several segments wants all of them",
    send: "GET /match/shelves/1/books",
    status: 404,
    says: /route/,
  },
  { what: "** is none", send: "GET /match/deep", got: {} },
  { what: "** is one", send: "GET /match/deep/a", got: { name: "a" } },
  { what: "** is many", send: "GET /match/deep/a/b/c", got: { name: "a/b/c" } },
  {
    what: "** keeps empty segments and the slash at the end",
    send: "GET /match/deep/a//b/",
    got: { name: "a//b/" },
  },
  { what: "* without a variable", send: "GET /match/star/any/x", got: { name: "x" } },
  { what: "a verb that is registered", send: "GET /match/a:approve", got: { name: "a" } },
  { what: "a colon without such a verb belongs to the value", send: "GET /match/a:b", got: { name: "a:b" } },
  { what: "the last colon is the verb's", send: "GET /match/a:b:approve", got: { name: "a:b" } },
  {
    what: "a verb after **",
    send: "POST /match/deep/a/b:approve",
    body: "",
    status: 200,
    got: { name: "a/b" },
  },
  {
    what: "a verb of another method belongs to the value",
    send: "GET /match/deep/a:approve",
    got: { name: "a:approve" },
  },
  { what: "an escaped colon is no verb", send: "GET /match/a%3Aapprove", got: { name: "a:approve" } },
  {
    what: "a colon before a slash is no verb",
    send: "GET /match/a:approve/leaf",
    got: { name: "a:approve" },
  },
  { what: "one segment is decoded whole", send: "GET /match/a%2Fb%20%c3%a4", got: { name: "a/b ä" } },
  { what: "several segments keep %2F", send: "GET /match/deep/a%2Fb/c%20d", got: { name: "a%2Fb/c d" } },
  { what: "several segments keep %2f", send: "GET /match/deep/a%2fb", got: { name: "a%2fb" } },
  { what: "an escaped slash is no slash", send: "GET /match/literal%2Fleaf", got: { name: "literal/leaf" } },
  { what: "an escaped literal is that literal", send: "POST /m%61tch/liter%61l", body: {}, got: {} },
  { what: "+ in a path is a plus", send: "GET /match/a+b", got: { name: "a+b" } },
  { what: "nothing is decoded twice", send: "GET /match/a%252Fb", got: { name: "a%2Fb" } },
  {
    what: "an escape that is cut off",
    send: "GET /match/a%2",
    status: 400,
    field: "",
    says: /segment 2, 'a%2'/,
  },
  {
    what: "an escape that is none",
    send: "GET /match/%zz",
    status: 400,
    field: "",
    says: /segment 2, '%zz'/,
  },
  { what: "escapes that are no UTF-8", send: "GET /match/%ff", status: 400, says: /UTF-8/ },
  { what: "UTF-8 that is too long", send: "GET /match/%c0%af", status: 400, says: /UTF-8/ },
  { what: "a surrogate in UTF-8", send: "GET /match/%ed%a0%80", status: 400, says: /UTF-8/ },
  { what: "a slash at the end counts", send: "GET /match/literal/leaf/", status: 404, says: /route/ },
  { what: "a slash at the beginning counts", send: "GET //match/literal", status: 404, says: /route/ },
  { what: "dots are not resolved", send: "GET /match/../match/literal", status: 404, says: /route/ },
  { what: "dots in a value stay", send: "GET /match/deep/../x", got: { name: "../x" } },
  {
    what: "a 64-bit number to the last digit",
    send: "GET /match/number/9007199254740993",
    got: { number: "9007199254740993" },
  },
  { what: "a number that is none", send: "GET /match/number/abc", status: 400, field: "number", says: /abc/ },
  {
    what: "a number that is too large",
    send: "GET /match/number/9223372036854775808",
    status: 400,
    field: "number",
  },
  { what: "an enum by name", send: "GET /match/color/COLOR_RED", got: { color: "COLOR_RED" } },
  { what: "an enum by number", send: "GET /match/color/2", got: { color: "COLOR_BLUE" } },
  { what: "an enum that is none", send: "GET /match/color/COLOR_GREEN", status: 400, field: "color" },
  { what: "bytes, URL-safe", send: "GET /match/data/-_8", got: { data: "+/8=" } },
  { what: "a truth", send: "GET /match/flag/true", got: { flag: true } },
  { what: "a truth that is none", send: "GET /match/flag/yes", status: 400, field: "flag" },
  { what: "a moment", send: "GET /match/time/2024-05-01T10:00:00Z", got: { time: "2024-05-01T10:00:00Z" } },
  { what: "a wrapper", send: "GET /match/wrapped/x", got: { wrapped: "x" } },
  {
    what: "nested variables; of two rules of one shape the first answers",
    send: "GET /match/inner/a/5",
    got: { inner: { name: "a", number: "5" } },
  },
  { what: "a method of one's own", send: "LOCK /match/x", got: { name: "x" } },
  { what: "any method, where a rule says so", send: "PROPFIND /match/any/x", got: { name: "x" } },
  { what: "the very method comes before any", send: "DELETE /match/any/y", got: { name: "y" } },
  { what: "a literal comes before any method's wildcard", send: "GET /match/any/exact", got: {} },
  {
    what: "what the literal does not take falls to any method's wildcard",
    send: "PATCH /match/any/exact",
    got: { name: "exact" },
  },
  {
    what: "a rule that breaks the grammar is no route",
    send: "GET /match/broken/x/end",
    status: 404,
    says: /route/,
  },
  {
    what: "a method without a rule has its gRPC path",
    send: `POST ${PLAIN}`,
    body: { name: "x" },
    got: { name: "x" },
  },
  {
    what: "… and one with a rule as well",
    send: "POST /test.v1.KindsService/Match",
    body: { name: "x" },
    got: { name: "x" },
  },
  {
    what: "… which takes JSON alone: no form",
    send: `POST ${PLAIN}`,
    headers: FORM,
    body: "name=x",
    status: 415,
    says: /application\/json/,
  },
  {
    what: "… no text",
    send: `POST ${PLAIN}`,
    headers: TEXT,
    body: '{"name":"x"}',
    status: 415,
    says: /application\/json/,
  },
  {
    what: "… no protobuf",
    send: `POST ${PLAIN}`,
    headers: { "content-type": "application/x-protobuf" },
    body: "",
    status: 415,
    says: /application\/json/,
  },
  {
    what: "… and not nothing, which a page of another site can send",
    send: `POST ${PLAIN}`,
    status: 415,
    says: /application\/json/,
  },
  { what: "… nor GET", send: `GET ${PLAIN}`, status: 405, has: { allow: /POST/ } },
  {
    what: "… but never for gRPC's own services",
    send: "POST /grpc.health.v1.Health/Check",
    body: {},
    status: 404,
    says: /route/,
  },
  { what: "… nor for the hub's", send: "POST /linchpin.Pages/OpenApi", body: {}, status: 404, says: /route/ },
  {
    what: "a rule of the config; the last of a method wins",
    hub: "optioned",
    send: "GET /plain/last/x",
    got: { name: "x" },
  },
  {
    what: "… and the ones before are gone",
    hub: "optioned",
    send: "GET /plain/first/x",
    status: 404,
    says: /route/,
  },
  {
    what: "… a rule beats a gRPC path",
    hub: "optioned",
    send: "POST /test.v1.KindsService/Rival",
    headers: { "content-type": "application/json" },
    body: { name: "plain" },
    got: { name: "plain" },
  },
  {
    what: "no route is 404, and the nearest are told",
    send: "GET /match/star/x",
    status: 404,
    says: /\/match\/star\/\*\/\{name\}/,
  },
  {
    what: "a wrong method is 405 with those that are right",
    send: "PUT /match/literal",
    status: 405,
    has: { allow: /^(?=.*\bGET\b)(?=.*\bHEAD\b)(?=.*\bPOST\b)(?=.*\bLOCK\b)/ },
    says: /PUT/,
  },
  {
    what: "HEAD answers as GET does, without the body",
    send: "HEAD /match/x",
    text: "",
    has: { "content-type": "application/json", "content-length": /^[1-9]/ },
  },
  {
    what: "OPTIONS tells the methods",
    send: "OPTIONS /match/literal",
    status: 204,
    text: "",
    has: { allow: /GET.*POST|POST.*GET/ },
  },
  { what: "OPTIONS of nothing is 404", send: "OPTIONS /nothing", status: 404 },
  {
    what: "X-HTTP-Method-Override is not heard",
    send: "POST /kinds",
    headers: { "x-http-method-override": "DELETE" },
    status: 405,
  },
  {
    what: "… unless the config says so",
    hub: "optioned",
    send: "POST /kinds",
    headers: { "x-http-method-override": "DELETE" },
    status: 204,
  },
  {
    what: "… and on POST alone",
    hub: "optioned",
    send: "GET /kinds",
    headers: { "x-http-method-override": "DELETE" },
    status: 405,
  },
];

const query = (text: string, got: unknown, what: string): Row => ({
  what,
  send: `GET /kinds/take?${text}`,
  got,
});
const bad = (text: string, field: string, what: string): Row => ({
  what,
  send: `GET /kinds/take?${text}`,
  status: 400,
  field,
});

const QUERY: readonly Row[] = [
  query("kinds.display_name=x", { kinds: { shown: "x" } }, "a nested field by its name"),
  query("kinds.shown=x", { kinds: { shown: "x" } }, "… and by its JSON name"),
  bad("kinds.displayName=x", "kinds.displayName", "… but by no other"),
  query("kinds.child.child.text=x", { kinds: { child: { child: { text: "x" } } } }, "deep nesting"),
  query("numbers=1&numbers=2", { numbers: [1, 2] }, "repeated numbers"),
  query(
    "kinds.words=b&kinds.words=a&kinds.words=",
    { kinds: { words: ["b", "a", ""] } },
    "repeated texts, in order",
  ),
  query(
    "kinds.colors=COLOR_RED&kinds.colors=2",
    { kinds: { colors: ["COLOR_RED", "COLOR_BLUE"] } },
    "enums by name and number",
  ),
  query("kinds.color=77", { kinds: { color: 77 } }, "an enum's number that has no name"),
  query("kinds.data=%2B%2F8%3D", { kinds: { data: "+/8=" } }, "bytes in base64"),
  query("kinds.data=%2B%2F8", { kinds: { data: "+/8=" } }, "… without padding"),
  query("kinds.data=-_8=", { kinds: { data: "+/8=" } }, "… URL-safe"),
  query("kinds.data=-_8", { kinds: { data: "+/8=" } }, "… URL-safe without padding"),
  query(
    "kinds.time=2024-05-01T12:00:00.5%2B02:00",
    { kinds: { time: "2024-05-01T10:00:00.500Z" } },
    "a moment",
  ),
  query("kinds.span=1.5s", { kinds: { span: "1.500s" } }, "a duration"),
  query("kinds.mask=displayName,child.text", { kinds: { mask: "displayName,child.text" } }, "a field mask"),
  query(
    "kinds.wrappedBig=9007199254740993",
    { kinds: { wrappedBig: "9007199254740993" } },
    "a wrapped number",
  ),
  query("kinds.wrapped_text=", { kinds: { wrappedText: "" } }, "a wrapped text is set, be it empty"),
  query("kinds.wrapped_flag=false", { kinds: { wrappedFlag: false } }, "a wrapped truth is set, be it false"),
  query("kinds.maybe=0", { kinds: { maybe: 0 } }, "an optional field is set, be it 0"),
  query("kinds.presence.count=7", { kinds: { presence: { count: 7 } } }, "proto2: set, be it the default"),
  query("labels[a]=1&labels[b.c]=2", { labels: { a: "1", "b.c": "2" } }, "a map"),
  query("labels%5Ba%5D=1", { labels: { a: "1" } }, "a map with brackets escaped"),
  query(
    "kinds.counts[-3]=4&kinds.sides[true]=COLOR_RED",
    { kinds: { counts: { "-3": "4" }, sides: { true: "COLOR_RED" } } },
    "maps by number and truth",
  ),
  query("struct=%7B%22a%22:[1,null]%7D", { struct: { a: [1, null] } }, "a Struct is JSON"),
  query(
    "kinds.value=%22x%22&kinds.list=[1,true]",
    { kinds: { value: "x", list: [1, true] } },
    "a Value and a ListValue are JSON",
  ),
  query("kinds.value=null", { kinds: { value: null } }, "a Value can be null"),
  query(
    "kinds.ratio=NaN&kinds.single=-Infinity",
    { kinds: { ratio: "NaN", single: "-Infinity" } },
    "numbers that are none",
  ),
  query("kinds.two=0", { kinds: { two: 0 } }, "a member of a oneof is set, be it 0"),
  query("text=a+b%2Bc%20d", { text: "a b+c d" }, "+ is a space, %2B a plus"),
  query("text=%2525", { text: "%25" }, "nothing is decoded twice"),
  query("text=a;b", { text: "a;b" }, "a semicolon parts nothing"),
  query("text=a=b", { text: "a=b" }, "the first = parts"),
  query("&&text=x&", { text: "x" }, "nothing between two & is nothing"),
  query("text", {}, "a name without = is an empty text"),
  bad("kinds.children.text=x", "kinds.children.text", "a field of a repeated message"),
  bad("kinds.parts[a].text=x", "kinds.parts[a].text", "a field of a message in a map"),
  bad("kinds=x", "kinds", "a whole message"),
  bad("text=a&text=b", "text", "a key twice"),
  bad("text=a&text=a", "text", "a key twice, the same value too"),
  bad("kinds.shown=a&kinds.display_name=b", "kinds.display_name", "a field by both of its names"),
  bad("labels[a]=1&labels[a]=2", "labels[a]", "a map's key twice"),
  bad("kinds.one=a&kinds.two=1", "kinds.two", "two members of a oneof"),
  bad("nmae=x", "nmae", "an unknown parameter"),
  bad("kinds.child.nope=1", "kinds.child.nope", "an unknown parameter deep inside"),
  bad("text.x=1", "text.x", "a field of what has none"),
  bad("labels=1", "labels", "a map without a key"),
  bad("kinds.number=2147483648", "kinds.number", "a number out of range"),
  bad("kinds.number=1.5", "kinds.number", "a fraction for an integer"),
  bad("kinds.number=", "kinds.number", "nothing for a number"),
  bad("kinds.unsigned=-1", "kinds.unsigned", "a negative number without a sign"),
  bad("kinds.single=1e39", "kinds.single", "a float out of range"),
  bad("kinds.flag=1", "kinds.flag", "a truth that is none"),
  bad("kinds.color=red", "kinds.color", "an enum that is none"),
  bad("kinds.data=%25", "kinds.data", "bytes that are no base64"),
  bad("kinds.time=yesterday", "kinds.time", "a moment that is none"),
  bad("kinds.span=1", "kinds.span", "a duration without its s"),
  bad("struct=%7B", "struct", "a Struct that is no JSON"),
  bad("struct=[]", "struct", "a Struct that is no object"),
  {
    what: "an escape that is none",
    send: "GET /kinds/take?text=%zz",
    status: 400,
    field: "text",
    says: /percent-encoding/,
  },
  { what: "escapes that are no UTF-8", send: "GET /kinds/take?text=%ff", status: 400, says: /UTF-8/ },
  {
    what: "a hundred and more levels",
    send: `GET /kinds/take?kinds.${"child.".repeat(120)}text=x`,
    status: 400,
    says: /more than 32 steps/,
  },
  {
    what: "unknown parameters are passed over where the config says so",
    hub: "loose",
    send: "GET /kinds/take?nmae=x&text=a",
    got: { text: "a" },
  },
  {
    what: "a parameter on the config's list is passed over",
    hub: "optioned",
    send: "GET /kinds/take?utm_source=x&text=a",
    got: { text: "a" },
  },
  { what: "… and no other", hub: "optioned", send: "GET /kinds/take?utm_medium=x", status: 400 },
  {
    what: "a field of the path, otherwise in the query",
    send: "PUT /kinds/named/a/child?display_name=b",
    body: {},
    status: 400,
    field: "display_name",
  },
  {
    what: "… by its other name",
    send: "PUT /kinds/named/a/child?displayName=b",
    body: {},
    status: 400,
    field: "displayName",
  },
  {
    what: "… the same in the query",
    send: "PUT /kinds/named/a/child?displayName=a",
    body: {},
    got: { displayName: "a", kinds: {} },
  },
  {
    what: "a field of the path, otherwise in the body",
    send: "POST /kinds/named/a",
    body: { displayName: "b" },
    status: 400,
    says: /displayName|display_name/,
  },
  {
    what: "… by its other name",
    send: "POST /kinds/named/a",
    body: { display_name: "b" },
    status: 400,
    says: /displayName|display_name/,
  },
  {
    what: "… by an escaped name",
    send: "POST /kinds/named/a",
    body: '{"displ\\u0061yName":"b"}',
    status: 400,
    says: /displayName|display_name/,
  },
  {
    what: "… the same in the body",
    send: "POST /kinds/named/a",
    body: { display_name: "a", text: "x" },
    got: { displayName: "a", text: "x" },
  },
  {
    what: "a nested field of the path, otherwise in the body",
    send: "PUT /kinds/deep/a/b",
    body: { text: "c" },
    status: 400,
    says: /text/,
  },
  {
    what: "… the same in the body",
    send: "PUT /kinds/deep/a/b",
    body: { text: "a/b", flag: true },
    got: { kinds: { text: "a/b", flag: true } },
  },
  {
    what: "… and null in the body",
    send: "PUT /kinds/deep/a/b",
    body: "null",
    got: { kinds: { text: "a/b" } },
  },
  {
    what: "a field of the body in the query",
    send: "POST /kinds/child?kinds.number=1",
    body: {},
    status: 400,
    field: "kinds.number",
  },
  {
    what: "any field in the query, where the body is all",
    send: "POST /kinds/take?text=x",
    body: {},
    status: 400,
    field: "text",
  },
  {
    what: "$alt prints enums as numbers",
    send: "GET /kinds/give/x?kinds.color=COLOR_RED&$alt=json;enum-encoding=int",
    json: { color: 1 },
  },
  {
    what: "$prettyPrint indents",
    send: "GET /kinds/give/x?kinds.number=1&$prettyPrint=true",
    text: /^\{\n +"number": 1\n\}\n?$/,
  },
  {
    what: "$fields answers a part",
    send: "POST /kinds/give?$fields=kinds.child.text,text",
    body: { text: "a", kinds: { number: 1, child: { text: "b", number: 2 } } },
    json: { text: "a", kinds: { child: { text: "b" } } },
  },
  {
    what: "$alt=proto answers in binary",
    send: "GET /kinds/take?$alt=proto",
    has: { "content-type": /protobuf/ },
  },
  {
    what: "$alt=sse streams events",
    send: "GET /test/v1/server-stream?behavior.responseCount=1&$alt=sse",
    text: /^data: /,
    has: { "content-type": "text/event-stream" },
  },
  { what: "an $alt that is none", send: "GET /kinds/take?$alt=xls", status: 400, says: /\$alt/ },
  { what: "$fields that are none", send: "GET /kinds/take?$fields=nope", status: 400, says: /\$fields|nope/ },
  { what: "a system parameter that is none", send: "GET /kinds/take?$nope=1", status: 400, says: /\$nope/ },
  { what: "a system parameter without its $", send: "GET /kinds/take?alt=json", status: 400, field: "alt" },
  {
    what: "… where the config allows it",
    hub: "optioned",
    send: "GET /kinds/take?alt=json&text=a",
    got: { text: "a" },
  },
];

const take = (body: unknown, got: unknown, what: string): Row => ({
  what,
  send: "POST /kinds/take",
  body,
  got,
});
const kind = (fields: string, got: unknown, what: string): Row =>
  take(`{"kinds":{${fields}}}`, { kinds: got }, what);
const wrong = (body: string | Buffer, says: RegExp, what: string): Row => ({
  what,
  send: "POST /kinds/take",
  body,
  status: 400,
  says,
});
const wrongKind = (fields: string, field: string, what: string): Row => ({
  what,
  send: "POST /kinds/take",
  body: `{"kinds":{${fields}}}`,
  status: 400,
  field: `kinds.${field}`,
  says: new RegExp(`^\\$\\.kinds\\.${field.replace(/[[\]]/g, "\\$&")}: `),
});
const give = (fields: string, json: unknown, what: string): Row => ({
  what,
  send: "POST /kinds/give/kinds",
  body: `{"kinds":{${fields}}}`,
  json,
});
const ANY = "type.googleapis.com";
const PARTS =
  '--X\r\nContent-Disposition: form-data; name="text"\r\n\r\na b\r\n--X\r\nContent-Disposition: form-data; name="file"; filename="f.png"\r\nContent-Type: image/png\r\n\r\n\u0001\u0002\r\n--X--\r\n';

const BODIES: readonly Row[] = [
  { what: "no body: defaults", send: "POST /kinds/take", got: {} },
  take("", {}, "an empty body: defaults"),
  take({}, {}, "an empty object: defaults"),
  { what: "a body where the rule has none", send: "GET /kinds/take", body: {}, status: 400, says: /body/ },
  { what: "… DELETE as well", send: "DELETE /kinds/take", body: {}, status: 400, says: /body/ },
  {
    what: "the body is a message, the query the rest",
    send: "POST /kinds/child?text=x&numbers=1",
    body: { number: 1 },
    got: { kinds: { number: 1 }, text: "x", numbers: [1] },
  },
  { what: "the body is a text", send: "POST /kinds/text", body: '"hello"', got: { text: "hello" } },
  { what: "the body is a list", send: "POST /kinds/numbers", body: [1, 2], got: { numbers: [1, 2] } },
  { what: "the body is a map", send: "POST /kinds/labels", body: { a: "b" }, got: { labels: { a: "b" } } },
  {
    what: "the body is a Struct",
    send: "POST /kinds/struct",
    body: { a: [null, { b: 1 }] },
    got: { struct: { a: [null, { b: 1 }] } },
  },
  {
    what: "the body of a text is no number",
    send: "POST /kinds/text",
    body: "5",
    status: 400,
    says: /string/,
  },
  {
    what: "the body of a list is no object",
    send: "POST /kinds/numbers",
    body: {},
    status: 400,
    says: /expected a list/,
  },
  { what: "response_body: a text", send: "POST /kinds/give/text", body: { text: "a" }, text: '"a"' },
  {
    what: "response_body: a list",
    send: "POST /kinds/give/numbers",
    body: { numbers: [1, 2] },
    json: [1, 2],
  },
  { what: "response_body: an empty list", send: "POST /kinds/give/numbers", body: {}, json: [] },
  {
    what: "response_body: a map",
    send: "POST /kinds/give/labels",
    body: { labels: { a: "b" } },
    json: { a: "b" },
  },
  {
    what: "response_body: a message",
    send: "POST /kinds/give/kinds",
    body: { kinds: { number: 1 } },
    json: { number: 1 },
  },
  give(
    '"big":"9007199254740993","bigUnsigned":18446744073709551615,"bigFixed":-9223372036854775808',
    { big: "9007199254740993", bigUnsigned: "18446744073709551615", bigFixed: "-9223372036854775808" },
    "64 bits: both forms in, text out",
  ),
  kind(
    '"number":1.0,"signed":-1e2,"fixed":"3","big":1.2e1',
    { number: 1, signed: -100, fixed: 3, big: "12" },
    "1.0 and 1e2 are integers",
  ),
  give(
    '"ratio":"NaN","single":"-Infinity"',
    { ratio: "NaN", single: "-Infinity" },
    "numbers that are none are texts",
  ),
  kind('"text":null,"numbers":null,"child":null,"labels":null,"maybe":null', {}, "null unsets"),
  kind(
    '"display_name":"a","wrapped_text":"","wrappedBig":"1"',
    { shown: "a", wrappedText: "", wrappedBig: "1" },
    "both spellings of names",
  ),
  kind(
    '"maybe":0,"presence":{"count":0,"word":""},"two":0',
    { maybe: 0, presence: { count: 0, word: "" }, two: 0 },
    "what is set stays set",
  ),
  kind(
    '"presence":{"corner":{"x":1},"steps":[1,2]}',
    { presence: { corner: { x: 1 }, steps: [1, 2] } },
    "proto2, a group too",
  ),
  kind('"one":null,"two":1', { two: 1 }, "null beside a member of a oneof"),
  kind(
    '"time":"2024-05-01T10:00:00+02:00","span":"-1.5s","mask":"displayName,child.text","empty":{},"none":null',
    { time: "2024-05-01T08:00:00Z", span: "-1.500s", mask: "displayName,child.text", empty: {} },
    "times, masks and nothing",
  ),
  kind(
    '"struct":{"a":null},"value":null,"list":[1,"x",[]]',
    { struct: { a: null }, value: null, list: [1, "x", []] },
    "any JSON",
  ),
  kind(
    '"wrappedBig":"0","wrappedText":"","wrappedFlag":false,"wrappedData":""',
    { wrappedBig: "0", wrappedText: "", wrappedFlag: false, wrappedData: "" },
    "wrappers",
  ),
  kind(
    '"children":[{"text":"a"},{}],"parts":{"x":{"number":1}},"counts":{"-1":"2"},"sides":{"true":"COLOR_RED"}',
    {
      children: [{ text: "a" }, {}],
      parts: { x: { number: 1 } },
      counts: { "-1": "2" },
      sides: { true: "COLOR_RED" },
    },
    "lists and maps of messages",
  ),
  kind(
    '"color":"COLOR_BLUE","colors":[1,"COLOR_BLUE",77]',
    { color: "COLOR_BLUE", colors: ["COLOR_RED", "COLOR_BLUE", 77] },
    "enums by name and number",
  ),
  kind(
    '"data":"-_8","wrappedData":"+/8="',
    { data: "+/8=", wrappedData: "+/8=" },
    "bytes of either alphabet",
  ),
  kind('"text":"\\ud83d\\ude00\\u0000"', { text: "😀\u0000" }, "escapes"),
  kind(
    `"any":{"@type":"${ANY}/test.v1.MatchRequest","name":"x"}`,
    { any: { "@type": `${ANY}/test.v1.MatchRequest`, name: "x" } },
    "Any of a message",
  ),
  give(
    `"any":{"value":"1.5s","@type":"${ANY}/google.protobuf.Duration"}`,
    { any: { "@type": `${ANY}/google.protobuf.Duration`, value: "1.500s" } },
    "Any of a well-known type, both ways",
  ),
  wrongKind(`"any":{"@type":"${ANY}/no.Such","x":1}`, "any.@type", "Any of what nobody knows"),
  wrongKind('"numbers":[1,null]', "numbers[1]", "null inside of a list"),
  wrongKind('"number":1.5', "number", "a fraction for an integer"),
  wrongKind('"number":2147483648', "number", "a number out of range"),
  wrongKind('"number":true', "number", "a truth for a number"),
  wrongKind('"big":"9223372036854775808"', "big", "64 bits out of range"),
  wrongKind('"ratio":1e400', "ratio", "a double out of range"),
  wrongKind('"text":5', "text", "a number for a text"),
  wrongKind('"flag":"true"', "flag", "a text for a truth"),
  wrongKind('"color":"COLOR_GREEN"', "color", "an enum that is none"),
  wrongKind('"data":"%%"', "data", "bytes that are no base64"),
  wrongKind('"time":"2024-05-01"', "time", "a moment that is none"),
  wrongKind('"time":"0000-01-01T00:00:00Z"', "time", "a moment out of range"),
  wrongKind('"span":"1"', "span", "a duration without its s"),
  wrongKind('"child":[]', "child", "a list for a message"),
  wrongKind('"children":{}', "children", "a message for a list"),
  wrongKind('"child":{"nmae":1}', "child.nmae", "an unknown field, by its path"),
  wrongKind('"children":[{},{"nmae":1}]', "children[1].nmae", "… inside of a list"),
  wrong('{"kinds":{"number":1,"number":1}}', /line 1, column 22: .*"number".*twice/, "a field twice"),
  wrongKind('"shown":"a","display_name":"a"', "shown", "a field by both of its names"),
  wrongKind('"one":"a","two":1', "two", "two members of a oneof"),
  wrongKind('"counts":{"a":1}', "counts.a", "a map's key that is none"),
  wrong('{"text":"\\ud800"}', /line 1, column 9: .*surrogate/, "a lone surrogate"),
  wrong(Buffer.from('{"text":"\xff"}', "latin1"), /UTF-8/, "bytes that are no UTF-8"),
  wrong(nested(101), /deep|level|100/, "more than a hundred levels"),
  wrong("[".repeat(100_000), /JSON|deep|level|object/, "brackets without end"),
  wrong('{"text":', /JSON/, "JSON that is cut off"),
  wrong('{"text":"a"} x', /JSON/, "something behind the JSON"),
  wrong('{"numbers":[01]}', /JSON/, "a number with a zero before it"),
  wrong("{'text':'a'}", /JSON/, "quotes that are none"),
  wrong('{"text":"a",}', /JSON/, "a comma too many"),
  wrong('{"text":"a\nb"}', /JSON/, "a control character in a text"),
  wrong("[]", /object/, "a list for the whole"),
  wrong('"a"', /object/, "a text for the whole"),
  take(nested(90), JSON.parse(nested(90)), "ninety levels"),
  {
    what: "unknown fields are passed over where the config says so",
    hub: "loose",
    send: "POST /kinds/take",
    body: { nmae: [{ x: 1 }], text: "a" },
    got: { text: "a" },
  },
  {
    what: "print: names, enums, 64 bits and defaults as configured",
    hub: "optioned",
    send: "POST /kinds/give",
    body: { kinds: { displayName: undefined, shown: "a", color: 1, big: "5" } },
    status: 201,
    holds: { text: "", numbers: [], kinds: { color: 1, big: 5, wrapped_text: undefined, big_unsigned: 0 } },
  },
  {
    what: "HttpBody down: bytes, type and length as they are",
    send: "GET /test/v1/file/x?bytes=3&contentType=image/png",
    text: "\u0000\u0001\u0002",
    has: { "content-type": "image/png", "content-length": "3" },
  },
  {
    what: "HttpBody down: a stream",
    send: "GET /test/v1/files/x?bytes=3&pieceBytes=1&contentType=image/png",
    text: "\u0000\u0001\u0002",
    has: { "content-type": "image/png", "content-length": null },
  },
  {
    what: "HttpBody up and down",
    send: "POST /kinds/copy",
    headers: { "content-type": "image/x-any" },
    body: Buffer.from([0, 255, 1]),
    has: { "content-type": "image/x-any", "content-length": "3" },
  },
  {
    what: "HttpBody up: beside path and query",
    send: "POST /kinds/file/n?text=note",
    headers: TEXT,
    body: "hello",
    got: { name: "n", text: "note", file: { contentType: "text/plain", data: base64("hello") } },
  },
  {
    what: "HttpBody up: a stream",
    send: "POST /test/v1/files/n?note=note",
    headers: { "content-type": "image/png" },
    body: Buffer.alloc(200_000),
    holds: { name: "n", note: "note", contentType: "image/png", byteCount: "200000" },
  },
  {
    what: "a form is not taken",
    send: "POST /kinds/take",
    headers: FORM,
    body: "text=a",
    status: 415,
    says: /application\/json/,
  },
  {
    what: "… unless the config says so",
    hub: "optioned",
    send: "POST /kinds/take",
    headers: FORM,
    body: "text=a+b&numbers=1&numbers=2&kinds.color=2&labels[x]=y",
    got: { text: "a b", numbers: [1, 2], kinds: { color: "COLOR_BLUE" }, labels: { x: "y" } },
  },
  {
    what: "… one of parts, with a file",
    hub: "optioned",
    send: "POST /kinds/take",
    headers: { "content-type": "multipart/form-data; boundary=X" },
    body: PARTS,
    got: { text: "a b", file: { contentType: "image/png", data: "AQI=" } },
  },
  {
    what: "… and its faults are named",
    hub: "optioned",
    send: "POST /kinds/take",
    headers: FORM,
    body: "nmae=a",
    status: 400,
    field: "nmae",
  },
  {
    what: "a body in gzip",
    send: "POST /kinds/take",
    headers: { "content-encoding": "gzip" },
    body: gzipSync('{"text":"a"}'),
    got: { text: "a" },
  },
  {
    what: "a body in deflate",
    send: "POST /kinds/take",
    headers: { "content-encoding": "deflate" },
    body: deflateSync('{"text":"a"}'),
    got: { text: "a" },
  },
  {
    what: "a body in br",
    send: "POST /kinds/take",
    headers: { "content-encoding": "br" },
    body: brotliCompressSync('{"text":"a"}'),
    got: { text: "a" },
  },
  {
    what: "a body in something else",
    send: "POST /kinds/take",
    headers: { "content-encoding": "lzma" },
    body: "x",
    status: 415,
    has: { "accept-encoding": /gzip/ },
  },
  {
    what: "a body in gzip that has no byte is no body",
    send: "POST /kinds/take",
    headers: { "content-encoding": "gzip" },
    body: "",
    got: {},
  },
  {
    what: "a body that is no gzip",
    send: "POST /kinds/take",
    headers: { "content-encoding": "gzip" },
    body: "x",
    status: 400,
    field: "",
    says: /gzip/,
  },
  {
    what: "a body in gzip that is cut off",
    send: "POST /kinds/take",
    headers: { "content-encoding": "gzip" },
    body: gzipSync('{"text":"a"}').subarray(0, 20),
    status: 400,
    field: "",
    says: /gzip/,
  },
  {
    what: "a small body in gzip that is a large one",
    send: "POST /kinds/take",
    headers: { "content-encoding": "gzip" },
    body: gzipSync(Buffer.alloc(16 * 1024 * 1024, " ")),
    status: 413,
    says: /limit of \d+ bytes/,
  },
  {
    what: "a type that is not taken is told what is",
    send: "POST /kinds/take",
    headers: TEXT,
    body: "{}",
    status: 415,
    says: /Content-Type application\/json, application\/xml, text\/xml, application\/x-protobuf .*text\/plain/,
  },
  {
    what: "JSON in UTF-8, said aloud",
    send: "POST /kinds/take",
    headers: { "content-type": 'Application/JSON; charset="utf-8"' },
    body: { text: "ä" },
    got: { text: "ä" },
  },
  {
    what: "JSON in another charset",
    send: "POST /kinds/take",
    headers: { "content-type": "application/json; charset=latin1" },
    body: {},
    status: 415,
    says: /charset|UTF-8/i,
  },
  {
    what: "a body in protobuf's binary format",
    send: "POST /kinds/child?text=x",
    headers: { "content-type": "application/x-protobuf" },
    body: Buffer.from([0x18, 5]),
    got: { kinds: { number: 5 }, text: "x" },
  },
  {
    what: "… that is broken",
    send: "POST /kinds/child",
    headers: { "content-type": "application/x-protobuf" },
    body: Buffer.from([0x18]),
    status: 400,
    says: /binary/,
  },
  {
    what: "XML in",
    send: "POST /kinds/take",
    headers: XML,
    body: "<TakeRequest><text>a &lt;</text><numbers>1</numbers><numbers>2</numbers><labels><entry><key>k</key><value>v</value></entry></labels></TakeRequest>",
    got: { text: "a <", numbers: [1, 2], labels: { k: "v" } },
  },
  {
    what: "XML in: one field",
    send: "POST /kinds/child",
    headers: XML,
    body: "<Kinds><number>5</number></Kinds>",
    got: { kinds: { number: 5 } },
  },
  {
    what: "XML in: an unknown element",
    send: "POST /kinds/take",
    headers: XML,
    body: "<TakeRequest><kinds><nmae/></kinds></TakeRequest>",
    status: 400,
    field: "kinds.nmae",
  },
  {
    what: "XML in: not well-formed",
    send: "POST /kinds/take",
    headers: XML,
    body: "<TakeRequest><text>",
    status: 400,
    says: /line 1, column \d+/,
  },
  {
    what: "XML in: no entities",
    send: "POST /kinds/take",
    headers: XML,
    body: '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/hostname">]><TakeRequest><text>&x;</text></TakeRequest>',
    status: 400,
    says: /DTD/,
  },
  {
    what: "XML in: more than a megabyte",
    send: "POST /kinds/take",
    headers: XML,
    body: `<TakeRequest>${" ".repeat(1024 * 1024)}</TakeRequest>`,
    status: 413,
    says: /1048576|1 ?MiB/,
  },
  {
    what: "XML in: not for a path that nobody wrote a rule for",
    send: `POST ${PLAIN}`,
    headers: XML,
    body: "<PlainRequest/>",
    status: 415,
    says: /application\/json/,
  },
  {
    what: "XML out",
    send: "POST /kinds/give",
    headers: { accept: "application/xml" },
    body: { text: "a <", numbers: [1, 2] },
    text: /<GiveResponse><text>a &lt;<\/text><numbers>1<\/numbers><numbers>2<\/numbers><\/GiveResponse>/,
    has: { "content-type": "application/xml" },
  },
  {
    what: "XML out: a failure",
    send: "GET /nothing",
    headers: { accept: "application/xml" },
    status: 404,
    text: /<Status><code>5<\/code>/,
    has: { "content-type": "application/xml" },
  },
  {
    what: "an Accept that nothing meets",
    send: "GET /kinds/take",
    headers: { accept: "image/png" },
    status: 406,
    says: /application\/json/,
  },
  {
    what: "an Accept that refuses",
    send: "GET /kinds/take",
    headers: { accept: "application/json;q=0" },
    status: 406,
    says: /application\/json/,
  },
  {
    what: "an Accept that takes anything",
    send: "GET /kinds/take?text=a",
    headers: { accept: "image/png, */*;q=0.1" },
    got: { text: "a" },
  },
  {
    what: "PATCH: the mask has what the body names",
    send: "PATCH /kinds/update/x",
    body: { number: 5, shown: "a", child: { text: "b", child: { flag: false } } },
    got: {
      kinds: { text: "x", number: 5, shown: "a", child: { text: "b", child: {} } },
      updateMask: "child.child.flag,child.text,displayName,number",
    },
  },
  {
    what: "PATCH: lists, maps and null as themselves",
    send: "PATCH /kinds/update/x",
    body: { numbers: [], labels: { a: "b" }, time: null },
    got: { kinds: { text: "x", labels: { a: "b" } }, updateMask: "labels,numbers,time" },
  },
  {
    what: "PATCH: the client's own mask",
    send: "PATCH /kinds/update/x?updateMask=flag",
    body: { number: 5 },
    got: { kinds: { text: "x", number: 5 }, updateMask: "flag" },
  },
  {
    what: "PATCH: no mask where the body is all",
    send: "PATCH /kinds/update-all",
    body: { kinds: { number: 5 } },
    got: { kinds: { number: 5 } },
  },
  {
    what: "PUT: no mask",
    send: "PUT /kinds/update/x",
    body: { number: 5 },
    got: { kinds: { text: "x", number: 5 } },
  },
];

const STREAM = "/test/v1/server-stream";
const THREE = { behavior: { responseCount: 3 }, payload: "aGk=" };
const LATE = { behavior: { responseCount: 1, fail: { code: 10, message: "that was all" } } };
const EARLY = { behavior: { refuse: { code: 5, message: "no such stream" } } };
const accept = (type: string): Record<string, string> => ({ accept: type });

const STREAMS: readonly Row[] = [
  {
    what: "an array",
    send: `POST ${STREAM}`,
    body: THREE,
    text: /^\[\{.*\},\{.*"index":1\},\{.*"index":2\}\]$/,
    has: { "content-type": "application/json" },
  },
  { what: "an array of none", send: `POST ${STREAM}`, body: {}, text: "[]" },
  {
    what: "NDJSON",
    send: `POST ${STREAM}`,
    body: THREE,
    headers: accept("application/x-ndjson"),
    text: /^\{.*\}\n\{.*\}\n\{.*\}\n$/,
    has: { "content-type": "application/x-ndjson" },
  },
  {
    what: "SSE",
    send: `POST ${STREAM}`,
    body: THREE,
    headers: accept("text/event-stream"),
    text: /^data: \{.*\}\n\ndata: \{.*\}\n\ndata: \{.*\}\n\nevent: end\ndata: \{\}\n\n$/,
    has: { "content-type": "text/event-stream" },
  },
  {
    what: "the Accept that is liked best",
    send: `POST ${STREAM}`,
    body: THREE,
    headers: accept("application/json;q=0.1, application/x-ndjson"),
    has: { "content-type": "application/x-ndjson" },
  },
  {
    what: "an Accept that nothing meets",
    send: `POST ${STREAM}`,
    body: THREE,
    headers: accept("image/png"),
    status: 406,
    says: /application\/x-ndjson.*text\/event-stream|text\/event-stream.*application\/x-ndjson/,
  },
  {
    what: "a late error closes the array",
    send: `POST ${STREAM}`,
    body: LATE,
    text: /^\[\{.*\},\{"error":\{"code":10,.*"that was all".*\}\}\]$/,
    trailers: { "grpc-status": "10" },
  },
  {
    what: "a late error is NDJSON's last line",
    send: `POST ${STREAM}`,
    body: LATE,
    headers: accept("application/x-ndjson"),
    text: /^\{.*\}\n\{"error":\{"code":10,.*"that was all".*\}\}\n$/,
  },
  {
    what: "a late error is an event",
    send: `POST ${STREAM}`,
    body: LATE,
    headers: accept("text/event-stream"),
    text: /\n\nevent: failed\ndata: \{.*"that was all".*\}\n\n$/,
  },
  {
    what: "an early error is the status",
    send: `POST ${STREAM}`,
    body: EARLY,
    status: 404,
    holds: { code: 5, message: "no such stream" },
  },
  {
    what: "… of SSE too",
    send: `POST ${STREAM}`,
    body: EARLY,
    headers: accept("text/event-stream"),
    status: 404,
    holds: { code: 5 },
  },
  {
    what: "client streaming: NDJSON",
    send: "POST /test/v1/client-stream",
    headers: NDJSON,
    body: '{"payload":"aGk="}\n\n{"payload":"aGk="}\n',
    holds: { requestCount: "2", requestBytes: "4" },
  },
  {
    what: "client streaming: an array",
    send: "POST /test/v1/client-stream",
    body: [{ payload: "aGk=" }, {}, {}],
    holds: { requestCount: "3", requestBytes: "2" },
  },
  {
    what: "client streaming: none",
    send: "POST /test/v1/client-stream",
    body: "[]",
    text: /^\{(?!.*requestCount)/,
  },
  ...["nope=1", "behavior.response_count=x"].map((query) => ({
    what: `client streaming: a query that does not fit, without a message: ${query}`,
    send: `POST /test/v1/client-stream?${query}`,
    headers: NDJSON,
    body: "",
    status: 400,
    says: /^query parameter '(nope|behavior\.response_count)'|^behavior.response_count/,
  })),
  {
    what: "client streaming: a fault says in which message",
    send: "POST /test/v1/client-stream",
    headers: NDJSON,
    body: '{}\n{"payload":1}\n',
    status: 400,
    says: /^message 2: \$\.payload/,
  },
  {
    what: "client streaming: a type that is not taken",
    send: "POST /test/v1/client-stream",
    headers: TEXT,
    body: "{}",
    status: 415,
    says: /application\/x-ndjson/,
  },
  {
    what: "bidi: the path in each message",
    send: "POST /kinds/converse/n",
    headers: NDJSON,
    body: '{"text":"a"}\n{"text":"b"}\n',
    got: [
      { name: "n", kinds: { text: "a" } },
      { name: "n", kinds: { text: "b" } },
    ],
  },
  {
    what: "bidi: the query in each message",
    send: "POST /kinds/converse/n?nmae=x",
    headers: NDJSON,
    body: "{}\n",
    status: 400,
    field: "nmae",
  },
  {
    what: "bidi: an array in, NDJSON out",
    send: "POST /kinds/converse/n",
    headers: accept("application/x-ndjson"),
    body: [{}, {}],
    text: /^\{"got".*\}\n\{"got".*\}\n$/,
  },
  {
    what: "bidi: a first message with a fault is 400",
    send: "POST /kinds/converse/n",
    body: '[{"text":1}]',
    status: 400,
    says: /^message 1: \$\.text/,
  },
  {
    what: "an upload as it is",
    send: "POST /test/v1/bodies",
    headers: { "content-type": "image/png" },
    body: Buffer.alloc(100_000),
    holds: { contentType: "image/png", byteCount: "100000" },
  },
  {
    what: "a stream in binary: a StreamBody of each message and the failure",
    send: `POST ${STREAM}`,
    body: { behavior: { responseCount: 1, fail: { code: 10, message: "that" } } },
    headers: accept("application/x-protobuf"),
    text: /^\n.*that$/s,
    has: { "content-type": "application/x-protobuf" },
  },
];

const FAIL = "POST /kinds/fail";
const HTTP_STATUS = [499, 500, 400, 504, 404, 409, 403, 429, 400, 409, 400, 501, 500, 503, 500, 401];
const detail = (typeUrl: string, value: string): object => ({ typeUrl: `${ANY}/${typeUrl}`, value });
const ETAG = /^"[\w-]+"$/;

const STATUS: readonly Row[] = [
  ...HTTP_STATUS.map(
    (status, at): Row => ({
      what: `gRPC code ${at + 1}`,
      send: FAIL,
      body: { code: at + 1, message: "as asked" },
      status,
      holds: { code: at + 1, message: "as asked" },
      has: { "content-type": "application/json" },
    }),
  ),
  {
    what: "a message with anything in it",
    send: FAIL,
    body: { code: 3, message: 'ä % \n 😀 "%41' },
    status: 400,
    holds: { message: 'ä % \n 😀 "%41' },
  },
  {
    what: "401 says how to sign in",
    send: FAIL,
    body: { code: 16 },
    status: 401,
    has: { "www-authenticate": /./ },
  },
  {
    what: "429 says when to come back, where RetryInfo does",
    send: FAIL,
    body: { code: 8, details: [detail("google.rpc.RetryInfo", "CgIIBw==")] },
    status: 429,
    has: { "retry-after": "7" },
    holds: { details: [{ "@type": `${ANY}/google.rpc.RetryInfo`, retryDelay: "7s" }] },
  },
  {
    what: "503 too",
    send: FAIL,
    body: { code: 14, details: [detail("google.rpc.RetryInfo", "CgIIBw==")] },
    status: 503,
    has: { "retry-after": "7" },
  },
  {
    what: "… and nothing where nobody knows",
    send: FAIL,
    body: { code: 14 },
    status: 503,
    has: { "retry-after": null },
  },
  {
    what: "a detail that nobody knows",
    send: FAIL,
    body: { code: 3, message: "m", details: [detail("no.Such", "AQI=")] },
    status: 400,
    json: { code: 3, message: "m", details: [{ "@type": `${ANY}/no.Such`, value: "AQI=" }] },
  },
  {
    what: "a detail that is broken",
    send: FAIL,
    body: { code: 3, message: "m", details: [detail("google.rpc.RetryInfo", "Cv8=")] },
    status: 400,
    json: { code: 3, message: "m", details: [{ "@type": `${ANY}/google.rpc.RetryInfo`, value: "Cv8=" }] },
  },
  {
    what: "a detail without a type",
    send: FAIL,
    body: { code: 3, message: "m", details: [{ value: "AQI=" }] },
    status: 400,
    holds: { code: 3, message: "m" },
  },
  {
    what: "problem details",
    send: FAIL,
    headers: accept("application/problem+json"),
    body: { code: 5, message: "gone" },
    status: 404,
    has: { "content-type": "application/problem+json" },
    holds: { status: 404, detail: "gone", code: 5 },
  },
  {
    what: "problem details of the hub's own refusals",
    send: "GET /nothing",
    headers: accept("application/problem+json"),
    status: 404,
    has: { "content-type": "application/problem+json" },
    holds: { status: 404, code: 5 },
  },
  {
    what: "the hub's own refusals have a reason",
    send: "GET /nothing",
    status: 404,
    holds: {
      code: 5,
      details: [{ "@type": `${ANY}/google.rpc.ErrorInfo`, reason: "NO_ROUTE", domain: "linchpin" }],
    },
  },
  {
    what: "413 says the limit",
    send: "POST /kinds/text",
    body: JSON.stringify("x".repeat(4 * 1024 * 1024 + 1)),
    status: 413,
    says: /limit of \d+ bytes/,
  },
  {
    what: "431 says the limit",
    send: "GET /kinds/take",
    headers: Object.fromEntries(Array.from({ length: 140 }, (_, at) => [`x-${at}`, ""])),
    status: 431,
    says: /128/,
  },
  {
    what: "504 past the deadline in seconds",
    send: "POST /test/v1/unary",
    headers: { "x-request-timeout": "0.05" },
    body: { behavior: { delay: "60s" } },
    status: 504,
    holds: { code: 4 },
  },
  {
    what: "504 past the deadline of gRPC",
    send: "POST /test/v1/unary",
    headers: { "grpc-timeout": "50m" },
    body: { behavior: { delay: "60s" } },
    status: 504,
    holds: { code: 4 },
  },
  {
    what: "the deadline reaches the service",
    send: "POST /test/v1/unary",
    headers: { "x-request-timeout": "100" },
    body: {},
    text: /"timeLeft":"(?:100|99(?:\.\d+)?)s"/,
  },
  {
    what: "a deadline that is none",
    send: "GET /kinds/take",
    headers: { "grpc-timeout": "soon" },
    status: 400,
    field: "grpc-timeout",
    says: /soon/,
  },
  {
    what: "… in seconds",
    send: "GET /kinds/take",
    headers: { "x-request-timeout": "soon" },
    status: 400,
    field: "x-request-timeout",
    says: /soon/,
  },
  {
    what: "headers become metadata",
    send: "GET /kinds/take",
    headers: { "X-Word": "one, two", authorization: "Basic eA==" },
    metadata: { "x-word": "one, two", authorization: "Basic eA==" },
  },
  {
    what: "those of this hop do not",
    send: "GET /kinds/take",
    headers: { te: "trailers", accept: "*/*", "proxy-authorization": "x" },
    metadata: { te: null, host: null, connection: null, "proxy-authorization": null },
  },
  {
    what: "those of the body and of gRPC do not",
    send: "POST /kinds/take",
    headers: { "grpc-status": "7", "grpc-encoding": "gzip" },
    body: {},
    metadata: { "content-length": null, "content-type": null, "grpc-status": null, "grpc-encoding": null },
  },
  {
    what: "-bin is base64",
    send: "GET /kinds/take",
    headers: { "x-a-bin": "AP8=" },
    metadata: { "x-a-bin": "AP8=" },
  },
  {
    what: "-bin without padding",
    send: "GET /kinds/take",
    headers: { "x-a-bin": "AP8" },
    metadata: { "x-a-bin": "AP8=" },
  },
  {
    what: "-bin that is no base64",
    send: "GET /kinds/take",
    headers: { "x-a-bin": "%%" },
    status: 400,
    field: "x-a-bin",
    says: /base64/,
  },
  {
    what: "metadata become headers",
    send: "POST /test/v1/unary",
    headers: { "x-echo-word": "one", "x-echo-a-bin": "AP8=" },
    body: {},
    has: { "x-echo-word": "one", "x-echo-a-bin": /^AP8=?$/ },
  },
  {
    what: "trailers become headers",
    send: "POST /test/v1/unary",
    headers: { "x-trail-word": "two" },
    body: {},
    has: { "grpc-trailer-x-trail-word": "two" },
    trailers: { "x-trail-word": null },
  },
  {
    what: "… and trailers, for who takes them",
    send: "POST /test/v1/unary",
    headers: { te: "trailers", "x-trail-word": "two" },
    body: {},
    has: { "grpc-trailer-x-trail-word": null },
    trailers: { "x-trail-word": "two" },
  },
  {
    what: "trailers of a stream are trailers",
    send: `POST ${STREAM}`,
    headers: { "x-trail-word": "two" },
    body: THREE,
    trailers: { "x-trail-word": "two", "grpc-status": "0" },
  },
  {
    what: "what a client says of who it is counts for nothing",
    send: "GET /kinds/take",
    headers: {
      "x-forwarded-for": "192.0.2.1",
      "x-forwarded-proto": "https",
      "x-forwarded-host": "evil.example",
      forwarded: "for=192.0.2.1",
    },
    metadata: {
      "x-forwarded-for": "127.0.0.1",
      "x-forwarded-proto": "http",
      "x-forwarded-host": /^127\.0\.0\.1:/,
      forwarded: /^for=127\.0\.0\.1;proto=http;host="127\.0\.0\.1:\d+"$/,
    },
  },
  {
    what: "HTML of a service is a download",
    send: "GET /test/v1/file/x?bytes=1&contentType=text/html",
    has: { "content-disposition": /attachment/, "content-security-policy": /sandbox/ },
  },
  {
    what: "… SVG too",
    send: "GET /test/v1/file/x?bytes=1&contentType=image/svg%2Bxml",
    has: { "content-disposition": /attachment/, "content-security-policy": /sandbox/ },
  },
  {
    what: "… with a charset too",
    send: "GET /test/v1/files/x?bytes=1&contentType=TEXT/HTML;charset%3Dutf-8",
    has: { "content-disposition": /attachment/ },
  },
  {
    what: "… an image is not",
    send: "GET /test/v1/file/x?bytes=1&contentType=image/png",
    has: { "content-disposition": null },
  },
  {
    what: "… unless the config says so",
    hub: "optioned",
    send: "GET /test/v1/file/x?bytes=1&contentType=text/html",
    has: { "content-disposition": null, "content-security-policy": null },
  },
  {
    what: "201 with Location",
    hub: "optioned",
    send: "POST /kinds/give",
    body: { text: "a b" },
    status: 201,
    has: { location: "/kinds/give/a%20b" },
  },
  { what: "Empty is {}", send: "DELETE /kinds", json: {} },
  {
    what: "… or 204",
    hub: "optioned",
    send: "DELETE /kinds",
    status: 204,
    text: "",
    has: { "content-type": null },
  },
  { what: "GET has an ETag", send: "GET /kinds/give/x", has: { etag: ETAG } },
  { what: "… POST has none", send: "POST /kinds/give", body: {}, has: { etag: null } },
  {
    what: "304 for who has it, whatever it is",
    send: "GET /kinds/give/x",
    headers: { "if-none-match": "*" },
    status: 304,
    text: "",
    has: { etag: ETAG },
  },
  {
    what: "200 for who has another",
    send: "GET /kinds/give/x",
    headers: { "if-none-match": '"other"' },
    json: null,
  },
  {
    what: "pages of other sites are not let in",
    send: "OPTIONS /kinds/take",
    headers: { origin: "https://app.example.com", "access-control-request-method": "POST" },
    has: { "access-control-allow-origin": null },
    status: 204,
  },
  {
    what: "… but those of the config",
    hub: "optioned",
    send: "OPTIONS /kinds/take",
    headers: { origin: "https://app.example.com", "access-control-request-method": "POST" },
    has: { "access-control-allow-origin": "https://app.example.com", "access-control-allow-methods": /POST/ },
    status: 204,
  },
  {
    what: "… which may read what the hub says in headers",
    hub: "optioned",
    send: "GET /kinds/give/x?$nope=1",
    headers: { origin: "https://app.example.com" },
    has: {
      "access-control-expose-headers":
        /^(?=.*\bretry-after\b)(?=.*\betag\b)(?=.*\blocation\b)(?=.*\blink\b)(?=.*\bwww-authenticate\b)(?=.*\bratelimit\b)/,
    },
    status: 400,
  },
  {
    what: "… and no other",
    hub: "optioned",
    send: "OPTIONS /kinds/take",
    headers: { origin: "https://evil.example", "access-control-request-method": "POST" },
    has: { "access-control-allow-origin": null },
    status: 204,
  },
];

const SECTIONS: Readonly<Record<string, readonly Row[]>> = {
  "Templates and matching": MATCHING,
  Query: QUERY,
  Bodies: BODIES,
  Streams: STREAMS,
  "Status and headers": STATUS,
};

for (const version of VERSIONS) {
  for (const [section, rows] of Object.entries(SECTIONS)) {
    describe(`HTTP/${version}: ${section}`, () => {
      for (const row of rows)
        test(`${row.what}: ${row.send.slice(0, 100)} is ${row.status ?? 200}`, async () => {
          await holds(version, hubs[row.hub ?? "plain"].address, row);
        });
    });
  }

  test(`HTTP/${version}: who has the ETag of an answer gets 304, weak or in a list as well`, async () => {
    const target = "/kinds/give/x?kinds.number=1";
    const { headers } = await http(version, plain.address, target);
    const etag = String(headers.etag);
    for (const value of [etag, `W/${etag}`, `"a", ${etag}`]) {
      const again = await http(version, plain.address, target, { headers: { "if-none-match": value } });
      assert.deepEqual([again.status, again.text, again.headers.etag], [304, "", etag], value);
    }
    const other = await http(version, plain.address, "/kinds/give/x?kinds.number=2", {
      headers: { "if-none-match": etag },
    });
    assert.equal(other.status, 200);
  });

  test(`HTTP/${version}: responses and failures to GET vary by Accept, for caches`, async () => {
    const target = "/kinds/give/x";
    const given = await http(version, plain.address, target);
    const known = { "if-none-match": String(given.headers.etag) };
    const answers = [
      given,
      await http(version, plain.address, target, { headers: known }),
      await http(version, plain.address, target, { method: "HEAD" }),
      await http(version, plain.address, target, { headers: { accept: "application/xml" } }),
      await http(version, plain.address, `${target}?nope=1`),
      await http(version, plain.address, "/no/such/path"),
    ];
    assert.deepEqual(
      answers.map(({ status, headers }) => [status, headers.vary]),
      [200, 304, 200, 200, 400, 404].map((status) => [status, "accept"]),
    );
  });

  test(`HTTP/${version}: a large answer is packed for who takes it`, async () => {
    const body = JSON.stringify({ text: "a".repeat(100_000) });
    const headers = { "accept-encoding": "gzip" };
    const answer = await http(version, plain.address, "/kinds/give/text", { body, headers });
    assert.equal(answer.headers["content-encoding"], "gzip");
    assert.match(String(answer.headers.vary), /accept-encoding/i);
    assert.equal(JSON.parse(gunzipSync(answer.body).toString()), "a".repeat(100_000));
  });
}

describe("errors of rules are reported at the start, and the other rules work", () => {
  const TOLD: readonly (readonly [string, string, RegExp])[] = [
    [
      "a template that breaks the grammar",
      "plain",
      /test\.v1\.KindsService\.Match, .*column 25 .*at most one '\*\*'/,
    ],
    [
      "two rules of one shape and method",
      "plain",
      /KindsService\.Rival.*GET \/match\/inner\/\{name\}\/\{title\} is the same route as .*KindsService\.Match/,
    ],
    ["a variable that is no field", "optioned", /test\.v1\.KindsService\.Plain.*nobody/],
  ] as const;
  for (const [what, hub, pattern] of TOLD)
    test(what, async () => {
      await (hub === "plain" ? plain : optioned).program.stderr.waitFor(pattern);
    });
});
