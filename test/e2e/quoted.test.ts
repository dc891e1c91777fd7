// Failures that repeat what their caller sent: whatever it is, of whatever length and in whatever form the answer is
// wanted, there is one, it is that form, and no character in it is torn.
import assert from "node:assert/strict";
import { Agent, request as request1 } from "node:http";
import { type ClientHttp2Session, connect } from "node:http2";
import { after, test } from "node:test";
import fc from "fast-check";
import { XMLParser, XMLValidator } from "fast-xml-parser";
import { decodeStatusProto } from "#src/call/status/status.js";
import { type HttpInit, requestOn } from "./support/http.js";
import { startHub } from "./support/hub.js";
import { startService } from "./support/service.js";

const RUNS = Number(process.env.FUZZ_RUNS ?? 300);
const scope = { after };
const library = await startService(scope, "library");
const { address, program } = await startHub(scope, [library.address]);

interface Asked extends HttpInit {
  readonly path: string;
}

const q = encodeURIComponent;
/** UTF-8 in a header field, a byte per character, as clients send it. */
const inHeader = (text: string): string =>
  Buffer.from(text.replace(/\p{Cc}/gu, "?"), "utf8").toString("latin1");

/** Every place of a request that a failure may repeat. */
const PLACES: Readonly<Record<string, (text: string) => Asked>> = {
  "service of /healthz": (text) => ({ path: `/healthz?service=${q(text)}` }),
  "service of /openapi.json": (text) => ({ path: `/openapi.json?service=${q(text)}` }),
  "version of /openapi.json": (text) => ({ path: `/openapi.json?version=${q(text)}` }),
  "parameter of /openapi.json": (text) => ({ path: `/openapi.json?${q(text)}=1` }),
  "name in the query": (text) => ({ path: `/v1/books?${q(text)}=1` }),
  "deeper name in the query": (text) => ({ path: `/v1/books?a.${q(text)}=1` }),
  "value in the query": (text) => ({ path: `/v1/books?page_size=${q(text)}` }),
  "enum in the query": (text) => ({ path: `/v1/books?genres=${q(text)}` }),
  $alt: (text) => ({ path: `/v1/books?$alt=${q(text)}` }),
  $fields: (text) => ({ path: `/v1/books?$fields=${q(text)}` }),
  "segment of the path": (text) => ({ path: `/v1/books/${q(text)}` }),
  "segment that is no UTF-8": (text) => ({ path: `/v1/books/%ff${q(text)}` }),
  "path without a route": (text) => ({ path: `/nowhere/${q(text)}` }),
  "name in JSON": (text) => ({ path: "/v1/books", body: `{${JSON.stringify(text)}:1}` }),
  "name twice in JSON": (text) => ({
    path: "/v1/books",
    body: `{${JSON.stringify(text)}:1,${JSON.stringify(text)}:2}`,
  }),
  "value in JSON": (text) => ({ path: "/v1/books", body: `{"pages":${JSON.stringify(text)}}` }),
  "map key in JSON": (text) => ({ path: "/v1/books", body: `{"labels":{${JSON.stringify(text)}:[]}}` }),
  "stray text in JSON": (text) => ({ path: "/v1/books", body: `{"title":${text}}` }),
  "element in XML": (text) => ({
    path: "/v1/books",
    headers: { "content-type": "application/xml" },
    body: `<Book><${text}>1</${text}></Book>`,
  }),
  "end tag in XML": (text) => ({
    path: "/v1/books",
    headers: { "content-type": "application/xml" },
    body: `<${text}></b>`,
  }),
  "encoding of XML": (text) => ({
    path: "/v1/books",
    headers: { "content-type": "application/xml" },
    body: `<?xml version="1.0" encoding="${text}"?><Book/>`,
  }),
  "X-HTTP-Method-Override": (text) => ({
    path: "/v1/books/1",
    method: "POST",
    headers: { "x-http-method-override": inHeader(text) },
  }),
  "Content-Encoding": (text) => ({
    path: "/v1/books",
    headers: { "content-encoding": inHeader(text) },
    body: "{}",
  }),
  "Content-Type": (text) => ({ path: "/v1/books", headers: { "content-type": inHeader(text) }, body: "{}" }),
  "X-Request-Timeout": (text) => ({
    path: "/v1/books",
    headers: { "x-request-timeout": inHeader(text) },
  }),
  "Grpc-Timeout": (text) => ({ path: "/v1/books", headers: { "grpc-timeout": inHeader(text) } }),
};

const FORMS = [
  "application/json",
  "application/xml",
  "text/xml",
  "application/problem+json",
  "application/x-protobuf",
] as const;
/** Where texts are cut, and about it. */
const LIMITS = [10, 16, 20, 40, 60, 100, 128, 200, 500];
const CHARS = ["😀", "€", "é", "\u0001", "\u009b", "\u202e", "\ufffe", "%", "'", "<", "]]>"];

interface Read {
  readonly status: number;
  readonly contentType: string;
  readonly body: Buffer;
}

const agent = new Agent({ keepAlive: true, maxSockets: 4 });
after(() => agent.destroy());
let session: ClientHttp2Session | undefined;
after(() => session?.destroy());

function ask1({ path, method, headers, body }: Asked): Promise<Read> {
  const [, host = "", port = ""] = /^(.*):(\d+)$/.exec(address) ?? [];
  return new Promise((resolve, reject) => {
    const length = body === undefined ? {} : { "content-length": Buffer.byteLength(body) };
    const type = body === undefined ? {} : { "content-type": "application/json" };
    const request = request1({
      ...{ host, port, path, agent, method: method ?? (body === undefined ? "GET" : "POST") },
      headers: { ...length, ...type, ...headers },
    });
    request.on("error", reject);
    request.on("response", async (response) => {
      const chunks: Buffer[] = await response.toArray();
      const contentType = String(response.headers["content-type"]);
      resolve({ status: response.statusCode ?? 0, contentType, body: Buffer.concat(chunks) });
    });
    request.end(body);
  });
}

async function ask2(asked: Asked): Promise<Read> {
  if (session === undefined || session.closed) session = connect(`http://${address}`);
  const open = await requestOn(session, asked.path, asked).answer;
  const chunks: Buffer[] = await open.body.toArray();
  return {
    status: open.status,
    contentType: String(open.headers["content-type"]),
    body: Buffer.concat(chunks),
  };
}

/** The message of a failure, as a client of this form reads it. */
function messageOf({ contentType, body }: Read): string {
  if (contentType === "application/x-protobuf") return decodeStatusProto(body)?.message ?? "";
  const text = body.toString("utf8");
  assert.ok(!text.includes("\ufffd") && body.equals(Buffer.from(text)), text);
  if (/\/xml\b/.test(contentType)) {
    assert.equal(XMLValidator.validate(text), true, text);
    return String(new XMLParser().parse(text).Status.message);
  }
  assert.ok(contentType.endsWith("json"), contentType);
  const json: unknown = JSON.parse(text);
  return String(Object(json).message ?? Object(json).detail);
}

async function check(place: string, text: string, accept: string, http: 1 | 2): Promise<void> {
  const plain = PLACES[place]?.(text) ?? assert.fail(place);
  const asked = { ...plain, headers: { accept, ...plain.headers } };
  const read = await (http === 1 ? ask1(asked) : ask2(asked));
  const about = `HTTP/${http}, ${place}, ${accept}, ${JSON.stringify(text)}: ${read.status} ${read.body}`;
  assert.ok(read.status < 500, about);
  if (read.status < 400) return;
  const message = messageOf(read);
  assert.ok(message !== "" && message !== "undefined" && message.isWellFormed(), about);
  assert.ok(!message.includes("\ufffd"), about);
}

test("a character that takes two units, at every place where a failure may cut", async () => {
  for (const place of Object.keys(PLACES))
    for (const limit of LIMITS)
      for (const http of [1, 2] as const)
        await check(place, `${"a".repeat(limit - 1)}😀b`, "application/xml", http);
});

test("text of any length and alphabet, in every form", async () => {
  const text = fc
    .tuple(
      fc.constantFrom(...LIMITS),
      fc.integer({ min: -3, max: 1 }),
      fc.array(fc.constantFrom(...CHARS), { minLength: 1, maxLength: 4 }),
      fc.constantFrom("a", "😀"),
    )
    .map(([limit, off, chars, fill]) => {
      const length = Math.max(0, limit + off);
      return fill.repeat(length / fill.length) + chars.join("");
    });
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...Object.keys(PLACES)),
      text,
      fc.constantFrom(...FORMS),
      fc.constantFrom(1 as const, 2 as const),
      check,
    ),
    { numRuns: RUNS },
  );
  const alive = await ask1({ path: "/healthz" });
  assert.equal(alive.status, 200, program.stderr.text);
});
