// What operators count connections by that do not come about: one count for each, by its reason.
import assert from "node:assert/strict";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { describe, it, type TestContext } from "node:test";
import { connect as connectTls, createServer as createTlsServer } from "node:tls";
import { Counters } from "#src/telemetry/metrics/counters.js";
import { Cluster } from "#src/upstream/cluster.js";
import { CONNECT_FAILURES, type ConnectFailure } from "#src/upstream/pool/connect-failure.js";
import { Authority } from "../support/authority.js";
import { FakeClock } from "../support/fake-clock.js";
import { freePort } from "../support/free-address.js";
import { until } from "../support/until.js";

const authority = new Authority("services");
const { cert, key } = authority.issue({ names: { dns: ["localhost"] } });

/** The port of a server that is gone with the test. */
async function serving(t: TestContext, accept: (socket: Socket) => void): Promise<number> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket.on("error", () => {}));
    accept(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

const plain = (port: number): Duplex => connect({ port, host: "127.0.0.1" });
const secure = (port: number, ca: string): Duplex =>
  connectTls({ port, host: "127.0.0.1", servername: "localhost", ca, ALPNProtocols: ["h2"] });

async function servingTls(t: TestContext, alpn: string): Promise<number> {
  const server = createTlsServer({ cert, key, ALPNProtocols: [alpn] }, (socket) => {
    socket.on("error", () => {});
    socket.end();
  }).on("tlsClientError", () => {});
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => server.close());
  return (server.address() as AddressInfo).port;
}

const CASES: readonly [what: string, ConnectFailure, (t: TestContext) => Promise<() => Duplex>][] = [
  [
    "nobody listens",
    "refused",
    async () => {
      const port = await freePort();
      return () => plain(port);
    },
  ],
  ["there is no way to the address", "unreachable", async () => () => connect(1, "255.255.255.255")],
  [
    "the name has no address",
    "unresolved",
    async () => () =>
      connect({
        host: "nobody.invalid",
        port: 1,
        lookup: (host, _options, done) => {
          done(Object.assign(new Error(`getaddrinfo ENOTFOUND ${host}`), { code: "ENOTFOUND" }), "");
        },
      }),
  ],
  [
    "the service says nothing",
    "timeout",
    async (t) => {
      const port = await serving(t, () => {});
      return () => plain(port);
    },
  ],
  [
    "its certificate is of a CA that is not trusted",
    "tls",
    async (t) => {
      const port = await servingTls(t, "h2");
      return () => secure(port, new Authority("others").cert);
    },
  ],
  [
    "it does not speak TLS",
    "tls",
    async (t) => {
      const port = await serving(t, (socket) => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n"));
      return () => secure(port, authority.cert);
    },
  ],
  [
    "it has no ALPN protocol in common",
    "tls",
    async (t) => {
      const port = await servingTls(t, "http/1.1");
      return () => secure(port, authority.cert);
    },
  ],
  [
    "it ends a secure connection without a word",
    "no_http2",
    async (t) => {
      const port = await servingTls(t, "h2");
      return () => secure(port, authority.cert);
    },
  ],
  [
    "it answers in HTTP/1.1",
    "no_http2",
    async (t) => {
      const port = await serving(t, (socket) => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n"));
      return () => plain(port);
    },
  ],
  [
    "it hangs up",
    "no_http2",
    async (t) => {
      const port = await serving(t, (socket) => socket.end());
      return () => plain(port);
    },
  ],
];

describe("a failed connection is counted", () => {
  for (const [what, reason, dialOf] of CASES) {
    it(`as ${reason}: ${what}`, async (t) => {
      const dial = await dialOf(t);
      const meters = new Counters();
      const clock = new FakeClock(1000);
      const cluster = new Cluster({
        name: "library",
        endpoints: [{ address: "library:50051", dial }],
        clock,
        meters,
      });
      t.after(() => cluster.close());
      const counted = (): Record<string, number> => {
        const family = meters.families().find(({ name }) => name === "linchpin.upstream.connections.failed");
        assert.equal(family?.type, "counter");
        return Object.fromEntries(
          family.points.map(({ labels, value }) => {
            assert.equal(labels["linchpin.upstream"], "library");
            return [labels["linchpin.reason"], value];
          }),
        );
      };
      const none = Object.fromEntries(CONNECT_FAILURES.map((each) => [each, 0]));
      assert.deepEqual(counted(), none, "all are there from the start");
      cluster.connect();
      await until(() => {
        if (reason === "timeout") clock.advance(1000);
        return cluster.endpoints[0]?.state === "backoff";
      }, "the failure");
      assert.deepEqual(counted(), { ...none, [reason]: 1 });
    });
  }

  it("not if the hub itself cancels it while shutting down", async (t) => {
    const port = await serving(t, () => {});
    const meters = new Counters();
    const cluster = new Cluster({
      name: "library",
      endpoints: [{ address: "library:50051", dial: () => plain(port) }],
      meters,
    });
    cluster.connect();
    cluster.close();
    const family = meters.families().find(({ name }) => name === "linchpin.upstream.connections.failed");
    assert.equal(family?.type, "counter");
    assert.deepEqual(new Set(family.points.map(({ value }) => value)), new Set([0]));
  });
});
