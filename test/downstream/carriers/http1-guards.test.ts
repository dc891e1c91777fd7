// HTTP/1.1 over raw sockets: what is refused, how, and what never reaches a service.
import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { frameMessage } from "#src/call/messages.js";
import type { ListenerOptions } from "#src/downstream/accept/listener.js";
import { until } from "../../support/until.js";
import { Rig, type ServiceCall } from "../support/rig.js";

async function started(
  t: TestContext,
  options: Partial<ListenerOptions> = {},
  maxMessageBytes = 1024 * 1024,
): Promise<Rig> {
  const rig = await new Rig(options, maxMessageBytes).start();
  t.after(() => rig.listener.close());
  return rig;
}

const head = (lines: readonly string[], start = "GET /unary HTTP/1.1"): string =>
  `${[start, "host: a", "connection: close", ...lines].join("\r\n")}\r\n\r\n`;
const closing = (start: string): string => `${start}\r\nconnection: close\r\n\r\n`;
const many = (count: number): string[] => Array.from({ length: count }, (_, i) => `x-${i}: 1`);

type Refused = [what: string, bytes: string, status: number, says: RegExp];

for (const http1 of ["own", "node"] as const) {
  describe(`HTTP/1.1, read first by ${http1 === "own" ? "the hub" : "node:http"}`, () => {
    describe("a request is refused in JSON, and its connection closed", () => {
      const cases: Refused[] = [
        ["with a head larger than 64 KiB", head([`x: ${"y".repeat(66_000)}`]), 431, /65536 bytes/],
        ["with a head of many reads", head([`x: ${"y".repeat(2_000_000)}`]), 431, /65536 bytes/],
        ["with more than 128 fields", head(many(127)), 431, /more than 128 header fields/],
        ["that is none", "GET /unary HTTP/1.1 extra\r\n\r\n", 400, /no valid HTTP\/1\.1 request/],
        ["with a method that nobody knows", head([], "FROB /unary HTTP/1.1"), 400, /over HTTP\/2 a method/],
        [
          "with two lengths",
          head(["content-length: 1", "content-length: 2"], "POST /unary HTTP/1.1"),
          400,
          /no valid HTTP/,
        ],
        [
          "with a length and chunks",
          head(["content-length: 1", "transfer-encoding: chunked"], "POST /unary HTTP/1.1"),
          400,
          /no valid HTTP/,
        ],
        ["with a line folded over two", head(["x: a\r\n b"]), 400, /no valid HTTP/],
        ["with CONNECT", head([], "CONNECT a:443 HTTP/1.1"), 405, /no proxy/],
        ["without a Host", closing("GET /unary HTTP/1.1"), 400, /no Host field/],
        ["with two Hosts", head(["Host: b"]), 400, /more than one Host/],
        ...["a/b", "<a>", "a b", 'a";b=c', "\xe9", "user@a"].map((host): Refused => {
          const bytes = closing(`GET /unary HTTP/1.1\r\nHost: ${host}`);
          return [`with the Host ${host}`, bytes, 400, /names no host/];
        }),
        ["whose target names no host", head([], "GET http://u@a/unary HTTP/1.1"), 400, /names no host/],
        [
          "with a transfer coding beside chunked",
          head(["transfer-encoding: gzip, chunked"], "POST /unary HTTP/1.1"),
          501,
          /chunked alone/,
        ],
        ["in a version that has no text", head([], "GET /unary HTTP/2.0"), 505, /ask in HTTP\/1\.1/],
        ["that expects what nobody knows", head(["expect: miracles"]), 417, /100-continue/],
        [
          "whose length is beyond the limit",
          head(["content-length: 9999999"], "POST /unary HTTP/1.1"),
          413,
          /larger than the limit of 2097152 bytes/,
        ],
      ];
      for (const [what, bytes, status, says] of cases) {
        it(`${what}: ${status}`, async (t) => {
          const rig = await started(t, { http1 });
          const answer = await rig.raw(bytes);
          assert.match(answer, new RegExp(`^HTTP/1\\.1 ${status} `));
          assert.match(answer, /^content-type: application\/json\r$/im);
          assert.match(answer, /^connection: close\r$/im);
          const body: unknown = JSON.parse(answer.slice(answer.indexOf("\r\n\r\n") + 4));
          assert.match(JSON.stringify(body), says);
          assert.equal(rig.calls.filter((call) => call.request.ended).length, 0);
        });
      }

      it("that exceeds the limit while it arrives: 413", async (t) => {
        const rig = await started(t, { http1 }, 1000);
        const chunk = `400\r\n${"x".repeat(1024)}\r\n`;
        const answer = await rig.raw(
          head(["transfer-encoding: chunked"], "POST /unary HTTP/1.1") + chunk.repeat(3),
        );
        assert.match(answer, /^HTTP\/1\.1 413 /);
      });

      it("that stalls in its body: 408, in JSON, and its call is over", async (t) => {
        const limits = { bodyMs: 60 };
        const rig = await started(t, { http1, limits });
        const ended: (number | undefined)[] = [];
        rig.steps.push({ name: "watch", end: ({ http }) => ended.push(http?.status) });
        const answer = await rig.raw(`${head(["content-length: 5"], "POST /unary HTTP/1.1")}x`);
        assert.match(answer, /^HTTP\/1\.1 408 [\s\S]*did not go on arriving in time/);
        assert.deepEqual(ended, [408], "the end of the call");
        assert.equal(rig.calls.length, 0);
      });
    });

    describe("HTTP/1.0", () => {
      it("needs no Host", async (t) => {
        const rig = await started(t, { http1 });
        assert.match(await rig.raw("GET /unary HTTP/1.0\r\n\r\n"), /^HTTP\/1\.1 200 /);
        assert.equal(rig.calls[0]?.call.authority, "");
      });

      it("has no trailers, whatever the request says of them", async (t) => {
        const rig = await started(t, { http1 });
        rig.onRequest = (call) => call.open().message("answer").end(0, ["x-trail", "t"]);
        const answer = await rig.raw("GET /unary HTTP/1.0\r\nHost: a\r\nTE: trailers\r\n\r\n");
        assert.match(answer, /^grpc-trailer-x-trail: t\r\n[\s\S]*\r\n\r\n"answer"$/im);
      });
    });

    it("128 fields are taken", async (t) => {
      const rig = await started(t, { http1 });
      assert.match(await rig.raw(head(many(126))), /^HTTP\/1\.1 200 /);
    });

    describe("Expect: 100-continue", () => {
      const ask = head(["expect: 100-continue", "content-length: 5"], "POST /unary HTTP/1.1");

      it("gets 100 Continue", async (t) => {
        const rig = await started(t, { http1 });
        const socket = rig.socket();
        let all = "";
        socket.on("data", (chunk) => {
          all += String(chunk);
        });
        socket.write(ask);
        await until(() => all.includes("100 Continue\r\n\r\n"), "100 Continue");
        assert.equal(rig.calls.length, 0);
        socket.write("hello");
        await until(() => all.includes("HTTP/1.1 200"), "the answer");
        assert.equal(rig.calls[0]?.request.body.slice(5), "hello");
      });

      it("gets no 100 Continue if it is rejected anyway", async (t) => {
        const rig = await started(t, { http1 }, 1);
        const answer = await rig.raw(ask);
        assert.match(answer, /^HTTP\/1\.1 413 /);
      });
    });

    describe("fields of this hop", () => {
      it("do not reach the service, nor those that Connection names", async (t) => {
        const rig = await started(t, { http1 });
        await rig.raw(
          "GET /unary HTTP/1.1\r\nhost: a\r\nconnection: close, X-Hop, x-forwarded-for\r\nx-hop: 1\r\nkeep-alive: timeout=5\r\nte: trailers\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABkAAQAAP__\r\nproxy-authorization: Basic x\r\nx-end: 2\r\n\r\n",
        );
        const names = rig.calls[0]?.call.headers.fields.map((f) => f.name);
        assert.deepEqual(names, [
          "content-type",
          "x-end",
          "x-forwarded-for",
          "x-forwarded-proto",
          "x-forwarded-host",
          "forwarded",
        ]);
      });

      it("Upgrade is answered over HTTP/1.1 as if it were not there", async (t) => {
        const rig = await started(t, { http1 });
        for (const protocol of ["h2c", "websocket"]) {
          const answer = await rig.raw(head([`upgrade: ${protocol}`, "connection: upgrade"]));
          assert.match(answer, /^HTTP\/1\.1 200 /, protocol);
        }
      });

      it("of the service's answer do not reach the client", async (t) => {
        const rig = await started(t, { http1 });
        rig.onRequest = (call) =>
          call
            .open([
              ["keep-alive", "timeout=5"],
              ["upgrade", "x"],
              ["x-own", "1"],
            ])
            .raw(frameMessage(Buffer.from("x")))
            .end();
        const answer = await rig.raw(head([]));
        assert.match(answer, /^x-own: 1\r$/im);
        assert.doesNotMatch(answer, /^(keep-alive|upgrade):/im);
      });
    });
  });
}

it("bytes that break the protocol never fall into an answer that is on its way", async (t) => {
  const rig = await started(t, { http1: "node" });
  rig.onRequest = (call) => call.open().message("first");
  const socket = rig.socket();
  let all = "";
  socket.on("data", (chunk) => {
    all += String(chunk);
  });
  const closed = new Promise((resolve) => socket.once("close", resolve));
  socket.write("GET /stream HTTP/1.1\r\nhost: a\r\n\r\n");
  await until(() => all.includes("first"), "the first message");
  socket.write("nonsense\r\n\r\n");
  await closed;
  assert.equal(all.match(/HTTP\/1\.1/g)?.length, 1);
});

it("bytes that break the protocol behind a plain request are refused once its answer is whole", async (t) => {
  const rig = await started(t, { http1: "own" });
  const calls: ServiceCall[] = [];
  rig.onRequest = (call) => calls.push(call.open().message("first"));
  const answers = rig.raw("GET /stream HTTP/1.1\r\nhost: a\r\n\r\nnonsense\r\n\r\n");
  await until(() => calls.length === 1, "the call");
  await new Promise((resolve) => setImmediate(resolve));
  calls[0]?.message("second").end();
  assert.match(
    await answers,
    /^HTTP\/1\.1 200 [\s\S]*"first"[\s\S]*"second"[\s\S]*\r\n0\r\n[\s\S]*\r\n\r\nHTTP\/1\.1 400 /,
  );
});
