// What clients of Envoy's grpc_json_transcoder and of grpc-gateway may count on with the preset of that name. Where both
// were asked: test/tools/presets.test.ts.
import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { http, VERSIONS } from "./support/http.js";
import { startHubWithConfig } from "./support/hub.js";
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
const [envoy, gateway] = await Promise.all(
  ["envoy", "grpc-gateway"].map((preset) =>
    startHubWithConfig(scope, `${upstreams}\nhttp: { preset: ${preset} }\n`),
  ),
);

const FORM = { "content-type": "application/x-www-form-urlencoded" };
const PAYLOAD = "YQ==";

/** The same with both. */
const BOTH: readonly Row[] = [
  {
    what: "JSON is JSON under any name: what curl sends by itself",
    send: "POST /kinds/take",
    headers: FORM,
    body: '{"text":"a"}',
    got: { text: "a" },
  },
  {
    what: "… that of a text",
    send: "POST /kinds/take",
    headers: { "content-type": "text/plain" },
    body: '{"text":"a"}',
    got: { text: "a" },
  },
  {
    what: "… none",
    send: "POST /kinds/take",
    headers: { "content-type": "" },
    body: '{"text":"a"}',
    got: { text: "a" },
  },
  {
    what: "… but it must be JSON",
    send: "POST /kinds/take",
    headers: FORM,
    body: "text=a",
    status: 400,
  },
  {
    what: "… and a path without a rule takes nothing else: pages of other sites cannot send that",
    send: "POST /test.v1.KindsService/Plain",
    headers: { "content-type": "text/plain" },
    body: '{"name":"a"}',
    status: 415,
  },
  {
    what: "an Accept that nothing meets is passed over",
    send: "GET /kinds/take?text=a",
    headers: { accept: "text/plain" },
    got: { text: "a" },
    has: { "content-type": "application/json" },
  },
  {
    what: "an Accept that something meets is heard",
    send: "POST /test/v1/server-stream",
    headers: { accept: "application/x-ndjson", "content-type": "application/json" },
    body: { payload: PAYLOAD, behavior: { responseCount: 2 } },
    has: { "content-type": "application/x-ndjson" },
    text: /^\{"payload".*\n\{"payload".*\n$/,
  },
  {
    what: "a stream's body under any name",
    send: "POST /test/v1/client-stream",
    headers: FORM,
    body: `[{"payload":"${PAYLOAD}"},{"payload":"${PAYLOAD}"}]`,
    holds: { requestCount: "2" },
  },
  {
    what: "booleans as people write them",
    send: "GET /kinds/take?kinds.flag=1&kinds.wrapped_flag=T",
    got: { kinds: { flag: true, wrappedFlag: true } },
  },
  { what: "… in a path too", send: "GET /match/flag/1", got: { flag: true } },
  {
    what: "a field mask with the names of the protos",
    send: "GET /kinds/take?kinds.mask=display_name,child.text",
    got: { kinds: { mask: "displayName,child.text" } },
  },
  {
    what: "an enum's unknown name in a query is refused",
    send: "GET /kinds/take?kinds.color=RED",
    status: 400,
  },
  { what: "… in a path too", send: "GET /match/color/RED", status: 400 },
  { what: "unknown fields of a body are passed over", send: "POST /kinds/take", body: { nmae: 1 }, got: {} },
  {
    what: "what is not what it says is still refused",
    send: "GET /kinds/take?kinds.number=many",
    status: 400,
  },
];

const GATEWAY: readonly Row[] = [
  {
    what: "unset messages are null, members of a oneof and optional fields are left out",
    send: "POST /kinds/give",
    body: { kinds: { child: {} } },
    holds: {
      text: "",
      kinds: {
        number: 0,
        numbers: [],
        labels: {},
        time: null,
        wrappedText: null,
        presence: null,
        maybe: undefined,
        one: undefined,
        three: undefined,
        child: { child: null },
      },
    },
  },
  {
    what: "proto2's scalars are null too",
    send: "POST /kinds/give",
    body: { kinds: { presence: {} } },
    holds: { kinds: { presence: { count: null, word: null, steps: [], corner: null } } },
  },
  {
    what: "a stream that fails before its first message says it as it would after it",
    send: "POST /test/v1/server-stream",
    body: { behavior: { refuse: { code: 8, message: "full" } } },
    status: 429,
    text: '{"error":{"code":8,"message":"full","details":[]}}\n',
  },
  {
    what: "… but a request that is wrong is told without a stream",
    send: "POST /test/v1/server-stream",
    body: '{"payload":1}',
    status: 400,
    says: /payload/,
  },
  {
    what: "… and so is a failure of what is no stream",
    send: "POST /test/v1/unary",
    body: { behavior: { refuse: { code: 8, message: "full" } } },
    status: 429,
    json: { code: 8, message: "full", details: [] },
  },
  {
    what: "a body that the rule has no place for is passed over",
    send: "DELETE /kinds/take?text=a",
    body: { text: "b" },
    got: { text: "a" },
  },
  {
    what: "durations as Go writes them",
    send: "GET /kinds/take?kinds.span=1m30s",
    got: { kinds: { span: "90s" } },
  },
  {
    what: "segments of a path are decoded whole",
    send: "GET /match/deep/a%2Fb/c%23",
    got: { name: "a/b/c#" },
  },
  {
    what: "a PATCH fills its mask",
    send: "PATCH /kinds/update/x",
    body: { number: 0 },
    got: { kinds: { text: "x" }, updateMask: "number" },
  },
  {
    what: "POST is another method where it says so, and its form is the query",
    send: "POST /kinds/take?text=a",
    headers: { ...FORM, "x-http-method-override": "GET" },
    body: "numbers=1&numbers=2&nmae=x",
    got: { text: "a", numbers: [1, 2] },
  },
  {
    what: "… which is judged as any other",
    send: "POST /kinds/take?text=a",
    headers: { ...FORM, "x-http-method-override": "GET" },
    body: "text=b",
    status: 400,
  },
  ...["%24fields=got", "$alt=xml", "$prettyPrint=true"].map((body) => ({
    what: `… and does not say how the answer looks: ${body}`,
    send: "POST /kinds/take?text=a",
    headers: { ...FORM, "x-http-method-override": "GET" },
    body,
    status: 400,
    says: /belong in the URL, not in the form/,
  })),
  {
    what: "metadata of requests: with the prefix, and HTTP's own fields under another",
    send: "GET /kinds/take",
    headers: { "grpc-metadata-x-mine": "1", "accept-language": "de", authorization: "Bearer x" },
    holds: {
      metadata: {
        "x-mine": "1",
        "grpcgateway-accept-language": "de",
        "grpcgateway-authorization": "Bearer x",
        authorization: "Bearer x",
        "grpcgateway-host": undefined,
      },
    },
  },
  {
    what: "… which nobody else can make up",
    send: "GET /kinds/take",
    headers: { "grpcgateway-origin": "1", "grpc-metadata-grpcgateway-referer": "2" },
    holds: { metadata: { "grpcgateway-origin": undefined, "grpcgateway-referer": undefined } },
  },
  {
    what: "trailers have their prefix where they are trailers too",
    send: "GET /test/v1/unary",
    headers: { "x-trail-a": "1", te: "trailers" },
    trailers: { "grpc-trailer-x-trail-a": "1", "x-trail-a": null },
  },
  { what: "a wrong method is 501", send: "PUT /kinds/take", status: 501 },
];

const ENVOY: readonly Row[] = [
  {
    what: "a failure's status and details are fields",
    send: "POST /kinds/fail",
    body: { code: 5, message: "gone", details: [{ typeUrl: "t/a.B", value: PAYLOAD }] },
    status: 404,
    text: "",
    has: {
      "grpc-status": "5",
      "grpc-message": "gone",
      "grpc-status-details-bin": "CAUSBGdvbmUaCgoFdC9hLkISAWE=",
    },
  },
  {
    what: "of a stream the status is a trailer alone",
    send: "POST /test/v1/server-stream",
    body: { behavior: { responseCount: 1, fail: { code: 8, message: "full" } } },
    has: { "grpc-status": null },
    trailers: { "grpc-status": "8", "grpc-message": "full" },
  },
  { what: "+ in a query is itself", send: "GET /kinds/take?text=a+b%2B%20c", got: { text: "a+b+ c" } },
  {
    what: "… so that a moment's zone need not be escaped",
    send: "GET /kinds/take?kinds.time=2024-05-01T12:00:00+02:00",
    got: { kinds: { time: "2024-05-01T10:00:00Z" } },
  },
  {
    what: "several segments keep the escapes of reserved characters",
    send: "GET /match/deep/a%2Fb/c%23%20",
    got: { name: "a%2Fb/c%23 " },
  },
  { what: "one segment is decoded whole", send: "GET /match/a%2Fb%23", got: { name: "a/b#" } },
  {
    what: "a PATCH leaves its mask to the client",
    send: "PATCH /kinds/update/x",
    body: { number: 1 },
    got: { kinds: { text: "x", number: 1 } },
  },
  { what: "a wrong method is no route", send: "PUT /kinds/take", status: 404, has: { "grpc-status": "12" } },
  { what: "an unknown parameter is refused", send: "GET /kinds/take?nmae=1", status: 400 },
];

for (const version of VERSIONS)
  describe(`HTTP/${version}`, () => {
    for (const [preset, hub, rows] of [
      ["grpc-gateway", gateway, [...BOTH, ...GATEWAY]],
      ["envoy", envoy, [...BOTH, ...ENVOY]],
    ] as const)
      for (const row of rows)
        test(`${preset}: ${row.what}`, async () => void (await holds(version, hub?.address ?? "", row)));

    test("large bodies are read in the same way", async () => {
      const text = "a".repeat(2 ** 20);
      const answer = await http(version, gateway?.address ?? "", "/kinds/give?x=1", {
        method: "POST",
        headers: FORM,
        body: JSON.stringify({ text, nmae: 1 }),
      });
      assert.deepEqual(answer.json(), { kinds: null, text, numbers: [], labels: {} });
      const query = `text=${text}`;
      const form = await http(version, gateway?.address ?? "", "/kinds/take", {
        headers: { ...FORM, "x-http-method-override": "GET" },
        body: query,
      });
      assert.equal(form.status, 200);
      assert.ok(form.text.length > text.length);
    });
  });
