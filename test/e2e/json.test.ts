// JSON through the hub over HTTP/1.1 and HTTP/2: unary calls, server streams in every framing, and what is refused.
import assert from "node:assert/strict";
import { Agent, request } from "node:http";
import { after, describe, test } from "node:test";
import { type Answer, type HttpInit, http, openHttp, VERSIONS } from "./support/http.js";
import { startHub } from "./support/hub.js";
import { startService } from "./support/service.js";

const scope = { after };
const service = await startService(scope, "behavior", { instance: "one" });
const library = await startService(scope, "library");
const hub = await startHub(scope, [`behavior=${service.address}`, `library=${library.address}`]);

/** A field deep inside JSON. */
function at(value: unknown, ...path: (string | number)[]): unknown {
  return path.reduce<unknown>(
    (inner, key) => (Object(inner) === inner ? Reflect.get(Object(inner), key) : undefined),
    value,
  );
}

const UNARY = "/test/v1/unary";
const STREAM = "/test/v1/server-stream";
const base64 = (text: string): string => Buffer.from(text).toString("base64");

for (const version of VERSIONS) {
  const call = (path: string, init?: HttpInit): Promise<Answer> => http(version, hub.address, path, init);
  const post = (path: string, body: unknown, headers: Record<string, string> = {}): Promise<Answer> =>
    call(path, { body: JSON.stringify(body), headers });

  describe(`HTTP/${version}: unary`, () => {
    test("POST with a body", async () => {
      const answer = await post(UNARY, { payload: base64("hello") });
      assert.equal(answer.status, 200, answer.text);
      assert.equal(answer.headers["content-type"], "application/json");
      assert.equal(at(answer.json(), "payload"), base64("hello"));
      assert.equal(at(answer.json(), "seen", "instance"), "one");
    });

    test("GET, PATCH and DELETE of a resource", async () => {
      const id = `e2e-${version.replace(".", "-")}`;
      const created = await post(`/v1/books?book_id=${id}`, { title: "Emma", authors: ["Jane Austen"] });
      assert.equal(created.status, 200, created.text);
      assert.equal(at(created.json(), "name"), `books/${id}`);
      const patched = await call(`/v1/books/${id}`, {
        method: "PATCH",
        body: JSON.stringify({ subtitle: "A Novel" }),
      });
      assert.equal(patched.status, 200, patched.text);
      const got = await call(`/v1/books/${id}`);
      assert.equal(at(got.json(), "title"), "Emma");
      assert.equal(at(got.json(), "subtitle"), "A Novel");
      const deleted = await call(`/v1/books/${id}`, { method: "DELETE" });
      assert.equal(deleted.status, 200, deleted.text);
      assert.deepEqual(deleted.json(), {});
      assert.equal((await call(`/v1/books/${id}`)).status, 404);
    });

    test("query parameters reach the request's fields", async () => {
      const answer = await call("/v1/books?page_size=2");
      const books = at(answer.json(), "books");
      assert.ok(Array.isArray(books) && books.length === 2, answer.text);
    });

    test("headers become metadata, metadata become headers", async () => {
      const answer = await post(UNARY, {}, { "x-echo-word": "one", "x-trail-word": "two" });
      assert.equal(answer.headers["x-echo-word"], "one");
      assert.equal(answer.headers["x-served-by"], "one");
      assert.ok(JSON.stringify(answer.headers).includes("two"), "the trailing metadata is there");
    });

    test("HEAD answers without a body", async () => {
      const answer = await call("/v1/books", { method: "HEAD" });
      assert.equal(answer.body.length, 0);
    });

    test("3 MiB each way", async () => {
      const payload = Buffer.alloc(3 * 1024 * 1024, "z").toString("base64");
      const answer = await post(UNARY, { payload });
      assert.equal(answer.status, 200, answer.text.slice(0, 200));
      assert.equal(at(answer.json(), "payload"), payload);
    });

    test("a message over the limit is 413, however it is written", async () => {
      const payload = Buffer.alloc(4 * 1024 * 1024 + 1).toString("base64");
      for (const body of [JSON.stringify({ payload }), Buffer.alloc(16 * 1024 * 1024, " ")]) {
        const answer = await call(UNARY, { body });
        assert.equal(answer.status, 413, answer.text.slice(0, 200));
      }
    });
  });

  describe(`HTTP/${version}: server streaming`, () => {
    const query = "?behavior.responseCount=3&payload=aGk";
    const indexes = (values: readonly unknown[]): unknown[] => values.map((value) => at(value, "index") ?? 0);

    test("an array, unless asked for something else", async () => {
      const answer = await call(STREAM + query);
      assert.equal(answer.status, 200, answer.text);
      assert.equal(answer.headers["content-type"], "application/json");
      const values = answer.json();
      assert.ok(Array.isArray(values));
      assert.deepEqual(indexes(values), [0, 1, 2]);
    });

    test("an empty stream is an empty array", async () => {
      assert.equal((await call(STREAM)).text, "[]");
    });

    test("NDJSON: a message per line", async () => {
      const answer = await call(STREAM + query, { headers: { accept: "application/x-ndjson" } });
      assert.equal(answer.headers["content-type"], "application/x-ndjson");
      assert.ok(answer.text.endsWith("\n"));
      const lines = answer.text.trimEnd().split("\n");
      assert.deepEqual(indexes(lines.map((line) => JSON.parse(line))), [0, 1, 2]);
    });

    test("server-sent events: a message per event", async () => {
      const answer = await call(STREAM + query, { headers: { accept: "text/event-stream" } });
      assert.equal(answer.headers["content-type"], "text/event-stream");
      const events = answer.text.trimEnd().split("\n\n");
      assert.equal(events.pop(), "event: end\ndata: {}");
      assert.deepEqual(indexes(events.map((event) => JSON.parse(event.replace(/^data: /, "")))), [0, 1, 2]);
    });

    test("each message comes at once, not with the last", async () => {
      // The second message never comes in the time of this test.
      const body = JSON.stringify({ behavior: { responseCount: 2, interval: "3600s" } });
      for (const accept of ["application/json", "application/x-ndjson", "text/event-stream"]) {
        const pending = openHttp(version, hub.address, STREAM, { body, headers: { accept } });
        const { body: stream } = await pending.answer;
        let received = "";
        for await (const chunk of stream.iterator({ destroyOnReturn: false })) {
          received += chunk;
          if (received.includes('"seen"')) break;
        }
        pending.leave();
      }
    });

    const fail = { code: 10, message: "that was all" };
    const FRAMINGS = [
      { accept: "application/json", pattern: /^\[\{.*\},\{.*\},\{"error":\{.*"that was all".*\}\}\]$/ },
      { accept: "application/x-ndjson", pattern: /^\{.*\}\n\{.*\}\n\{"error":\{.*"that was all".*\}\}\n$/ },
      {
        accept: "text/event-stream",
        pattern: /^data: \{.*\}\n\ndata: \{.*\}\n\nevent: failed\ndata: \{.*"that was all".*\}\n\n$/,
      },
    ];
    for (const { accept, pattern } of FRAMINGS) {
      test(`${accept}: an error after messages stands behind them`, async () => {
        const answer = await post(STREAM, { behavior: { responseCount: 2, fail } }, { accept });
        assert.equal(answer.status, 200);
        assert.match(answer.text, pattern);
        assert.equal(answer.trailers["grpc-status"], "10");
      });

      test(`${accept}: an error before any message is the answer's status`, async () => {
        const refuse = { code: 5, message: "no such stream" };
        const answer = await post(STREAM, { behavior: { responseCount: 2, refuse } }, { accept });
        assert.equal(answer.status, 404, answer.text);
        assert.equal(answer.headers["content-type"], "application/json");
        assert.match(answer.text, /no such stream/);
      });
    }

    test("an Accept that nothing satisfies is 406", async () => {
      const answer = await call(STREAM, { headers: { accept: "image/png" } });
      assert.equal(answer.status, 406, answer.text);
    });

    test("3 MiB in each message", async () => {
      const bytes = 3 * 1024 * 1024;
      const answer = await post(STREAM, { behavior: { responseCount: 2, responseBytes: bytes } });
      const values = answer.json();
      assert.ok(Array.isArray(values) && values.length === 2);
      for (const value of values)
        assert.equal(Buffer.from(String(at(value, "payload")), "base64").length, bytes);
    });
  });

  describe(`HTTP/${version}: failures`, () => {
    const HTTP_STATUS = [0, 499, 500, 400, 504, 404, 409, 403, 429, 400, 409, 400, 501, 500, 503, 500, 401];
    for (const [code, expected] of HTTP_STATUS.entries()) {
      if (code === 0) continue;
      test(`gRPC code ${code} is ${expected}, and the body a google.rpc.Status`, async () => {
        const answer = await post(UNARY, { behavior: { refuse: { code, message: "as asked" } } });
        assert.equal(answer.status, expected, answer.text);
        assert.equal(answer.headers["content-type"], "application/json");
        assert.equal(at(answer.json(), "code"), code);
        assert.equal(at(answer.json(), "message"), "as asked");
      });
    }

    test("details of known types come as JSON", async () => {
      const answer = await call("/v1/books", { body: JSON.stringify({ authors: [] }) });
      assert.equal(answer.status, 400, answer.text);
      const details = at(answer.json(), "details");
      assert.ok(Array.isArray(details));
      assert.ok(
        details.some((d) => at(d, "@type") === "type.googleapis.com/google.rpc.BadRequest"),
        answer.text,
      );
      assert.match(answer.text, /title/);
    });

    const WRONG: readonly (readonly [string, string, string, RegExp])[] = [
      ["malformed JSON", UNARY, '{"payload":', /JSON/],
      ["a wrong type", UNARY, '{"behavior":{"responseBytes":"many"}}', /behavior\.response_?[bB]ytes/],
      ["an unknown field", UNARY, '{"behavior":{"responseByte":1}}', /behavior\.responseByte\b/],
      ["an unknown field at the top", UNARY, '{"paylod":"aGk="}', /paylod/],
      ["an array where an object belongs", UNARY, "[]", /object/],
      ["no base64", UNARY, '{"payload":"%%%"}', /payload/],
      [
        "a number out of range",
        UNARY,
        '{"behavior":{"responseBytes":3000000000}}',
        /behavior\.response_?[bB]ytes/,
      ],
      ["a field given twice", UNARY, '{"payload":"aGk=","payload":"aGk="}', /payload/],
      ["bytes that are no UTF-8", UNARY, "\u00ff", /JSON|UTF-8/],
    ];
    for (const [name, path, body, pattern] of WRONG) {
      test(`${name} is 400, and says where`, async () => {
        const answer = await call(path, { body: Buffer.from(body, "latin1") });
        assert.equal(answer.status, 400, answer.text);
        assert.equal(at(answer.json(), "code"), 3);
        assert.match(answer.text, pattern);
      });
    }

    const WRONG_QUERY: readonly (readonly [string, string, RegExp])[] = [
      ["an unknown parameter", "/v1/books?page_sise=3", /page_sise/],
      ["a parameter of a wrong type", "/v1/books?page_size=many", /page_size/],
      ["a parameter below an unknown field", `${STREAM}?behavior.nothing=1`, /behavior\.nothing/],
    ];
    for (const [name, path, pattern] of WRONG_QUERY) {
      test(`${name} is 400, and named`, async () => {
        const answer = await call(path);
        assert.equal(answer.status, 400, answer.text);
        assert.match(answer.text, pattern);
      });
    }

    test("an unknown path is 404", async () => {
      const answer = await call("/v1/bocks");
      assert.equal(answer.status, 404, answer.text);
      assert.equal(at(answer.json(), "code"), 5);
    });

    test("a wrong method is 405, and says which are right", async () => {
      const answer = await call(UNARY, { method: "PUT", body: "{}" });
      assert.equal(answer.status, 405, answer.text);
      assert.match(String(answer.headers.allow), /POST/);
    });

    test("a body that is not JSON is 415", async () => {
      const answer = await call(UNARY, { body: "a;b", headers: { "content-type": "text/csv" } });
      assert.equal(answer.status, 415, answer.text);
    });
  });
}

test("HTTP/1.1: calls one after the other on one connection", async () => {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  after(() => agent.destroy());
  const ports = new Set<unknown>();
  for (let i = 0; i < 20; i++) {
    const status = await new Promise((resolve, reject) => {
      const sent = request(`http://${hub.address}/v1/books?page_size=1`, { agent }, (response) => {
        ports.add(response.socket.localPort);
        response.resume().on("end", () => resolve(response.statusCode));
      });
      sent.on("error", reject).end();
    });
    assert.equal(status, 200);
  }
  assert.equal(ports.size, 1);
});
