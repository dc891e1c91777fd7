// XML through the hub over HTTP/1.1 and HTTP/2: calls, streams as they come, failures, and who sends it to do harm.
import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { type Answer, type HttpInit, http, openHttp, VERSIONS } from "./support/http.js";
import { startHub } from "./support/hub.js";
import { startService } from "./support/service.js";

const scope = { after };
const behavior = await startService(scope, "behavior", { instance: "one" });
const library = await startService(scope, "library");
const hub = await startHub(scope, [`behavior=${behavior.address}`, `library=${library.address}`]);

const DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n';
const XML = { "content-type": "application/xml", accept: "application/xml" };
const STREAM = "/test/v1/server-stream";

for (const version of VERSIONS) {
  const call = (path: string, init?: HttpInit): Promise<Answer> => http(version, hub.address, path, init);
  const post = (path: string, body: string | Buffer, headers: Record<string, string> = XML) =>
    call(path, { body, headers });

  describe(`HTTP/${version}: XML`, () => {
    test("makes, changes and reads a resource", async () => {
      const id = `xml-${version.replace(".", "-")}`;
      const book =
        "<Book><title>Emma &amp; co</title><authors>Jane Austen</authors><authors>é</authors></Book>";
      const created = await post(`/v1/books?book_id=${id}`, book);
      assert.equal(created.status, 200, created.text);
      assert.equal(created.headers["content-type"], "application/xml");
      assert.equal(created.headers["content-disposition"], undefined);
      assert.ok(
        created.text.startsWith(`${DECLARATION}<Book><name>books/${id}</name><title>Emma &amp; co</title>`),
        created.text,
      );
      const patched = await call(`/v1/books/${id}`, {
        method: "PATCH",
        body: "<Book><subtitle>A Novel</subtitle></Book>",
        headers: { "content-type": "text/xml; charset=utf-8" },
      });
      assert.equal(patched.status, 200, patched.text);
      assert.equal(patched.headers["content-type"], "application/json");
      const got = await call(`/v1/books/${id}`, { headers: { accept: "text/xml" } });
      assert.equal(got.headers["content-type"], "text/xml; charset=utf-8");
      assert.match(
        got.text,
        /<subtitle>A Novel<\/subtitle><authors>Jane Austen<\/authors><authors>é<\/authors>/,
      );
      const again = await call(`/v1/books/${id}`, {
        headers: { accept: "text/xml", "if-none-match": String(got.headers.etag) },
      });
      assert.equal(again.status, 304);
      await call(`/v1/books/${id}`, { method: "DELETE" });
    });

    test("failures are a Status: of the service, of the hub, and before a route is known", async () => {
      const missing = await call("/v1/books/nope", { headers: { accept: "application/xml" } });
      assert.equal(missing.status, 404);
      assert.equal(missing.headers["content-type"], "application/xml");
      assert.ok(missing.text.startsWith(`${DECLARATION}<Status><code>5</code><message>`), missing.text);
      const invalid = await post("/v1/books", "<Book><titel>x</titel></Book>");
      assert.equal(invalid.status, 400);
      assert.match(
        invalid.text,
        /<message>\$\.titel: library\.v1\.Book has no field 'titel'.*<details type="type\.googleapis\.com\/google\.rpc\.BadRequest"><fieldViolations><field>book\.titel<\/field>/,
      );
      const nowhere = await call("/nowhere", { headers: { accept: "application/xml" } });
      assert.equal(nowhere.status, 404);
      assert.match(nowhere.text, /<Status><code>5<\/code>/);
      const auto = await post("/library.v1.LibraryService/GetBook", "<GetBookRequest/>");
      assert.equal(auto.status, 415);
      assert.match(auto.text, /^<\?xml .*\n<Status><code>3<\/code>/);
    });

    test("$alt=xml asks for it as Accept does, for failures too", async () => {
      const json = { accept: "application/json" };
      const got = await call("/v1/books/moby-dick?$alt=xml", { headers: json });
      assert.equal(got.headers["content-type"], "application/xml");
      assert.match(got.text, /<Book><name>books\/moby-dick<\/name>/);
      const missing = await call("/v1/books/nope?$alt=xml", { headers: json });
      assert.equal(missing.status, 404);
      assert.match(missing.text, /<Status><code>5<\/code>/);
      const problem = await call("/v1/books/nope?$alt=xml", {
        headers: { accept: "application/problem+json" },
      });
      assert.equal(problem.headers["content-type"], "application/problem+json");
      const asJson = await call("/v1/books/nope?$alt=json", { headers: { accept: "application/xml" } });
      assert.equal(asJson.headers["content-type"], "application/json");
      const stream = await call(`${STREAM}?behavior.responseCount=2&$alt=xml`, { headers: json });
      assert.match(stream.text, /<stream>\n(<(\w+)>.*<\/\2>\n){2}<\/stream>\n$/);
    });

    for (const [path, code, status] of [
      ["/v1/books/nope?", 5, 404],
      ["/v1/books?pageSize=x&", 3, 400],
      ["/v1/books?nope=1&", 3, 400],
      ["/v1/books?%ff=1&", 3, 400],
      ["/v1/books:search?", 3, 400],
      ["/v1/books:search?nope=1&", 3, 400],
    ] as const) {
      test(`failures of ${path} come in the format that $alt asks for`, async () => {
        const xml = await call(`${path}$alt=xml`, {});
        assert.equal(xml.status, status);
        assert.equal(xml.headers["content-type"], "application/xml");
        assert.match(xml.text, new RegExp(`<Status><code>${code}</code>`));
        for (const [query, headers] of [
          ["$alt=proto", {}],
          ["", { accept: "application/x-protobuf" }],
          ["", { accept: "application/json;q=0.5, application/protobuf" }],
        ] as const) {
          const proto = await call(path + query, { headers });
          assert.equal(proto.status, status);
          assert.equal(proto.headers["content-type"], "application/x-protobuf");
          // google.rpc.Status: int32 code = 1; string message = 2;
          assert.deepEqual([...proto.body.subarray(0, 3)], [8, code, 0x12]);
        }
        const either = await call(path, { headers: { accept: "application/json, application/protobuf" } });
        assert.equal(either.headers["content-type"], "application/json");
      });
    }

    for (const [what, send, status, says] of [
      [
        "a stream of requests",
        { path: "/v1/books:import", body: "<stream/>" },
        415,
        /Content-Type application\/x-ndjson, application\/json/,
      ],
      [
        "streams both ways",
        { path: "/test/v1/bidi-stream", body: "<stream/>" },
        415,
        /Content-Type application\/x-ndjson, application\/json/,
      ],
      [
        "events of one message",
        { path: "/v1/books/moby-dick?$alt=sse" },
        400,
        /\$alt.*expected json, xml or proto/,
      ],
    ] as const) {
      test(`${what}: ${status}, and it says what there is`, async () => {
        const answer = "body" in send ? await post(send.path, send.body) : await call(send.path);
        assert.equal(answer.status, status, answer.text);
        assert.match(answer.text, says);
      });
    }

    test("large messages, each way", async () => {
      const unary = "/test/v1/unary";
      const answer = await call(`${unary}?behavior.responseBytes=1500000`, {
        headers: { accept: "application/xml" },
      });
      assert.equal(answer.status, 200, answer.text.slice(0, 200));
      const payload = /<payload>(.*)<\/payload>/.exec(answer.text)?.[1] ?? "";
      assert.equal(Buffer.from(payload, "base64").length, 1_500_000);
      const sent = Buffer.alloc(700_000, "z").toString("base64");
      const echoed = await post(unary, `<UnaryRequest><payload>${sent}</payload></UnaryRequest>`);
      assert.equal(echoed.status, 200, echoed.text.slice(0, 200));
      assert.ok(echoed.text.includes(`<payload>${sent}</payload>`));
    });

    test("a stream is <stream>, each message sent at once", async () => {
      const query = "?behavior.responseCount=2&behavior.interval=3600s";
      const pending = openHttp(version, hub.address, STREAM + query, {
        headers: { accept: "application/xml" },
      });
      const { body: stream } = await pending.answer;
      let received = "";
      for await (const chunk of stream.iterator({ destroyOnReturn: false })) {
        received += chunk;
        if (received.includes("</seen>")) break;
      }
      pending.leave();
      assert.ok(received.startsWith(`${DECLARATION}<stream>\n<`), received);
      const whole = await call(`${STREAM}?behavior.responseCount=2`, {
        headers: { accept: "application/xml" },
      });
      assert.equal(whole.headers["content-type"], "application/xml");
      assert.match(whole.text, /<stream>\n(<(\w+)>.*<\/\2>\n){2}<\/stream>\n$/);
    });

    test("a stream that fails ends with <error>, and one that fails first is a Status", async () => {
      const failing = `${STREAM}?behavior.responseCount=1&behavior.fail.code=10&behavior.fail.message=that`;
      const told = await call(failing, { headers: { accept: "application/xml" } });
      assert.equal(told.status, 200, told.text);
      assert.match(told.text, /\n<error><code>10<\/code><message>that<\/message><\/error>\n<\/stream>\n$/);
      assert.equal(told.trailers["grpc-status"], "10");
      const refused = await call(`${STREAM}?behavior.refuse.code=5`, {
        headers: { accept: "application/xml" },
      });
      assert.equal(refused.status, 404);
      assert.match(refused.text, /<Status><code>5<\/code>/);
    });

    const ATTACKS: [what: string, body: string, status: number][] = [
      [
        "a billion laughs",
        '<!DOCTYPE l [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]><Book><title>&b;</title></Book>',
        400,
      ],
      [
        "an external entity",
        '<!DOCTYPE l [<!ENTITY a SYSTEM "file:///etc/hostname">]><Book><title>&a;</title></Book>',
        400,
      ],
      ["100,000 levels", "<Book>".repeat(100_000), 400],
      ["100,000 attributes", `<Book ${'a="" '.repeat(100_000)}/>`, 400],
      ["2 MiB", `<Book>${" ".repeat(2 * 1024 * 1024)}</Book>`, 413],
    ];
    for (const [what, body, status] of ATTACKS) {
      test(`${what} is ${status} at once`, async () => {
        const start = performance.now();
        const answer = await post("/v1/books", body);
        assert.equal(answer.status, status, answer.text);
        assert.ok(performance.now() - start < 10_000);
      });
    }
  });
}
