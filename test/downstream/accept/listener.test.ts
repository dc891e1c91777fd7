import assert from "node:assert/strict";
import { once } from "node:events";
import { afterEach, describe, it } from "node:test";
import { frameMessage } from "#src/call/messages.js";
import type { ClientLimits } from "#src/config/listener-limits.js";
import { until } from "../../support/until.js";
import { ask1, ask2, Rig } from "../support/rig.js";

/** Before any limit that is not the one in question, however busy the machine is. */
const SOON_MS = 8000;

const rigs: Rig[] = [];
afterEach(async () => {
  for (const rig of rigs.splice(0)) await rig.listener.close();
});

async function started(options: ConstructorParameters<typeof Rig>[0] = {}, maxBytes?: number): Promise<Rig> {
  const rig = new Rig(options, maxBytes);
  rigs.push(rig);
  return rig.start();
}

const GET = "GET /unary HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";

for (const http1 of ["own", "node"] as const) {
  describe(`HTTP/1.1, read first by ${http1 === "own" ? "the hub" : "node:http"}`, () => {
    describe("the one port", () => {
      it("speaks HTTP/1.1 and HTTP/2, each connection its own", async () => {
        const rig = await started({ http1 });
        const answers = await Promise.all([
          ask1(rig, { method: "GET", path: "/unary" }),
          ask2(rig, { method: "GET", path: "/unary" }),
        ]);
        for (const answer of answers) {
          assert.equal(answer.status, 200);
          assert.equal(answer.body, '"answer"');
        }
      });

      it("knows the protocol however the first bytes dribble in", async () => {
        const rig = await started({ http1 });
        const answer = await rig.raw(GET, true);
        assert.match(answer, /^HTTP\/1\.1 200 OK\r\n/);
        assert.match(answer, /"answer"$/);
        // Methods that begin as the preface does.
        for (const method of ["P", "PR", "PRI", "PATCH", "PUT", "PROPFIND"]) {
          const other = await rig.raw(
            `${method} /nowhere HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n`,
            true,
          );
          assert.match(other, /^HTTP\/1\.1 4\d\d /, method);
        }
      });

      it("knows HTTP/2 byte by byte", async () => {
        const rig = await started({ http1 });
        const socket = rig.socket();
        socket.setNoDelay(true);
        const got: Buffer[] = [];
        socket.on("data", (chunk) => got.push(chunk));
        const bytes = Buffer.concat([
          Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
          Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]),
        ]);
        for (const byte of bytes) {
          socket.write(Buffer.from([byte]));
          await new Promise((resolve) => setImmediate(resolve));
        }
        // SETTINGS, and the ACK of ours.
        await until(
          () => Buffer.concat(got).includes(Buffer.from([0, 0, 0, 4, 1, 0, 0, 0, 0])),
          "SETTINGS ACK",
        );
        socket.destroy();
      });

      for (const [what, bytes] of [
        ["another preface", "PRI * HTTP/3.0\r\n\r\n"],
        [
          "two lengths (request smuggling)",
          "POST /unary HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        ],
        ["no host", "GET /unary HTTP/1.1\r\n\r\n"],
      ] as const) {
        it(`answers ${what} with 400, and closes`, async () => {
          const rig = await started({ http1 });
          assert.match(await rig.raw(bytes), /^HTTP\/1\.1 400 /);
          assert.equal(rig.calls.length, 0);
        });
      }

      for (const [what, bytes] of [
        ["noise", Buffer.from("\0\x01\x02\x03\xff\xfe\r\n\r\n", "latin1")],
        ["what is neither HTTP/1.1 nor HTTP/2", "INVALID CONNECTION PREFACE\r\n\r\n"],
        ["SSH", "SSH-2.0-OpenSSH_9.9\r\n"],
      ] as const) {
        it(`closes on ${what}, without an answer that the client could not read`, async () => {
          const rig = await started({ http1 });
          const begun = performance.now();
          assert.equal(await rig.raw(bytes), "");
          assert.ok(performance.now() - begun < SOON_MS, "it waited for more");
          assert.equal(rig.calls.length, 0);
        });
      }

      it("refuses a head of more than 64 KiB with 431", async () => {
        const rig = await started({ http1 });
        const answer = await rig.raw(`GET /unary HTTP/1.1\r\nhost: a\r\nx: ${"y".repeat(70_000)}\r\n\r\n`);
        assert.match(answer, /^HTTP\/1\.1 431 /);
      });

      it("answers pipelined requests in order on one connection", async () => {
        const rig = await started({ http1 });
        rig.onRequest = (call) => {
          const which = call.request.body.slice(5);
          setTimeout(() => call.open().message(which).end(), which === "1" ? 20 : 0);
        };
        const one = "POST /unary HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\n\r\n";
        const last = one.replace("\r\n\r\n", "\r\nconnection: close\r\n\r\n");
        const answer = await rig.raw(`${one}1${one}2${last}3`);
        assert.deepEqual([...answer.matchAll(/"\d"/g)].map(String), ['"1"', '"2"', '"3"']);
      });

      it("keeps a connection alive between requests", async () => {
        const rig = await started({ http1 });
        const socket = rig.socket();
        let all = "";
        socket.on("data", (chunk) => {
          all += String(chunk);
        });
        for (let i = 1; i <= 3; i++) {
          socket.write("GET /unary HTTP/1.1\r\nhost: a\r\n\r\n");
          await until(() => all.split('"answer"').length === i + 1, `answer ${i}`);
        }
        socket.destroy();
      });

      it("takes a target in absolute form, as proxies send it", async () => {
        const rig = await started({ http1 });
        const answer = await rig.raw(GET.replace("/unary", "http://example.com/unary"));
        assert.match(answer, /^HTTP\/1\.1 200/);
        assert.equal(rig.calls[0]?.call.authority, "example.com");
      });
    });

    describe("a client that stalls", () => {
      // Only the limit in question is short: the others would end a test that the machine holds up.
      const cases: [what: string, bytes: string, limits: Partial<ClientLimits>, answer: RegExp][] = [
        ["before its first byte", "", { firstBytesMs: 60 }, /^$/],
        ["in the preface of HTTP/2", "PRI * HT", { firstBytesMs: 60 }, /^$/],
        ["in the head of a request", "GET /unary HTTP/1.1\r\nhost", { headersMs: 60 }, /^HTTP\/1\.1 408 /],
        [
          "in the body of a request",
          "POST /unary HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\nx",
          { bodyMs: 120 },
          /^HTTP\/1\.1 408 /,
        ],
      ];
      for (const [what, bytes, limits, answer] of cases) {
        it(`${what} is disconnected`, async () => {
          const rig = await started({ http1, limits });
          const started_ = performance.now();
          assert.match(await rig.raw(bytes), answer);
          assert.ok(performance.now() - started_ < SOON_MS);
        });
      }

      it("between requests is disconnected", async () => {
        const rig = await started({ http1, limits: { http1IdleMs: 60 } });
        assert.match(await rig.raw("GET /unary HTTP/1.1\r\nhost: a\r\n\r\n"), /"answer"$/);
      });

      it("is not one that waits for its answer", async () => {
        const rig = await started({ http1, limits: { bodyMs: 120, http1IdleMs: 60 } });
        rig.onRequest = (call) => void setTimeout(() => call.open().message("late").end(), 400);
        assert.equal((await ask1(rig, { path: "/unary", body: "q" })).body, '"late"');
      });
    });

    describe("draining", () => {
      it("finishes running calls, asks clients to leave, and closes idle and silent connections", async () => {
        const rig = await started({ http1 });
        let finish: () => void = () => {};
        rig.onRequest = (call) => {
          finish = () => call.open().message("finished").end();
        };
        const session = rig.http2();
        const left = once(session, "goaway");
        const stream = session.request({
          ":method": "POST",
          ":path": "/a.B/unary",
          "content-type": "application/grpc",
        });
        stream.end(frameMessage(Buffer.from("q")));
        let body = "";
        stream.on("data", (chunk) => {
          body += String(chunk);
        });
        await until(() => rig.calls.length === 1, "the call");
        const silent = rig.socket();
        await once(silent, "connect");
        const idle = rig.socket();
        idle.write("GET /nowhere HTTP/1.1\r\nhost: a\r\n\r\n");
        await once(idle, "data");
        const drained = rig.listener.drain(20_000);
        await left;
        await once(idle, "close");
        finish();
        await once(stream, "close");
        assert.match(body, /finished/);
        const before = performance.now();
        await drained;
        assert.ok(performance.now() - before < SOON_MS, "the silent connection did not hold it up");
        await assert.rejects(ask1(rig, { method: "GET", path: "/unary" }), /ECONNREFUSED/);
      });

      it("aborts what has not ended after the grace period", async () => {
        const rig = await started({ http1 });
        rig.onRequest = (call) => call.open();
        const answer = ask1(rig, { path: "/stream", body: "q" });
        const failed = assert.rejects(answer);
        await until(() => rig.calls.length === 1, "the call");
        await rig.listener.drain(50);
        await failed;
        await until(() => rig.calls[0]?.request.aborted !== undefined, "the service is told");
      });
    });
  });
}
