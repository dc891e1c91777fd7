// What answers over plain HTTP have beside the message: CORS, compression, ETag, status codes, forms of errors.
import assert from "node:assert/strict";
import { afterEach, describe, it } from "node:test";
import {
  brotliCompressSync,
  brotliDecompressSync,
  createGunzip,
  deflateSync,
  gunzipSync,
  gzipSync,
  inflateSync,
} from "node:zlib";
import fc from "fast-check";
import { frameMessage } from "#src/call/messages.js";
import { Code, encodeStatusProto, Status } from "#src/call/status/status.js";
import { codedTag, matchesTag } from "#src/downstream/protocols/rest/etag.js";
import { responseCoding } from "#src/downstream/protocols/transcoded/content-coding.js";
import { etagOf, MAX_ETAG_INLINE_BYTES } from "#src/kit/text/etag.js";
import { until } from "../../../support/until.js";
import { type Answer, type Asked, ask1, ask2, Rig, type ServiceCall } from "../../support/rig.js";

const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean();
});

async function started(maxMessageBytes?: number): Promise<Rig> {
  const rig = await new Rig({}, maxMessageBytes).start();
  cleanups.push(() => rig.listener.close());
  return rig;
}

const CORS = {
  origins: ["https://app.example", "https://two.example"],
  headers: undefined,
  exposeHeaders: ["x-meta", "etag"],
  maxAgeSeconds: 600,
  credentials: false,
} as const;

const PACKED: readonly [coding: string, pack: (b: Buffer) => Buffer, unpack: (b: Buffer) => Buffer][] = [
  ["gzip", gzipSync, gunzipSync],
  ["deflate", deflateSync, inflateSync],
  ["br", brotliCompressSync, brotliDecompressSync],
];

for (const [version, ask] of [
  ["HTTP/1.1", ask1],
  ["HTTP/2", ask2],
] as const) {
  describe(`a download over ${version}`, () => {
    const CSP = "sandbox; default-src 'none'";
    const rows: readonly (readonly [theirs: readonly string[], answered: string])[] = [
      [[], "attachment"],
      [["inline"], "attachment"],
      [["attachment"], "attachment"],
      [["Attachment ; filename=a.html"], "Attachment ; filename=a.html"],
      [["attachment,inline"], "attachment"],
      [["attachment inline"], "attachment"],
      [["attachments; filename=a"], "attachment"],
      [["attachment; filename=a", "inline"], "attachment"],
      [["inline", "attachment; filename=a"], "attachment"],
    ];
    for (const [theirs, answered] of rows)
      it(`stays one where the service says ${JSON.stringify(theirs)}`, async () => {
        const rig = await started();
        rig.pace.fields = [
          { name: "content-disposition", value: "attachment", sensitive: false },
          { name: "content-security-policy", value: CSP, sensitive: false },
        ];
        rig.http.metadata = { ...rig.http.metadata, trailerPrefix: "" };
        const said = [
          ...theirs.map((value) => ["content-disposition", value] as const),
          ["content-security-policy", "default-src *"] as const,
        ];
        const acts: [act: (call: ServiceCall) => void, answered: string][] = [
          [(c) => c.open(said).message("answer").end(), answered],
          // Behind the message, where names have no prefix.
          [
            (c) =>
              c
                .open()
                .message("answer")
                .end(0, ...said),
            "attachment",
          ],
        ];
        for (const [act, expected] of acts) {
          rig.onRequest = act;
          const { headers } = await ask(rig, { path: "/unary", body: "q" });
          assert.equal(headers["content-disposition"], expected);
          assert.equal(headers["content-security-policy"], CSP);
        }
      });
  });

  describe(`OPTIONS over ${version}`, () => {
    it("lists the methods of a path, without calling a service", async () => {
      const rig = await started();
      const answer = await ask(rig, { method: "OPTIONS", path: "/only-get" });
      assert.equal(answer.status, 204);
      assert.equal(answer.headers.allow, "GET, HEAD, OPTIONS");
      assert.equal(answer.headers["access-control-allow-origin"], undefined);
      assert.equal((await ask(rig, { method: "OPTIONS", path: "/nowhere" })).status, 404);
      assert.equal(rig.calls.length, 0);
    });

    it("goes to the service where a route takes it", async () => {
      const rig = await started();
      assert.equal((await ask(rig, { method: "OPTIONS", path: "/options" })).body, '"answer"');
    });

    it("passes the steps as every request: one may refuse it, or add to its answer, and all see its end", async () => {
      const rig = await started();
      const ends: string[] = [];
      rig.steps.push({
        name: "log",
        start: (call) => {
          call.addResponseHeader("ratelimit", "here");
          return undefined;
        },
        end: ({ http, method }, { code }) =>
          ends.push(`${method.name} ${http?.method} ${http?.route} ${http?.path} ${http?.status} ${code}`),
      });
      const answer = await ask(rig, { method: "OPTIONS", path: "/only-get?a=b" });
      assert.deepEqual([answer.status, answer.headers.ratelimit], [204, "here"]);
      await ask(rig, { method: "OPTIONS", path: "/nowhere" });
      rig.steps.push({ name: "auth", start: () => new Status(Code.UNAUTHENTICATED, "who are you?") });
      const refused = await ask(rig, { method: "OPTIONS", path: "/only-get" });
      assert.deepEqual([refused.status, refused.headers.allow], [401, undefined]);
      assert.equal((await ask(rig, { method: "OPTIONS", path: "/nowhere" })).status, 401);
      assert.deepEqual(ends, [
        "_OTHER OPTIONS undefined /only-get 204 0",
        "_OTHER OPTIONS undefined /nowhere 404 5",
        "_OTHER OPTIONS undefined /only-get 401 16",
        "_OTHER OPTIONS undefined /nowhere 401 16",
      ]);
    });

    const preflight = (origin: string, method = "GET", headers?: string): Asked => ({
      method: "OPTIONS",
      path: "/only-get",
      headers: {
        origin,
        "access-control-request-method": method,
        ...(headers === undefined ? {} : { "access-control-request-headers": headers }),
      },
    });

    it("a preflight gets what pages may do, by origin", async () => {
      const rig = await started();
      rig.steps.push({ name: "auth", start: () => assert.fail("a preflight has no credentials") });
      rig.http.cors = CORS;
      const fine = await ask(rig, preflight("https://app.example", "GET", "x-one, authorization"));
      assert.equal(fine.status, 204);
      assert.equal(fine.headers["access-control-allow-origin"], "https://app.example");
      assert.equal(fine.headers["access-control-allow-methods"], "GET, HEAD");
      assert.equal(fine.headers["access-control-allow-headers"], "x-one, authorization");
      assert.equal(fine.headers["access-control-max-age"], "600");
      assert.equal(fine.headers["access-control-allow-credentials"], undefined);
      assert.match(String(fine.headers.vary), /origin/);
      const strange = await ask(rig, preflight("https://evil.example"));
      assert.equal(strange.headers["access-control-allow-origin"], undefined);
      assert.equal(strange.headers["access-control-allow-methods"], undefined);
      rig.http.cors = { ...CORS, origins: "*", headers: ["X-Only"] };
      const open = await ask(rig, preflight("https://evil.example", "GET", "x-one"));
      assert.equal(open.headers["access-control-allow-origin"], "*");
      assert.equal(open.headers["access-control-allow-headers"], "X-Only");
      rig.http.cors = { ...CORS, credentials: true };
      const withUser = await ask(rig, preflight("https://two.example"));
      assert.equal(withUser.headers["access-control-allow-credentials"], "true");
    });

    it("a preflight passes the steps that are for preflights, and no others, wherever it asks", async () => {
      const rig = await started();
      rig.http.cors = CORS;
      const ends: string[] = [];
      rig.steps.push({ name: "auth", start: () => assert.fail("a preflight has no credentials") });
      rig.preflightSteps.push({
        name: "log",
        end: ({ http }, { code }) => ends.push(`${http?.method} ${http?.path} ${http?.status} ${code}`),
      });
      const asked = preflight("https://app.example");
      assert.equal((await ask(rig, asked)).status, 204);
      assert.equal((await ask(rig, { ...asked, path: "/nowhere" })).status, 404);
      rig.preflightSteps.push({ name: "limit", start: () => new Status(Code.RESOURCE_EXHAUSTED, "no") });
      assert.equal((await ask(rig, asked)).status, 429);
      assert.deepEqual(ends, [
        "OPTIONS /only-get 204 0",
        "OPTIONS /nowhere 404 5",
        "OPTIONS /only-get 429 8",
      ]);
    });
  });

  describe(`calls of pages of other sites over ${version}`, () => {
    it("have fields for the browser, failures too, and the service's own are left out", async () => {
      const rig = await started();
      rig.http.cors = CORS;
      rig.onRequest = (call) =>
        call
          .open([
            ["access-control-allow-origin", "*"],
            ["x-meta", "m"],
          ])
          .message("answer")
          .end();
      const headers = { origin: "https://app.example" };
      const answer = await ask(rig, { path: "/unary", body: "q", headers });
      assert.equal(answer.headers["access-control-allow-origin"], "https://app.example");
      assert.equal(answer.headers["access-control-expose-headers"], "x-meta, etag");
      assert.equal(answer.headers["x-meta"], "m");
      const failed = await ask(rig, { path: "/nowhere", headers });
      assert.equal(failed.status, 404);
      assert.equal(failed.headers["access-control-allow-origin"], "https://app.example");
      const stream = await ask(rig, { path: "/stream", body: "q", headers });
      assert.equal(stream.headers["access-control-allow-origin"], "https://app.example");
      for (const origin of ["https://evil.example", "https://app.example.evil", "null"]) {
        const strange = await ask(rig, { path: "/unary", body: "q", headers: { origin } });
        assert.equal(strange.status, 200);
        assert.equal(strange.headers["access-control-allow-origin"], undefined);
        assert.match(String(strange.headers.vary), /origin/);
      }
    });
  });

  describe(`compressed requests over ${version}`, () => {
    for (const [coding, pack] of PACKED) {
      it(`${coding} is unpacked, for unary calls and streams`, async () => {
        const rig = await started();
        const headers = { "content-encoding": coding };
        const question = "question ".repeat(1000);
        assert.equal(
          (await ask(rig, { path: "/unary", headers, body: pack(Buffer.from(question)) })).status,
          200,
        );
        assert.equal(rig.calls[0]?.request.body, frameMessage(Buffer.from(question)).toString("latin1"));
        assert.equal(rig.calls[0]?.call.headers.get("content-encoding"), undefined);
        await ask(rig, { path: "/upload", headers, body: pack(Buffer.from("a\nb\n")) });
        assert.equal(rig.calls[1]?.request.chunks.length, 3);
      });

      it(`a ${coding} bomb is 413, and is not unpacked to its end`, async () => {
        const rig = await started(1000);
        const headers = { "content-encoding": coding };
        const answer = await ask(rig, {
          path: "/unary",
          headers,
          body: pack(Buffer.alloc(4 * 1024 * 1024)),
        });
        assert.equal(answer.status, 413);
        assert.match(answer.body, /limit of 2000 bytes/);
        assert.equal(rig.calls.length, 0);
      });

      it(`a stream of ${coding} may come to 200 times what was sent, once it is larger than a message`, async () => {
        const rig = await started();
        rig.onCall = (call) => {
          call.request.onEvent = () => call.request.source?.consumed(1024);
        };
        const headers = { "content-encoding": coding };
        const line = `${"a".repeat(1023)}\n`;
        const bomb = { path: "/upload", headers, body: pack(Buffer.from(line.repeat(16 * 1024))) };
        const answer = await ask(rig, bomb);
        assert.equal(answer.status, 413, answer.body);
        assert.match(answer.body, /unpacks to more than 200 times/);
        const taken = rig.calls[0]?.request.chunks.length ?? 0;
        const most = Math.max(2048, (bomb.body.length * 200) / 1024);
        assert.ok(taken >= 1024 && taken <= most, `${taken} KiB of 16 MiB were taken`);
      });

      it(`what is not ${coding}, or ends too soon, is 400`, async () => {
        const rig = await started();
        const headers = { "content-encoding": coding };
        const whole = pack(Buffer.from("question ".repeat(100)));
        for (const body of [Buffer.from("no such thing"), whole.subarray(0, whole.length - 9)]) {
          const answer = await ask(rig, { path: "/unary", headers, body });
          assert.equal(answer.status, 400, answer.body);
          assert.match(answer.body, /Content-Encoding/);
        }
      });
    }

    it("identity and x-gzip are supported, others are 415 with the supported ones", async () => {
      const rig = await started();
      const send = (coding: string, body: Buffer): Promise<Answer> =>
        ask(rig, { path: "/unary", headers: { "content-encoding": coding }, body });
      assert.equal((await send("identity", Buffer.from("q"))).status, 200);
      assert.equal((await send("X-GZIP", gzipSync("q"))).status, 200);
      for (const coding of ["zstd", "gzip, br", "compress"]) {
        const answer = await send(coding, Buffer.from("q"));
        assert.equal(answer.status, 415);
        assert.equal(answer.headers["accept-encoding"], "gzip, deflate, br");
      }
    });
  });

  describe(`compressed answers over ${version}`, () => {
    const LONG = "answer ".repeat(500);
    async function compressing(): Promise<Rig> {
      const rig = await started();
      rig.http.compression = { minBytes: 1024 };
      rig.onRequest = (call) => call.open().message(LONG).end();
      return rig;
    }
    const asked = (headers: Record<string, string>, method = "POST"): Asked => ({
      method,
      path: "/unary",
      headers,
      ...(method === "POST" ? { body: "q" } : {}),
    });

    for (const [coding, , unpack] of PACKED) {
      it(`${coding} where the client accepts it, and HEAD says the same`, async () => {
        const rig = await compressing();
        const answer = await ask(rig, asked({ "accept-encoding": coding }));
        assert.equal(answer.headers["content-encoding"], coding);
        assert.equal(answer.headers.vary, "accept-encoding");
        assert.equal(answer.headers["content-length"], String(answer.bytes.length));
        assert.equal(String(unpack(answer.bytes)), JSON.stringify(LONG));
        const get = await ask(rig, asked({ "accept-encoding": coding }, "GET"));
        const head = await ask(rig, asked({ "accept-encoding": coding }, "HEAD"));
        assert.equal(head.headers["content-length"], get.headers["content-length"]);
        assert.equal(head.bytes.length, 0);
      });

      it(`a stream as ${coding}: each message can be read at once`, async () => {
        const rig = await compressing();
        rig.onRequest = (call) => call.open().message("1").message(LONG).end(0, ["x-trail", "t"]);
        const stream = await ask(rig, { path: "/stream", body: "q", headers: { "accept-encoding": coding } });
        assert.equal(stream.headers["content-encoding"], coding);
        assert.equal(String(unpack(stream.bytes)), JSON.stringify(["1", LONG]));
        assert.equal(stream.trailers["grpc-status"], "0");
        assert.equal(stream.trailers["x-trail"], "t");
        rig.onRequest = (call) => call.open().message("1").end(5);
        const failed = await ask(rig, { path: "/stream", body: "q", headers: { "accept-encoding": coding } });
        assert.match(String(unpack(failed.bytes)), /^\["1",\{"error":/);
        assert.equal(failed.trailers["grpc-status"], "5");
      });
    }

    it("not for small bodies, if forbidden, or if another site's page may have made the request", async () => {
      const rig = await compressing();
      const plain: Record<string, string>[] = [
        {},
        { "accept-encoding": "identity" },
        { "accept-encoding": "zstd" },
        { "accept-encoding": "gzip;q=0, br;q=0.0" },
        { "accept-encoding": "gzip", cookie: "session=1" },
        { "accept-encoding": "gzip", "sec-fetch-site": "cross-site" },
      ];
      for (const headers of plain) {
        const answer = await ask(rig, asked(headers));
        assert.equal(answer.headers["content-encoding"], undefined, JSON.stringify(headers));
        assert.equal(answer.body, JSON.stringify(LONG));
      }
      rig.onRequest = (call) =>
        call
          .open([["cache-control", "no-transform"]])
          .message(LONG)
          .end();
      assert.equal(
        (await ask(rig, asked({ "accept-encoding": "gzip" }))).headers["content-encoding"],
        undefined,
      );
      rig.onRequest = (call) => call.open().message("short").end();
      const short = await ask(rig, asked({ "accept-encoding": "gzip" }));
      assert.equal(short.headers["content-encoding"], undefined);
      assert.equal(short.headers.vary, undefined);
      const must = await ask(rig, asked({ "accept-encoding": "gzip, identity;q=0" }));
      assert.equal(String(gunzipSync(must.bytes)), '"short"');
    });
  });

  describe(`ETag over ${version}`, () => {
    it("of unary GET and HEAD: 304 if the client has the response", async () => {
      const rig = await started();
      rig.http.etag = true;
      const get = (headers: Record<string, string> = {}, method = "GET"): Promise<Answer> =>
        ask(rig, { method, path: "/unary", headers });
      const first = await get();
      const etag = String(first.headers.etag);
      assert.match(etag, /^"[A-Za-z0-9_-]{22}"$/);
      assert.equal((await get({}, "HEAD")).headers.etag, etag);
      for (const has of [etag, `W/${etag}`, `"other", ${etag}`, "*"]) {
        for (const method of ["GET", "HEAD"]) {
          const again = await get({ "if-none-match": has }, method);
          assert.equal(again.status, 304, has);
          assert.equal(again.headers.etag, etag);
          assert.equal(again.headers["content-type"], undefined);
          assert.equal(again.bytes.length, 0);
        }
      }
      assert.equal((await get({ "if-none-match": '"other"' })).status, 200);
      rig.onRequest = (call) => call.open().message("another").end();
      const other = await get({ "if-none-match": etag });
      assert.equal(other.status, 200);
      assert.notEqual(other.headers.etag, etag);
      assert.equal((await ask(rig, { path: "/unary", body: "q" })).headers.etag, undefined, "not of POST");
      assert.equal((await ask(rig, { method: "GET", path: "/stream" })).headers.etag, undefined);
    });

    for (const bytes of [MAX_ETAG_INLINE_BYTES, MAX_ETAG_INLINE_BYTES + 1, 1_000_000])
      it(`of ${bytes} bytes: 304 if the client has them, otherwise the body`, async () => {
        const rig = await started();
        rig.http.etag = true;
        const body = `"${"x".repeat(bytes - 2)}"`;
        rig.onRequest = (call) => call.open().message(body.slice(1, -1)).end(0, ["behind", "it"]);
        const get = (headers: Record<string, string> = {}, method = "GET"): Promise<Answer> =>
          ask(rig, { method, path: "/unary", headers });
        // At once: each has its own answer.
        const all = await Promise.all([
          get(),
          get({}, "HEAD"),
          get({ "if-none-match": etagOf(Buffer.from(body)) }),
        ]);
        assert.deepEqual(
          all.map(({ status, headers }) => [status, headers.etag]),
          [200, 200, 304].map((status) => [status, etagOf(Buffer.from(body))]),
        );
        assert.ok(all[0].body === body, "the whole body");
        assert.deepEqual([all[1].bytes.length, all[2].bytes.length], [0, 0]);
        assert.equal(all[1].headers["content-length"], String(bytes));
      });

    it("is another one for each coding, and each is known again", async () => {
      const rig = await started();
      rig.http.etag = true;
      rig.http.compression = { minBytes: 1 };
      const get = (headers: Record<string, string>): Promise<Answer> =>
        ask(rig, { method: "GET", path: "/unary", headers });
      const packed = await get({ "accept-encoding": "gzip" });
      const plain = await get({});
      assert.equal(packed.headers.etag, codedTag(String(plain.headers.etag), "gzip"));
      const again = await get({ "accept-encoding": "gzip", "if-none-match": String(packed.headers.etag) });
      assert.equal(again.status, 304);
      assert.equal(again.headers.etag, packed.headers.etag);
      assert.match(String(again.headers.vary), /accept-encoding/);
    });

    it("the service's own is taken as it is", async () => {
      const rig = await started();
      rig.http.etag = true;
      rig.onRequest = (call) =>
        call
          .open([["etag", 'W/"v7"']])
          .message("answer")
          .end();
      const get = (has: string): Promise<Answer> =>
        ask(rig, { method: "GET", path: "/unary", headers: { "if-none-match": has } });
      assert.equal((await get('"v6"')).headers.etag, 'W/"v7"');
      assert.equal((await get('"v7"')).status, 304);
      rig.onRequest = (call) =>
        call
          .open([["etag", '"v7, final"']])
          .message("answer")
          .end();
      for (const [has, status] of [
        ['"v7, final"', 304],
        ['"v6", W/"v7, final" , "v8"', 304],
        ['"v7", "final"', 200],
        ['v7, final"', 200],
      ] as const)
        assert.equal((await get(has)).status, status, has);
      rig.http.etag = false;
      rig.http.compression = { minBytes: 1 };
      rig.onRequest = (call) =>
        call
          .open([["etag", '"v8"']])
          .message("answer")
          .end();
      const packed = { method: "GET", path: "/unary", headers: { "accept-encoding": "gzip" } };
      assert.equal((await ask(rig, packed)).headers.etag, 'W/"v8"', "weak, as its bytes are others");
      assert.equal((await get('W/"v8"')).status, 304);
      assert.equal((await get('"v7"')).headers.etag, '"v8"');
    });
  });

  describe(`status and failures over ${version}`, () => {
    it("a success response has the method's status; 204 has no body", async () => {
      const rig = await started();
      rig.pace.success = 201;
      const made = await ask(rig, { path: "/unary", body: "q" });
      assert.equal(made.status, 201);
      assert.equal(made.body, '"answer"');
      rig.pace.success = 204;
      const none = await ask(rig, { path: "/unary", body: "q" });
      assert.equal(none.status, 204);
      assert.equal(none.headers["content-type"], undefined);
      assert.equal(none.headers["content-length"], undefined);
      assert.equal(none.bytes.length, 0);
    });

    it("failures without a body, with the status in fields", async () => {
      const rig = await started();
      rig.http.errorForm = "empty";
      rig.http.statusHeaders = true;
      rig.onRequest = (call) => call.trailersOnly(5, ["grpc-message", "no%20b%C3%BCcher"]);
      const failed = await ask(rig, { path: "/unary", body: "q" });
      assert.equal(failed.status, 404);
      assert.equal(failed.bytes.length, 0);
      assert.equal(failed.headers["grpc-status"], "5");
      assert.equal(failed.headers["grpc-message"], "no b%C3%BCcher");
      rig.onRequest = (call) => call.open().message("answer").end();
      assert.equal((await ask(rig, { path: "/unary", body: "q" })).headers["grpc-status"], "0");
      // Of a stream it is known at the end alone.
      rig.onRequest = (call) => call.open().message("1").end(8);
      const stream = await ask(rig, { path: "/stream", body: "q" });
      assert.equal(stream.headers["grpc-status"], undefined);
      assert.equal(stream.trailers["grpc-status"], "8");
    });

    it("details of a failure are a field too, unless they are too long for one", async () => {
      const rig = await started();
      rig.http.errorForm = "empty";
      rig.http.statusHeaders = true;
      for (const [length, there] of [
        [10, true],
        [4000, false],
      ] as const) {
        const details = [{ typeUrl: "type.googleapis.com/a.B", value: Buffer.alloc(length, 1) }];
        const bytes = encodeStatusProto(new Status(5, "gone", { details }));
        const bin = Buffer.from(bytes).toString("base64");
        rig.onRequest = (call) =>
          call.trailersOnly(5, ["grpc-message", "gone"], ["grpc-status-details-bin", bin]);
        const failed = await ask(rig, { path: "/unary", body: "q" });
        assert.equal(failed.headers["grpc-status-details-bin"], there ? bin : undefined);
        assert.equal(failed.headers["grpc-message"], "gone");
      }
    });
  });
}

describe("a stream that is packed", () => {
  it("gives each message when it comes", async () => {
    const rig = await started();
    rig.http.compression = { minBytes: 1 };
    rig.onRequest = (call) => call.open().message("1");
    const stream = rig.http2().request({
      ":method": "POST",
      ":path": "/stream",
      "accept-encoding": "gzip",
    });
    stream.end("q");
    let text = "";
    const unpacked = stream.pipe(createGunzip());
    unpacked.on("data", (chunk) => {
      text += String(chunk);
    });
    unpacked.on("error", () => {});
    await until(() => text === '["1"', "the first message");
    rig.calls[0]?.message("2");
    await until(() => text === '["1","2"', "the second");
    rig.calls[0]?.end();
    await until(() => text === '["1","2"]', "the end");
  });
});

describe("Accept-Encoding", () => {
  const cases: [accept: string | undefined, coding: string | undefined, must: boolean][] = [
    [undefined, undefined, false],
    ["", undefined, false],
    ["identity", undefined, false],
    ["gzip", "gzip", false],
    ["GZIP", "gzip", false],
    ["x-gzip", "gzip", false],
    ["gzip, deflate, br, zstd", "br", false],
    ["gzip;q=1.0, br;q=0.5", "gzip", false],
    ["deflate;q=0.5, gzip;q=0.4", "deflate", false],
    ["*", "br", false],
    ["*;q=0.5, br;q=0", "gzip", false],
    ["gzip;q=0", undefined, false],
    ["gzip;q=0.5, identity", undefined, false],
    ["gzip;q=0.5, identity;q=0.5", "gzip", false],
    ["gzip, identity;q=0", "gzip", true],
    ["gzip, *;q=0", "gzip", true],
    ["zstd, *;q=0", undefined, true],
    ["gzip;q=nonsense", "gzip", false],
  ];
  for (const [accept, coding, must] of cases) {
    it(`${accept} → ${coding}${must ? ", whatever it costs" : ""}`, () => {
      const choice = responseCoding(accept);
      assert.deepEqual(choice, { coding, must });
    });
  }

  it("and If-None-Match are read whatever they say", () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        responseCoding(text);
        matchesTag(text, '"a"');
      }),
    );
  });

  it("bodies that differ have tags that differ", () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (a, b) => {
        assert.equal(
          etagOf(Buffer.from(a)) === etagOf(Buffer.from(b)),
          Buffer.from(a).equals(Buffer.from(b)),
        );
      }),
    );
  });
});
