// Who a client is: whose word on addresses counts, what services are told, who gets hints, and how many may connect.
import assert from "node:assert/strict";
import { connect, type Socket } from "node:net";
import { describe, it, type TestContext } from "node:test";
import fc from "fast-check";
import type { Edge } from "#src/call/gateway.js";
import { type AddressRange, clientNetwork, ipOf, matcherOf } from "#src/kit/net/ip.js";
import { until } from "../../support/until.js";
import { Rig } from "../support/rig.js";

const LOOPBACK: AddressRange[] = [{ address: "127.0.0.0", prefix: 8 }];
const WITH_10: AddressRange[] = [
  ...LOOPBACK,
  { address: "10.0.0.0", prefix: 8 },
  { address: "fd00::", prefix: 8 },
];

async function started(t: TestContext, edge: Partial<Edge> = {}): Promise<Rig> {
  const rig = await new Rig({}, 1024 * 1024, edge).start();
  t.after(() => rig.listener.close());
  return rig;
}

type Fields = Record<string, string>;

/** A call by each protocol, as the service sees it. */
async function both(
  rig: Rig,
  fields: Fields,
): Promise<{ ip: string; local: boolean; scheme: string | undefined; told: Fields }[]> {
  const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`);
  await rig.raw(`GET /unary HTTP/1.1\r\nhost: hub\r\nconnection: close\r\n${lines.join("")}\r\n`);
  const session = rig.http2();
  for (let i = 0; i < 2; i++) {
    // Twice, so that a remembered header block is seen as well.
    const stream = session.request({
      ":method": "POST",
      ":path": "/test.v1.Test/unary",
      ":authority": "hub",
      "content-type": "application/grpc",
      te: "trailers",
      ...fields,
    });
    stream.end(Buffer.from([0, 0, 0, 0, 0]));
    stream.resume();
    await new Promise((resolve) => stream.once("close", resolve));
  }
  session.close();
  return rig.calls.map(({ call }) => ({
    ip: call.peer.ip ?? "",
    local: call.peer.local === true,
    scheme: call.peer.scheme,
    told: Object.fromEntries(
      call.headers.fields.filter((f) => f.name.includes("forwarded")).map((f) => [f.name, f.value]),
    ),
  }));
}

describe("the client's address, and the service's forwarding headers, over JSON and gRPC", () => {
  const hop = 'for=127.0.0.1;proto=http;host="hub"';
  const here: Fields = { "x-forwarded-proto": "http", "x-forwarded-host": "hub" };
  const own: Fields = { ...here, "x-forwarded-for": "127.0.0.1", forwarded: hop };
  const cases: [
    what: string,
    trusted: AddressRange[],
    said: Fields,
    ip: string,
    local: boolean,
    told: Fields,
  ][] = [
    ["nothing is said", [], {}, "127.0.0.1", true, own],
    [
      "a stranger says much",
      [],
      {
        "x-forwarded-for": "1.2.3.4",
        "x-forwarded-proto": "https",
        "x-forwarded-host": "evil",
        forwarded: "for=1.2.3.4",
      },
      "127.0.0.1",
      false,
      own,
    ],
    ["a proxy says nothing", LOOPBACK, {}, "127.0.0.1", true, own],
    [
      "a proxy names its client",
      LOOPBACK,
      { "x-forwarded-for": "1.2.3.4", "x-forwarded-proto": "https", "x-forwarded-host": "api.example" },
      "1.2.3.4",
      false,
      {
        "x-forwarded-for": "1.2.3.4, 127.0.0.1",
        "x-forwarded-proto": "https",
        "x-forwarded-host": "api.example",
      },
    ],
    [
      "the client wrote a list of its own",
      WITH_10,
      { "x-forwarded-for": "127.0.0.1, 9.9.9.9,1.2.3.4 , 10.0.0.7" },
      "1.2.3.4",
      false,
      { ...here, "x-forwarded-for": "127.0.0.1, 9.9.9.9,1.2.3.4 , 10.0.0.7, 127.0.0.1" },
    ],
    [
      "all of the list are proxies",
      WITH_10,
      { "x-forwarded-for": "fd00::1, 10.0.0.7" },
      "fd00::1",
      false,
      { ...here, "x-forwarded-for": "fd00::1, 10.0.0.7, 127.0.0.1" },
    ],
    [
      "ports and brackets stand there",
      WITH_10,
      { "x-forwarded-for": "[2001:db8::1]:443, 10.0.0.7:80" },
      "2001:db8::1",
      false,
      { ...here, "x-forwarded-for": "[2001:db8::1]:443, 10.0.0.7:80, 127.0.0.1" },
    ],
    [
      "something stands there that is no address",
      WITH_10,
      { "x-forwarded-for": "1.2.3.4, unknown, 10.0.0.7" },
      "10.0.0.7",
      false,
      { ...here, "x-forwarded-for": "1.2.3.4, unknown, 10.0.0.7, 127.0.0.1" },
    ],
    [
      "a proxy speaks RFC 7239 as well",
      LOOPBACK,
      { "x-forwarded-for": "1.2.3.4", forwarded: "for=1.2.3.4" },
      "1.2.3.4",
      false,
      {
        ...here,
        "x-forwarded-for": "1.2.3.4, 127.0.0.1",
        forwarded: `for=1.2.3.4, ${hop}`,
      },
    ],
  ];
  for (const [what, trusted, said, ip, local, told] of cases) {
    it(what, async (t) => {
      const rig = await started(t, { trusts: matcherOf(trusted) });
      const seen = await both(rig, said);
      assert.equal(seen.length, 3);
      const scheme = told["x-forwarded-proto"];
      for (const one of seen) assert.deepEqual(one, { ip, local, scheme, told });
    });
  }
});

describe("hints", () => {
  const miss = (lines = ""): string =>
    `GET /nowhere HTTP/1.1\r\nhost: a\r\nconnection: close\r\n${lines}\r\n`;
  const HINT = /the nearest are: GET \/unary/;
  const cases: [hints: Edge["hints"], lines: string, told: boolean][] = [
    ["auto", "", true],
    ["auto", "x-forwarded-for: 1.2.3.4\r\n", false], // the hub's own machine, but somebody else's request
    ["never", "", false],
    ["always", "x-forwarded-for: 1.2.3.4\r\n", true],
  ];
  for (const [hints, lines, told] of cases) {
    it(`${hints}, ${lines === "" ? "of this machine" : "through an unknown proxy"}: ${told}`, async (t) => {
      const rig = await started(t, { hints });
      const answer = await rig.raw(miss(lines));
      assert.match(answer, /^HTTP\/1\.1 404 /);
      assert.equal(HINT.test(answer), told);
    });
  }
});

describe("how the client speaks", () => {
  for (const [what, trusted, said, scheme] of [
    ["in clear text", [], undefined, "http"],
    ["a stranger's word counts for nothing", [], "https", "http"],
    ["a proxy's word counts", LOOPBACK, "https", "https"],
    ["a proxy's word counts, in whatever case", LOOPBACK, "HTTPS", "https"],
    ["of several proxies, the first has met the client", LOOPBACK, "https, http", "https"],
    ["some proxies tell WebSockets from the rest", LOOPBACK, "wss", "https"],
    ["what is no scheme counts for nothing", LOOPBACK, "ftp", "http"],
    ["a proxy says nothing", LOOPBACK, undefined, "http"],
  ] as const) {
    it(`${what}: ${scheme}`, async (t) => {
      const rig = await started(t, { trusts: matcherOf(trusted) });
      const seen = await both(rig, said === undefined ? {} : { "x-forwarded-proto": said });
      assert.deepEqual(
        seen.map((one) => one.scheme),
        [scheme, scheme, scheme],
      );
    });
  }
});

describe("connections of one address", () => {
  const open = async (rig: Rig): Promise<Socket> => {
    const socket = connect(rig.port, "127.0.0.1");
    socket.on("error", () => {});
    await new Promise((resolve) => socket.once("connect", resolve));
    return socket;
  };
  const isClosed = (socket: Socket): boolean => socket.destroyed || socket.readableEnded;

  it("are limited, those beyond the limit are closed, and one that closes makes room", async (t) => {
    const rig = await started(t, { connectionsPerAddress: 2 });
    const [first, second] = [await open(rig), await open(rig)];
    const third = await open(rig);
    third.resume();
    await until(() => isClosed(third), "the third to be closed");
    assert.deepEqual([isClosed(first), isClosed(second)], [false, false]);
    first.destroy();
    let answer = "";
    while (!answer.startsWith("HTTP/1.1 200")) {
      // The hub sees the end of the first a little after this side does.
      answer = await rig.raw("GET /unary HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
    }
    second.destroy();
  });

  it("are not counted for trusted proxies", async (t) => {
    const rig = await started(t, { connectionsPerAddress: 1, trusts: matcherOf(LOOPBACK) });
    const sockets = [await open(rig), await open(rig), await open(rig)];
    assert.match(
      await rig.raw("GET /unary HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"),
      /^HTTP\/1\.1 200/,
    );
    assert.ok(!sockets.some(isClosed));
    for (const socket of sockets) socket.destroy();
  });
});

describe("addresses", () => {
  for (const [text, ip] of [
    ["127.0.0.1:80", "127.0.0.1"],
    ["127.0.0.1", "127.0.0.1"],
    ["[::1]:80", "::1"],
    ["::1", "::1"],
    ["[::ffff:10.0.0.1]:80", "10.0.0.1"],
    ["unix", "unix"],
    ["", ""],
  ] as const) {
    it(`${text} is ${ip}`, () => assert.equal(ipOf(text), ip));
  }

  for (const [ip, network] of [
    ["10.0.0.1", "10.0.0.1"],
    ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"],
    ["2001:db8:1:2::", "2001:db8:1:2::/64"],
    ["2001:0DB8::7", "2001:db8:0:0::/64"],
    ["::1", "0:0:0:0::/64"],
    ["1::2:3:4:5:6", "1:0:0:2::/64"],
    ["fe80::1%eth0", "fe80:0:0:0::/64"],
    ["64:ff9b::1.2.3.4", "64:ff9b:0:0::/64"],
  ] as const) {
    it(`${ip} counts with ${network}`, () => assert.equal(clientNetwork(ip), network));
  }

  it("any two of one /64 count together, any two of others do not", () => {
    const half = fc.array(fc.integer({ min: 0, max: 0xffff }), { minLength: 4, maxLength: 4 });
    const text = (groups: number[]): string => groups.map((g) => g.toString(16)).join(":");
    fc.assert(
      fc.property(half, half, half, half, (a, b, x, y) => {
        const same = clientNetwork(text([...a, ...x])) === clientNetwork(text([...b, ...y]));
        assert.equal(same, text(a) === text(b));
        assert.equal(clientNetwork(text([...a, ...x])), clientNetwork(text([...a, ...y])));
      }),
    );
  });

  it("no text makes it fail", () => {
    fc.assert(fc.property(fc.string(), (text) => typeof clientNetwork(ipOf(text)) === "string"));
  });
});
