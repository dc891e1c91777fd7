// A listener over TLS: which protocol is served, whom a client certificate makes of its holder, and who stays outside.
import assert from "node:assert/strict";
import { existsSync, statSync, writeFileSync } from "node:fs";
import {
  type ClientHttp2Session,
  connect as connectHttp2,
  type SecureClientSessionOptions,
} from "node:http2";
import { request as httpsRequest } from "node:https";
import { connect as connectTcp, createServer } from "node:net";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { type ConnectionOptions, connect, type TLSSocket } from "node:tls";
import { credentials, Metadata } from "@grpc/grpc-js";
import { BehaviorServiceClient } from "#generated/test/v1/behavior.js";
import { frameMessage } from "#src/call/messages.js";
import type { ListenerOptions } from "#src/downstream/accept/listener.js";
import type { Log } from "#src/kit/log.js";
import { UserError } from "#src/kit/text/user-error.js";
import type { ServerTlsConfig } from "#src/tls/config.js";
import type { HandshakeFailure } from "#src/tls/handshake-failure.js";
import { ServerTls } from "#src/tls/server-tls.js";
import { Authority, folder, forged, type Issued, selfSigned, write } from "../../support/authority.js";
import { until } from "../../support/until.js";
import { Rig } from "../support/rig.js";

const authority = new Authority("servers' CA");
const clients = new Authority("clients' CA");
const strangers = new Authority("clients' CA");
/** OpenSSL 3's clients say TLS 1.1 on the lowest security level only (SSL_CTX_set_security_level(3)). */
const OLD_TLS = { minVersion: "TLSv1.1", maxVersion: "TLSv1.1", ciphers: "DEFAULT@SECLEVEL=0" } as const;
const SPIFFE = "spiffe://example.org/web";

class Lines implements Log {
  readonly all: string[] = [];
  info = (message: string): void => void this.all.push(message);
  warn = this.info;
  error = this.info;
}

interface Secure {
  readonly rig: Rig;
  readonly files: { readonly cert: string; readonly key: string; readonly ca: string };
  readonly log: Lines;
  readonly failures: HandshakeFailure[];
  readonly tls: () => ServerTls;
}

async function secure(
  t: TestContext,
  config: Partial<ServerTlsConfig> & { readonly mtls?: "require" | "request" } = {},
  options: Partial<ListenerOptions> & { readonly handshakeTimeoutMs?: number } = {},
): Promise<Secure> {
  const { cert, key } = authority.server();
  const files = write(folder(t), { cert, key, ca: clients.cert });
  const log = new Lines();
  const failures: HandshakeFailure[] = [];
  let made: ServerTls | undefined;
  const { mtls, ...rest } = config;
  const tls = {
    cert: files.cert,
    key: files.key,
    clientCa: mtls === undefined ? undefined : files.ca,
    clientAuth: mtls ?? "require",
    ...rest,
  };
  const { handshakeTimeoutMs } = options;
  const rig = await new Rig({
    log,
    tls: (onSecure) => {
      made = new ServerTls({
        config: tls,
        name: "listener test",
        log,
        onSecure,
        onFailure: (why) => failures.push(why),
        ...(handshakeTimeoutMs === undefined ? {} : { handshakeTimeoutMs }),
      });
      return made;
    },
    ...options,
  }).start();
  t.after(() => rig.listener.close());
  // "answer" is no message that a gRPC client can read.
  rig.onRequest = (service) => {
    service
      .open()
      .message(service.call.peer.protocol === "grpc" ? "" : "answer")
      .end();
  };
  return {
    rig,
    files,
    log,
    failures,
    tls: () => {
      assert.ok(made);
      return made;
    },
  };
}

interface Answer {
  readonly status: number;
  readonly body: string;
}

/** node:https, on a connection of its own. */
function ask1(rig: Rig, own: Partial<Issued> = {}, path = "/unary"): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = httpsRequest(
      { host: "127.0.0.1", port: rig.port, method: "POST", path, ca: authority.cert, agent: false, ...own },
      (response) => {
        let body = "";
        response.setEncoding("utf8").on("data", (chunk: string) => {
          body += chunk;
        });
        response.on("end", () => resolve({ status: response.statusCode ?? 0, body }));
        response.on("error", reject);
      },
    );
    request.on("error", reject);
    request.end("{}");
  });
}

function http2(t: TestContext, rig: Rig, options: SecureClientSessionOptions = {}): ClientHttp2Session {
  const session = connectHttp2(`https://127.0.0.1:${rig.port}`, { ca: authority.cert, ...options });
  t.after(() => session.destroy());
  return session;
}

function ask2(session: ClientHttp2Session): Promise<Answer> {
  return new Promise((resolve, reject) => {
    session.on("error", reject);
    const stream = session.request({ ":method": "POST", ":path": "/unary" });
    let status = 0;
    let body = "";
    stream.on("response", (head) => {
      status = Number(head[":status"]);
    });
    stream.setEncoding("utf8").on("data", (chunk: string) => {
      body += chunk;
    });
    stream.on("error", reject);
    stream.on("close", () => (status === 0 ? reject(new Error("no answer")) : resolve({ status, body })));
    stream.end("{}");
  });
}

/** A unary call by grpc-js; resolves with the code. */
function callGrpc(t: TestContext, rig: Rig, own?: Issued): Promise<number> {
  const channel = credentials.createSsl(
    Buffer.from(authority.cert),
    own === undefined ? null : Buffer.from(own.key),
    own === undefined ? null : Buffer.from(own.cert),
  );
  const client = new BehaviorServiceClient(`127.0.0.1:${rig.port}`, channel, {
    "grpc.use_local_subchannel_pool": 1,
    "grpc.enable_retries": 0,
  });
  t.after(() => client.close());
  return new Promise((resolve) => {
    const deadline = Date.now() + 10_000;
    client.unary({ payload: Buffer.alloc(0) }, new Metadata(), { deadline }, (error) =>
      resolve(error?.code ?? 0),
    );
  });
}

/** A plain TLS connection, with what came over it. */
function raw(
  t: TestContext,
  rig: Rig,
  options: ConnectionOptions = {},
): Promise<TLSSocket & { text: string }> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: "127.0.0.1", port: rig.port, ca: authority.cert, ...options }, () => {
      const recording = Object.assign(socket, { text: "" });
      socket.setEncoding("latin1").on("data", (chunk: string) => {
        recording.text += chunk;
      });
      socket.removeListener("error", reject);
      socket.on("error", () => {});
      resolve(recording);
    });
    t.after(() => socket.destroy());
    socket.once("error", reject);
  });
}

const GET = "POST /unary HTTP/1.1\r\nhost: h\r\ncontent-length: 2\r\n\r\n{}";

describe("a listener over TLS", () => {
  it("serves gRPC, and JSON over both versions of HTTP", async (t) => {
    const { rig } = await secure(t);
    assert.equal(await callGrpc(t, rig), 0);
    assert.deepEqual(await ask1(rig), { status: 200, body: '"answer"' });
    assert.deepEqual(await ask2(http2(t, rig)), { status: 200, body: '"answer"' });
    assert.deepEqual(
      rig.calls.map(({ call }) => call.peer.protocol),
      ["grpc", "rest", "rest"],
    );
    for (const { call } of rig.calls) {
      assert.match(call.peer.address, /^127\.0\.0\.1:\d+$/);
      assert.equal(call.peer.certificate, undefined);
    }
  });

  for (const [offered, agreed] of [
    [["h2", "http/1.1"], "h2"],
    [["http/1.1", "h2"], "h2"],
    [["h2"], "h2"],
    [["http/1.1"], "http/1.1"],
    [["spdy/3", "http/1.1"], "http/1.1"],
  ] as const) {
    it(`agrees on ${agreed} with a client that offers ${offered.join()}`, async (t) => {
      const { rig } = await secure(t);
      const socket = await raw(t, rig, { ALPNProtocols: [...offered] });
      assert.equal(socket.alpnProtocol, agreed);
    });
  }

  it("refuses a client that offers nothing it speaks", async (t) => {
    const { rig } = await secure(t);
    await assert.rejects(raw(t, rig, { ALPNProtocols: ["spdy/3"] }), /no application protocol/);
  });

  it("looks at the first bytes of a client without ALPN", async (t) => {
    const { rig } = await secure(t);
    const one = await raw(t, rig);
    assert.equal(one.alpnProtocol, false);
    one.write(GET);
    await until(() => one.text.includes('"answer"'), "the answer over HTTP/1.1");
    const two = await raw(t, rig);
    two.write(`PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n${"\0\0\0\x04\0\0\0\0\0"}`, "latin1");
    await until(() => two.text.includes("\0\0\0\x04\x01\0\0\0\0"), "the ACK of SETTINGS");
  });

  it("holds a client to what ALPN agreed on", async (t) => {
    const { rig } = await secure(t);
    const socket = await raw(t, rig, { ALPNProtocols: ["h2"] });
    socket.write(GET);
    await until(() => socket.destroyed || socket.readableEnded, "the end of the connection");
    assert.equal(rig.calls.length, 0);
  });

  for (const version of ["TLSv1", "TLSv1.1"] as const) {
    it(`refuses ${version}`, async (t) => {
      const { rig } = await secure(t);
      const old = { minVersion: version, maxVersion: version, ciphers: "DEFAULT@SECLEVEL=0" } as const;
      await assert.rejects(raw(t, rig, old), /protocol version|unsupported protocol/i);
    });
  }

  for (const cipher of ["AES128-SHA", "AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-SHA256"]) {
    it(`refuses ${cipher}`, async (t) => {
      const { rig } = await secure(t);
      await assert.rejects(raw(t, rig, { maxVersion: "TLSv1.2", ciphers: cipher }), /handshake failure/i);
    });
  }

  it("takes TLS 1.2 with a cipher that is fine", async (t) => {
    const { rig } = await secure(t);
    const socket = await raw(t, rig, { maxVersion: "TLSv1.2" });
    assert.match(socket.getCipher().name, /^ECDHE-ECDSA-/);
  });

  for (const [what, bytes] of [
    ["HTTP/1.1", GET],
    ["HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"],
    ["noise", "\x80\x01\x02"],
  ] as const) {
    it(`tells a client that speaks ${what} in clear text to use TLS`, async (t) => {
      const { rig } = await secure(t);
      const answer = await rig.raw(Buffer.from(bytes, "latin1"));
      assert.match(answer, /^HTTP\/1\.1 400 Bad Request\r\n/);
      assert.match(
        JSON.parse(answer.split("\r\n\r\n")[1] ?? "").message,
        /^this port speaks TLS: .*https:\/\//,
      );
    });
  }

  it("lets go of clients that say nothing, before and after the handshake", async (t) => {
    const limits = { firstBytesMs: 50 };
    const before = await secure(t, {}, { limits, handshakeTimeoutMs: 50 });
    const silent = before.rig.socket();
    const half = before.rig.socket();
    half.write(Buffer.from([0x16, 3, 1]));
    await until(() => silent.closed && half.closed, "the end of both");
    // Here a handshake may take what it takes.
    const after = await secure(t, {}, { limits });
    const done = await raw(t, after.rig, { ALPNProtocols: ["h2"] });
    await until(() => done.closed, "the end of the connection");
  });

  describe("holds the limits of HTTP/1.1", () => {
    for (const [what, bytes, limits, status] of [
      [
        "a head that does not end",
        "GET /unary HTTP/1.1\r\nhost: h\r\nx: ",
        { headersMs: 60 },
        /^HTTP\/1\.1 408 /,
      ],
      ["no second request", GET, { http1IdleMs: 60 }, /^HTTP\/1\.1 200 /],
      [
        "a head that is too long",
        `GET /unary HTTP/1.1\r\nhost: h\r\nx: ${"y".repeat(70_000)}\r\n\r\n`,
        {},
        /^HTTP\/1\.1 431 |^$/,
      ],
    ] as const) {
      it(what, async (t) => {
        const { rig } = await secure(t, {}, { limits });
        const socket = await raw(t, rig, { ALPNProtocols: ["http/1.1"] });
        socket.write(bytes);
        await until(() => socket.closed, "the end of the connection");
        assert.match(socket.text, status);
      });
    }
  });

  it("carries much in both directions, and waits for a reader that is slow", async (t) => {
    const { rig } = await secure(t);
    const chunk = Buffer.alloc(256 * 1024, 7);
    const chunks = 64;
    rig.onCall = (service) => {
      service.open();
      for (let i = 0; i < chunks; i++) service.message(chunk);
    };
    rig.onRequest = (service) => service.end();
    let given = 0;
    const session = http2(t, rig);
    const stream = session.request({
      ":method": "POST",
      ":path": "/test.v1.Test/chat",
      "content-type": "application/grpc",
      te: "trailers",
    });
    const total = chunks * (chunk.length + 5);
    await until(() => (rig.calls[0]?.taken ?? 0) > 0, "the first bytes");
    // Nobody reads: windows, not memory, hold the rest back.
    await new Promise((resolve) => setTimeout(resolve, 100));
    assert.ok((rig.calls[0]?.taken ?? 0) < total / 2, `${rig.calls[0]?.taken} of ${total} bytes are gone`);
    let received = 0;
    stream.on("data", (bytes: Buffer) => {
      received += bytes.length;
    });
    await until(() => received === total, "the whole answer", 20_000);
    const [call] = rig.calls;
    assert.ok(call);
    const { request } = call;
    request.onEvent = () => {
      const bytes = request.chunks.splice(0).reduce((sum, part) => sum + part.length, 0);
      given += bytes;
      request.source?.consumed(bytes);
    };
    for (let i = 0; i < chunks; i++) stream.write(frameMessage(chunk));
    stream.end();
    await until(() => request.ended, "the whole request", 20_000);
    assert.equal(given, total);
  });

  it("drains: a call that runs ends, and then the connection", async (t) => {
    const { rig } = await secure(t);
    let finish = (): void => {};
    rig.onRequest = (service) => {
      finish = () => service.open().message("late").end();
    };
    const session = http2(t, rig);
    const answer = ask2(session);
    await until(() => rig.calls.length === 1, "the call");
    assert.deepEqual(rig.listener.open, { http: 0, http2: 1 });
    const drained = rig.listener.drain(5000);
    // Longer than connections that have said nothing are waited for.
    setTimeout(finish, 1200);
    assert.deepEqual(await answer, { status: 200, body: '"late"' });
    await drained;
  });
});

it("a clear-text listener closes TLS connections, and logs it once", async (t) => {
  const log = new Lines();
  const rig = await new Rig({ log }).start();
  t.after(() => rig.listener.close());
  await assert.rejects(raw(t, rig));
  await assert.rejects(raw(t, rig));
  assert.deepEqual(log.all.length, 1);
  assert.match(log.all[0] ?? "", /began TLS on a listener without it/);
  assert.equal(
    await rig.raw(`${GET.replace("\r\n\r\n", "\r\nconnection: close\r\n\r\n")}`).then((a) => a.slice(9, 12)),
    "200",
  );
});

describe("client certificates", () => {
  const right = clients.issue({ cn: "c", names: { uri: [SPIFFE] } });
  const nameless = clients.issue({});
  const OWN: readonly (readonly [string, Issued | undefined, string | undefined])[] = [
    ["none", undefined, undefined],
    ["one of the right CA", right, SPIFFE],
    ["one of the right CA that names nobody", nameless, undefined],
    ["one of another CA of the same name", strangers.issue({ names: { uri: [SPIFFE] } }), undefined],
    ["an expired one", clients.issue({ names: { uri: [SPIFFE] }, fromDays: -9, toDays: -1 }), undefined],
    ["one that is not valid yet", clients.issue({ names: { uri: [SPIFFE] }, fromDays: 2 }), undefined],
    ["a self-signed one", selfSigned({ names: { uri: [SPIFFE] } }), undefined],
  ];
  const admitted = new Set([right, nameless]);
  for (const mode of ["require", "request"] as const) {
    for (const [what, own, name] of OWN) {
      const enters = mode === "request" || (own !== undefined && admitted.has(own));
      const result = !enters ? "no connection" : name === undefined ? "no identity" : "its name";
      it(`${mode}: with ${what} there is ${result}`, async (t) => {
        const { rig } = await secure(t, { mtls: mode });
        if (!enters) {
          assert.equal(await callGrpc(t, rig, own), 14);
          await assert.rejects(ask1(rig, own));
          await assert.rejects(ask2(http2(t, rig, own)));
          assert.equal(rig.calls.length, 0);
          return;
        }
        assert.equal(await callGrpc(t, rig, own), 0);
        assert.equal((await ask1(rig, own)).status, 200);
        assert.equal((await ask2(http2(t, rig, own))).status, 200);
        assert.deepEqual(
          rig.calls.map(({ call }) => call.peer.certificate?.name),
          [name, name, name],
        );
      });
    }
  }

  for (const mode of ["require", "request"] as const) {
    it(`${mode}: one whose signature is forged never gives an identity`, async (t) => {
      const { rig } = await secure(t, { mtls: mode });
      const own = forged(right);
      await Promise.allSettled([callGrpc(t, rig, own), ask1(rig, own), ask2(http2(t, rig, own))]);
      if (mode === "require") assert.equal(rig.calls.length, 0);
      for (const { call } of rig.calls) assert.equal(call.peer.certificate, undefined);
    });
  }

  it("give no identity where no CA is configured", async (t) => {
    const { rig } = await secure(t);
    assert.equal((await ask1(rig, right)).status, 200);
    assert.equal(rig.calls[0]?.call.peer.certificate, undefined);
  });

  for (const maxVersion of ["TLSv1.2", "TLSv1.3"] as const) {
    it(`are not remembered by a session that is resumed (${maxVersion})`, async (t) => {
      const { rig } = await secure(t, { mtls: "request" });
      const first = await raw(t, rig, { ...right, maxVersion });
      let session = first.getSession();
      first.on("session", (newer) => {
        session = newer;
      });
      first.write(GET);
      await until(() => first.text.includes('"answer"'), "the answer");
      const second = await raw(t, rig, { maxVersion, ...(session === undefined ? {} : { session }) });
      assert.equal(second.isSessionReused(), false);
      second.write(GET);
      await until(() => second.text.includes('"answer"'), "the answer");
      assert.deepEqual(
        rig.calls.map(({ call }) => call.peer.certificate?.name),
        [SPIFFE, undefined],
      );
    });
  }

  it("are read once for a connection", async (t) => {
    const { rig } = await secure(t, { mtls: "require" });
    const socket = await raw(t, rig, right);
    socket.write(GET + GET);
    await until(() => rig.calls.length === 2, "both calls");
    const [one, two] = rig.calls.map(({ call }) => call.peer.certificate);
    assert.ok(one !== undefined && one === two);
    assert.match(one.fingerprint, /^[0-9a-f]{64}$/);
  });
});

describe("a handshake that fails is counted by why", () => {
  const CASES: readonly (readonly [
    what: string,
    client: ConnectionOptions | string,
    why: HandshakeFailure,
  ])[] = [
    ["a client without a certificate", {}, "client_certificate"],
    ["a certificate of a stranger", strangers.issue({ names: { uri: [SPIFFE] } }), "client_certificate"],
    ["one that has expired", clients.issue({ fromDays: -9, toDays: -1 }), "client_certificate"],
    // Node's own clients say nothing to that; OpenSSL's and Go's send an alert.
    ["a client that trusts another CA", { ca: clients.cert, rejectUnauthorized: true }, "reset"],
    ["a version of TLS that is too old", OLD_TLS, "no_agreement"],
    ["ciphers that are too weak", { maxVersion: "TLSv1.2", ciphers: "AES128-SHA" }, "no_agreement"],
    ["a protocol that nobody speaks", { ALPNProtocols: ["spdy/1"] }, "no_agreement"],
    ["a client that says no more", "\x16\x03\x01\x02\x00\x01", "timeout"],
    ["a client that has no version to offer, and says so", "\x15\x03\x01\x00\x02\x02\x46", "other"],
    ["a record that is none", "\x16\x03\x01\x00\x05\x09\x00\x00\x01\x00", "other"],
  ];
  for (const [what, client, why] of CASES) {
    it(`${what}: ${why}`, async (t) => {
      const { rig, failures } = await secure(t, { mtls: "require" }, { handshakeTimeoutMs: 300 });
      const connecting = typeof client === "string" ? rig.raw(client) : raw(t, rig, client);
      connecting.catch(() => {});
      await until(() => failures.length > 0, "the failure");
      assert.deepEqual(failures, [why]);
    });
  }

  it("a client that breaks off: reset", async (t) => {
    const { rig, failures } = await secure(t);
    const socket = rig.socket();
    socket.write("\x16\x03\x01\x02\x00\x01", "latin1");
    await until(() => rig.listener.open.http === 1, "the connection");
    socket.end();
    await until(() => failures.length > 0, "the failure");
    assert.deepEqual(failures, ["reset"]);
  });
});

describe("certificates that change", () => {
  function serial(t: TestContext, rig: Rig): Promise<string> {
    return raw(t, rig, { rejectUnauthorized: false }).then(
      (socket) => socket.getPeerCertificate().serialNumber,
    );
  }

  it("are used for new connections, while calls on old ones go on", async (t) => {
    const { rig, files, log, tls } = await secure(t);
    const before = await serial(t, rig);
    const session = http2(t, rig);
    assert.equal((await ask2(session)).status, 200);
    const renewed = authority.server();
    writeFileSync(files.cert, renewed.cert);
    writeFileSync(files.key, renewed.key);
    await until(() => log.all.some((line) => /new certificates are in use/.test(line)), "the new pair");
    assert.notEqual(await serial(t, rig), before);
    assert.equal((await ask2(session)).status, 200);
    assert.equal(tls().certificates[0]?.problem, undefined);
  });

  it("lose no call, under load", async (t) => {
    const { rig, files, tls } = await secure(t);
    let running = true;
    let answered = 0;
    const load = async (): Promise<void> => {
      while (running) {
        assert.equal((await ask1(rig)).status, 200);
        answered++;
      }
    };
    const session = http2(t, rig);
    session.setMaxListeners(0);
    const loadOnOne = async (): Promise<void> => {
      while (running) {
        assert.equal((await ask2(session)).status, 200);
        answered++;
      }
    };
    const loads = [load(), load(), loadOnOne()];
    const serials = new Set<string>();
    for (let i = 0; i < 5; i++) {
      const renewed = authority.server();
      writeFileSync(files.cert, renewed.cert);
      // Between the two writes the pair does not match: the old one must go on.
      tls().reload();
      serials.add(await serial(t, rig));
      writeFileSync(files.key, renewed.key);
      tls().reload();
      serials.add(await serial(t, rig));
      const sofar = answered;
      await until(() => answered > sofar + 5, "more answers");
    }
    running = false;
    await Promise.all(loads);
    assert.equal(serials.size, 6);
  });

  const other = authority.server();
  for (const [what, change, problem] of [
    ["a key that does not fit", { key: other.key }, /does not match the first certificate/],
    ["a certificate cut off", { cert: other.cert.slice(0, 300) }, /is not a PEM file with a certificate/],
    ["an empty key", { key: "" }, /is not a PEM file with a private key/],
    ["a pair that has expired", authority.server({ fromDays: -9, toDays: -1 }), /has expired/],
    ["a CA file without one", { ca: "nothing" }, /is not a PEM file with a certificate/],
  ] as const) {
    it(`are not used when they are wrong: ${what}; it is said once`, async (t) => {
      const { rig, files, log, tls } = await secure(t, { mtls: "request" });
      const before = await serial(t, rig);
      for (const [name, text] of Object.entries(change)) {
        writeFileSync(files[name as "cert"], text);
      }
      tls().reload();
      tls().reload();
      const told = log.all.filter((line) => /the old certificate stays in use/.test(line));
      assert.equal(told.length, 1);
      assert.match(told[0] ?? "", problem);
      assert.match(tls().certificates[0]?.problem ?? "", problem);
      assert.equal(await serial(t, rig), before);
    });
  }

  it("may change whom clients are trusted by", async (t) => {
    const { rig, files, tls } = await secure(t, { mtls: "require" });
    const own = strangers.issue({ cn: "s" });
    await assert.rejects(ask1(rig, own));
    writeFileSync(files.ca, strangers.cert);
    tls().reload();
    assert.equal((await ask1(rig, own)).status, 200);
    await assert.rejects(ask1(rig, clients.issue({ cn: "c" })));
  });

  for (const [days, pattern] of [
    [29, /expires in 28 days|expires in 29 days/],
    [-1, /has expired/],
  ] as const) {
    it(`are warned of ${days} days before their end`, async (t) => {
      const { cert, key } = authority.server({ fromDays: -9, toDays: days });
      const files = write(folder(t), { cert, key });
      const { log } = await secure(t, files);
      assert.equal(log.all.length, 1);
      assert.match(log.all[0] ?? "", pattern);
    });
  }
});

describe("a unix socket", () => {
  const unix = (t: TestContext): { path: string; rig: Rig } => {
    const path = join(folder(t), "hub.sock");
    const rig = new Rig({ path } as Partial<ListenerOptions>);
    t.after(() => rig.listener.close());
    return { path, rig };
  };
  const get = (path: string): Promise<string> =>
    new Promise((resolve, reject) => {
      const socket = connectTcp({ path });
      let text = "";
      socket.on("error", reject);
      socket.setEncoding("latin1").on("data", (chunk: string) => {
        text += chunk;
      });
      socket.on("close", () => resolve(text));
      socket.write(GET.replace("\r\n\r\n", "\r\nconnection: close\r\n\r\n"));
    });

  it("serves its owner and group, and is removed with the listener", async (t) => {
    const { path, rig } = unix(t);
    assert.equal(await rig.listener.listen(), `unix:${path}`);
    assert.equal(statSync(path).mode & 0o777, 0o660);
    assert.match(await get(path), /^HTTP\/1\.1 200 /);
    assert.equal(rig.calls[0]?.call.peer.address, "unix");
    await rig.listener.close();
    assert.equal(existsSync(path), false);
  });

  it("takes the place of one that a dead hub left", async (t) => {
    const { path, rig } = unix(t);
    const { spawnSync } = await import("node:child_process");
    const listenAndDie = `require("node:net").createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, "SIGKILL"))`;
    spawnSync(process.execPath, ["-e", listenAndDie]);
    assert.ok(statSync(path).isSocket());
    await rig.listener.listen();
    assert.match(await get(path), /^HTTP\/1\.1 200 /);
  });

  it("does not replace one that is in use, nor a file that is not a socket", async (t) => {
    const { path, rig } = unix(t);
    const other = createServer((socket) => socket.destroy());
    await new Promise<void>((resolve) => other.listen(path, resolve));
    t.after(() => other.close());
    await assert.rejects(rig.listener.listen(), { code: "EADDRINUSE" });
    assert.ok(statSync(path).isSocket());
    const file = write(folder(t), { text: "precious" }).text;
    const wrong = new Rig({ path: file } as Partial<ListenerOptions>);
    await assert.rejects(
      wrong.listener.listen(),
      (error) => error instanceof UserError && /is no socket/.test(error.message),
    );
    assert.ok(statSync(file).isFile());
  });
});

it("a listener whose files are wrong does not start", () => {
  const log = new Lines();
  const config = {
    cert: "/nowhere/c",
    key: "/nowhere/k",
    clientCa: undefined,
    clientAuth: "require",
  } as const;
  assert.throws(
    () => new ServerTls({ config, name: "listener x", log, onSecure: () => {} }),
    /listener x: \/nowhere\/c: no such file; \/nowhere\/k: no such file/,
  );
});
