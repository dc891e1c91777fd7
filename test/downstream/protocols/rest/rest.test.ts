import assert from "node:assert/strict";
import { request as httpRequest, type IncomingMessage } from "node:http";
import { afterEach, before, describe, it } from "node:test";
import { gzipSync } from "node:zlib";
import { frameMessage } from "#src/call/messages.js";
import { Code, encodeStatusProto, Status, type StatusDetail } from "#src/call/status/status.js";
import { badRequest, retryInfo } from "#src/call/status/status-details.js";
import { abortOf } from "../../../support/sinks.js";
import { turns, until } from "../../../support/until.js";
import { type Answer, type Asked, ask1, ask2, Rig } from "../../support/rig.js";

const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean();
});

/** Who reads plain requests of HTTP/1.1 in the tests that run. */
let http1: "own" | "node" = "own";

async function started(maxMessageBytes?: number): Promise<Rig> {
  const rig = await new Rig({ http1 }, maxMessageBytes).start();
  cleanups.push(() => rig.listener.close());
  return rig;
}

const errorOf = (answer: Answer): { code: number; message: string } => JSON.parse(answer.body);

for (const [version, ask, reader] of [
  ["HTTP/1.1", ask1, "own"],
  ["HTTP/1.1 by node:http", ask1, "node"],
  ["HTTP/2", ask2, "own"],
] as const) {
  describe(`JSON over ${version}`, () => {
    before(() => {
      http1 = reader;
    });
    it("reaches a unary method, and its answer comes back", async () => {
      const rig = await started();
      rig.onRequest = (call) =>
        call
          .open([["x-meta", "m"]])
          .message("answer")
          .end(0, ["x-trail", "t"]);
      const answer = await ask(rig, { path: "/unary?x=1", body: "question" });
      assert.equal(answer.status, 200);
      assert.equal(answer.body, '"answer"');
      assert.equal(answer.headers["content-type"], "application/json");
      assert.equal(answer.headers["content-length"], "8");
      assert.equal(answer.headers["x-content-type-options"], "nosniff");
      assert.equal(answer.headers["x-meta"], "m");
      assert.equal(answer.headers["grpc-trailer-x-trail"], "t");
      assert.equal(answer.headers["grpc-status"], undefined);
      const [seen] = rig.calls;
      assert.equal(seen?.call.path, "/test.v1.Test/unary");
      assert.equal(seen.call.peer.protocol, "rest");
      assert.deepEqual(seen.request.chunks.map(String), [String(frameMessage(Buffer.from("question")))]);
    });

    it("maps headers to metadata, without hop-by-hop headers and gRPC's own", async () => {
      const rig = await started();
      const headers = {
        authorization: "Bearer secret",
        "x-many": ["1", "2"],
        "trace-bin": "AAEC/w==",
        accept: "application/json",
        "accept-encoding": "gzip",
        "content-type": "application/json",
        "grpc-encoding": "gzip",
        "grpc-timeout": "5S",
        "x-request-timeout": "2",
        "user-agent": "test",
        // HTTP allows these, gRPC does not.
        "x-odd|name": "1",
        "x-odd-value": "caf\xe9",
        "x-tab": "a\tb",
      };
      await ask(rig, { path: "/unary", headers, body: "q" });
      const metadata = rig.calls[0]?.call.headers;
      assert.ok(metadata);
      const plain = Object.fromEntries(metadata.fields.map((f) => [f.name, f.value]));
      assert.equal(plain["content-type"], "application/grpc");
      assert.equal(plain.authorization, "Bearer secret");
      assert.ok(metadata.fields.find((f) => f.name === "authorization")?.sensitive);
      assert.equal(metadata.getAll("x-many").join(", "), "1, 2");
      assert.equal(plain["trace-bin"], "AAEC/w==");
      assert.equal(plain["grpc-timeout"], "5S", "gRPC's own field wins");
      assert.equal(plain["user-agent"], "test");
      for (const name of [
        "accept",
        "accept-encoding",
        "grpc-encoding",
        "x-request-timeout",
        "host",
        "content-length",
        "connection",
        "x-odd|name",
        "x-odd-value",
        "x-tab",
      ]) {
        assert.equal(plain[name], undefined, name);
      }
    });

    it("an idle event stream gets a comment every 30 s, other streams get none", async () => {
      for (const [accept, body] of [
        ["text/event-stream", 'data: "one"\n\n:\n\n:\n\ndata: "two"\n\nevent: end\ndata: {}\n\n'],
        ["application/x-ndjson", '"one"\n"two"\n'],
      ] as const) {
        const rig = await started();
        rig.onRequest = (call) => call.open().message("one");
        const answering = ask(rig, { path: "/stream", headers: { accept }, body: "q" });
        await until(() => rig.calls.length === 1, "the call");
        await turns();
        for (const ms of [29_990, 20, 30_000]) {
          rig.clock.advance(ms);
          await turns();
        }
        rig.calls[0]?.message("two").end();
        assert.equal((await answering).body, body);
        rig.clock.advance(60_000);
      }
    });

    const timeouts: [value: string, grpc: string | undefined][] = [
      ["2", "2000m"],
      ["0.5", "500m"],
      ["0", "0m"],
      ["999999", "999999S"],
      ["", undefined],
      ["-1", undefined],
      ["1s", undefined],
      ["1e3", undefined],
      ["soon", undefined],
    ];
    for (const [value, grpc] of timeouts) {
      it(`x-request-timeout ${JSON.stringify(value)} is ${grpc ?? "refused"}`, async () => {
        const rig = await started();
        const answer = await ask(rig, { path: "/unary", headers: { "x-request-timeout": value }, body: "q" });
        assert.equal(answer.status, grpc === undefined ? 400 : 200);
        assert.equal(rig.calls[0]?.call.headers.get("grpc-timeout"), grpc);
        if (grpc === undefined) assert.match(errorOf(answer).message, /x-request-timeout must be seconds/);
      });
    }

    for (const [value, fine] of [
      ["AAEC/w==", true],
      ["AAEC/w", true],
      ["AAEC, /w==", true],
      ["", true],
      ["A", false],
      ["AAEC_w", false],
      ["not base64!", false],
    ] as const) {
      it(`a -bin header of ${JSON.stringify(value)} is ${fine ? "passed on" : "refused"}`, async () => {
        const rig = await started();
        const answer = await ask(rig, { path: "/unary", headers: { "data-bin": value }, body: "q" });
        assert.equal(answer.status, fine ? 200 : 400);
        if (!fine) assert.match(errorOf(answer).message, /data-bin must be base64/);
      });
    }

    const refusals: [what: string, asked: Asked, status: number, says: RegExp][] = [
      ["no route", { path: "/nowhere" }, 404, /no route for \/nowhere; the nearest are: GET \/unary/],
      ["a wrong method", { path: "/unary", method: "PUT" }, 405, /not by PUT/],
      [
        "an Accept that nothing meets",
        { path: "/unary", headers: { accept: "image/png" } },
        406,
        /application\/json/,
      ],
      ["a body that does not fit", { path: "/unary", body: "bad" }, 400, /book\.title: not a string/],
      [
        "a content-type of no use",
        { path: "/unary", headers: { "content-type": "text/strange" }, body: "q" },
        415,
        /415/,
      ],
    ];
    it("lists the methods of a path for OPTIONS, without calling a service", async () => {
      const rig = await started();
      const answer = await ask(rig, { path: "/unary", method: "OPTIONS" });
      assert.equal(answer.status, 204);
      assert.equal(answer.headers.allow, "GET, HEAD, OPTIONS");
      assert.equal(answer.body, "");
      assert.equal((await ask(rig, { path: "/nowhere", method: "OPTIONS" })).status, 404);
      assert.equal(rig.calls.length, 0);
    });

    it("hands X-HTTP-Method-Override of a POST on to the routes, of others not", async () => {
      const rig = await started();
      const headers = { "x-http-method-override": "PUT" };
      assert.equal((await ask(rig, { path: "/unary", headers })).status, 405);
      assert.equal((await ask(rig, { path: "/unary", method: "GET", headers })).status, 200);
    });

    for (const [what, asked, status, says] of refusals) {
      it(`${what} is ${status}, and says why`, async () => {
        const rig = await started();
        const answer = await ask(rig, asked);
        assert.equal(answer.status, status);
        assert.equal(answer.headers["content-type"], "application/json");
        assert.match(errorOf(answer).message, says);
        assert.equal(answer.headers.allow, status === 405 ? "GET, HEAD" : undefined);
        assert.equal(rig.calls.length, 0, "the service never sees it");
      });
    }

    it("requests that reach no method pass the steps too: one may refuse them, and all see their end", async () => {
      const rig = await started();
      const ends: string[] = [];
      rig.steps.push({
        name: "log",
        end: ({ http, method }, { code }) =>
          ends.push(`${method.name} ${http?.route} ${http?.path} ${http?.status} ${code}`),
      });
      await ask(rig, { path: "/nowhere?secret=1" });
      await ask(rig, { path: "/unary", method: "PUT" });
      await ask(rig, { path: "/unary", headers: { accept: "image/png" } });
      await ask(rig, { path: "/unary", headers: { "x-bin": "!" } });
      assert.deepEqual(ends, [
        "_OTHER undefined /nowhere 404 5",
        "_OTHER undefined /unary 405 12",
        "unary /unary /unary 406 3",
        "unary /unary /unary 400 3",
      ]);
      rig.steps.push({ name: "limit", start: () => new Status(Code.RESOURCE_EXHAUSTED, "too many") });
      assert.equal((await ask(rig, { path: "/nowhere" })).status, 429);
      assert.equal((await ask(rig, { path: "/unary", headers: { accept: "image/png" } })).status, 429);
    });

    it("trailing metadata: as trailers for TE: trailers, otherwise as fields; for streams always as trailers", async () => {
      const rig = await started();
      rig.onRequest = (call) => call.open().message("answer").end(0, ["x-trail", "t"], ["x-trail", "u"]);
      const plain = await ask(rig, { path: "/unary", body: "q" });
      assert.equal(plain.headers["grpc-trailer-x-trail"], "t, u");
      assert.equal(plain.headers["content-length"], "8");
      assert.equal(plain.trailers["x-trail"], undefined);
      const te = await ask(rig, { path: "/unary", body: "q", headers: { te: "trailers" } });
      assert.equal(te.status, 200);
      assert.equal(te.body, '"answer"');
      assert.equal(te.trailers["x-trail"], "t, u");
      assert.equal(te.headers["grpc-trailer-x-trail"], undefined);
      assert.match(String(te.headers.trailer), /x-trail/);
      const failed = { path: "/unary", body: "q", headers: { te: "trailers" } };
      rig.onRequest = (call) => call.open().end(5, ["x-trail", "t"]);
      assert.equal((await ask(rig, failed)).headers["grpc-trailer-x-trail"], "t");
    });

    it("401 has a challenge, 429 and 503 say when to try again: the service's own word, wherever it stands", async () => {
      const rig = await started();
      const details = (code: number, ...of: StatusDetail[]): readonly [string, string] => {
        const bytes = encodeStatusProto(new Status(code, "", { details: of }));
        return ["grpc-status-details-bin", Buffer.from(bytes).toString("base64")];
      };
      const cases: [act: Rig["onRequest"], status: number, name: string, value: string | undefined][] = [
        [(c) => c.trailersOnly(16), 401, "www-authenticate", "Bearer"],
        [(c) => c.trailersOnly(16, ["www-authenticate", "Basic"]), 401, "www-authenticate", "Basic"],
        [(c) => c.open().end(16, ["www-authenticate", "Basic"]), 401, "www-authenticate", "Basic"],
        [(c) => c.trailersOnly(7), 403, "www-authenticate", undefined],
        [(c) => c.trailersOnly(8, details(8, retryInfo(1500))), 429, "retry-after", "2"],
        [(c) => c.trailersOnly(14, details(14, badRequest([]), retryInfo(3000))), 503, "retry-after", "3"],
        [(c) => c.trailersOnly(14, ["retry-after", "9"], details(14, retryInfo(1))), 503, "retry-after", "9"],
        [(c) => c.open().end(14, ["retry-after", "9"]), 503, "retry-after", "9"],
        [(c) => c.trailersOnly(14), 503, "retry-after", undefined],
        [(c) => c.trailersOnly(5, details(5, retryInfo(1500))), 404, "retry-after", undefined],
        [
          (c) =>
            c.trailersOnly(
              14,
              details(14, { typeUrl: "x/google.rpc.RetryInfo", value: Buffer.from([10, 255]) }),
            ),
          503,
          "retry-after",
          undefined,
        ],
      ];
      for (const [act, status, name, value] of cases) {
        rig.onRequest = act;
        const answer = await ask(rig, { path: "/unary", body: "q" });
        assert.equal(answer.status, status);
        assert.equal(answer.headers[name], value);
      }
    });

    it("metadata may have prefixes in HTTP: theirs are taken off, and put on", async () => {
      const rig = await started();
      rig.http.metadata = {
        requestPrefix: "grpc-metadata-",
        standardPrefix: "grpcgateway-",
        responsePrefix: "grpc-metadata-",
        trailerPrefix: "grpc-trailer-",
        prefixTrailers: true,
      };
      rig.onRequest = (call) =>
        call
          .open([["x-meta", "m"]])
          .message("answer")
          .end(0, ["x-trail", "t"]);
      const headers = {
        "grpc-metadata-word": "w",
        "grpc-metadata-x-forwarded-for": "1.2.3.4",
        "grpc-metadata-grpc-timeout": "1S",
        "grpc-metadata-host": "h",
        "grpc-metadata-": "nothing",
        "grpc-metadata-data-bin": "AAEC",
        authorization: "Bearer x",
        "user-agent": "test",
        "x-own": "o",
        // What the service takes for the hub's word is never a client's.
        "grpcgateway-cookie": "made up",
        "grpc-metadata-grpcgateway-origin": "made up",
      };
      const answer = await ask(rig, { path: "/unary", body: "q", headers });
      assert.equal(answer.headers["grpc-metadata-x-meta"], "m");
      assert.equal(answer.headers["grpc-trailer-x-trail"], "t");
      const metadata = rig.calls[0]?.call.headers;
      assert.equal(metadata?.get("word"), "w");
      assert.equal(metadata?.get("data-bin"), "AAEC");
      assert.equal(metadata?.get("authorization"), "Bearer x");
      assert.equal(metadata?.get("grpcgateway-authorization"), "Bearer x");
      assert.equal(metadata?.get("grpcgateway-user-agent"), "test");
      for (const name of ["cookie", "origin", "host"]) {
        assert.equal(metadata?.get(`grpcgateway-${name}`), undefined, name);
      }
      assert.equal(metadata?.get("x-own"), "o");
      assert.equal(metadata?.get("grpc-timeout"), undefined);
      assert.equal(metadata?.get("host"), undefined);
      assert.notEqual(metadata?.get("x-forwarded-for"), "1.2.3.4");
      assert.ok(metadata?.fields.every((f) => f.name !== "" && !f.name.startsWith("grpc-metadata-")));
    });

    it("a body above the limit is 413, and the client gets to read it", async () => {
      const rig = await started(1000);
      for (const bytes of [2001, 8 * 1024 * 1024]) {
        const answer = await ask(rig, { path: "/unary", body: Buffer.alloc(bytes, "x") });
        assert.equal(answer.status, 413);
        assert.match(errorOf(answer).message, /limit of 2000 bytes/);
      }
      assert.equal((await ask(rig, { path: "/unary", body: Buffer.alloc(1000, "x") })).status, 200);
      assert.equal(rig.calls.length, 1);
    });

    it("steps run before the body is read; their refusal is the answer, with its fields", async () => {
      const rig = await started();
      const ends: number[] = [];
      rig.steps.push({
        name: "auth",
        start: () => new Status(Code.UNAUTHENTICATED, "who are you?"),
        end: (_call, outcome) => ends.push(outcome.code),
      });
      const answer = await ask(rig, { path: "/unary", body: "bad" });
      assert.equal(answer.status, 401);
      assert.deepEqual(ends, [16]);
    });

    it("a body that does not fit ends the steps that had started", async () => {
      const rig = await started();
      const ends: string[] = [];
      rig.steps.push({ name: "log", end: (_call, outcome) => ends.push(`${outcome.code} ${outcome.by}`) });
      await ask(rig, { path: "/unary", body: "bad" });
      assert.deepEqual(ends, ["3 client"]);
    });

    it("the service's failure is the HTTP status of its code, with its trailers", async () => {
      const rig = await started();
      rig.onRequest = (call) => call.trailersOnly(5, ["grpc-message", "no%20b%C3%BCcher"], ["x-why", "lent"]);
      const answer = await ask(rig, { path: "/unary", body: "q" });
      assert.equal(answer.status, 404);
      assert.equal(errorOf(answer).message, "no bücher");
      assert.equal(answer.headers["x-why"], "lent");
      rig.onRequest = (call) => call.open().end(14);
      assert.equal((await ask(rig, { path: "/unary", body: "q" })).status, 503);
      rig.onRequest = (call) => call.response.abort(abortOf(Code.DEADLINE_EXCEEDED, "hub"));
      assert.equal((await ask(rig, { path: "/unary", body: "q" })).status, 504);
    });

    const broken: [what: string, act: Rig["onRequest"], says: RegExp][] = [
      ["no message", (c) => c.open().end(), /without a message/],
      ["two messages", (c) => c.open().message("a").message("b").end(), /more than one message/],
      [
        "half a message",
        (c) =>
          c
            .open()
            .raw(frameMessage(Buffer.from("abc")).subarray(0, 6))
            .end(),
        /cut short/,
      ],
      ["a message that cannot be printed", (c) => c.open().message("unprintable").end(), /cannot print/],
      [
        "broken gzip",
        (c) =>
          c
            .open([["grpc-encoding", "gzip"]])
            .raw(Buffer.from([1, 0, 0, 0, 1, 65]))
            .end(),
        /not valid gzip/,
      ],
    ];
    for (const [what, act, says] of broken) {
      it(`${what} for a unary call is 500`, async () => {
        const rig = await started();
        rig.onRequest = act;
        const answer = await ask(rig, { path: "/unary", body: "q" });
        assert.equal(answer.status, 500);
        assert.match(errorOf(answer).message, says);
      });
    }

    it("a message above the limit is 502, and stops the service", async () => {
      const rig = await started(1000);
      rig.onRequest = (call) => call.open().message(Buffer.alloc(1001));
      const answer = await ask(rig, { path: "/unary", body: "q" });
      assert.equal(answer.status, 502);
      assert.ok(rig.calls[0]?.request.aborted);
    });

    it("compressed messages are read", async () => {
      const rig = await started();
      rig.onRequest = (call) => {
        const frame = frameMessage(gzipSync("zipped"));
        frame[0] = 1;
        call
          .open([["grpc-encoding", "gzip"]])
          .raw(frame)
          .end();
      };
      const answer = await ask(rig, { path: "/unary", body: "q" });
      assert.equal(answer.body, '"zipped"');
      assert.equal(answer.headers["grpc-encoding"], undefined);
    });

    it("metadata that HTTP cannot carry is left out, and nothing breaks", async () => {
      const rig = await started();
      rig.onRequest = (call) =>
        call
          .open([
            ["x-bad", "a\x01b"],
            ["x-good", "g"],
          ])
          .message("fine")
          .end(0, ["x-worse", "\x7f"]);
      for (const path of ["/unary", "/stream"]) {
        const answer = await ask(rig, { path, body: "q" });
        assert.equal(answer.status, 200);
        assert.equal(answer.headers["x-good"], "g");
        assert.equal(answer.headers["x-bad"], undefined);
      }
    });

    it("HEAD gets the fields of GET, and no body", async () => {
      const rig = await started();
      const unary = await ask(rig, { method: "HEAD", path: "/unary" });
      assert.equal(unary.status, 200);
      assert.equal(unary.headers["content-length"], "8");
      assert.equal(unary.body, "");
      const missing = await ask(rig, { method: "HEAD", path: "/nowhere" });
      assert.equal(missing.status, 404);
      assert.equal(missing.body, "");
      // A stream that would never end.
      rig.onRequest = (call) => call.open().message("1");
      const stream = await ask(rig, { method: "HEAD", path: "/stream" });
      assert.equal(stream.status, 200);
      assert.equal(stream.body, "");
      assert.ok(rig.calls.at(-1)?.request.aborted, "the service is stopped");
      rig.onRequest = (call) => call.open().end();
      assert.equal((await ask(rig, { method: "HEAD", path: "/stream" })).status, 200);
    });

    const streams: [accept: string, type: string, body: string, failed: string, empty: string][] = [
      ["application/json", "application/json", '["1","2"]', '["1","2",{"error":ERROR}]', "[]"],
      ["application/x-ndjson", "application/x-ndjson", '"1"\n"2"\n', '"1"\n"2"\n{"error":ERROR}\n', ""],
      [
        "text/event-stream",
        "text/event-stream",
        'data: "1"\n\ndata: "2"\n\nevent: end\ndata: {}\n\n',
        'data: "1"\n\ndata: "2"\n\nevent: failed\ndata: ERROR\n\n',
        "event: end\ndata: {}\n\n",
      ],
    ];
    for (const [accept, type, body, failed, empty] of streams) {
      it(`a stream as ${accept}: whole, failed in the midst, failed at once, empty`, async () => {
        const rig = await started();
        const get = { path: "/stream", headers: { accept }, body: "q" };
        rig.onRequest = (call) =>
          call
            .open([["x-meta", "m"]])
            .message("1")
            .message("2")
            .end(0, ["x-trail", "t"]);
        const whole = await ask(rig, get);
        assert.equal(whole.status, 200);
        assert.equal(whole.headers["content-type"], type);
        assert.equal(whole.headers["cache-control"], "no-store");
        assert.equal(whole.headers["x-meta"], "m");
        assert.equal(whole.body, body);
        assert.equal(whole.trailers["grpc-status"], "0");
        assert.equal(whole.trailers["x-trail"], "t");

        rig.onRequest = (call) => call.open().message("1").message("2").end(5, ["grpc-message", "gone"]);
        const broken = await ask(rig, get);
        assert.equal(broken.status, 200);
        const error = JSON.stringify({ code: 5, message: "gone", name: "NOT_FOUND" });
        assert.equal(broken.body, failed.replace("ERROR", error));
        assert.equal(broken.trailers["grpc-status"], "5");

        rig.onRequest = (call) => call.open().end(5);
        const refused = await ask(rig, get);
        assert.equal(refused.status, 404);
        assert.equal(errorOf(refused).code, 5);

        rig.onRequest = (call) => call.open().end();
        const none = await ask(rig, get);
        assert.equal(none.status, 200);
        assert.equal(none.body, empty);
      });
    }

    it("a stream of which one message cannot be printed ends with that, and stops the service", async () => {
      const rig = await started();
      rig.onRequest = (call) => call.open().message("1").message("unprintable").message("3");
      const answer = await ask(rig, { path: "/stream", body: "q" });
      assert.match(answer.body, /^\["1",\{"error":.*cannot print.*\}\]$/);
      assert.ok(rig.calls[0]?.request.aborted);
    });
  });
}

for (const reader of ["own", "node"] as const) {
  describe(`HTTP/1.1 read by ${reader}`, () => {
    before(() => {
      http1 = reader;
    });
    for (const later of [false, true]) {
      describe(`streams of requests, formats that answer ${later ? "later" : "at once"}`, () => {
        async function paced(): Promise<Rig> {
          const rig = await started();
          rig.pace.later = later;
          return rig;
        }

        for (const [version, ask] of [
          ["HTTP/1.1", ask1],
          ["HTTP/2", ask2],
        ] as const) {
          it(`a client stream over ${version}: each message is a frame, then the end, then the one answer`, async () => {
            const rig = await paced();
            const answer = await ask(rig, { path: "/upload", body: "a\nb\nc\n" });
            assert.equal(answer.status, 200);
            assert.equal(answer.body, '"answer"');
            assert.equal(answer.headers["content-length"], "8");
            const frames = ["a", "b", "c"].map((text) => String(frameMessage(Buffer.from(text))));
            assert.deepEqual(rig.calls[0]?.request.chunks.map(String), [...frames, ""]);
          });

          it(`a bidi call over ${version}: many in, many out`, async () => {
            const rig = await paced();
            const answer = await ask(rig, { path: "/chat", body: "a\nb\n" });
            assert.equal(answer.body, '["answer"]');
            assert.equal(rig.calls[0]?.request.chunks.length, 3);
          });

          it(`an invalid message over ${version} stops the service, and is reported`, async () => {
            const rig = await paced();
            rig.onCall = (call) => call.open();
            for (const path of ["/upload", "/chat"]) {
              const answer = await ask(rig, { path, body: "a\nbad\nc\n" });
              assert.equal(answer.status, 400);
              assert.match(errorOf(answer).message, /book\.title/);
              assert.equal(rig.calls.at(-1)?.request.aborted?.by, "client");
              assert.equal(rig.calls.at(-1)?.request.aborted?.sent, "maybe");
            }
          });

          it(`a wrong message over ${version} behind an answer that has begun stands at its end`, async () => {
            const rig = await paced();
            rig.onCall = (call) => call.open().message("1");
            const answer = await ask(rig, { path: "/chat", body: "a\nbad\n" });
            if (!later) assert.match(answer.body, /^\["1",\{"error":\{"code":3,.*book\.title.*\}\}\]$/);
            assert.ok(rig.calls[0]?.request.aborted);
          });

          it(`unary calls over ${version}, and their failures`, async () => {
            const rig = await paced();
            const statuses: number[] = [];
            rig.steps.push({ name: "log", end: (call) => statuses.push(call.http?.status ?? -1) });
            assert.equal((await ask(rig, { path: "/unary", body: "q" })).body, '"answer"');
            assert.equal((await ask(rig, { path: "/unary", body: "bad" })).status, 400);
            rig.onRequest = (call) => call.open().message("unprintable").end();
            assert.equal((await ask(rig, { path: "/unary", body: "q" })).status, 500);
            assert.deepEqual(statuses.slice(0, 2), [200, 400]);
            rig.onRequest = (call) => call.open().message("1").message("2").end(5, ["grpc-message", "gone"]);
            assert.match(
              (await ask(rig, { path: "/stream", body: "q" })).body,
              /^\["1","2",\{"error":.*gone/,
            );
            rig.onRequest = (call) => call.open().end(5);
            assert.equal((await ask(rig, { path: "/stream", body: "q" })).status, 404);
          });
        }

        it("the service may answer before the request has ended", async () => {
          const rig = await paced();
          rig.onCall = (call) => call.open().message("early").end();
          const stream = rig.http2().request({ ":method": "POST", ":path": "/upload" });
          let body = "";
          stream.on("error", () => {});
          stream.on("data", (chunk) => {
            body += String(chunk);
          });
          stream.write("a\n");
          await until(() => body === '"early"', "the answer");
          stream.close();
        });

        it("a client that leaves while formats are at work stops the service, and nothing breaks", async () => {
          const rig = await paced();
          rig.onCall = (call) => call.open().message("1");
          const stream = rig.http2().request({ ":method": "POST", ":path": "/chat" });
          stream.on("error", () => {});
          stream.write("a\nb\n");
          await until(() => rig.calls[0]?.request.chunks.length === 2, "the messages");
          stream.write("c\n");
          stream.close(8);
          await until(() => rig.calls[0]?.request.aborted?.by === "client", "the service is told");
          rig.calls[0]?.message("2").end();
          await turns(5);
        });
      });
    }

    describe("a client that sends a stream", () => {
      const LINE = `${"x".repeat(1023)}\n`;

      /** Sends as much as it may; the bytes that went before the hub held it back. */
      async function upload(rig: Rig, lines: number): Promise<{ sent: () => number }> {
        const session = rig.http2();
        const stream = session.request({ ":method": "POST", ":path": "/upload" });
        stream.on("error", () => {});
        cleanups.push(() => session.destroy());
        for (let i = 0; i < lines; i++) stream.write(LINE);
        stream.end();
        const bytes = (): number => rig.calls[0]?.request.chunks.reduce((sum, c) => sum + c.length, 0) ?? 0;
        await until(() => bytes() > 0, "the first messages");
        return { sent: bytes };
      }

      async function quiet(of: () => number): Promise<number> {
        for (let before = -1; before !== of(); ) {
          before = of();
          await turns(100);
        }
        return of();
      }

      it("is held back while the service takes nothing, and continues when it does", async () => {
        const rig = await started();
        const { sent } = await upload(rig, 2048);
        const unread = await quiet(sent);
        assert.ok(unread < 512 * 1024, `${unread} bytes were taken`);
        let given = 0;
        await until(() => {
          const request = rig.calls[0]?.request;
          request?.source?.consumed(sent() - given);
          given = sent();
          return request?.ended === true;
        }, "all of it");
        assert.ok(sent() >= 2048 * 1024);
      });

      it("is held back while the reader is behind", async () => {
        const rig = await started();
        rig.pace.behind = true;
        const session = rig.http2();
        cleanups.push(() => session.destroy());
        const stream = session.request({ ":method": "POST", ":path": "/upload" });
        stream.on("error", () => {});
        for (let i = 0; i < 2048; i++) stream.write(LINE);
        await until(() => rig.calls[0]?.request.chunks.length !== undefined, "the call");
        const taken = (): number => rig.calls[0]?.request.chunks.length ?? 0;
        const held = await quiet(taken);
        assert.ok(held < 512, `${held} messages came through`);
      });
    });

    describe("a client of a stream", () => {
      /** Opens a stream over HTTP/1.1, its answer paused. */
      function open1(rig: Rig): Promise<IncomingMessage> {
        return new Promise((resolve, reject) => {
          const request = httpRequest(
            { host: "127.0.0.1", port: rig.port, method: "POST", path: "/stream", agent: false },
            resolve,
          );
          request.on("error", reject);
          request.end("q");
        });
      }

      it("that sends all of a body too large before it reads, still gets to read the answer", async () => {
        const rig = await started(1000);
        const socket = rig.socket().pause();
        const body = Buffer.alloc(4 * 1024 * 1024, "x");
        socket.write(`POST /unary HTTP/1.1\r\nhost: a\r\ncontent-length: ${body.length}\r\n\r\n`);
        await new Promise<void>((resolve, reject) => {
          socket.write(body, (error) => (error ? reject(error) : resolve()));
        });
        let answer = "";
        socket.on("data", (chunk) => {
          answer += String(chunk);
        });
        socket.resume();
        await until(() => socket.closed, "the end of the connection");
        assert.match(answer, /^HTTP\/1\.1 413 /);
        assert.match(answer, /connection: close/i);
      });

      it("gets each message as it comes", async () => {
        const rig = await started();
        rig.onRequest = (call) => call.open().message("1");
        const response = await open1(rig);
        let text = "";
        response.on("data", (chunk) => {
          text += String(chunk);
        });
        await until(() => text === '["1"', "the first message, the stream open");
        rig.calls[0]?.message("2");
        await until(() => text === '["1","2"', "the second");
        rig.calls[0]?.end();
        await until(() => text === '["1","2"]', "the end");
      });

      it("that leaves stops the service: over HTTP/1.1 and HTTP/2, before its headers and in the midst", async () => {
        for (const begun of [false, true]) {
          const rig = await started();
          rig.onRequest = (call) => {
            if (begun) call.open().message("1");
          };
          const socket = rig.socket();
          socket.write("POST /stream HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\n\r\nq");
          const stream = rig.http2().request({ ":method": "POST", ":path": "/stream" });
          stream.on("error", () => {});
          stream.end("q");
          await until(() => rig.calls.length === 2, "both calls");
          socket.destroy();
          stream.close(8);
          await until(() => rig.calls.every((c) => c.request.aborted?.by === "client"), "both are told");
        }
      });

      it("that leaves in the midst of its request ends the steps, and the service never sees the call", async () => {
        const rig = await started();
        const ends: string[] = [];
        rig.steps.push({ name: "log", end: (_call, outcome) => ends.push(`${outcome.code} ${outcome.by}`) });
        const socket = rig.socket();
        socket.write("POST /unary HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\nq");
        await turns(50);
        socket.destroy();
        await until(() => ends.length === 1, "the end");
        assert.deepEqual(ends, ["1 client"]);
        assert.equal(rig.calls.length, 0);
      });

      /** A service that sends as much as it has credit for, up to 64 MiB; what it could send while nobody read. */
      async function flood(
        open: (rig: Rig) => Promise<{ read(): Promise<number> }>,
      ): Promise<{ unread: number; read: number; sent: number }> {
        const rig = await started();
        const message = Buffer.alloc(16 * 1024, "x");
        const frame = frameMessage(message).length;
        const WINDOW = 64 * 1024;
        const TOTAL = 2048;
        let sent = 0;
        let done = false;
        rig.onRequest = (call) => {
          call.open();
          const pump = (): void => {
            while (sent < TOTAL && sent * frame - call.taken < WINDOW) {
              sent++;
              call.message(message);
            }
            if (sent === TOTAL && !done) {
              done = true;
              call.end();
            } else if (!done) setImmediate(pump);
          };
          pump();
        };
        const client = await open(rig);
        await until(() => sent > 0, "the first message");
        for (let before = -1; before !== sent; ) {
          before = sent;
          await turns(200);
        }
        const unread = sent * message.length;
        const read = await client.read();
        return { unread, read, sent: sent * message.length };
      }

      it("that reads slowly over HTTP/1.1 holds the service back, and loses nothing", async () => {
        const { unread, read, sent } = await flood(async (rig) => {
          const response = await open1(rig);
          return {
            read: async () => {
              let bytes = 0;
              for await (const chunk of response) bytes += chunk.length;
              return bytes;
            },
          };
        });
        // What the kernel's socket buffers take is not ours to bound (some MiB on loopback).
        assert.ok(unread < 16 * 1024 * 1024, `${unread} bytes were taken from the service`);
        assert.ok(read > sent, "all of it came");
      });

      it("that reads slowly over HTTP/2 holds the service back at its window, and loses nothing", async () => {
        const { unread, read, sent } = await flood(async (rig) => {
          const stream = rig.http2().request({ ":method": "POST", ":path": "/stream" });
          stream.pause();
          stream.end("q");
          return {
            read: async () => {
              let bytes = 0;
              for await (const chunk of stream) bytes += chunk.length;
              return bytes;
            },
          };
        });
        assert.ok(unread <= 512 * 1024, `${unread} bytes were taken from the service`);
        assert.ok(read > sent, "all of it came");
      });
    });
  });
}
