// Upstreams over TLS: whom the hub trusts, what it shows, and what it says when it comes to nothing. Over gRPC and JSON.
import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { writeFileSync } from "node:fs";
import { createSecureServer, type Http2SecureServer, type SecureServerOptions } from "node:http2";
import { type AddressInfo, createServer as createTcpServer } from "node:net";
import { describe, it, type TestContext } from "node:test";
import { createServer as createTlsServer, type TlsOptions } from "node:tls";
import { credentials, Metadata, type ServiceError } from "@grpc/grpc-js";
import { BehaviorServiceClient } from "#generated/test/v1/behavior.js";
import { type RunningHub, startHub } from "#src/hub.js";
import type { Log } from "#src/kit/log.js";
import { defaultConfig } from "#src/settings/from-args.js";
import type { ClientTlsConfig } from "#src/tls/config.js";
import { UPSTREAM_DEFAULTS } from "#src/upstream/upstream-keys.js";
import { Authority, folder, type Issued, selfSigned, write } from "../support/authority.js";
import { until } from "../support/until.js";

const authority = new Authority("services' CA");
const other = new Authority("another CA");
const hubs = new Authority("hubs' CA");
const METHOD = "test.v1.BehaviorService/Unary";

const OFF: ClientTlsConfig = {
  ca: undefined,
  cert: undefined,
  key: undefined,
  serverName: undefined,
  dangerouslyTrustAnyServer: false,
};

interface Lines extends Log {
  readonly all: string[];
}

function lines(): Lines {
  const all: string[] = [];
  const say = (message: string): void => void all.push(message);
  return { all, info: say, warn: say, error: say };
}

interface Service {
  readonly port: number;
  /** Pseudo-header fields of the calls that came. */
  readonly calls: {
    readonly scheme: unknown;
    readonly authority: unknown;
    readonly client: string | undefined;
  }[];
  readonly server: Http2SecureServer;
}

/** A gRPC service that answers every call with an empty message. */
async function service(t: TestContext, own: Issued, options: SecureServerOptions = {}): Promise<Service> {
  const calls: Service["calls"] = [];
  const server = createSecureServer({ ...own, ...options });
  server.on("sessionError", () => {});
  server.on("session", (session) => t.after(() => session.destroy()));
  server.on("stream", (stream, head) => {
    // The session shows its socket through a proxy, whose class cannot be told.
    const read: unknown = Reflect.get(Object(stream.session?.socket), "getPeerX509Certificate");
    const certificate: unknown = typeof read === "function" ? read() : undefined;
    const client = certificate instanceof X509Certificate ? certificate.subject : undefined;
    // The hub asks for reflection as well; what counts are calls.
    if (head[":path"] !== `/${METHOD}`) {
      stream.respond(
        { ":status": 200, "content-type": "application/grpc", "grpc-status": "12" },
        { endStream: true },
      );
      return;
    }
    calls.push({ scheme: head[":scheme"], authority: head[":authority"], client });
    stream.on("error", () => {});
    stream.resume();
    stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
    stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
    stream.end(Buffer.alloc(5));
  });
  const port = await listening(t, server);
  return { port, calls, server };
}

async function listening(t: TestContext, server: ReturnType<typeof createTcpServer>): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => server.close());
  return (server.address() as AddressInfo).port;
}

async function hub(
  t: TestContext,
  port: number,
  tls: Partial<ClientTlsConfig> | undefined,
  host = "127.0.0.1",
  log: Log = lines(),
): Promise<RunningHub> {
  const config = defaultConfig();
  const running = await startHub(
    {
      ...config,
      listen: [{ address: { host: "127.0.0.1", port: 0 }, tls: undefined }],
      admin: undefined,
      upstreams: [
        {
          name: "up",
          endpoints: [{ host, port }],
          // The image has the schema: a service under test shall not need reflection.
          schema: {
            kind: "protoset",
            file: new URL("../../../generated/image.binpb", import.meta.url).pathname,
          },
          ...UPSTREAM_DEFAULTS,
          ...(tls === undefined ? {} : { tls: { ...OFF, ...tls } }),
        },
      ],
    },
    log,
  );
  t.after(() => running.close());
  return running;
}

interface Outcome {
  readonly code: number;
  readonly message: string;
}

function byGrpc(t: TestContext, { url }: RunningHub): Promise<Outcome> {
  const client = new BehaviorServiceClient(url.slice("http://".length), credentials.createInsecure(), {
    "grpc.use_local_subchannel_pool": 1,
    "grpc.enable_retries": 0,
  });
  t.after(() => client.close());
  return new Promise((resolve) => {
    const done = (error: ServiceError | null): void =>
      resolve({ code: error?.code ?? 0, message: error?.details ?? "" });
    client.unary({ payload: Buffer.alloc(0) }, new Metadata(), { deadline: Date.now() + 10_000 }, done);
  });
}

async function byJson({ url }: RunningHub): Promise<Outcome> {
  const response = await fetch(`${url}/${METHOD}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: "{}",
  });
  const body: unknown = await response.json();
  if (response.status === 200) return { code: 0, message: "" };
  const { code, message } = Object(body);
  return { code: Number(code), message: String(message) };
}

/** Both ways must come to the same. */
async function callBoth(t: TestContext, running: RunningHub): Promise<Outcome> {
  const [grpc, json] = [await byGrpc(t, running), await byJson(running)];
  assert.equal(grpc.code, json.code, `${grpc.message} | ${json.message}`);
  return grpc;
}

describe("an upstream over TLS", () => {
  const FINE: readonly (readonly [string, Partial<ClientTlsConfig>, Issued, string, string | undefined])[] = [
    ["by address", {}, authority.server(), "127.0.0.1", undefined],
    ["by name", {}, authority.server(), "localhost", undefined],
    [
      "by another name that is given",
      { serverName: "up.example" },
      authority.issue({ names: { dns: ["up.example"] } }),
      "127.0.0.1",
      "up.example",
    ],
    [
      "by a wildcard",
      { serverName: "a.up.example" },
      authority.issue({ names: { dns: ["*.up.example"] } }),
      "127.0.0.1",
      "a.up.example",
    ],
  ];
  for (const [what, tls, own, host, name] of FINE) {
    it(`is called ${what}, with :scheme https and its own name as :authority`, async (t) => {
      const { ca } = write(folder(t), { ca: authority.cert });
      const { port, calls } = await service(t, own);
      const running = await hub(t, port, { ca, ...tls }, host);
      assert.deepEqual(await callBoth(t, running), { code: 0, message: "" });
      const wanted = { scheme: "https", authority: name ?? `${host}:${port}`, client: undefined };
      assert.deepEqual(calls, [wanted, wanted]);
    });
  }

  const WRONG: readonly (readonly [string, Partial<ClientTlsConfig>, Issued, RegExp])[] = [
    ["another CA's certificate", {}, other.server(), /is not signed by tls\.ca/],
    [
      "a self-signed one",
      {},
      selfSigned({ cn: "localhost", names: { ip: ["127.0.0.1"] } }),
      /is self-signed: to trust it, set tls\.ca to it/,
    ],
    ["one that has expired", {}, authority.server({ fromDays: -9, toDays: -1 }), /certificate has expired/],
    ["one that is not valid yet", {}, authority.server({ fromDays: 2 }), /is not valid yet/],
    [
      "one for another name",
      {},
      authority.issue({ names: { dns: ["other.example"] } }),
      /is not valid for the name 127\.0\.0\.1; tls\.serverName .*DNS:other\.example/,
    ],
    [
      "one for another name than serverName",
      { serverName: "up.example" },
      authority.server(),
      /is not valid for the name up\.example/,
    ],
    [
      "one with the name in its subject alone",
      { serverName: "up.example" },
      authority.issue({ cn: "up.example", names: { email: ["a@b, DNS:up.example"] } }),
      /has no subjectAltName/,
    ],
  ];
  for (const [what, tls, own, problem] of WRONG) {
    it(`is not called when it shows ${what}`, async (t) => {
      const { ca } = write(folder(t), { ca: authority.cert });
      const { port, calls } = await service(t, own);
      const { code, message } = await callBoth(t, await hub(t, port, { ca, ...tls }));
      assert.equal(code, 14);
      assert.match(message, problem);
      assert.deepEqual(calls, []);
    });
  }

  it("is not trusted without tls.ca when the machine does not know its CA", async (t) => {
    const { port } = await service(t, authority.server());
    const { code, message } = await callBoth(t, await hub(t, port, {}));
    assert.equal(code, 14);
    assert.match(message, /by a CA that this machine does not trust: set tls\.ca to that CA/);
  });

  for (const [what, options] of [
    ["has no ALPN", {}],
    ["speaks HTTP/1.1 alone", { ALPNProtocols: ["http/1.1"] }],
  ] as readonly (readonly [string, TlsOptions])[]) {
    it(`is distinguished from a server that ${what}`, async (t) => {
      const { ca } = write(folder(t), { ca: authority.cert });
      const server = createTlsServer({ ...authority.server(), ...options }, (socket) =>
        socket.on("error", () => {}),
      );
      server.on("tlsClientError", () => {});
      const { code, message } = await callBoth(t, await hub(t, await listening(t, server), { ca }));
      assert.equal(code, 14);
      assert.match(message, /did not negotiate HTTP\/2/);
    });
  }

  it("is distinguished from a server in clear text", async (t) => {
    const { ca } = write(folder(t), { ca: authority.cert });
    const server = createTcpServer((socket) => {
      socket.on("error", () => {});
      socket.end("HTTP/1.1 400 Bad Request\r\n\r\n");
    });
    const { code, message } = await callBoth(t, await hub(t, await listening(t, server), { ca }));
    assert.equal(code, 14);
    assert.match(message, /does not speak TLS there/);
  });

  it("may be anybody where the config says so, with a loud warning", async (t) => {
    const log = lines();
    const { port } = await service(t, selfSigned({ cn: "x" }));
    const running = await hub(t, port, { dangerouslyTrustAnyServer: true }, "127.0.0.1", log);
    assert.equal((await callBoth(t, running)).code, 0);
    assert.equal(
      log.all.filter((line) => /dangerouslyTrustAnyServer is on: the certificate is NOT verified/.test(line))
        .length,
      1,
    );
  });

  it("whose files are wrong stops the start, in one sentence", async (t) => {
    await assert.rejects(
      hub(t, 1, { ca: "/nowhere/ca.pem" }),
      /^UserError: upstream "up": \/nowhere\/ca\.pem: no such file$/,
    );
  });
});

describe("the hub's own certificate", () => {
  const asks = (version?: "TLSv1.2"): SecureServerOptions => ({
    ca: hubs.cert,
    requestCert: true,
    rejectUnauthorized: true,
    ...(version === undefined ? {} : { maxVersion: version }),
  });

  it("is shown to a service that asks", async (t) => {
    const own = hubs.issue({ cn: "the hub" });
    const tls = write(folder(t), { ca: authority.cert, cert: own.cert, key: own.key });
    const { port, calls } = await service(t, authority.server(), asks());
    assert.equal((await callBoth(t, await hub(t, port, tls))).code, 0);
    assert.deepEqual(
      calls.map(({ client }) => client),
      ["CN=the hub", "CN=the hub"],
    );
  });

  for (const [what, own, problem] of [
    ["none", undefined, /requires a client certificate: set tls\.cert/],
    ["one of another CA", other.issue({ cn: "the hub" }), /cannot be reached|connection/],
    [
      "one that has expired",
      hubs.issue({ cn: "the hub", fromDays: -9, toDays: -1 }),
      /cannot be reached|connection/,
    ],
  ] as const) {
    it(`${what}: calls are refused, and it is said why`, async (t) => {
      const files = own === undefined ? {} : write(folder(t), { cert: own.cert, key: own.key });
      const { ca } = write(folder(t), { ca: authority.cert });
      const { port, calls } = await service(t, authority.server(), asks());
      const { code, message } = await callBoth(t, await hub(t, port, { ca, ...files }));
      assert.equal(code, 14);
      assert.match(message, problem);
      assert.deepEqual(calls, []);
    });
  }

  it("changes for new connections when its files do", async (t) => {
    const own = hubs.issue({ cn: "before" });
    const files = write(folder(t), { ca: authority.cert, cert: own.cert, key: own.key });
    const { port, calls, server } = await service(t, authority.server(), asks());
    const sessions: { destroy(): void }[] = [];
    server.on("session", (session) => sessions.push(session));
    const log = lines();
    const running = await hub(t, port, files, "127.0.0.1", log);
    assert.equal((await byGrpc(t, running)).code, 0);
    const renewed = hubs.issue({ cn: "after", toDays: 9 });
    writeFileSync(files.cert, renewed.cert);
    writeFileSync(files.key, renewed.key);
    await until(() => log.all.some((line) => /new certificates are in use/.test(line)), "the new pair");
    assert.equal((await byGrpc(t, running)).code, 0);
    for (const session of sessions.splice(0)) session.destroy();
    await until(() => running.upstreams()[0]?.endpoints[0]?.state !== "ready", "the loss of the connection");
    await until(() => running.upstreams()[0]?.endpoints[0]?.state === "ready", "a new connection");
    assert.equal((await byGrpc(t, running)).code, 0);
    assert.deepEqual(
      calls.map(({ client }) => client),
      ["CN=before", "CN=before", "CN=after"],
    );
    assert.ok(log.all.some((line) => /expires in \d days/.test(line)));
    const [shown, trusted] = running.certificates();
    assert.equal(shown?.owner, 'upstream "up"');
    assert.equal(shown?.role, "client");
    assert.equal(shown?.problem, undefined);
    const days = ((shown?.expiresAt ?? 0) - Date.now()) / 86_400_000;
    assert.ok(days > 8.9 && days <= 9, `${days} days of the nine`);
    assert.equal(trusted?.owner, 'upstream "up"');
    assert.equal(trusted?.role, "server_ca");
  });
});

it("an upstream in clear text is called with the client's authority", async (t) => {
  const { createServer } = await import("node:http2");
  const seen: unknown[] = [];
  const server = createServer();
  server.on("session", (session) => t.after(() => session.destroy()));
  server.on("stream", (stream, head) => {
    seen.push([head[":scheme"], head[":authority"]]);
    stream.respond(
      { ":status": 200, "content-type": "application/grpc", "grpc-status": "0" },
      { endStream: true },
    );
  });
  const running = await hub(t, await listening(t, server), undefined);
  await byGrpc(t, running);
  assert.deepEqual(seen, [["http", running.url.slice("http://".length)]]);
});
