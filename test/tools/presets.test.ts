// The same requests to Envoy's grpc_json_transcoder, to grpc-gateway, and to the hub with the preset of that name: the
// answers are the same, but for the differences that stand here with their reasons (docs/coming-from.md tells users).
import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { type Answer, http } from "../e2e/support/http.js";
import { startHubWithConfig } from "../e2e/support/hub.js";
import { startService } from "../e2e/support/service.js";
import { type Services, startEnvoy, startGateway } from "./support/transcoders.js";

/** envoy, gateway: with their defaults. options: Envoy with options, and the hub as the documentation says it then. */
type Pair = "envoy" | "options" | "gateway";

interface Row {
  readonly what: string;
  /** `METHOD TARGET` */
  readonly send: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Texts as they are, anything else as JSON. */
  readonly body?: unknown;
  /** Headers and trailers that are compared. */
  readonly heads?: readonly string[];
  /** Metadata as the service got them that are compared. */
  readonly seen?: readonly string[];
  /** Whoever finds it out words it: the code counts. */
  readonly anyWords?: boolean;
  /** Who is asked; left out: all. */
  readonly of?: readonly Pair[];
  /** Why the answers differ; they must, or the reason is out of date. */
  readonly differs?: Partial<Readonly<Record<Pair, string>>>;
}

const scope = { after };
const kinds = ["behavior", "files", "kinds", "library"] as const;
const addresses = await Promise.all(
  kinds.map(async (kind) => (await startService(scope, kind === "library" ? "library-v1" : kind)).address),
);
const [behavior = "", files = "", kindsAddress = "", library = ""] = addresses;
const services: Services = { behavior, files, kinds: kindsAddress, library };
const upstreams = kinds.map((kind) => `  ${kind}: { endpoints: ["${services[kind]}"] }\n`).join("");
const hubWith = async (settings: string): Promise<string> =>
  (await startHubWithConfig(scope, `upstreams:\n${upstreams}http: ${settings}\n`)).address;

const OPTIONS = {
  convert_grpc_status: true,
  ignore_unknown_query_parameters: true,
  query_param_unescape_plus: true,
  url_unescape_spec: "ALL_CHARACTERS",
  print_options: {
    always_print_primitive_fields: true,
    always_print_enums_as_ints: true,
    preserve_proto_field_names: true,
    stream_newline_delimited: true,
  },
};
const OPTIONS_HERE = `
  preset: envoy
  errorForm: status
  statusHeaders: false
  unknownQuery: ignore
  read: { plusAsSpace: true, keptEscapes: none }
  print: { emitDefaults: true, enumsAsNumbers: true, protoNames: true }
  streamFormat: json-lines`;
// Requests that no rule takes are not sent on to the services, which cannot read them.
const STRICT = { request_validation_options: { reject_unknown_method: true } };

const [envoys, gateway, hubs] = await Promise.all([
  startEnvoy(scope, services, [
    { request_validation_options: { reject_unknown_method: true, reject_unknown_query_parameters: true } },
    { ...OPTIONS, ...STRICT },
  ]),
  startGateway(scope, services),
  Promise.all(["{ preset: envoy }", OPTIONS_HERE, "{ preset: grpc-gateway }"].map(hubWith)),
]);
const PAIRS: Readonly<Record<Pair, readonly [theirs: string, ours: string]>> = {
  envoy: [envoys[0] ?? "", hubs[0] ?? ""],
  options: [envoys[1] ?? "", hubs[1] ?? ""],
  gateway: [gateway, hubs[2] ?? ""],
};
const ENVOYS = ["envoy", "options"] as const;

const JSON_TYPE = { "content-type": "application/json" };
const FORM = { "content-type": "application/x-www-form-urlencoded" };
const TEXT = { "content-type": "text/plain" };
const A = "YQ==";
const query = (text: string, what: string, more: Partial<Row> = {}): Row => ({
  what,
  send: `GET /kinds/take?${text}`,
  ...more,
});
const give = (body: unknown, what: string, more: Partial<Row> = {}): Row => ({
  what,
  send: "POST /kinds/give",
  body,
  ...more,
});
const fail = (code: number): Row => ({
  what: `the status of code ${code}`,
  send: "POST /kinds/fail",
  body: { code, message: "no ä, no %" },
  heads: ["grpc-status"],
});
const both = (reason: string) => ({ envoy: reason, options: reason });
const all = (reason: string) => ({ ...both(reason), gateway: reason });

const ONE_VALUE = "two values for one field are 400, and none is dropped without a word";
const OPEN_ENUM = "proto3's enums are open: a number is passed on";
const NOT_ITS_NAME = "grpc-gateway and Envoy read JSON there; an HttpBody is the body as it is";

const ROWS: readonly Row[] = [
  { what: "a book", send: "GET /v1/books/moby-dick" },
  {
    what: "the status of a good answer",
    send: "DELETE /kinds",
    heads: ["grpc-status"],
    differs: { options: "convert_grpc_status takes it from failures alone, statusHeaders from all or none" },
  },
  { what: "a list", send: "GET /v1/books?page_size=2&genres=GENRE_FICTION&genres=3" },
  { what: "… by JSON names", send: "GET /v1/books?pageSize=2" },
  { what: "a failure with details", send: "GET /v1/books/nope", heads: ["grpc-status-details-bin"] },
  { what: "an unknown parameter", send: "GET /v1/books/moby-dick?nope=1" },
  { what: "a stream", send: "GET /v1/books:search?query=a&max_results=3" },
  {
    what: "an empty stream",
    send: "GET /v1/books:search?query=zzzz",
    differs: { gateway: "it gives an empty body no Content-Type" },
  },
  {
    what: "a stream that fails before its first message",
    send: "GET /v1/books:search?query=a&max_results=-1",
  },
  {
    what: "a stream that fails after two",
    send: "POST /test/v1/server-stream",
    body: { payload: A, behavior: { response_count: 2, fail: { code: 8, message: "full" } } },
    differs: both("it ends as if all were well: here the client is told"),
  },
  {
    what: "a stream for who accepts JSON alone",
    send: "GET /v1/books:search?query=a&max_results=2",
    headers: { accept: "application/json" },
  },
  {
    what: "a stream for who accepts NDJSON",
    send: "GET /v1/books:search?query=a&max_results=2",
    headers: { accept: "application/x-ndjson" },
    differs: all("Accept decides where it names what there is"),
  },
  { what: "no route", send: "GET /nothing" },
  { what: "a wrong method", send: "PUT /v1/books/moby-dick" },
  { what: "a path in other letters", send: "GET /V1/books/moby-dick" },
  {
    what: "HEAD",
    send: "HEAD /v1/books/moby-dick",
    differs: all("GET answers HEAD too (RFC 9110 §9.3.2)"),
  },
  { what: "OPTIONS", send: "OPTIONS /v1/books/moby-dick", differs: all("the hub answers, with Allow") },
  {
    what: "a method without a rule of its own",
    send: "POST /test.v1.KindsService/Plain",
    body: { name: "a" },
    differs: all("auto_mapping and generate_unbound_methods are always on"),
  },

  give({}, "nothing set"),
  give({ kinds: {} }, "defaults of every kind"),
  give({ kinds: { presence: {}, maybe: 0, two: 0, child: {} } }, "what knows that it is set"),
  give({ kinds: { display_name: "a", color: "COLOR_RED", big: "5", data: A } }, "names, enums, numbers"),
  give({ kinds: { number: "12", big: 12, ratio: "NaN" } }, "numbers as texts"),
  give({ nope: 1, kinds: { nope: { a: [1] } } }, "unknown fields"),
  give('{"kinds":{"number":"many"}}', "a number that is none"),
  give('{"kinds":{"one":"a","two":1}}', "two of a oneof"),
  give('{"text":', "half a text"),
  give("", "an empty body"),
  give('{"text":"a"} more', "more than JSON", { differs: { gateway: "it reads no further than it must" } }),
  give("{'text':'a',}", "JSON as people write it", { differs: both("none of it is JSON") }),
  give('{"kinds":{"flag":"true"}}', "a boolean as a text", {
    differs: both("ProtoJSON has no booleans in quotes"),
  }),
  give('{"text":"a","text":"b"}', "a name twice", { differs: both("it answers 502") }),
  give('{"kinds":{"color":"COLOR_GREEN"}}', "an enum's unknown name in a body", {
    differs: both("unknown names are unknown fields, which are passed over"),
  }),
  give('{"text":"a"}', "JSON as curl -d sends it", { headers: FORM }),
  give('{"text":"a"}', "JSON as a text", { headers: TEXT }),
  give('{"text":"a"}', "an Accept that nothing meets", { headers: { ...JSON_TYPE, accept: "text/html" } }),
  give("text=a", "a form", { headers: FORM }),
  {
    what: "response_body",
    send: "POST /kinds/give/numbers",
    body: { numbers: [1, 2] },
    differs: both("it prints the whole message"),
  },
  { what: "nothing to tell", send: "DELETE /kinds" },
  { what: "a text as body", send: "POST /kinds/text", body: '"a"' },
  { what: "a list as body", send: "POST /kinds/numbers", body: [1, 2] },
  { what: "a map as body", send: "POST /kinds/labels", body: { a: "b" } },
  { what: "a Struct as body", send: "POST /kinds/struct", body: { a: { b: null } } },
  { what: "one field as body, another in the query", send: "POST /kinds/child?text=q", body: { text: "b" } },
  {
    what: "a field that the body has, in the query",
    send: "POST /kinds/child?kinds.text=q",
    body: { text: "b" },
    differs: all(ONE_VALUE),
  },
  {
    what: "a query beside a whole body",
    send: "POST /kinds/take?name=q",
    body: { text: "b" },
    differs: all("the rule says that the body is the whole message"),
  },
  {
    what: "path and body that disagree",
    send: "POST /kinds/named/p",
    body: { display_name: "b" },
    differs: all(ONE_VALUE),
  },
  { what: "path and body that agree", send: "POST /kinds/named/p", body: { display_name: "p" } },
  {
    what: "path and query that disagree",
    send: "GET /match/x?name=y",
    differs: all(ONE_VALUE),
  },
  {
    what: "a body where there is none",
    send: "DELETE /kinds/take?text=q",
    body: { numbers: [1] },
    differs: both("it sets fields of it: passed over they would be lost, so they are refused"),
  },
  { what: "an HttpBody down", send: "GET /test/v1/file/x?bytes=9&content_type=text/html" },
  {
    what: "… in pieces",
    send: "GET /test/v1/files/x?bytes=9&piece_bytes=4&content_type=text/html",
    differs: { gateway: "it puts a line break after each" },
  },
  {
    what: "an HttpBody up",
    send: "POST /kinds/copy",
    headers: { "content-type": "text/css" },
    body: "a{}",
    differs: { gateway: NOT_ITS_NAME },
  },
  {
    what: "an HttpBody up in a field",
    send: "POST /kinds/file/n",
    headers: JSON_TYPE,
    body: { content_type: "text/css", data: A },
    differs: all(NOT_ITS_NAME),
  },

  query("kinds.shown=a&kinds.number=1&text=", "fields in a query"),
  query("text=a+b%2B%20c", "a plus in a query"),
  query("kinds.flag=1&kinds.wrapped_flag=T", "booleans"),
  query("kinds.flag=maybe", "a boolean that is none"),
  query("kinds.color=COLOR_RED&kinds.colors=1", "enums"),
  query("kinds.color=RED", "an enum's unknown name"),
  query("kinds.color=77", "an enum's unknown number", { differs: all(OPEN_ENUM) }),
  query("kinds.span=1.5s", "a duration"),
  query("kinds.span=1m30s", "a duration of Go", { differs: both("looser here") }),
  query("kinds.time=2024-05-01T12:00:00Z", "a moment"),
  query("kinds.mask=display_name,child.text", "a mask"),
  query("kinds.mask=displayName", "a mask in JSON's names", {
    differs: { gateway: "it fails: 500" },
  }),
  query("numbers=1&numbers=2&kinds.words=b&kinds.words=a", "repeated fields"),
  query("numbers=1,2", "commas are no list"),
  query("text=a&text=b", "a key twice", { differs: both(ONE_VALUE) }),
  query("kinds.one=a&kinds.two=1", "two of a oneof in a query"),
  query("labels[a]=1&labels[b]=2", "a map", { differs: both("it knows no maps") }),
  query("struct=%7B%22a%22:1%7D", "a Struct", { differs: both("it knows no JSON text") }),
  query("kinds.data=-_8", "bytes"),
  query("kinds.number=many", "a number that is none"),
  query("kinds.number=", "nothing for a number"),
  query("kinds=x", "a message"),
  query("kinds.children.text=a", "a field of a repeated message", {
    differs: {
      ...both("it makes an element"),
      gateway: "it is one more unknown parameter, which is passed over",
    },
  }),
  query("kinds.nope=1", "an unknown field deep inside", {
    differs: { gateway: "it sets the message around it" },
  }),
  query("displayNme=a", "a name that is neither the proto's nor JSON's"),
  query("text=a;b", "a semicolon", { differs: { gateway: "net/url refuses semicolons" } }),

  { what: "a segment with a slash", send: "GET /match/a%2Fb", of: ENVOYS },
  {
    what: "a segment with a slash, to grpc-gateway",
    send: "GET /match/a%2Fb",
    of: ["gateway"],
    differs: { gateway: "it decodes before it splits" },
  },
  { what: "segments with a slash", send: "GET /match/deep/a%2Fb/c%20d" },
  { what: "segments with reserved characters", send: "GET /match/deep/a%23b/c%2Bd%40" },
  { what: "a plus in a path", send: "GET /match/a+b" },
  { what: "an escape of an escape", send: "GET /match/deep/a%252Fb" },
  { what: "no segments", send: "GET /match/deep" },
  { what: "empty segments", send: "GET /match/deep/a//b" },
  { what: "a slash too many in front", send: "GET //match/literal" },
  {
    what: "a slash too many at the end",
    send: "GET /match/literal/leaf/",
    differs: both("a slash at the end counts"),
  },
  { what: "a verb", send: "GET /match/a:approve" },
  { what: "a verb that nobody knows", send: "GET /match/a:nope" },
  { what: "a verb after many segments", send: "POST /match/deep/a/b:approve", of: ["gateway"], body: {} },
  { what: "a number in a path", send: "GET /match/number/9007199254740993" },
  { what: "a number in a path that is none", send: "GET /match/number/many" },
  { what: "an enum in a path", send: "GET /match/color/COLOR_RED" },
  { what: "an enum in a path that is none", send: "GET /match/color/RED" },
  { what: "a boolean in a path", send: "GET /match/flag/1" },
  { what: "bytes in a path", send: "GET /match/data/-_8" },
  { what: "a method of its own", send: "LOCK /match/x" },
  {
    what: "an escape that is none",
    send: "GET /match/%zz",
    of: ENVOYS,
    differs: both("it stands for itself there"),
  },

  {
    what: "a PATCH",
    send: "PATCH /kinds/update/x",
    body: { number: 1, child: { text: "a" }, labels: { k: "v" } },
  },
  {
    what: "a PATCH with a mask",
    send: "PATCH /kinds/update/x?update_mask=display_name",
    body: { display_name: "a" },
  },
  { what: "a PATCH of everything", send: "PATCH /kinds/update-all", body: { kinds: { number: 1 } } },
  {
    what: "a PATCH of an unknown field",
    send: "PATCH /kinds/update/x",
    body: { nope: 1 },
    differs: { gateway: "it refuses to make a mask of it; else unknown fields are passed over" },
  },
  {
    what: "another method in a header, with a form",
    send: "POST /kinds/take?text=a",
    headers: { ...FORM, "x-http-method-override": "GET" },
    body: "numbers=1&numbers=2",
    of: ["gateway"],
  },
  {
    what: "a form for GET, sent by POST",
    send: "POST /match/number/5",
    headers: FORM,
    body: "name=q",
    of: ["gateway"],
    differs: { gateway: "only where the header says that it is a GET" },
  },

  {
    what: "a stream of requests as an array",
    send: "POST /test/v1/client-stream",
    body: [{ payload: A }, { payload: A }],
    seen: [],
    differs: { gateway: "it knows no arrays" },
  },
  {
    what: "a stream of requests as lines",
    send: "POST /test/v1/client-stream",
    body: `{"payload":"${A}"}\n{"payload":"${A}"}\n`,
    seen: [],
    differs: both("it knows no lines"),
  },

  {
    what: "headers for the service",
    send: "GET /kinds/take",
    headers: {
      authorization: "Bearer x",
      cookie: "a=b",
      "accept-language": "de",
      "if-match": '"1"',
      "x-own-bin": "AQI=",
    },
    seen: ["authorization", "cookie", "accept-language", "if-match", "x-own-bin"],
    of: ["envoy"],
  },
  {
    what: "headers for the service, with prefixes",
    send: "GET /kinds/take",
    headers: {
      authorization: "Bearer x",
      cookie: "a=b",
      "accept-language": "de",
      "if-match": '"1"',
      origin: "http://o",
      "grpc-metadata-x-mine": "1",
      "grpc-metadata-x-mine-bin": "AQI=",
      "grpc-metadata-x-forwarded-for": "1.2.3.4",
      "grpc-metadata-grpcgateway-referer": "made up",
    },
    seen: [
      "authorization",
      "grpcgateway-authorization",
      "grpcgateway-cookie",
      "grpcgateway-accept-language",
      "grpcgateway-if-match",
      "grpcgateway-origin",
      "grpcgateway-referer",
      "grpcgateway-host",
      "x-mine",
      "x-mine-bin",
      "x-forwarded-for",
    ],
    of: ["gateway"],
  },
  {
    what: "headers without a prefix",
    send: "GET /kinds/take",
    headers: { "x-own": "1" },
    seen: ["x-own"],
    of: ["gateway"],
    differs: { gateway: "credentials, traces and ids work as they are" },
  },
  {
    what: "bytes that are no base64",
    send: "GET /kinds/take",
    headers: { "grpc-metadata-x-mine-bin": "%%%" },
    of: ["gateway"],
  },
  {
    what: "a deadline that passes",
    send: "POST /test/v1/unary",
    headers: { ...JSON_TYPE, "grpc-timeout": "20m" },
    body: { behavior: { delay: "2s" } },
    anyWords: true,
  },
  {
    what: "a deadline that is none",
    send: "GET /kinds/take",
    headers: { "grpc-timeout": "soon" },
    differs: both("the service refuses it, with 500"),
  },
  {
    what: "headers of the service",
    send: "GET /test/v1/unary",
    headers: { "x-echo-a": "1", "x-echo-b-bin": "AQI=" },
    heads: ["x-echo-a", "x-echo-b-bin", "grpc-status"],
    seen: [],
    of: ["envoy"],
  },
  {
    what: "headers of the service, with a prefix",
    send: "GET /test/v1/unary",
    // Of names in -bin it sends the bytes themselves, which is no header field.
    headers: { "grpc-metadata-x-echo-a": "1" },
    heads: ["grpc-metadata-x-echo-a", "x-echo-a"],
    seen: [],
    of: ["gateway"],
  },
  {
    what: "trailers of the service",
    send: "GET /test/v1/unary",
    headers: { te: "trailers", "grpc-metadata-x-trail-a": "1" },
    heads: ["grpc-trailer-x-trail-a", "x-trail-a"],
    seen: [],
    of: ["gateway"],
  },
  {
    what: "trailers of the service, to who does not ask",
    send: "GET /test/v1/unary",
    headers: { "grpc-metadata-x-trail-a": "1" },
    heads: ["grpc-trailer-x-trail-a"],
    seen: [],
    of: ["gateway"],
    differs: { gateway: "it leaves them out" },
  },
  {
    what: "headers and status of a failure",
    send: "POST /test/v1/unary",
    headers: { ...JSON_TYPE, "x-echo-a": "1" },
    body: { behavior: { headers_first: true, refuse: { code: 9, message: "no" } } },
    heads: ["x-echo-a", "grpc-status", "grpc-message"],
    of: ["envoy"],
  },
  {
    what: "headers and status of a failure, with a prefix",
    send: "POST /test/v1/unary",
    headers: { ...JSON_TYPE, "grpc-metadata-x-echo-a": "1" },
    body: { behavior: { headers_first: true, refuse: { code: 9, message: "no" } } },
    heads: ["grpc-metadata-x-echo-a", "grpc-status", "grpc-message"],
    of: ["gateway"],
  },
  {
    what: "a challenge",
    send: "POST /kinds/fail",
    body: { code: 16, message: "who are you?" },
    heads: ["www-authenticate"],
    differs: all("a 401 has a challenge, and a message is none (RFC 9110 §11.6.1)"),
  },
  ...[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 99].map(fail),
];

for (const pair of ["envoy", "options", "gateway"] as const)
  describe(pair, () => {
    const [theirs, ours] = PAIRS[pair];
    for (const row of ROWS.filter(({ of = [pair] }) => of.includes(pair)))
      test(row.what, async () => {
        const [wanted, got] = alike(row, await answerOf(theirs, row), await answerOf(ours, row));
        const reason = row.differs?.[pair];
        if (reason === undefined) assert.deepEqual(got, wanted);
        else assert.notDeepEqual(got, wanted, `both answer ${JSON.stringify(got)}, in spite of: ${reason}`);
      });
  });

/** What of an answer a client sees: without spaces, and without what each hop adds of its own. */
interface Seen {
  readonly status: number;
  readonly type: string;
  readonly body: unknown;
  readonly fields: Readonly<Record<string, string | undefined>>;
}

async function answerOf(
  address: string,
  { send, headers = {}, body, heads = [], seen = [] }: Row,
): Promise<Seen> {
  const [, method = "", target = ""] = /^(\S+) (.*)$/.exec(send) ?? [];
  const text = typeof body === "string" || body === undefined ? body : JSON.stringify(body);
  const sent = { method, headers, ...(text === undefined ? {} : { body: text }) };
  const answer = await http("1.1", address, target, sent);
  return {
    status: answer.status,
    type: String(answer.headers["content-type"]),
    body: messagesOf(answer, seen),
    fields: Object.fromEntries(heads.map((name) => [name, fieldOf(answer, name)])),
  };
}

/** A percent-encoded message says the same as another one; base64 is padded or not. */
function fieldOf({ headers, trailers }: Answer, name: string): string | undefined {
  const value = headers[name] ?? trailers[name];
  if (value === undefined) return undefined;
  if (name === "grpc-message") return decodeURIComponent(String(value));
  return name.endsWith("-bin") ? String(value).replace(/=+$/, "") : String(value);
}

/**
 * A failure of the service is told alike to the letter. One that the proxy found itself each words as it likes: there
 * the code counts, where both tell one. Content types of answers without a body say nothing.
 */
function alike({ anyWords = false }: Row, theirs: Seen, ours: Seen): readonly [Seen, Seen] {
  if (theirs.status < 400 || theirs.status !== ours.status) return [theirs, ours];
  const coded = codeOf(theirs.body) !== undefined && codeOf(ours.body) !== undefined;
  const own = anyWords || JSON.stringify(ours.body).includes('"domain":"linchpin"');
  const part = (seen: Seen): Seen => ({
    ...seen,
    type: coded ? seen.type : "",
    body: !coded ? undefined : own ? codeOf(seen.body) : seen.body,
  });
  return [part(theirs), part(ours)];
}

/** Of a Status, and of one that stands as a stream's failure. */
function codeOf(body: unknown): unknown {
  if (!isObject(body)) return undefined;
  return isObject(body.error) ? body.error.code : body.code;
}

/** JSON, an array of it, or lines of it; anything else as it is. */
function messagesOf({ text }: Answer, seen: readonly string[]): unknown {
  for (const texts of [[text], text.trimEnd().split("\n")]) {
    try {
      const values: unknown[] = texts.map((json) => JSON.parse(json));
      return plain(texts.length === 1 ? values[0] : values, seen);
    } catch {
      // Not in this form.
    }
  }
  return text;
}

type Obj = Readonly<Record<string, unknown>>;
const isObject = (value: unknown): value is Obj => Object(value) === value;

/** Of what the services tell of a request: the message as JSON, and the metadata that are `seen`. */
function plain(value: unknown, seen: readonly string[]): unknown {
  if (Array.isArray(value)) return value.map((item) => plain(item, seen));
  if (!isObject(value)) return value;
  const { got, metadata, seen: told, ...others } = value;
  if (typeof got === "string") {
    const told = isObject(metadata) ? metadata : {};
    return { got: JSON.parse(got), metadata: seen.map((name) => [name, told[name]]) };
  }
  const kept = told === undefined ? {} : { told: told !== null };
  const same = metadata === undefined ? {} : { metadata };
  const rest = Object.fromEntries(Object.entries(others).map(([name, one]) => [name, plain(one, seen)]));
  return { ...rest, ...kept, ...same };
}
