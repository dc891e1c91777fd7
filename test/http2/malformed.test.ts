// What RFC 9113 forbids: each breach gets the RFC's error code, and ends no more than it must, the stream or the
// connection. Beside every stream that is reset another one is served on the same connection.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Connection } from "#src/http2/connection.js";
import { ErrorCode, errorName, Flag, FrameType, Setting } from "#src/http2/wire/protocol.js";
import {
  block,
  data,
  type Fields,
  frame,
  goaway,
  HELLO,
  headers,
  padded,
  ping,
  RawPeer,
  REQUEST,
  rst,
  SETTINGS_ACK,
  settings,
  u32,
  windowUpdate,
} from "../support/frames.js";
import { echo, Owner, Recorder, rawClient, rawServer, request, transport } from "../support/wire.js";

type Breach = readonly [what: string, bytes: Buffer[], code: keyof typeof ErrorCode];

const { END_HEADERS, END_STREAM, PADDED, PRIORITY, ACK } = Flag;
const without = (name: string): Fields => REQUEST.filter(([n]) => n !== name);
const withField = (name: string, value: string): Fields => [...REQUEST, [name, value]];
const changed = (name: string, value: string): Fields =>
  REQUEST.map(([n, v]) => (n === name ? [n, value] : [n, v]));
const open = headers(1);
const whole = headers(1, REQUEST, { end: true });
const b = block(REQUEST);

/** Sent to a server behind the hellos; each must end the connection with GOAWAY and the code. */
const CONNECTION_BREACHES: Breach[] = [
  ["DATA on stream 0", [data(0, "x")], "PROTOCOL_ERROR"],
  ["DATA on an idle stream", [data(1, "x")], "PROTOCOL_ERROR"],
  ["DATA on an idle stream of the server's", [data(2, "x")], "PROTOCOL_ERROR"],
  ["a DATA frame of 16385 bytes", [open, data(1, Buffer.alloc(16_385))], "FRAME_SIZE_ERROR"],
  [
    "DATA with padding as long as the frame",
    [open, frame(FrameType.DATA, PADDED, 1, "\x05aaaa")],
    "PROTOCOL_ERROR",
  ],
  ["DATA that is padded, and empty", [open, frame(FrameType.DATA, PADDED, 1)], "FRAME_SIZE_ERROR"],
  ["HEADERS on stream 0", [headers(0)], "PROTOCOL_ERROR"],
  ["HEADERS on a stream of the server's", [headers(2)], "PROTOCOL_ERROR"],
  ["HEADERS on a closed stream", [whole, ping(), headers(1)], "STREAM_CLOSED"],
  ["HEADERS on a stream below one already used", [headers(3), headers(1)], "STREAM_CLOSED"],
  [
    "HEADERS with padding longer than the frame",
    [frame(FrameType.HEADERS, END_HEADERS | PADDED, 1, Buffer.concat([Buffer.from([200]), b]))],
    "PROTOCOL_ERROR",
  ],
  [
    "HEADERS that are padded, and empty",
    [frame(FrameType.HEADERS, END_HEADERS | PADDED, 1)],
    "FRAME_SIZE_ERROR",
  ],
  [
    "HEADERS too short for their priority",
    [frame(FrameType.HEADERS, END_HEADERS | PRIORITY, 1, "abcd")],
    "FRAME_SIZE_ERROR",
  ],
  [
    "HEADERS that depend on themselves",
    [frame(FrameType.HEADERS, END_HEADERS | PRIORITY, 1, Buffer.concat([u32(1), Buffer.from([0]), b]))],
    "PROTOCOL_ERROR",
  ],
  [
    "HEADERS of 16385 bytes",
    [frame(FrameType.HEADERS, END_HEADERS, 1, Buffer.alloc(16_385))],
    "FRAME_SIZE_ERROR",
  ],
  [
    "a header block that HPACK does not know",
    [frame(FrameType.HEADERS, END_HEADERS, 1, "\xff\xff\xff\xff\xff\xff")],
    "COMPRESSION_ERROR",
  ],
  [
    "a broken header block on a stream that was reset",
    [headers(1, withField("te", "gzip")), frame(FrameType.HEADERS, END_HEADERS | END_STREAM, 1, "\x80")],
    "COMPRESSION_ERROR",
  ],
  ["CONTINUATION without HEADERS", [frame(FrameType.CONTINUATION, END_HEADERS, 1, b)], "PROTOCOL_ERROR"],
  [
    "CONTINUATION behind a block's end",
    [whole, frame(FrameType.CONTINUATION, END_HEADERS, 1)],
    "PROTOCOL_ERROR",
  ],
  ["a header block interrupted by DATA", [headers(1, REQUEST, { flags: 0 }), data(1, "x")], "PROTOCOL_ERROR"],
  ["a header block interrupted by PING", [headers(1, REQUEST, { flags: 0 }), ping()], "PROTOCOL_ERROR"],
  [
    "a header block interrupted by an unknown frame",
    [headers(1, REQUEST, { flags: 0 }), frame(0x20, 0, 1)],
    "PROTOCOL_ERROR",
  ],
  [
    "a header block interrupted by HEADERS",
    [headers(1, REQUEST, { flags: 0 }), headers(3)],
    "PROTOCOL_ERROR",
  ],
  [
    "CONTINUATION on another stream",
    [headers(1, REQUEST, { flags: 0 }), frame(FrameType.CONTINUATION, END_HEADERS, 3)],
    "PROTOCOL_ERROR",
  ],
  [
    "more CONTINUATION frames than any honest block needs (CVE-2024-27983)",
    [
      headers(1, REQUEST, { flags: 0 }),
      ...Array.from({ length: 9 }, () => frame(FrameType.CONTINUATION, 0, 1, "x")),
    ],
    "ENHANCE_YOUR_CALM",
  ],
  ["PRIORITY on stream 0", [frame(FrameType.PRIORITY, 0, 0, "\0\0\0\x01\0")], "PROTOCOL_ERROR"],
  [
    "PRIORITY of an idle stream on itself",
    [frame(FrameType.PRIORITY, 0, 3, "\0\0\0\x03\0")],
    "PROTOCOL_ERROR",
  ],
  [
    "PRIORITY of 4 bytes on an idle stream",
    [frame(FrameType.PRIORITY, 0, 3, "\0\0\0\x01")],
    "FRAME_SIZE_ERROR",
  ],
  ["RST_STREAM on stream 0", [rst(0, 0)], "PROTOCOL_ERROR"],
  ["RST_STREAM on an idle stream", [rst(1, 0)], "PROTOCOL_ERROR"],
  ["RST_STREAM of 3 bytes", [open, frame(FrameType.RST_STREAM, 0, 1, "abc")], "FRAME_SIZE_ERROR"],
  ["SETTINGS on a stream", [frame(FrameType.SETTINGS, 0, 1)], "PROTOCOL_ERROR"],
  ["SETTINGS of 5 bytes", [frame(FrameType.SETTINGS, 0, 0, "abcde")], "FRAME_SIZE_ERROR"],
  ["an ACK of SETTINGS with settings", [frame(FrameType.SETTINGS, ACK, 0, "abcdef")], "FRAME_SIZE_ERROR"],
  ["ENABLE_PUSH of 2", [settings([Setting.ENABLE_PUSH, 2])], "PROTOCOL_ERROR"],
  ["INITIAL_WINDOW_SIZE of 2^31", [settings([Setting.INITIAL_WINDOW_SIZE, 2 ** 31])], "FLOW_CONTROL_ERROR"],
  ["MAX_FRAME_SIZE of 16383", [settings([Setting.MAX_FRAME_SIZE, 16_383])], "PROTOCOL_ERROR"],
  ["MAX_FRAME_SIZE of 2^24", [settings([Setting.MAX_FRAME_SIZE, 2 ** 24])], "PROTOCOL_ERROR"],
  [
    "an INITIAL_WINDOW_SIZE that overflows a stream's window",
    [open, windowUpdate(1, 0x7fffffff - 65_535), settings([Setting.INITIAL_WINDOW_SIZE, 65_536])],
    "FLOW_CONTROL_ERROR",
  ],
  ["PING on a stream", [frame(FrameType.PING, 0, 1, "12345678")], "PROTOCOL_ERROR"],
  ["PING of 7 bytes", [frame(FrameType.PING, 0, 0, "1234567")], "FRAME_SIZE_ERROR"],
  ["GOAWAY on a stream", [frame(FrameType.GOAWAY, 0, 1, u32(0, 0))], "PROTOCOL_ERROR"],
  ["GOAWAY of 7 bytes", [frame(FrameType.GOAWAY, 0, 0, "1234567")], "FRAME_SIZE_ERROR"],
  ["WINDOW_UPDATE of 3 bytes", [frame(FrameType.WINDOW_UPDATE, 0, 0, "abc")], "FRAME_SIZE_ERROR"],
  ["WINDOW_UPDATE of 0 for the connection", [windowUpdate(0, 0)], "PROTOCOL_ERROR"],
  ["WINDOW_UPDATE on an idle stream", [windowUpdate(1, 1)], "PROTOCOL_ERROR"],
  ["a connection window beyond 2^31-1", [windowUpdate(0, 0x7fffffff)], "FLOW_CONTROL_ERROR"],
  [
    "PUSH_PROMISE from a client",
    [open, frame(FrameType.PUSH_PROMISE, END_HEADERS, 1, u32(2))],
    "PROTOCOL_ERROR",
  ],
];

/** Sent on stream 1; each must end that stream with RST_STREAM and the code, and nothing else. */
const STREAM_BREACHES: Breach[] = [
  ["an upper-case field name", [headers(1, withField("X-Upper", "1"))], "PROTOCOL_ERROR"],
  ["an empty field name", [headers(1, withField("", "1"))], "PROTOCOL_ERROR"],
  ["a space in a field name", [headers(1, withField("a b", "1"))], "PROTOCOL_ERROR"],
  ["a colon in a field name", [headers(1, withField("a:b", "1"))], "PROTOCOL_ERROR"],
  ["a line feed in a value", [headers(1, withField("x", "a\nb: c"))], "PROTOCOL_ERROR"],
  ["a carriage return in a value", [headers(1, withField("x", "a\rb"))], "PROTOCOL_ERROR"],
  ["NUL in a value", [headers(1, withField("x", "a\0b"))], "PROTOCOL_ERROR"],
  ["a line feed in :path", [headers(1, changed(":path", "/a\nb"))], "PROTOCOL_ERROR"],
  ["a value that begins with a space", [headers(1, withField("x", " a"))], "PROTOCOL_ERROR"],
  ["a value that ends with a tab", [headers(1, withField("x", "a\t"))], "PROTOCOL_ERROR"],
  ["an unknown pseudo-header field", [headers(1, [[":unknown", "x"], ...REQUEST])], "PROTOCOL_ERROR"],
  ["a response's pseudo-header field", [headers(1, [...REQUEST, [":status", "200"]])], "PROTOCOL_ERROR"],
  [
    "a pseudo-header field behind others",
    [headers(1, [...without(":path"), ["x", "1"], [":path", "/"]])],
    "PROTOCOL_ERROR",
  ],
  ["no :method", [headers(1, without(":method"))], "PROTOCOL_ERROR"],
  ["no :scheme", [headers(1, without(":scheme"))], "PROTOCOL_ERROR"],
  ["no :path", [headers(1, without(":path"))], "PROTOCOL_ERROR"],
  ["an empty :path", [headers(1, changed(":path", ""))], "PROTOCOL_ERROR"],
  ["a :path without its /", [headers(1, changed(":path", "s/m"))], "PROTOCOL_ERROR"],
  ["a :path with a space", [headers(1, changed(":path", "/a b"))], "PROTOCOL_ERROR"],
  ["a :path with a control character", [headers(1, changed(":path", "/a\x7f"))], "PROTOCOL_ERROR"],
  ["an :authority with a space", [headers(1, changed(":authority", "a b"))], "PROTOCOL_ERROR"],
  ["an :authority with a slash", [headers(1, changed(":authority", "a/b"))], "PROTOCOL_ERROR"],
  ["an :authority with a user", [headers(1, changed(":authority", "u@a"))], "PROTOCOL_ERROR"],
  ["a :method that is not a token", [headers(1, changed(":method", "GE T"))], "PROTOCOL_ERROR"],
  ["an empty :method", [headers(1, changed(":method", ""))], "PROTOCOL_ERROR"],
  ["a host that differs from :authority", [headers(1, withField("host", "other"))], "PROTOCOL_ERROR"],
  ["two hosts", [headers(1, [...without(":authority"), ["host", "a"], ["host", "a"]])], "PROTOCOL_ERROR"],
  ["CONNECT without :authority", [headers(1, [[":method", "CONNECT"]])], "PROTOCOL_ERROR"],
  ["CONNECT with a :path", [headers(1, changed(":method", "CONNECT"))], "PROTOCOL_ERROR"],
  ...[":method", ":scheme", ":path", ":authority"].map(
    (name): Breach => [`${name} twice`, [headers(1, [[name, "/x"], ...REQUEST])], "PROTOCOL_ERROR"],
  ),
  ...["connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"].map(
    (name): Breach => [`field ${name}`, [headers(1, withField(name, "x"))], "PROTOCOL_ERROR"],
  ),
  ["te other than trailers", [headers(1, withField("te", "gzip"))], "PROTOCOL_ERROR"],
  ["content-length that is no number", [headers(1, withField("content-length", "1e3"))], "PROTOCOL_ERROR"],
  [
    "two content-lengths",
    [headers(1, [...REQUEST, ["content-length", "1"], ["content-length", "2"]])],
    "PROTOCOL_ERROR",
  ],
  [
    "content-length without a body",
    [headers(1, withField("content-length", "3"), { end: true })],
    "PROTOCOL_ERROR",
  ],
  [
    "a body shorter than content-length",
    [headers(1, withField("content-length", "3")), data(1, "ab", true)],
    "PROTOCOL_ERROR",
  ],
  [
    "a body longer than content-length",
    [headers(1, withField("content-length", "3")), data(1, "abcd")],
    "PROTOCOL_ERROR",
  ],
  [
    "trailers before content-length is reached",
    [headers(1, withField("content-length", "3")), data(1, "ab"), headers(1, [["x", "1"]], { end: true })],
    "PROTOCOL_ERROR",
  ],
  [
    "a second block of headers that does not end the stream",
    [open, headers(1, [["x", "1"]])],
    "PROTOCOL_ERROR",
  ],
  [
    "a pseudo-header field in trailers",
    [open, headers(1, [[":path", "/"]], { end: true })],
    "PROTOCOL_ERROR",
  ],
  ["an upper-case name in trailers", [open, headers(1, [["X", "1"]], { end: true })], "PROTOCOL_ERROR"],
  [
    "trailers larger than the limit",
    [
      open,
      headers(
        1,
        Array.from({ length: 200 }, () => ["a", "b"] as const),
        { end: true },
      ),
    ],
    "PROTOCOL_ERROR",
  ],
  ["DATA after END_STREAM", [whole, data(1, "x")], "STREAM_CLOSED"],
  ["HEADERS after END_STREAM", [whole, headers(1, [["x", "1"]], { end: true })], "STREAM_CLOSED"],
  ["WINDOW_UPDATE of 0", [open, windowUpdate(1, 0)], "PROTOCOL_ERROR"],
  ["a window beyond 2^31-1", [open, windowUpdate(1, 0x7fffffff)], "FLOW_CONTROL_ERROR"],
  ["PRIORITY of 4 bytes", [open, frame(FrameType.PRIORITY, 0, 1, "abcd")], "FRAME_SIZE_ERROR"],
  [
    "PRIORITY of the stream on itself",
    [open, frame(FrameType.PRIORITY, 0, 1, "\0\0\0\x01\0")],
    "PROTOCOL_ERROR",
  ],
  [
    "DATA exceeds the stream's flow-control window",
    [open, ...Array.from({ length: 4 }, () => data(1, Buffer.alloc(16_384)))],
    "FLOW_CONTROL_ERROR",
  ],
];

describe("a server", () => {
  for (const [what, bytes, code] of CONNECTION_BREACHES) {
    test(`closes the connection with ${code} on ${what}`, async () => {
      // An answer ends stream 1 at once, so that it is closed by the time of the frames behind it.
      const { peer, owner, server } = await rawClient(echo);
      for (const part of bytes) {
        peer.send(part);
        await new Promise((resolve) => setImmediate(resolve));
      }
      await peer.over();
      const last = peer.frames.at(-1);
      assert.equal(last?.type, FrameType.GOAWAY, peer.describe());
      assert.equal(errorName(last.payload.readUInt32BE(4)), code, peer.describe());
      assert.match(await owner.closed, new RegExp(code));
      assert.ok(server.closed);
      assert.equal(server.active, 0);
    });
  }

  for (const [what, bytes, code] of STREAM_BREACHES) {
    test(`resets the stream alone with ${code} on ${what}`, async () => {
      const { peer, owner, server } = await rawClient((stream, _request, _block, end) => {
        if (stream.id === 3 && end) {
          stream.beginHeaders();
          stream.header(":status", "204", false);
          stream.endHeaders(true);
        }
      });
      owner.autoConsume = false;
      peer.send(...bytes);
      const reset = await peer.frame(FrameType.RST_STREAM, 1);
      assert.equal(errorName(reset.payload.readUInt32BE(0)), code, peer.describe());
      if (owner.streams[0] !== undefined) {
        assert.equal(owner.requests[0]?.reset?.by, "local");
        assert.equal(owner.requests[0]?.reset?.code, ErrorCode[code]);
      }
      // What still comes on it is ignored, and the neighbour is served.
      peer.send(data(1, "late"), headers(1, [["x-late", "1"]], { end: true }), windowUpdate(1, 5), rst(1, 8));
      peer.send(headers(3, REQUEST, { end: true }));
      await peer.frame(FrameType.HEADERS, 3);
      assert.equal(peer.frames.filter((f) => f.type === FrameType.RST_STREAM).length, 1, peer.describe());
      assert.equal(peer.find(FrameType.GOAWAY), undefined);
      assert.equal(server.active, 0);
      server.destroy();
    });
  }

  test("resets DATA on a stream that has ended long ago", async () => {
    const { peer, server } = await rawClient(echo);
    peer.send(whole);
    await peer.frame(FrameType.DATA, 1, END_STREAM);
    peer.send(data(1, "x"));
    assert.equal(
      (await peer.frame(FrameType.RST_STREAM, 1)).payload.readUInt32BE(0),
      ErrorCode.STREAM_CLOSED,
    );
    server.destroy();
  });

  const FIRST: Breach[] = [
    ["HTTP/1.1", [Buffer.from("GET / HTTP/1.1\r\nhost: x\r\n\r\n")], "PROTOCOL_ERROR"],
    ["a preface that goes wrong at its end", [HELLO.subarray(0, 23), Buffer.from("x")], "PROTOCOL_ERROR"],
    ["PING before SETTINGS", [HELLO.subarray(0, 24), ping()], "PROTOCOL_ERROR"],
    ["an ACK before SETTINGS", [HELLO.subarray(0, 24), SETTINGS_ACK], "PROTOCOL_ERROR"],
  ];
  for (const [what, bytes, code] of FIRST) {
    test(`closes a connection that begins with ${what}`, async () => {
      const { peer, owner } = await rawClient(echo, { silent: true });
      peer.send(...bytes);
      await peer.over();
      assert.equal(peer.find(FrameType.GOAWAY)?.payload.readUInt32BE(4), ErrorCode[code], peer.describe());
      assert.match(await owner.closed, /PROTOCOL_ERROR/);
    });
  }
});

describe("what looks odd and is allowed", () => {
  const ALLOWED: [string, Buffer[]][] = [
    ["an unknown frame, flags and stream", [frame(0xfe, 0xff, 99, "whatever")]],
    ["an unknown setting", [settings([0x99, 1])]],
    ["a reserved bit in the stream's id", [frame(FrameType.PRIORITY, 0, 0x80000003, "\0\0\0\x01\0")]],
    ["PRIORITY of an idle stream", [frame(FrameType.PRIORITY, 0, 99, "\0\0\0\x01\0")]],
    ["a PING answer to nothing", [ping("12345678", ACK)]],
    ["SETTINGS acknowledged twice", [SETTINGS_ACK, SETTINGS_ACK]],
    ["GOAWAY from a client", [goaway(0)]],
    [
      "WINDOW_UPDATE, RST_STREAM and PRIORITY on a closed stream",
      [
        headers(1, REQUEST, { end: true }),
        ping(),
        windowUpdate(1, 1),
        rst(1, 8),
        frame(FrameType.PRIORITY, 0, 1, "\0\0\0\x03\0"),
      ],
    ],
    ["an empty header block as trailers", [open, frame(FrameType.HEADERS, END_HEADERS | END_STREAM, 1)]],
    ["empty DATA", [open, data(1, ""), data(1, ""), data(1, "", true)]],
    ["DATA that is padding alone", [open, padded(FrameType.DATA, 0, 1, "", 255), data(1, "", true)]],
    [
      "padded HEADERS with a priority",
      [
        frame(
          FrameType.HEADERS,
          END_HEADERS | PADDED | PRIORITY,
          1,
          Buffer.concat([Buffer.from([3]), u32(0x80000000), Buffer.from([9]), b, Buffer.alloc(3)]),
        ),
      ],
    ],
    ["te: trailers", [headers(1, withField("te", "trailers"))]],
    ["a host that says what :authority says", [headers(1, withField("host", "TEST"))]],
    ["a host in the place of :authority", [headers(1, [...without(":authority"), ["host", "test"]])]],
    [
      "the edges of MAX_FRAME_SIZE",
      [settings([Setting.MAX_FRAME_SIZE, 16_384], [Setting.MAX_FRAME_SIZE, 2 ** 24 - 1])],
    ],
    [
      "windows of 2^31-1, given by SETTINGS and by WINDOW_UPDATE",
      [settings([Setting.INITIAL_WINDOW_SIZE, 0x7fffffff]), windowUpdate(0, 0x7fffffff - 65_535)],
    ],
    [
      "an INITIAL_WINDOW_SIZE of 0 and back, within one frame and between frames of a stream",
      [
        settings([Setting.INITIAL_WINDOW_SIZE, 0], [Setting.INITIAL_WINDOW_SIZE, 65_535]),
        open,
        settings([Setting.INITIAL_WINDOW_SIZE, 0]),
        data(1, "ab"),
        settings([Setting.INITIAL_WINDOW_SIZE, 65_535]),
        data(1, "c", true),
      ],
    ],
    [
      "a HEADER_TABLE_SIZE of 0 and back",
      [
        settings([Setting.HEADER_TABLE_SIZE, 0], [Setting.HEADER_TABLE_SIZE, 4096]),
        settings([Setting.HEADER_TABLE_SIZE, 2 ** 32 - 1]),
      ],
    ],
    ["the reserved bit of a window's increment", [frame(FrameType.WINDOW_UPDATE, 0, 0, u32(0x80000001))]],
    [
      "the same content-length twice",
      [headers(1, [...REQUEST, ["content-length", "2"], ["content-length", "2"]]), data(1, "ab", true)],
    ],
    [
      "OPTIONS *",
      [
        headers(1, [
          [":method", "OPTIONS"],
          [":scheme", "http"],
          [":path", "*"],
        ]),
      ],
    ],
    [
      "CONNECT",
      [
        headers(1, [
          [":method", "CONNECT"],
          [":authority", "x:1"],
        ]),
      ],
    ],
    [
      "eight CONTINUATION frames",
      [
        headers(1, REQUEST, { flags: 0 }),
        ...Array.from({ length: 8 }, (_, i) => frame(FrameType.CONTINUATION, i === 7 ? END_HEADERS : 0, 1)),
      ],
    ],
  ];
  for (const [what, bytes] of ALLOWED) {
    test(what, async () => {
      const { peer, server } = await rawClient(echo);
      peer.send(...bytes, headers(101, REQUEST), data(101, "x", true));
      await peer.frame(FrameType.DATA, 101, END_STREAM);
      assert.equal(peer.find(FrameType.GOAWAY), undefined, peer.describe());
      assert.equal(peer.find(FrameType.RST_STREAM), undefined, peer.describe());
      server.destroy();
    });
  }
});

describe("a client", () => {
  const CONNECTION: Breach[] = [
    ["HEADERS on a stream it never opened", [headers(3, [[":status", "200"]])], "PROTOCOL_ERROR"],
    ["HEADERS on a stream of the server's", [headers(2, [[":status", "200"]])], "PROTOCOL_ERROR"],
    ["DATA on a stream it never opened", [data(3, "x")], "PROTOCOL_ERROR"],
    ["PUSH_PROMISE", [frame(FrameType.PUSH_PROMISE, END_HEADERS, 1, u32(2))], "PROTOCOL_ERROR"],
    ["ENABLE_PUSH from a server", [settings([Setting.ENABLE_PUSH, 1])], "PROTOCOL_ERROR"],
    ["a GOAWAY above the one before", [goaway(1), goaway(3)], "PROTOCOL_ERROR"],
    ["DATA on stream 0", [data(0, "x")], "PROTOCOL_ERROR"],
    ["HEADERS on stream 0", [headers(0, [[":status", "200"]])], "PROTOCOL_ERROR"],
    [
      "HEADERS that end a stream twice",
      [headers(1, [[":status", "200"]], { end: true }), rst(1, 0), headers(1, [["x", "y"]])],
      "STREAM_CLOSED",
    ],
    ["a frame of 16385 bytes", [data(1, Buffer.alloc(16_385))], "FRAME_SIZE_ERROR"],
    ["CONTINUATION without HEADERS", [frame(FrameType.CONTINUATION, END_HEADERS, 1)], "PROTOCOL_ERROR"],
    [
      "a header block interrupted by PING",
      [headers(1, [[":status", "200"]], { flags: 0 }), ping()],
      "PROTOCOL_ERROR",
    ],
    [
      "a header block that HPACK does not know",
      [frame(FrameType.HEADERS, END_HEADERS, 1, "\xff\xff\xff\xff\xff\xff")],
      "COMPRESSION_ERROR",
    ],
    ["RST_STREAM on stream 0", [rst(0, 0)], "PROTOCOL_ERROR"],
    ["RST_STREAM on an idle stream", [rst(3, 0)], "PROTOCOL_ERROR"],
    ["RST_STREAM of 3 bytes", [frame(FrameType.RST_STREAM, 0, 1, "abc")], "FRAME_SIZE_ERROR"],
    ["SETTINGS on a stream", [frame(FrameType.SETTINGS, 0, 1)], "PROTOCOL_ERROR"],
    ["SETTINGS of 5 bytes", [frame(FrameType.SETTINGS, 0, 0, "abcde")], "FRAME_SIZE_ERROR"],
    ["an ACK of SETTINGS with settings", [frame(FrameType.SETTINGS, ACK, 0, "abcdef")], "FRAME_SIZE_ERROR"],
    ["INITIAL_WINDOW_SIZE of 2^31", [settings([Setting.INITIAL_WINDOW_SIZE, 2 ** 31])], "FLOW_CONTROL_ERROR"],
    [
      "an INITIAL_WINDOW_SIZE that overflows a stream's window",
      [windowUpdate(1, 0x7fffffff - 65_535), settings([Setting.INITIAL_WINDOW_SIZE, 65_536])],
      "FLOW_CONTROL_ERROR",
    ],
    ["MAX_FRAME_SIZE of 16383", [settings([Setting.MAX_FRAME_SIZE, 16_383])], "PROTOCOL_ERROR"],
    ["PING on a stream", [frame(FrameType.PING, 0, 1, "12345678")], "PROTOCOL_ERROR"],
    ["PING of 7 bytes", [frame(FrameType.PING, 0, 0, "1234567")], "FRAME_SIZE_ERROR"],
    ["GOAWAY on a stream", [frame(FrameType.GOAWAY, 0, 1, u32(0, 0))], "PROTOCOL_ERROR"],
    ["GOAWAY of 7 bytes", [frame(FrameType.GOAWAY, 0, 0, "1234567")], "FRAME_SIZE_ERROR"],
    ["WINDOW_UPDATE of 3 bytes", [frame(FrameType.WINDOW_UPDATE, 0, 0, "abc")], "FRAME_SIZE_ERROR"],
    ["WINDOW_UPDATE of 0 for the connection", [windowUpdate(0, 0)], "PROTOCOL_ERROR"],
    ["WINDOW_UPDATE on an idle stream", [windowUpdate(3, 1)], "PROTOCOL_ERROR"],
    ["a connection window beyond 2^31-1", [windowUpdate(0, 0x7fffffff)], "FLOW_CONTROL_ERROR"],
    ["PRIORITY on stream 0", [frame(FrameType.PRIORITY, 0, 0, "\0\0\0\x01\0")], "PROTOCOL_ERROR"],
  ];
  for (const [what, bytes, code] of CONNECTION) {
    test(`closes the connection with ${code} on ${what}`, async () => {
      const { peer, client, owner } = await rawServer();
      const answer = new Recorder();
      request(client, answer);
      peer.send(...bytes);
      await peer.over();
      assert.equal(errorName(peer.find(FrameType.GOAWAY)?.payload.readUInt32BE(4) ?? -1), code);
      assert.match(await owner.closed, new RegExp(code));
      assert.equal(answer.reset !== undefined || answer.ended, true, "its stream has come to an end");
    });
  }

  for (const [what, first] of [
    ["PING", ping()],
    ["an ACK of SETTINGS", SETTINGS_ACK],
    ["HTTP/1.1", Buffer.from("HTTP/1.1 400 Bad Request\r\n\r\n")],
  ] as const) {
    test(`closes a connection whose server begins with ${what}`, async () => {
      const [a, other] = await transport("memory");
      const owner = new Owner();
      const client = new Connection(a, { role: "client" }, owner);
      const peer = new RawPeer(other, "server");
      peer.send(first);
      await owner.closed;
      await peer.over();
      const code = peer.find(FrameType.GOAWAY)?.payload.readUInt32BE(4) ?? -1;
      assert.match(errorName(code), /PROTOCOL_ERROR|FRAME_SIZE_ERROR/);
      assert.ok(client.closed);
    });
  }

  for (const [what, bytes] of [
    ["DATA", data(1, "x")],
    ["HEADERS", headers(1, [["x", "1"]], { end: true })],
  ] as const) {
    // What the service says of its other streams is not to be trusted either (RFC 9113 §5.1, "closed").
    test(`closes the connection with STREAM_CLOSED on ${what} behind both ends of a stream`, async () => {
      const { peer, client, owner } = await rawServer();
      const answer = new Recorder();
      const other = new Recorder();
      request(client, answer, { end: true });
      request(client, other, { end: true });
      peer.send(headers(1, [[":status", "200"]], { end: true }), bytes);
      await peer.over();
      assert.match(await owner.closed, /^STREAM_CLOSED: .* stream 1, which is closed$/);
      assert.deepEqual(answer.headers, [[":status", "200"]]);
      assert.deepEqual(other.events, ["reset"]);
    });
  }

  const OK: Fields = [[":status", "200"]];
  const STREAM: Breach[] = [
    ["DATA before HEADERS", [data(1, "x")], "PROTOCOL_ERROR"],
    ["no :status", [headers(1, [["x", "1"]])], "PROTOCOL_ERROR"],
    ["an empty header block", [frame(FrameType.HEADERS, END_HEADERS, 1)], "PROTOCOL_ERROR"],
    [":status 101, which HTTP/2 has not", [headers(1, [[":status", "101"]])], "PROTOCOL_ERROR"],
    ["a window beyond 2^31-1", [windowUpdate(1, 0x7fffffff)], "FLOW_CONTROL_ERROR"],
    ["WINDOW_UPDATE of 0", [windowUpdate(1, 0)], "PROTOCOL_ERROR"],
    ["PRIORITY of 4 bytes", [frame(FrameType.PRIORITY, 0, 1, "abcd")], "FRAME_SIZE_ERROR"],
    [
      "a second block of headers that does not end the stream",
      [headers(1, OK), headers(1, [["x", "1"]])],
      "PROTOCOL_ERROR",
    ],
    [
      "a pseudo-header field in trailers",
      [headers(1, OK), headers(1, [[":status", "200"]], { end: true })],
      "PROTOCOL_ERROR",
    ],
    [
      "a body shorter than content-length",
      [headers(1, [...OK, ["content-length", "3"]]), data(1, "ab", true)],
      "PROTOCOL_ERROR",
    ],
    [
      "content-length without a body",
      [headers(1, [...OK, ["content-length", "3"]], { end: true })],
      "PROTOCOL_ERROR",
    ],
    [
      "DATA exceeds the stream's flow-control window",
      [headers(1, OK), ...Array.from({ length: 20 }, () => data(1, Buffer.alloc(16_384)))],
      "FLOW_CONTROL_ERROR",
    ],
    ["a :status that is not a code", [headers(1, [[":status", "20"]])], "PROTOCOL_ERROR"],
    [":status twice", [headers(1, [...OK, ...OK])], "PROTOCOL_ERROR"],
    ["a request's pseudo-header field", [headers(1, [...OK, [":path", "/"]])], "PROTOCOL_ERROR"],
    ["an upper-case name", [headers(1, [...OK, ["X", "1"]])], "PROTOCOL_ERROR"],
    ["field connection", [headers(1, [...OK, ["connection", "close"]])], "PROTOCOL_ERROR"],
    [
      "an interim response that ends the stream",
      [headers(1, [[":status", "100"]], { end: true })],
      "PROTOCOL_ERROR",
    ],
    [
      "a body longer than content-length",
      [headers(1, [...OK, ["content-length", "1"]]), data(1, "ab")],
      "PROTOCOL_ERROR",
    ],
    [
      "headers larger than the limit",
      [headers(1, [...OK, ...Array.from({ length: 200 }, () => ["a", "b"] as const)])],
      "PROTOCOL_ERROR",
    ],
  ];
  for (const [what, bytes, code] of STREAM) {
    test(`resets the stream alone with ${code} on ${what}`, async () => {
      const { peer, client } = await rawServer();
      const answer = new Recorder(false);
      const other = new Recorder();
      request(client, answer, { end: true });
      request(client, other, { end: true });
      peer.send(...bytes);
      const reset = await peer.frame(FrameType.RST_STREAM, 1);
      assert.equal(errorName(reset.payload.readUInt32BE(0)), code);
      await answer.over;
      assert.equal(answer.reset?.by, "local");
      peer.send(headers(3, OK, { end: true }));
      await other.over;
      assert.deepEqual(other.headers, [[":status", "200"]]);
      assert.equal(client.active, 0);
      client.destroy();
    });
  }
});
