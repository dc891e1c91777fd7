// The end of connections and streams: drained, reset, refused, lost. Who is told, once, and of what.
import assert from "node:assert/strict";
import { connect as netConnect } from "node:net";
import { describe, test } from "node:test";
import { Connection } from "#src/http2/connection.js";
import { HpackDecoder } from "#src/http2/hpack/decoder.js";
import { HpackEncoder } from "#src/http2/hpack/encoder.js";
import { ErrorCode, errorName, Flag, FrameType, Setting } from "#src/http2/wire/protocol.js";
import { data, goaway, headers, ping, REQUEST, rst, settings, windowUpdate } from "../support/frames.js";
import { freePort } from "../support/free-address.js";
import {
  echo,
  Owner,
  pair,
  Recorder,
  rawClient,
  rawServer,
  request,
  respond,
  TRANSPORTS,
  trailersOf,
} from "../support/wire.js";

const goaways = (frames: { type: number; payload: Buffer }[]): number[] =>
  frames.filter((f) => f.type === FrameType.GOAWAY).map((f) => f.payload.readUInt32BE(0));

type FrameKind = "RST_STREAM" | "GOAWAY";

const sentOf = (answer: Recorder): string | undefined => answer.reset?.sent;

describe("a server that drains", () => {
  test("says so, serves what crosses the news, then names its last stream, refuses later ones, and closes", async () => {
    const { peer, server, owner } = await rawClient(echo);
    peer.send(headers(1));
    await peer.roundTrip();
    server.drain();
    await peer.frame(FrameType.GOAWAY);
    assert.deepEqual(goaways(peer.frames), [0x7fffffff]);
    peer.send(headers(3)); // crossed the GOAWAY
    const question = await peer.until("a PING", () =>
      peer.frames.find((f) => f.type === FrameType.PING && f.flags === 0),
    );
    peer.send(ping(question.payload.toString("latin1"), Flag.ACK));
    await peer.until("the second GOAWAY", () => (goaways(peer.frames).length === 2 ? true : undefined));
    assert.deepEqual(goaways(peer.frames), [0x7fffffff, 3]);
    peer.send(headers(5));
    assert.equal(
      (await peer.frame(FrameType.RST_STREAM, 5)).payload.readUInt32BE(0),
      ErrorCode.REFUSED_STREAM,
    );
    peer.send(data(1, "one", true));
    await peer.frame(FrameType.DATA, 1, Flag.END_STREAM);
    assert.equal(owner.closedBecause, undefined);
    peer.send(data(3, "three", true));
    await peer.over();
    assert.equal(peer.body(3).toString(), "three");
    assert.equal(await owner.closed, "the connection was drained");
    assert.deepEqual(goaways(peer.frames), [0x7fffffff, 3]);
  });

  test("does not wait for the PING for ever: its owner may end the wait", async () => {
    const { peer, server, owner } = await rawClient();
    const finish = server.drain();
    finish();
    finish();
    await peer.over();
    assert.deepEqual(goaways(peer.frames), [0x7fffffff, 0]);
    assert.equal(await owner.closed, "the connection was drained");
  });

  test("never raises the last stream it named, though later ones were refused and it breaks off", async () => {
    const { peer, server } = await rawClient();
    peer.send(headers(1));
    await peer.roundTrip();
    server.drain()();
    peer.send(headers(3));
    await peer.frame(FrameType.RST_STREAM, 3);
    server.destroy();
    await peer.over();
    assert.deepEqual(goaways(peer.frames), [0x7fffffff, 1, 1]);
  });

  for (const kind of TRANSPORTS) {
    test(`loses nothing of the last response, over ${kind}`, async () => {
      const body = Buffer.alloc(500_000, "y");
      const { client, server, clientOwner } = await pair(kind, (stream) => {
        respond(stream, [[":status", "200"]], false);
        stream.sendData(body, 0, body.length, false);
        stream.sendTrailers(trailersOf(["grpc-status", "0"]));
      });
      const answer = new Recorder();
      request(client, answer, { end: true });
      server.drain();
      await answer.over;
      assert.deepEqual(answer.trailers, [["grpc-status", "0"]]);
      assert.equal(answer.bytes, body.length);
      await clientOwner.closed;
      assert.equal(clientOwner.events.at(-1), "close");
    });
  }

  test("keeps its PING apart from those of its owner", async () => {
    const { client, server, serverOwner } = await pair("memory");
    let pongs = 0;
    server.ping(() => pongs++);
    server.drain();
    server.ping(() => pongs++);
    await serverOwner.closed;
    assert.ok(pongs >= 1);
    assert.ok(client.leaving);
  });
});

describe("a client whose server goes away", () => {
  test("loses only the streams above the last one named, as refused, and closes when the others have ended", async () => {
    const { peer, client, owner } = await rawServer();
    const answers = [new Recorder(), new Recorder(), new Recorder()];
    for (const answer of answers) request(client, answer, { end: true });
    peer.send(goaway(3));
    await answers[2]?.over;
    assert.deepEqual([answers[2]?.reset?.sent, answers[2]?.reset?.by], ["refused", "connection"]);
    assert.equal(client.canOpen, false);
    assert.equal(client.leaving, true);
    assert.equal(client.open(new Recorder()), undefined);
    peer.send(headers(1, [[":status", "200"]], { end: true }), goaway(3));
    await answers[0]?.over;
    assert.equal(answers[0]?.reset, undefined);
    assert.equal(owner.closedBecause, undefined);
    peer.send(headers(3, [[":status", "200"]], { end: true }));
    await answers[1]?.over;
    await owner.closed;
    await peer.over();
  });

  test("may get GOAWAY in two steps", async () => {
    const { peer, client, owner } = await rawServer();
    const answer = new Recorder();
    request(client, answer, { end: true });
    peer.send(goaway(0x7fffffff), ping());
    await peer.frame(FrameType.PING, 0, Flag.ACK);
    assert.equal(client.canOpen, false);
    assert.equal(answer.reset, undefined);
    peer.send(goaway(0));
    await answer.over;
    assert.equal(sentOf(answer), "refused");
    await owner.closed;
  });

  test("that drains itself closes after its last stream", async () => {
    const { client, server, clientOwner, serverOwner } = await pair("tcp");
    const answer = new Recorder();
    const stream = request(client, answer);
    client.drain();
    assert.equal(client.canOpen, false);
    stream.sendData(Buffer.from("bye"), 0, 3, true);
    await answer.over;
    assert.equal(answer.body.toString(), "bye");
    assert.equal(await clientOwner.closed, "the connection was drained");
    await serverOwner.closed;
    assert.ok(server.closed);
  });
});

describe("a reset", () => {
  const CODES: [keyof typeof ErrorCode, string][] = [
    ["REFUSED_STREAM", "refused"],
    ["CANCEL", "maybe"],
    ["NO_ERROR", "maybe"],
    ["INTERNAL_ERROR", "maybe"],
  ];
  for (const [code, sent] of CODES) {
    test(`by the server with ${code}: sent is "${sent}"`, async () => {
      const { peer, client } = await rawServer();
      const answer = new Recorder();
      request(client, answer, { end: true });
      peer.send(rst(1, ErrorCode[code]));
      await answer.over;
      assert.deepEqual(answer.events, ["reset"]);
      assert.equal(answer.reset?.by, "peer");
      assert.equal(answer.reset?.sent, sent);
      assert.match(answer.reset?.reason ?? "", new RegExp(code));
      assert.equal(client.active, 0);
      client.destroy();
    });
  }

  /** What a server has sent by the time the client resets, and what the client has. */
  const STATES: [string, (stream: Parameters<typeof echo>[0]) => void][] = [
    ["before the answer", () => {}],
    ["behind headers", (stream) => void respond(stream, [[":status", "200"]], false)],
    [
      "with DATA queued",
      (stream) => {
        respond(stream, [[":status", "200"]], false);
        stream.sendData(Buffer.alloc(200_000), 0, 200_000, false);
        stream.sendTrailers(trailersOf(["a", "b"]));
      },
    ],
  ];
  for (const [when, serve] of STATES) {
    for (const end of [false, true]) {
      test(`by the client ${when}, request ${end ? "complete" : "open"}: the server hears of it once, and forgets`, async () => {
        const { peer, server, owner } = await rawClient((stream) => serve(stream));
        peer.send(headers(1, REQUEST, { end }));
        await peer.roundTrip();
        peer.send(rst(1, ErrorCode.CANCEL), rst(1, ErrorCode.CANCEL), windowUpdate(0, 1_000_000));
        await peer.roundTrip();
        assert.deepEqual(owner.requests[0]?.events, ["reset"]);
        assert.equal(owner.requests[0]?.reset?.code, ErrorCode.CANCEL);
        assert.equal(server.active, 0);
        const stream = owner.streams[0];
        assert.ok(stream);
        const before = peer.frames.length;
        // All of it has no effect on a dead stream.
        assert.equal(stream.beginHeaders(), false);
        stream.sendData(Buffer.from("x"), 0, 1, true);
        stream.sendTrailers([]);
        stream.consumed(100_000);
        stream.reset(ErrorCode.CANCEL);
        stream.stopPeer();
        await peer.roundTrip();
        assert.equal(peer.frames.length, before + 1, peer.describe());
        server.destroy();
      });
    }
  }

  test("of our own is silent to its owner, drops queued DATA, and late frames are let pass", async () => {
    const { peer, client } = await rawServer();
    const answer = new Recorder();
    const stream = request(client, answer);
    stream.sendData(Buffer.alloc(100_000), 0, 100_000, true);
    stream.reset(ErrorCode.CANCEL);
    stream.reset(ErrorCode.CANCEL);
    peer.send(
      windowUpdate(1, 100_000),
      headers(1, [[":status", "200"]]),
      data(1, "x"),
      headers(1, [["a", "b"]], { end: true }),
    );
    await peer.roundTrip();
    assert.deepEqual(answer.events, []);
    assert.ok(peer.bytes(1) <= 65_535);
    assert.equal(peer.frames.filter((f) => f.type === FrameType.RST_STREAM).length, 1);
    assert.equal(peer.find(FrameType.GOAWAY), undefined);
    client.destroy();
  });

  test("of a thousand streams at once: their late answers do not harm the connection", async () => {
    const { peer, client } = await rawServer();
    const streams = Array.from({ length: 1000 }, () => request(client, new Recorder(), { end: true }));
    for (const stream of streams) stream.reset(ErrorCode.CANCEL);
    for (const stream of streams) peer.send(headers(stream.id, [[":status", "200"]], { end: true }));
    await peer.roundTrip();
    assert.equal(peer.find(FrameType.GOAWAY), undefined);
    assert.equal(client.closed, false);
    client.destroy();
  });

  test("of a stream whose headers were never sent says nothing to the peer", async () => {
    const { peer, client } = await rawServer();
    client.open(new Recorder())?.reset(ErrorCode.CANCEL);
    const answer = new Recorder();
    const stream = request(client, answer, { end: true });
    await peer.roundTrip();
    assert.equal(peer.find(FrameType.RST_STREAM), undefined);
    assert.equal(stream.id, 3);
    client.destroy();
  });
});

describe("an answer before the request's end", () => {
  test("asks the client to stop, and nothing is lost", async () => {
    const { client, server, close } = await pair("tcp", (stream) => {
      respond(stream, [[":status", "200"]], false);
      stream.sendData(Buffer.alloc(300_000, "z"), 0, 300_000, false);
      stream.sendTrailers(trailersOf(["grpc-status", "3"]));
      stream.stopPeer();
    });
    const answer = new Recorder();
    const stream = request(client, answer);
    stream.sendData(Buffer.alloc(10_000), 0, 10_000, false);
    await answer.over;
    assert.equal(answer.bytes, 300_000);
    assert.deepEqual(answer.trailers, [["grpc-status", "3"]]);
    await new Promise<void>((resolve) => client.ping(resolve));
    assert.equal(answer.reset?.code, ErrorCode.NO_ERROR);
    assert.equal(client.active, 0);
    assert.equal(server.active, 0);
    await close();
  });
});

describe("the limit of concurrent streams", () => {
  test("a server refuses what is above it, and serves again once there is room", async () => {
    const { peer, server } = await rawClient(echo, { limits: { maxConcurrentStreams: 2 } });
    const limit = peer.frames.find((f) => f.type === FrameType.SETTINGS)?.payload;
    assert.ok(limit?.includes(Buffer.from([0, Setting.MAX_CONCURRENT_STREAMS, 0, 0, 0, 2])));
    peer.send(headers(1), headers(3), headers(5));
    assert.equal(
      (await peer.frame(FrameType.RST_STREAM, 5)).payload.readUInt32BE(0),
      ErrorCode.REFUSED_STREAM,
    );
    peer.send(data(1, "", true));
    await peer.frame(FrameType.DATA, 1, Flag.END_STREAM);
    peer.send(headers(7), data(7, "seven", true));
    await peer.frame(FrameType.DATA, 7, Flag.END_STREAM);
    server.destroy();
  });

  test("a client keeps to the server's, hears of room, and takes a change", async () => {
    const { peer, client, owner } = await rawServer({
      settings: settings([Setting.MAX_CONCURRENT_STREAMS, 1]),
    });
    const first = new Recorder();
    request(client, first, { end: true });
    assert.equal(client.canOpen, false);
    assert.equal(client.open(new Recorder()), undefined);
    let room = 0;
    owner.capacityHook = () => {
      if (client.canOpen) room++;
    };
    peer.send(headers(1, [[":status", "200"]], { end: true }));
    await peer.roundTrip();
    assert.equal(room, 1);
    peer.send(settings([Setting.MAX_CONCURRENT_STREAMS, 0]));
    await peer.roundTrip();
    assert.equal(client.canOpen, false);
    client.destroy();
  });
});

describe("a lost connection", () => {
  test("tells each stream once, and whether its headers can have arrived", async () => {
    const { client, clientOwner, server } = await pair("tcp", () => {});
    const gone = new Recorder();
    request(client, gone, { end: true });
    await new Promise<void>((resolve) => client.ping(resolve));
    const waiting = new Recorder();
    request(client, waiting, { end: true });
    client.socket.destroy(new Error("cable cut"));
    assert.match(await clientOwner.closed, /cable cut/);
    assert.equal(gone.reset?.sent, "maybe");
    assert.equal(waiting.reset?.sent, "never");
    assert.deepEqual([gone.events, waiting.events], [["reset"], ["reset"]]);
    assert.deepEqual(clientOwner.events, ["ready", "close"]);
    assert.equal(client.active, 0);
    assert.equal(client.open(new Recorder()), undefined);
    server.destroy();
  });

  test("a request whose trailers alone have not left was sent all the same", async () => {
    const { client, clientOwner, server } = await pair("tcp", () => {});
    const answer = new Recorder();
    const stream = request(client, answer);
    await new Promise<void>((resolve) => client.ping(resolve));
    stream.sendTrailers(trailersOf(["a", "b"]));
    client.socket.destroy(new Error("cable cut"));
    await clientOwner.closed;
    assert.equal(answer.reset?.sent, "maybe");
    server.destroy();
  });

  for (const kind of TRANSPORTS) {
    test(`by the peer's closing of its half, over ${kind}`, async () => {
      const { peer, owner, server } = await rawClient(() => {}, { kind });
      peer.send(headers(1));
      await peer.roundTrip();
      peer.socket.end();
      assert.equal(await owner.closed, "the peer closed the connection");
      assert.deepEqual(owner.requests[0]?.events, ["reset"]);
      await peer.over();
      assert.equal(server.active, 0);
    });
  }

  test("by a TCP reset, while both sides are writing", async () => {
    const { peer, owner, server } = await rawClient(
      (stream) => {
        respond(stream, [[":status", "200"]], false);
        stream.sendData(Buffer.alloc(1_000_000), 0, 1_000_000, false);
      },
      { kind: "tcp", settings: settings([Setting.INITIAL_WINDOW_SIZE, 1_000_000]) },
    );
    peer.send(windowUpdate(0, 1_000_000), headers(1, REQUEST, { end: true }));
    await peer.frame(FrameType.DATA, 1);
    if ("resetAndDestroy" in peer.socket && typeof peer.socket.resetAndDestroy === "function") {
      peer.socket.resetAndDestroy();
    }
    await owner.closed;
    assert.deepEqual(owner.requests[0]?.events, ["reset"]);
    assert.equal(server.active, 0);
  });

  test("the reason names the code, also one that the RFC does not know", async () => {
    const { peer, client } = await rawServer();
    const answer = new Recorder();
    request(client, answer);
    peer.send(rst(1, 0x99));
    await answer.over;
    assert.equal(answer.reset?.reason, "the peer reset the stream: 0x99");
    client.destroy();
  });

  test("to an address without a listener", async () => {
    const owner = new Owner();
    new Connection(netConnect(await freePort(), "127.0.0.1"), { role: "client" }, owner);
    assert.match(await owner.closed, /ECONNREFUSED/);
    assert.deepEqual(owner.events, ["close"]);
  });

  test("a peer that never closes its side does not keep the socket", async (t) => {
    t.mock.timers.enable({ apis: ["setTimeout"] });
    const { server, socket, peer } = await rawClient();
    peer.socket.pause();
    server.destroy();
    assert.equal(socket.destroyed, false);
    t.mock.timers.tick(1000);
    assert.equal(socket.destroyed, true);
    const second = await rawClient();
    second.server.drain()();
    assert.ok(second.server.closed);
    t.mock.timers.tick(29_999);
    assert.equal(second.socket.destroyed, false, "what was written may still be read");
    t.mock.timers.tick(1);
    assert.equal(second.socket.destroyed, true);
  });

  test("after its end a connection takes calls without effect", async () => {
    const { client, server, clientOwner } = await pair("memory");
    client.destroy(ErrorCode.ENHANCE_YOUR_CALM, "enough");
    assert.equal(await clientOwner.closed, "enough");
    client.destroy();
    client.drain()();
    client.ping(() => assert.fail("no answer can come"));
    assert.equal(client.canOpen, false);
    assert.equal(client.whyClosed, "enough");
    assert.deepEqual(clientOwner.events, ["ready", "close"]);
    server.destroy();
  });
});

describe("a handler that breaks off", () => {
  const EVENTS = ["headers", "data", "trailers"];
  const ACTS: [string, (stream: Parameters<typeof echo>[0]) => void][] = [
    ["resets its stream", (stream) => stream.reset(ErrorCode.CANCEL)],
    ["destroys its connection", (stream) => stream.connection.destroy()],
    ["drains its connection", (stream) => void stream.connection.drain()],
    [
      "throws",
      () => {
        throw new Error("a bug");
      },
    ],
  ];
  for (const event of EVENTS) {
    for (const [act, run] of ACTS) {
      test(`${act} within on${event}`, async () => {
        const { peer, client, owner } = await rawServer();
        const faults: unknown[] = [];
        Object.assign(owner, { onFault: (error: unknown) => faults.push(error) });
        const answer = new Recorder();
        const other = new Recorder();
        answer.hook = (name, stream) => {
          if (name === event) run(stream);
        };
        request(client, answer, { end: true });
        request(client, other, { end: true });
        peer.send(headers(1, [[":status", "200"]]), data(1, "abc"), headers(1, [["a", "b"]], { end: true }));
        peer.send(headers(3, [[":status", "200"]], { end: true }));
        await other.over;
        const destroyed = act.startsWith("destroys");
        assert.equal(other.reset !== undefined, destroyed, "the neighbour");
        assert.deepEqual(faults.length, act === "throws" ? 1 : 0);
        assert.ok(answer.events.filter((e) => e === "reset").length <= 1);
        if (act === "throws" && event !== "trailers") {
          assert.equal(answer.events.at(-1), "reset");
          const reset = await peer.frame(FrameType.RST_STREAM, 1);
          assert.equal(errorName(reset.payload.readUInt32BE(0)), "INTERNAL_ERROR");
        }
        assert.equal(client.active, 0);
        if (destroyed || act.startsWith("drains")) await owner.closed;
        client.destroy();
      });
    }
  }

  test("throws when notified of a reset, of room, or of the connection's end: all others are notified all the same", async () => {
    const { client, clientOwner, server } = await pair("memory", () => {});
    const faults: unknown[] = [];
    Object.assign(clientOwner, { onFault: (error: unknown) => faults.push(error) });
    const answers = [new Recorder(), new Recorder()];
    for (const answer of answers) {
      answer.hook = () => {
        throw new Error("a bug");
      };
      request(client, answer);
    }
    client.destroy();
    assert.deepEqual(
      answers.map((a) => a.events),
      [["reset"], ["reset"]],
    );
    assert.deepEqual(clientOwner.events, ["ready", "close"]);
    assert.equal(faults.length, 2);
    server.destroy();
  });

  test("throws when a request begins: it is reset, and the next one is served", async () => {
    const { peer, server, owner } = await rawClient((stream) => {
      if (stream.id === 1) throw new Error("a bug");
      respond(stream, [[":status", "200"]], true);
    });
    const faults: unknown[] = [];
    Object.assign(owner, { onFault: (error: unknown) => faults.push(error) });
    peer.send(headers(1), headers(3));
    assert.equal(
      (await peer.frame(FrameType.RST_STREAM, 1)).payload.readUInt32BE(0),
      ErrorCode.INTERNAL_ERROR,
    );
    await peer.frame(FrameType.HEADERS, 3);
    assert.equal(faults.length, 1);
    server.destroy();
  });

  const STARTS: [string, (stream: Parameters<typeof echo>[0]) => void, FrameKind][] = [
    ["resets it", (stream) => stream.reset(ErrorCode.CANCEL), "RST_STREAM"],
    ["destroys the connection", (stream) => stream.connection.destroy(), "GOAWAY"],
    ["drains the connection", (stream) => stream.connection.drain()(), "GOAWAY"],
    [
      "answers whole and resets",
      (stream) => {
        respond(stream, [[":status", "431"]], true);
        stream.reset(ErrorCode.NO_ERROR);
      },
      "RST_STREAM",
    ],
    [
      "answers, asks the client to stop, and drains",
      (stream) => {
        respond(stream, [[":status", "200"]], false);
        stream.sendTrailers(trailersOf(["a", "b"]));
        stream.stopPeer();
        stream.connection.drain();
      },
      "RST_STREAM",
    ],
  ];
  for (const [act, run, kind] of STARTS) {
    for (const end of [false, true]) {
      test(`${act} as soon as a request begins${end ? ", and has ended" : ""}`, async () => {
        const { peer, server, owner } = await rawClient(run);
        peer.send(headers(1, REQUEST, { end }), data(1, "late"));
        if (!end || kind === "GOAWAY") await peer.frame(FrameType[kind]);
        else await peer.until("an end", () => peer.frames.find((f) => f.id === 1));
        server.destroy();
        await owner.closed;
        await peer.over();
        assert.equal(server.active, 0);
        assert.deepEqual(owner.events, ["ready", "close"]);
        assert.ok((owner.requests[0]?.events ?? []).filter((e) => e === "reset").length <= 1);
      });
    }
  }

  test("throws within a header block: the block goes out as far as it has come, its stream is reset, and others continue", async () => {
    const { peer, server, owner } = await rawClient((stream) => {
      stream.beginHeaders();
      stream.header(":status", "200", false);
      stream.header("x-indexed", "one value", false);
      stream.header("x-indexed", `another ${stream.id}`, false);
      if (stream.id === 3) throw new Error("a bug");
      stream.endHeaders(true);
    });
    const faults: unknown[] = [];
    Object.assign(owner, { onFault: (error: unknown) => faults.push(error) });
    peer.send(headers(1), headers(3), headers(5));
    const reset = await peer.frame(FrameType.RST_STREAM, 3);
    assert.equal(reset.payload.readUInt32BE(0), ErrorCode.INTERNAL_ERROR);
    await peer.frame(FrameType.HEADERS, 5);
    const decoder = new HpackDecoder({ maxListBytes: 10_000, maxFields: 10 });
    const read = [1, 3, 5].map((id) => {
      const { payload } = peer.find(FrameType.HEADERS, id) ?? assert.fail(`no HEADERS on ${id}`);
      return decoder.decode(payload, 0, payload.length).fields.map((f) => f.value);
    });
    // The tables of both sides are the same still.
    assert.deepEqual(
      read,
      [1, 3, 5].map((id) => ["200", "one value", `another ${id}`]),
    );
    assert.equal(faults.length, 1);
    server.destroy();
  });

  test("has a field that cannot be encoded: the table is no longer the peer's, and the connection ends", async (t) => {
    const { peer, owner } = await rawClient((stream) => {
      if (stream.id === 3) {
        t.mock.method(HpackEncoder.prototype, "field", () => {
          throw new Error("a bug");
        });
      }
      respond(stream, [[":status", "200"]], true);
    });
    Object.assign(owner, { onFault: () => {} });
    peer.send(headers(1), headers(3));
    assert.equal((await peer.frame(FrameType.GOAWAY)).payload.readUInt32BE(4), ErrorCode.INTERNAL_ERROR);
    await owner.closed;
  });

  for (const act of ["reset", "destroy", "throw"]) {
    test(`${act}: within onSent, when queued DATA has gone`, async () => {
      const { peer, server, owner } = await rawClient((stream, req) => {
        if (stream.id !== 1) {
          respond(stream, [[":status", "200"]], true);
          return;
        }
        respond(stream, [[":status", "200"]], false);
        stream.sendData(Buffer.alloc(100_000), 0, 100_000, false);
        req.sentHook = () => {
          if (act === "reset") stream.reset(ErrorCode.CANCEL);
          else if (act === "destroy") stream.connection.destroy();
          else throw new Error("a bug");
        };
      });
      Object.assign(owner, { onFault: () => {} });
      peer.send(headers(1), windowUpdate(0, 100_000), windowUpdate(1, 100_000));
      if (act === "destroy") {
        await peer.frame(FrameType.GOAWAY);
        await owner.closed;
      } else {
        await peer.frame(FrameType.RST_STREAM, 1);
        peer.send(headers(3));
        await peer.frame(FrameType.HEADERS, 3);
      }
      assert.ok(peer.bytes(1) < 100_000);
      server.destroy();
    });
  }

  test("opens the next request as soon as the last is refused or ended", async () => {
    const { peer, client } = await rawServer({ settings: settings([Setting.MAX_CONCURRENT_STREAMS, 2]) });
    const second = new Recorder();
    const first = new Recorder();
    first.hook = () => {
      request(client, second, { end: true });
    };
    request(client, first, { end: true });
    peer.send(rst(1, ErrorCode.REFUSED_STREAM));
    await peer.frame(FrameType.HEADERS, 3);
    peer.send(headers(3, [[":status", "200"]], { end: true }));
    await second.over;
    assert.equal(client.active, 0);
    client.destroy();
  });
});

test("the ids of a connection run out: it takes no more streams and closes after the last", async () => {
  const { peer, client, owner } = await rawServer();
  Reflect.set(Reflect.get(client, "streams"), "nextId", 0x7fffffff);
  const answer = new Recorder();
  assert.equal(request(client, answer, { end: true }).id, 0x7fffffff);
  assert.equal(client.canOpen, false);
  assert.equal(client.leaving, true);
  peer.send(headers(0x7fffffff, [[":status", "200"]], { end: true }));
  await answer.over;
  await owner.closed;
});
