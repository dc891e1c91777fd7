// What never becomes a request, as who watches the hub's metrics sees it: counted by why, told in the log once.
import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import type { ListenerOptions } from "#src/downstream/accept/listener.js";
import type { Log } from "#src/kit/log.js";
import { Counters } from "#src/telemetry/metrics/counters.js";
import { frame } from "../../support/frames.js";
import { until } from "../../support/until.js";
import { Rig } from "../support/rig.js";

class Lines implements Log {
  readonly all: string[] = [];
  info = (message: string): void => void this.all.push(message);
  warn = this.info;
  error = this.info;
}

async function started(t: TestContext, options: Partial<ListenerOptions> = {}, connections = 1024) {
  const counters = new Counters();
  const log = new Lines();
  const all = { meters: counters, log, ...options };
  const rig = await new Rig(all, 1024 * 1024, { connectionsPerAddress: connections }).start();
  t.after(() => rig.listener.close());
  const counted = (name: string): Record<string, number> => {
    const points = counters.families().find((family) => family.name === name)?.points ?? [];
    const rows = points.map(({ labels, value }): [string, number] => {
      assert.equal(labels["linchpin.listener"], "127.0.0.1:0");
      const version = labels["network.protocol.version"];
      const reason = labels["linchpin.reason"] ?? "";
      return [
        version === undefined ? reason : `${version} ${reason}`,
        typeof value === "number" ? value : -1,
      ];
    });
    return Object.fromEntries(rows.filter(([, value]) => value > 0));
  };
  return { rig, log, counters, counted };
}

const PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const http2 = (...frames: Buffer[]): Buffer =>
  Buffer.concat([Buffer.from(PREFACE), frame(4, 0, 0), ...frames]);

describe("a connection that is closed before HTTP", () => {
  it("has a series for every reason from the start", async (t) => {
    const { counters, counted } = await started(t);
    assert.deepEqual(counted("linchpin.connections.refused"), {});
    const family = counters.families().find(({ name }) => name === "linchpin.connections.refused");
    assert.equal(family?.points.length, 5);
  });

  for (const [what, bytes, reason] of [
    ["that speaks neither version of HTTP", "SSH-2.0-OpenSSH_9.2\r\n", "not_http"],
    ["that speaks TLS where none is expected", "\x16\x03\x01\x02\x01", "tls"],
    ["that says nothing", "", "silence"],
    ["that does not say enough", "PRI * HT", "silence"],
  ] as const) {
    it(`${what} counts as ${reason}`, async (t) => {
      const { rig, counted } = await started(
        t,
        reason === "silence" ? { limits: { firstBytesMs: 200 } } : {},
      );
      await rig.raw(bytes);
      assert.deepEqual(counted("linchpin.connections.refused"), { [reason]: 1 });
    });
  }

  it("beyond what an address may have counts as address_limit", async (t) => {
    const { rig, counted } = await started(t, {}, 1);
    const first = rig.socket();
    await new Promise((resolve) => first.once("connect", resolve));
    assert.equal(await rig.raw(""), "");
    assert.deepEqual(counted("linchpin.connections.refused"), { address_limit: 1 });
    first.destroy();
  });
});

describe("what cannot be read as a request", () => {
  const head = "GET /unary HTTP/1.1\r\nhost: a\r\n";
  const cases: [what: string, bytes: string | Buffer, reason: string][] = [
    ["a line that is none", "GET /unary HTTP/1.1 extra\r\n\r\n", "1.1 BAD_HTTP"],
    ["a head that is too large", `${head}x: ${"y".repeat(66_000)}\r\n\r\n`, "1.1 HEADERS_TOO_LARGE"],
    ["a head of many reads", `${head}x: ${"y".repeat(300_000)}\r\n\r\n`, "1.1 HEADERS_TOO_LARGE"],
    ["a head that does not go on", head, "1.1 REQUEST_TIMEOUT"],
    ["CONNECT", "CONNECT a:443 HTTP/1.1\r\nhost: a\r\n\r\n", "1.1 METHOD_NOT_ALLOWED"],
    // An empty header block: a request without :method.
    ["a request without pseudo-header fields", http2(frame(1, 5, 1)), "2 BAD_HTTP"],
    ["a frame on the wrong stream", http2(frame(0, 1, 0)), "2 PROTOCOL_ERROR"],
    ["SETTINGS of a wrong length", http2(frame(4, 0, 0, Buffer.alloc(5))), "2 FRAME_SIZE_ERROR"],
    ["a header block that is no HPACK", http2(frame(1, 5, 1, Buffer.from([0x80]))), "2 COMPRESSION_ERROR"],
  ];
  for (const [what, bytes, reason] of cases) {
    it(`${what} counts as ${reason}, and is logged once`, async (t) => {
      const stalls = reason.endsWith("REQUEST_TIMEOUT");
      const { rig, log, counted } = await started(t, stalls ? { limits: { headersMs: 200 } } : {});
      for (let i = 1; i <= 2; i++) {
        const socket = rig.socket();
        socket.write(bytes);
        await until(() => counted("linchpin.requests.malformed")[reason] === i, `${reason}, ${i} times`);
        socket.destroy();
      }
      assert.deepEqual(counted("linchpin.requests.malformed"), { [reason]: 2 });
      assert.deepEqual(counted("linchpin.connections.refused"), {});
      const told = log.all.filter((line) => line.includes("malformed"));
      assert.equal(told.length, 1, told.join("\n"));
      assert.match(
        told[0] ?? "",
        /^127\.0\.0\.1 sent a malformed HTTP\/[12.]+ request: [ -~]{1,200} \(\w+; logged once/,
      );
    });
  }

  it("a flood of it, of many kinds and clients, does not fill the log", async (t) => {
    const { rig, log, counted } = await started(t);
    for (let i = 0; i < 50; i++) await rig.raw(`GET /${i} HTTP/1.1 extra\r\n\r\n`);
    assert.deepEqual(counted("linchpin.requests.malformed"), { "1.1 BAD_HTTP": 50 });
    assert.equal(log.all.length, 1);
  });

  it("requests that are read and rejected are not counted", async (t) => {
    const { rig, counted } = await started(t);
    const steps: (number | undefined)[] = [];
    rig.steps.push({ name: "log", end: ({ http }) => steps.push(http?.status) });
    const close = "host: a\r\nconnection: close\r\n";
    for (const start of [`PUT /unary HTTP/1.1\r\n${close}`, `GET /no HTTP/1.1\r\n${close}`])
      await rig.raw(`${start}\r\n`);
    await rig.raw(`GET /unary HTTP/1.1\r\n${close}expect: miracles\r\n\r\n`);
    assert.deepEqual(counted("linchpin.requests.malformed"), {});
    assert.deepEqual(steps, [405, 404, 417]);
  });

  // curl -T does so where the path has no route: it has its answer, and closes.
  for (const http1 of ["own", "node"] as const) {
    for (const [what, framing, path] of [
      ["before its answer", "content-length: 50\r\n\r\nbegun", "/upload"],
      ["after its answer", "content-length: 50\r\n\r\nbegun", "/none"],
      ["within a chunk, after its answer", "transfer-encoding: chunked\r\n\r\n32\r\nbegun", "/none"],
      ["that was not asked for", "expect: 100-continue\r\ncontent-length: 50\r\n\r\n", "/none"],
    ] as const) {
      it(`nor is a client that leaves within the body, ${what} (first read by ${http1})`, async (t) => {
        const { rig, log, counted } = await started(t, { http1 });
        const ended: (number | undefined)[] = [];
        rig.steps.push({ name: "log", end: ({ http }) => ended.push(http?.status) });
        const socket = rig.socket().resume();
        const closed = new Promise((resolve) => socket.once("close", resolve));
        if (path === "/none") socket.once("data", () => socket.end());
        else rig.onCall = () => socket.end();
        socket.write(`POST ${path} HTTP/1.1\r\nhost: a\r\n${framing}`);
        await closed;
        await until(() => ended.length === 1, "the end of the call");
        assert.deepEqual(counted("linchpin.requests.malformed"), {});
        assert.deepEqual(log.all, []);
      });
    }
  }
});
