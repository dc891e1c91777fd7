// Flow control: nothing beyond the windows, everything within them, credit that comes back, fairness between
// streams, and memory that stays bounded whatever a peer does not read.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ErrorCode, Flag, FrameType, Setting } from "#src/http2/wire/protocol.js";
import {
  data,
  frame,
  headers,
  padded,
  ping,
  REQUEST,
  rst,
  settings,
  windowUpdate,
} from "../support/frames.js";
import {
  type echo,
  pair,
  Recorder,
  rawClient,
  rawServer,
  request,
  respond,
  TRANSPORTS,
  trailersOf,
} from "../support/wire.js";

const WINDOW = 65_535;

/** Answers with so many bytes, then trailers. */
function answering(bytes: number) {
  return (stream: Parameters<typeof echo>[0]): void => {
    respond(stream, [[":status", "200"]], false);
    stream.sendData(Buffer.alloc(bytes, "x"), 0, bytes, false);
    stream.sendTrailers(trailersOf(["grpc-status", "0"]));
  };
}

describe("sending", () => {
  test("stops at the stream's window and goes on by what is given", async () => {
    const { peer, server, owner } = await rawClient(answering(100_000));
    peer.send(windowUpdate(0, 1_000_000), headers(1, REQUEST, { end: true }));
    await peer.until("a window of DATA", () => (peer.bytes(1) === WINDOW ? true : undefined));
    await peer.roundTrip();
    assert.equal(peer.bytes(1), WINDOW);
    assert.equal(owner.requests[0]?.sent, WINDOW);
    peer.send(windowUpdate(1, 1));
    await peer.until("one byte more", () => (peer.bytes(1) === WINDOW + 1 ? true : undefined));
    peer.send(windowUpdate(1, 100_000));
    await peer.frame(FrameType.HEADERS, 1, Flag.END_STREAM);
    assert.equal(peer.bytes(1), 100_000);
    server.destroy();
  });

  test("stops at the connection's window, and shares what comes", async () => {
    const { peer, server } = await rawClient(answering(50_000));
    peer.send(headers(1, REQUEST, { end: true }), headers(3, REQUEST, { end: true }));
    await peer.until("a window of DATA", () => (peer.bytes(1) + peer.bytes(3) === WINDOW ? true : undefined));
    await peer.roundTrip();
    assert.equal(peer.bytes(1) + peer.bytes(3), WINDOW);
    peer.send(windowUpdate(0, 100_000));
    await peer.frame(FrameType.HEADERS, 1, Flag.END_STREAM);
    await peer.frame(FrameType.HEADERS, 3, Flag.END_STREAM);
    assert.equal(peer.bytes(1) + peer.bytes(3), 100_000);
    server.destroy();
  });

  test("an INITIAL_WINDOW_SIZE of 0 holds DATA, not headers, trailers or an empty ending", async () => {
    const { peer, server } = await rawClient(
      (stream) => {
        respond(stream, [[":status", "200"]], false);
        if (stream.id === 1) stream.sendTrailers(trailersOf(["grpc-status", "0"]));
        if (stream.id === 3) stream.sendData(Buffer.alloc(0), 0, 0, true);
        if (stream.id === 5) stream.sendData(Buffer.from("abc"), 0, 3, true);
      },
      { settings: settings([Setting.INITIAL_WINDOW_SIZE, 0]) },
    );
    peer.send(...[1, 3, 5].map((id) => headers(id, REQUEST, { end: true })));
    await peer.frame(FrameType.HEADERS, 1, Flag.END_STREAM);
    await peer.frame(FrameType.DATA, 3, Flag.END_STREAM);
    await peer.roundTrip();
    assert.equal(peer.find(FrameType.DATA, 5), undefined);
    peer.send(windowUpdate(5, 2));
    await peer.until("two bytes", () => (peer.bytes(5) === 2 ? true : undefined));
    peer.send(windowUpdate(5, 1));
    await peer.frame(FrameType.DATA, 5, Flag.END_STREAM);
    assert.equal(peer.body(5).toString(), "abc");
    server.destroy();
  });

  test("an ending that comes after queued DATA needs no window of its own", async () => {
    const { peer, server } = await rawClient(
      (stream) => {
        respond(stream, [[":status", "200"]], false);
        stream.sendData(Buffer.from("abcde"), 0, 5, false);
        stream.sendData(Buffer.alloc(0), 0, 0, true);
      },
      { settings: settings([Setting.INITIAL_WINDOW_SIZE, 3]) },
    );
    peer.send(headers(1, REQUEST, { end: true }));
    await peer.until("three bytes", () => (peer.bytes(1) === 3 ? true : undefined));
    peer.send(windowUpdate(1, 2)); // exactly what is left
    await peer.frame(FrameType.DATA, 1, Flag.END_STREAM);
    assert.equal(peer.body(1).toString(), "abcde");
    server.destroy();
  });

  test("a change of INITIAL_WINDOW_SIZE applies to open streams, and can make their windows negative", async () => {
    const { peer, server } = await rawClient(answering(70_000));
    peer.send(windowUpdate(0, 1_000_000), headers(1, REQUEST, { end: true }));
    await peer.until("a window of DATA", () => (peer.bytes(1) === WINDOW ? true : undefined));
    peer.send(settings([Setting.INITIAL_WINDOW_SIZE, 1000])); // the window is 1000 − 65535 now
    peer.send(windowUpdate(1, WINDOW - 1000)); // 0
    await peer.roundTrip();
    assert.equal(peer.bytes(1), WINDOW);
    peer.send(settings([Setting.INITIAL_WINDOW_SIZE, 1010]));
    await peer.until("ten bytes more", () => (peer.bytes(1) === WINDOW + 10 ? true : undefined));
    peer.send(settings([Setting.INITIAL_WINDOW_SIZE, 100_000]));
    await peer.frame(FrameType.HEADERS, 1, Flag.END_STREAM);
    assert.equal(peer.bytes(1), 70_000);
    server.destroy();
  });

  test("frames are no larger than 16 KiB, whatever the peer allows", async () => {
    const { peer, server } = await rawClient(answering(60_000), {
      settings: settings([Setting.MAX_FRAME_SIZE, 100_000]),
    });
    peer.send(headers(1, REQUEST, { end: true }));
    await peer.frame(FrameType.HEADERS, 1, Flag.END_STREAM);
    const sizes = peer.frames.filter((f) => f.type === FrameType.DATA).map((f) => f.payload.length);
    assert.ok(Math.max(...sizes) <= 16_384);
    server.destroy();
  });

  test("a bulk stream leaves room for small ones", async () => {
    const { peer, server } = await rawClient(
      (stream) => answering(stream.id === 1 ? 4_000_000 : 10)(stream),
      {
        settings: settings([Setting.INITIAL_WINDOW_SIZE, 10_000_000]),
      },
    );
    peer.send(
      windowUpdate(0, 10_000_000),
      headers(1, REQUEST, { end: true }),
      headers(3, REQUEST, { end: true }),
    );
    await peer.frame(FrameType.HEADERS, 1, Flag.END_STREAM);
    const end = peer.frames.findIndex((f) => f.id === 3 && (f.flags & Flag.END_STREAM) !== 0);
    const before = peer.frames.slice(0, end).filter((f) => f.type === FrameType.DATA && f.id === 1);
    assert.ok(before.length <= 8, `${before.length} frames of bulk went first`);
    server.destroy();
  });

  for (const kind of TRANSPORTS) {
    test(`control frames are not starved by bulk, over ${kind}`, async () => {
      const { peer, server } = await rawClient(answering(16_000_000), {
        kind,
        settings: settings([Setting.INITIAL_WINDOW_SIZE, 20_000_000]),
      });
      peer.send(windowUpdate(0, 1_000_000_000));
      for (const id of [1, 3, 5, 7]) peer.send(headers(id, REQUEST, { end: true }));
      await peer.frame(FrameType.DATA, 1);
      for (let n = 0; n < 10; n++) await peer.roundTrip();
      peer.send(settings());
      await peer.until("an ACK of SETTINGS", () =>
        peer.frames.filter((f) => f.type === FrameType.SETTINGS && (f.flags & Flag.ACK) !== 0).length > 1
          ? true
          : undefined,
      );
      assert.equal(peer.find(FrameType.DATA, 1, Flag.END_STREAM), undefined, "bulk was still on its way");
      server.destroy();
    });
  }

  test("streams in the same position take turns", async () => {
    const { peer, server } = await rawClient(answering(300_000), {
      settings: settings([Setting.INITIAL_WINDOW_SIZE, 1_000_000]),
    });
    for (const id of [1, 3, 5]) peer.send(headers(id, REQUEST, { end: true }));
    await peer.until("the connection's window", () =>
      peer.bytes(1) + peer.bytes(3) + peer.bytes(5) === WINDOW ? true : undefined,
    );
    const before = [1, 3, 5].map((id) => peer.bytes(id));
    peer.send(windowUpdate(0, 240_000));
    await peer.until("what was given", () =>
      peer.bytes(1) + peer.bytes(3) + peer.bytes(5) === WINDOW + 240_000 ? true : undefined,
    );
    const shares = [1, 3, 5].map((id, i) => peer.bytes(id) - (before[i] ?? 0));
    for (const share of shares) assert.ok(Math.abs(share - 80_000) <= 2 * 16_384, `shares ${shares}`);
    server.destroy();
  });

  test("many tiny pieces wait together, and keep their order", async () => {
    const { peer, server, owner } = await rawClient(
      (stream) => {
        respond(stream, [[":status", "200"]], false);
        for (let i = 0; i < 20_000; i++) stream.sendData(Buffer.from([i & 255]), 0, 1, false);
        stream.sendData(Buffer.from("end"), 0, 3, true);
      },
      { settings: settings([Setting.INITIAL_WINDOW_SIZE, 0]) },
    );
    peer.send(headers(1, REQUEST, { end: true }));
    await peer.frame(FrameType.HEADERS, 1);
    peer.send(windowUpdate(1, 100_000));
    await peer.frame(FrameType.DATA, 1, Flag.END_STREAM);
    const body = peer.body(1);
    assert.equal(body.length, 20_003);
    for (let i = 0; i < 20_000; i++) assert.equal(body[i], i & 255);
    assert.ok(peer.frames.filter((f) => f.type === FrameType.DATA).length < 20, "few frames carry them");
    assert.equal(owner.requests[0]?.sent, 20_003);
    server.destroy();
  });

  test("an owner may answer onSent with more, as often as it likes", async () => {
    let left = 100_000;
    const { peer, server } = await rawClient((stream, req) => {
      const byte = Buffer.from("x");
      req.sentHook = () => {
        if (left > 0) stream.sendData(byte, 0, 1, --left === 0);
      };
      respond(stream, [[":status", "200"]], false);
      left--;
      stream.sendData(byte, 0, 1, false);
    });
    peer.send(
      windowUpdate(0, 100_000),
      windowUpdate(0, 100_000),
      headers(1, REQUEST, { end: true }),
      windowUpdate(1, 100_000),
    );
    await peer.frame(FrameType.DATA, 1, Flag.END_STREAM);
    assert.equal(peer.bytes(1), 100_000);
    server.destroy();
  });
});

describe("receiving", () => {
  test("the connection's credit comes back on receipt, the stream's only when its owner has taken the bytes", async () => {
    const { peer, server, owner } = await rawClient(() => {});
    owner.autoConsume = false;
    const window = peer.find(FrameType.WINDOW_UPDATE, 0)?.payload.readUInt32BE(0) ?? 0;
    assert.equal(WINDOW + window, 1024 * 1024, "the connection's window is 1 MiB");
    // 20 streams that nobody reads bring more than the connection's window.
    for (let i = 0; i < 20; i++) {
      const id = 2 * i + 1;
      peer.send(
        headers(id),
        ...Array.from({ length: 4 }, (_, k) => data(id, Buffer.alloc(k === 3 ? 16_383 : 16_384))),
      );
      await peer.roundTrip();
    }
    const credit = peer.frames.filter((f) => f.type === FrameType.WINDOW_UPDATE && f.id === 0).slice(1);
    assert.ok(credit.length >= 2, peer.describe());
    assert.equal(
      peer.frames.some((f) => f.type === FrameType.WINDOW_UPDATE && f.id !== 0),
      false,
    );
    const stream = owner.streams[0];
    stream?.consumed(WINDOW);
    const update = await peer.frame(FrameType.WINDOW_UPDATE, 1);
    assert.ok(update.payload.readUInt32BE(0) >= WINDOW);
    assert.equal(peer.find(FrameType.GOAWAY), undefined);
    server.destroy();
  });

  test("a window grows to 256 KiB while it is read, and no further", async () => {
    const { peer, server } = await rawClient(() => {});
    peer.send(headers(1));
    let sent = 0;
    const outstanding = (): number =>
      WINDOW +
      peer.frames
        .filter((f) => f.type === FrameType.WINDOW_UPDATE && f.id === 1)
        .reduce((sum, f) => sum + f.payload.readUInt32BE(0), 0) -
      sent;
    for (let i = 0; i < 200; i++) {
      peer.send(data(1, Buffer.alloc(16_384)));
      sent += 16_384;
      await peer.roundTrip();
      assert.ok(outstanding() <= 256 * 1024);
    }
    assert.ok(outstanding() > 128 * 1024, `${outstanding()}`);
    server.destroy();
  });

  test("padding uses the windows up, and is given back by itself", async () => {
    const { peer, server, owner } = await rawClient(() => {}, { limits: { emptyDataBurst: 1000 } });
    owner.autoConsume = false;
    peer.send(headers(1));
    // 300 × 256 bytes are more than the window: only credit for the padding lets them through.
    for (let i = 0; i < 300; i++) {
      peer.send(padded(FrameType.DATA, 0, 1, "", 255));
      if (i % 50 === 49) await peer.roundTrip();
    }
    peer.send(padded(FrameType.DATA, Flag.END_STREAM, 1, "body", 200));
    await peer.roundTrip();
    assert.equal(peer.find(FrameType.RST_STREAM), undefined, peer.describe());
    assert.equal(owner.requests[0]?.body.toString(), "body");
    server.destroy();
  });

  test("DATA on reset streams goes on giving connection credit", async () => {
    const { peer, server } = await rawClient((stream) => stream.reset(ErrorCode.CANCEL));
    peer.send(headers(1));
    for (let i = 0; i < 100; i++) peer.send(data(1, Buffer.alloc(16_384)));
    await peer.roundTrip();
    const given = peer.frames
      .filter((f) => f.type === FrameType.WINDOW_UPDATE && f.id === 0)
      .reduce((sum, f) => sum + f.payload.readUInt32BE(0), WINDOW);
    assert.ok(given - 100 * 16_384 >= 512 * 1024);
    assert.equal(peer.frames.filter((f) => f.type === FrameType.RST_STREAM).length, 1);
    server.destroy();
  });
});

describe("a peer that does not read", () => {
  for (const kind of TRANSPORTS) {
    test(`holds the sender back, over ${kind}`, async () => {
      let produced = 0;
      const piece = Buffer.alloc(16_384, "x");
      const total = 32 * 1024 * 1024;
      const { client, server, close } = await pair(kind, (stream, req) => {
        // Brings a piece for each that has gone, and not more: as a relay does.
        const more = (): void => {
          if (produced < total) {
            produced += piece.length;
            stream.sendData(piece, 0, piece.length, produced === total);
          }
        };
        let credit = 0;
        req.sentHook = (bytes) => {
          for (credit += bytes; credit >= piece.length; credit -= piece.length) more();
        };
        respond(stream, [[":status", "200"]], false);
        for (let i = 0; i < 4; i++) more();
      });
      const answer = new Recorder(false);
      const stream = request(client, answer, { end: true });
      // Twice there and back: whatever was to come has come.
      for (let i = 0; i < 2; i++) await new Promise<void>((resolve) => client.ping(resolve));
      assert.equal(answer.bytes, WINDOW, "the stream's window came, and no more");
      assert.ok(produced <= WINDOW + 5 * piece.length, `${produced} bytes were asked of the source`);
      assert.ok(server.socket.writableLength < 256 * 1024);
      let consumed = answer.bytes;
      answer.hook = () => {
        const bytes = answer.bytes - consumed;
        consumed = answer.bytes;
        stream.consumed(bytes);
      };
      stream.consumed(consumed);
      await answer.over;
      assert.equal(answer.bytes, total);
      await close();
    });
  }

  test("at all: what waits in the socket is bounded, however large the windows", async () => {
    const { peer, server, socket } = await rawClient(answering(8 * 1024 * 1024), {
      kind: "tcp",
      settings: settings([Setting.INITIAL_WINDOW_SIZE, 0x7fffffff]),
      limits: { maxQueuedBytes: 100 * 1024 * 1024 },
    });
    peer.send(windowUpdate(0, 0x7fffffff - WINDOW));
    await peer.roundTrip();
    peer.socket.pause();
    peer.send(...Array.from({ length: 10 }, (_, i) => headers(2 * i + 1, REQUEST, { end: true })));
    // The kernel takes some first; then it must stop.
    for (let still = 0, last = -1; still < 20; still++) {
      if (socket.writableLength !== last) still = 0;
      last = socket.writableLength;
      await new Promise((resolve) => setImmediate(resolve));
    }
    assert.ok(socket.writableLength < 256 * 1024, `${socket.writableLength}`);
    peer.socket.resume();
    for (let i = 0; i < 10; i++) await peer.frame(FrameType.HEADERS, 2 * i + 1, Flag.END_STREAM);
    server.destroy();
  });

  const FLOODS: [string, Buffer][] = [
    ["PINGs", ping()],
    ["SETTINGS", settings()],
    ["requests that are refused", headers(1)],
  ];
  for (const [what, bytes] of FLOODS) {
    test(`and floods us with ${what} is cut off`, async () => {
      const { peer, server, owner, socket } = await rawClient(() => {}, {
        kind: "tcp",
        limits: {
          maxConcurrentStreams: 0,
          pingBurst: Infinity,
          settingsBurst: Infinity,
          resetBurst: Infinity,
        },
      });
      peer.socket.pause();
      let id = 1;
      let most = 0;
      const batch = (): Buffer => {
        const many = Array.from({ length: 2000 }, () => Buffer.from(bytes));
        if (bytes[3] === FrameType.HEADERS) {
          for (const one of many) {
            id += 2;
            one.writeUInt32BE(id, 5);
          }
        }
        return Buffer.concat(many);
      };
      const pump = (): void => {
        while (!server.closed && !peer.socket.destroyed) if (!peer.socket.write(batch())) break;
      };
      peer.socket.on("drain", pump);
      pump();
      const watch = setInterval(() => {
        most = Math.max(most, socket.writableLength);
      }, 1);
      assert.match(await owner.closed, /does not read/);
      clearInterval(watch);
      assert.ok(most < 8 * 1024 * 1024, `${most} bytes waited`);
      peer.socket.destroy();
    });
  }

  test("and opens and resets streams leaves nothing behind", async () => {
    const { peer, server } = await rawClient(answering(1000), {
      settings: settings([Setting.INITIAL_WINDOW_SIZE, 100_000]),
    });
    peer.send(headers(1, REQUEST, { end: true }));
    await peer.frame(FrameType.HEADERS, 1, Flag.END_STREAM);
    // The connection's window is used up: DATA of the later streams can only wait.
    for (let i = 1; i <= 70; i++) peer.send(headers(2 * i + 1, REQUEST, { end: true }));
    await peer.roundTrip();
    for (let i = 71; i <= 5000; i++) {
      peer.send(headers(2 * i + 1, REQUEST, { end: true }), rst(2 * i + 1, ErrorCode.CANCEL));
      if (i % 500 === 0) await peer.roundTrip();
    }
    await peer.roundTrip();
    assert.ok(server.active < 70);
    const ring: unknown = Reflect.get(Reflect.get(server, "sender"), "ring");
    assert.ok(
      Array.isArray(ring) && ring.length < 500,
      `${Array.isArray(ring) ? ring.length : "?"} in the ring`,
    );
    peer.send(windowUpdate(0, 1_000_000), frame(FrameType.PING, 0, 0, "abcdefgh"));
    await peer.frame(FrameType.HEADERS, 141, Flag.END_STREAM);
    server.destroy();
  });
});

describe("a client's upload", () => {
  test("waits for the windows of a server, padding and all", async () => {
    const { peer, client } = await rawServer({ settings: settings([Setting.INITIAL_WINDOW_SIZE, 10]) });
    const answer = new Recorder();
    const stream = request(client, answer);
    stream.sendData(Buffer.from("0123456789abcdef"), 0, 16, true);
    await peer.until("ten bytes", () => (peer.bytes(1) === 10 ? true : undefined));
    assert.equal(answer.sent, 10);
    peer.send(windowUpdate(1, 6));
    await peer.frame(FrameType.DATA, 1, Flag.END_STREAM);
    assert.equal(peer.body(1).toString(), "0123456789abcdef");
    client.destroy();
  });
});
