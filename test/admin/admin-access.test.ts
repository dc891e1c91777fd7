// Who gets into the admin listener, and by which protocols: HTTP/1.1, HTTP/2, each in clear text and over TLS.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { request as httpRequest } from "node:http";
import { connect as connectHttp2 } from "node:http2";
import { request as httpsRequest } from "node:https";
import { connect, type Socket } from "node:net";
import { describe, it, type TestContext } from "node:test";
import { startAdmin } from "#src/admin/admin.js";
import { MAX_CONNECTIONS, MAX_PER_ADDRESS } from "#src/admin/admin-connections.js";
import type { AdminHub } from "#src/admin/pages/page.js";
import type { AdminConfig } from "#src/config/listener-config.js";
import type { CertificateState } from "#src/tls/certificate-state.js";
import { adminHub, upstreamRow } from "../support/admin-hub.js";
import { Authority, folder, write } from "../support/authority.js";
import { turns, until } from "../support/until.js";

const TOKEN = "correct-horse-battery-staple";
const DIGEST = createHash("sha256").update(TOKEN).digest("hex");
const authority = new Authority("admins' CA");
const LOG = { info() {}, warn() {}, error() {} };

let reloads = 0;
const HUB = adminHub({
  ready: true,
  written: { admin: { tokenSha256: DIGEST } },
  routes: () => [],
  upstreams: () => [upstreamRow({ name: "down", problem: "it refused" })],
  reload: async () => {
    reloads++;
    return [];
  },
  metrics: () => ({ contentType: "text/plain", pieces: [""] }),
});

interface Ask {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: string;
}

function ask1(base: string, { method = "GET", path = "/routes", headers = {} }: Ask): Promise<Reply> {
  const send = base.startsWith("https:") ? httpsRequest : httpRequest;
  return new Promise((resolve, reject) => {
    const request = send(
      `${base}${path}`,
      { method, headers, agent: false, ca: authority.cert, servername: "localhost" },
      (response) => {
        let body = "";
        response.setEncoding("utf8").on("data", (chunk: string) => {
          body += chunk;
        });
        response.on("end", () =>
          resolve({ status: response.statusCode ?? 0, headers: response.headers, body }),
        );
      },
    );
    request.on("error", reject);
    request.end();
  });
}

function ask2(base: string, { method = "GET", path = "/routes", headers = {} }: Ask): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const session = connectHttp2(base, { ca: authority.cert });
    session.on("error", reject);
    const stream = session.request({ ":method": method, ":path": path, ...headers });
    let head: Record<string, unknown> = {};
    let body = "";
    stream.on("response", (h) => {
      head = h;
    });
    stream.setEncoding("utf8").on("data", (chunk: string) => {
      body += chunk;
    });
    stream.on("error", reject);
    stream.on("close", () => {
      session.destroy();
      resolve({ status: Number(head[":status"] ?? 0), headers: head, body });
    });
    stream.end();
  });
}

/** Connections on which nothing is said. */
async function held(t: TestContext, base: string, count: number): Promise<readonly Socket[]> {
  const { hostname, port } = new URL(base);
  const sockets: Socket[] = [];
  for (let i = 0; i < count; i++) {
    const socket = connect({ host: hostname, port: Number(port) });
    socket.on("error", () => {});
    socket.resume();
    sockets.push(socket);
    await until(() => !socket.connecting, "a connection");
  }
  t.after(() => sockets.map((socket) => socket.destroy()));
  return sockets;
}

const bearer = (token: string): Ask => ({ headers: { authorization: `Bearer ${token}` } });

async function start(
  t: TestContext,
  config: Partial<AdminConfig> & { readonly secure?: boolean },
  hub = HUB,
): Promise<string> {
  const { secure = false, ...rest } = config;
  const { cert, key } = authority.server();
  const files = write(folder(t), { cert, key });
  const tls = { ...files, clientCa: undefined, clientAuth: "require" } as const;
  const own = { host: "127.0.0.1", port: 0, ...rest, ...(secure ? { tls } : {}) };
  const admin = await startAdmin(own, hub, LOG);
  t.after(() => admin.close());
  return admin.address;
}

for (const [version, ask] of [
  ["HTTP/1.1", ask1],
  ["HTTP/2", ask2],
] as const) {
  for (const secure of [false, true]) {
    describe(`${version}${secure ? " over TLS" : ""}`, () => {
      it("shows its pages", async (t) => {
        const base = await start(t, { secure });
        assert.match(base, secure ? /^https:/ : /^http:/);
        const reply = await ask(base, {});
        assert.equal(reply.status, 200);
        assert.equal(reply.headers["cache-control"], "no-store");
        assert.deepEqual(JSON.parse(reply.body), { routes: [] });
        assert.equal((await ask(base, { method: "HEAD" })).body, "");
        assert.equal((await ask(base, { method: "POST" })).status, 405);
      });

      it("keeps web pages out, whatever names the host", async (t) => {
        const base = await start(t, { secure });
        const name = version === "HTTP/2" ? ":authority" : "host";
        assert.equal((await ask(base, { headers: { [name]: "evil.example" } })).status, 421);
        assert.equal((await ask(base, { headers: { origin: "https://evil.example" } })).status, 403);
        const own = new URL(base).host;
        assert.equal((await ask(base, { headers: { origin: base } })).status, 200);
        const crossed = `${secure ? "http" : "https"}://${own}`;
        assert.equal((await ask(base, { headers: { origin: crossed } })).status, 403);
      });

      it("asks for the token, once there is one, on loopback too; probes need none", async (t) => {
        const base = await start(t, { secure, tokenSha256: DIGEST });
        const refused: readonly Ask[] = [
          {},
          bearer("wrong"),
          bearer(`${TOKEN}x`),
          bearer(DIGEST),
          bearer(""),
          { headers: { authorization: TOKEN } },
          { headers: { authorization: `Basic ${TOKEN}` } },
          { path: `/routes?token=${TOKEN}` },
        ];
        for (const asked of refused) {
          const reply = await ask(base, asked);
          assert.equal(reply.status, 401, JSON.stringify(asked));
          assert.match(String(reply.headers["www-authenticate"]), /^Bearer /);
          assert.ok(!reply.body.includes(TOKEN) && !reply.body.includes(DIGEST));
        }
        const before = reloads;
        assert.equal((await ask(base, { method: "POST", path: "/reload" })).status, 401);
        assert.equal(reloads, before);
        assert.equal((await ask(base, { ...bearer(TOKEN), method: "POST", path: "/reload" })).status, 200);
        assert.equal(reloads, before + 1);
        assert.equal((await ask(base, bearer(TOKEN))).status, 200);
        assert.equal((await ask(base, { headers: { authorization: `bearer  ${TOKEN}` } })).status, 200);
        assert.equal((await ask(base, { path: "/livez" })).status, 200);
        // Names of upstreams are for those who may see them.
        assert.deepEqual(JSON.parse((await ask(base, { path: "/readyz" })).body), { ready: true });
        assert.match((await ask(base, { ...bearer(TOKEN), path: "/readyz" })).body, /it refused/);
      });

      it("serves every caller, whatever others hold open, and aborts no response for it", async (t) => {
        let release = (_told: string[]): void => {};
        const slow: AdminHub = {
          ...HUB,
          reload: () =>
            new Promise((resolve) => {
              release = resolve;
            }),
        };
        const base = await start(t, { secure }, slow);
        const running = ask(base, { method: "POST", path: "/reload", headers: { "x-linchpin-reload": "1" } });
        await turns();
        const idle = await held(t, base, MAX_CONNECTIONS + 50);
        assert.equal((await ask(base, {})).status, 200);
        await until(
          () => idle.filter((socket) => !socket.closed).length <= MAX_PER_ADDRESS,
          "the oldest are closed",
        );
        assert.ok(
          idle.slice(-10).every((socket) => !socket.closed),
          "the newest are not",
        );
        release([]);
        assert.equal((await running).status, 200);
      });

      it("does not show the token's digest among the config", async (t) => {
        const base = await start(t, { secure, tokenSha256: DIGEST });
        const { body } = await ask(base, { ...bearer(TOKEN), path: "/config" });
        assert.match(body, /"tokenSha256": "\*\*\*"/);
      });
    });
  }
}

it("shows the certificates, and why some are not used", async (t) => {
  const state: CertificateState = {
    owner: "listener x",
    role: "server",
    file: "/x.crt",
    expiresAt: Date.UTC(2030, 0, 1),
    problem: "it has expired",
  };
  const admin = await startAdmin(
    { host: "127.0.0.1", port: 0 },
    { ...HUB, certificates: () => [state] },
    LOG,
  );
  t.after(() => admin.close());
  const { body } = await ask1(admin.address, { path: "/certificates" });
  const { owner, role, file, problem } = state;
  const row = { owner, role, file, expires: "2030-01-01T00:00:00.000Z", problem };
  assert.deepEqual(JSON.parse(body), { certificates: [row] });
});

it("refuses a request that names two hosts, one of them not its own", async (t) => {
  const base = await start(t, {});
  const reply = await ask2(base, { headers: { host: "evil.example" } });
  assert.notEqual(reply.status, 200);
});
