// The encoder's policy: what is indexed, what never is, and what it costs on the wire once it has settled.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { HpackDecoder } from "#src/http2/hpack/decoder.js";
import { HpackEncoder, MAX_BEGIN_BYTES, maxFieldBytes } from "#src/http2/hpack/encoder.js";
import { hex } from "./hex.js";

type Pair = readonly [name: string, value: string];

function encode(encoder: HpackEncoder, pairs: readonly Pair[], sensitive = false): Buffer {
  const room = pairs.reduce((sum, [n, v]) => sum + maxFieldBytes(n, v), MAX_BEGIN_BYTES);
  const out = Buffer.alloc(room);
  let at = encoder.begin(out, 0);
  for (const [name, value] of pairs) {
    const before = at;
    at = encoder.field(out, at, name, value, sensitive);
    assert.ok(at - before <= maxFieldBytes(name, value), "within the room asked for");
  }
  return out.subarray(0, at);
}

/** The bytes of the same block the n-th time. */
function nth(n: number, pairs: readonly Pair[], sensitive = false): Buffer {
  const encoder = new HpackEncoder();
  let bytes: Buffer = Buffer.alloc(0);
  for (let i = 0; i < n; i++) bytes = encode(encoder, pairs, sensitive);
  return bytes;
}

describe("HpackEncoder", () => {
  it("writes a field of the static table as one byte, from the first time on", () => {
    const bytes = encode(new HpackEncoder(), [
      [":method", "POST"],
      [":method", "GET"],
      [":scheme", "http"],
      [":scheme", "https"],
      [":path", "/"],
      [":status", "200"],
      [":status", "500"],
      ["accept-encoding", "gzip, deflate"],
    ]);
    assert.equal(bytes.toString("hex"), "8382868784888e90");
  });

  it("indexes a value at its second sighting, and then writes one byte", () => {
    const encoder = new HpackEncoder();
    const pair: Pair = ["content-type", "application/grpc"];
    assert.equal((encode(encoder, [pair])[0] ?? 0) & 0xf0, 0x00);
    assert.equal((encode(encoder, [pair])[0] ?? 0) & 0xc0, 0x40);
    assert.equal(encode(encoder, [pair]).toString("hex"), "be");
  });

  it("writes a settled gRPC request, its answer and trailers as a byte or two a field", () => {
    const request: Pair[] = [
      [":method", "POST"],
      [":scheme", "http"],
      [":path", "/helloworld.Greeter/SayHello"],
      [":authority", "127.0.0.1:50051"],
      ["content-type", "application/grpc"],
      ["user-agent", "grpc-go/1.64.0"],
      ["te", "trailers"],
    ];
    assert.equal(nth(5, request).length, request.length);
    assert.equal(
      nth(5, [
        [":status", "200"],
        ["content-type", "application/grpc"],
      ]).length,
      2,
    );
    assert.equal(nth(5, [["grpc-status", "0"]]).length, 1);
    assert.equal(nth(5, [["grpc-status", "13"]]).length, 1);
  });

  it("never indexes credentials, nor what is marked sensitive", () => {
    for (const name of ["authorization", "proxy-authorization", "cookie", "set-cookie", "x-api-key"]) {
      assert.equal((nth(9, [[name, "secret"]])[0] ?? 0) & 0xf0, 0x10, name);
    }
    for (const pair of [
      ["x-tenant", "a"],
      [":method", "POST"],
      ["content-type", "application/grpc"],
    ] as const) {
      assert.equal((nth(9, [pair], true)[0] ?? 0) & 0xf0, 0x10, pair[0]);
    }
    const encoder = new HpackEncoder();
    for (let i = 0; i < 9; i++)
      encode(encoder, [
        ["authorization", "Bearer x"],
        ["x-api-key", "k"],
      ]);
    assert.equal(encoder.tableBytes, 0);
  });

  it("does not use an entry for a field that is sensitive this time", () => {
    const encoder = new HpackEncoder();
    for (let i = 0; i < 4; i++) encode(encoder, [["x-token", "t"]]);
    const bytes = encode(encoder, [["x-token", "t"]], true);
    assert.equal((bytes[0] ?? 0) & 0xf0, 0x10);
    assert.equal(bytes.subarray(-2).toString("latin1"), "\x01t");
  });

  it("keeps values that change with each call out of the table", () => {
    const encoder = new HpackEncoder();
    const tables = new Set<number>();
    for (let i = 0; i < 100; i++) {
      encode(encoder, [
        ["grpc-timeout", `${i}m`],
        ["traceparent", `00-${i}`],
        ["tracestate", `a=${i}`],
        ["x-request-id", `id-${i}`],
        ["content-length", `${i}`],
        ["grpc-message", `message ${i}`],
        ["date", `Mon, ${i}`],
        [":path", `/v1/books?page=${i}`],
      ]);
      if (i > 2) tables.add(encoder.tableBytes);
    }
    assert.equal(tables.size, 1, "the table stays as it is");
    const settled = encode(encoder, [["grpc-timeout", "99999m"]]);
    assert.ok(settled.length <= 2 + 1 + 6, "though the name is an index by then");
  });

  it("does not index one-off values, long ones, or a path with a query", () => {
    const encoder = new HpackEncoder();
    for (let i = 0; i < 50; i++) encode(encoder, [[":authority", `host-${i}`]]);
    for (let i = 0; i < 5; i++) encode(encoder, [["user-agent", "x".repeat(513)]]);
    for (let i = 0; i < 5; i++) encode(encoder, [[":path", "/v1/books?author=1"]]);
    assert.equal(encoder.tableBytes, 0);
    const small = new HpackEncoder({ maxTableBytes: 100 });
    for (let i = 0; i < 5; i++) encode(small, [["x-name", "more than half of the table"]]);
    assert.equal(small.tableBytes, 0);
  });

  it("brings a stable field back when others have pushed it out", () => {
    const encoder = new HpackEncoder();
    const decoder = new HpackDecoder();
    const check = (pairs: readonly Pair[]) => {
      const bytes = encode(encoder, pairs);
      assert.deepEqual(
        decoder.decode(bytes, 0, bytes.length).fields.map((f) => [f.name, f.value]),
        pairs,
      );
      return bytes.length;
    };
    const stable: Pair = ["x-stable", "value"];
    for (let i = 0; i < 3; i++) check([stable]);
    for (let i = 0; i < 200; i++) {
      check([["x-other", `value ${i}`]]);
      check([["x-other", `value ${i}`]]);
    }
    assert.ok(check([stable]) > 2);
    assert.equal(check([stable]), 1);
  });

  it("stays bounded, and right, when clients choose endless names and values", () => {
    const encoder = new HpackEncoder();
    const decoder = new HpackDecoder();
    for (let i = 0; i < 3000; i++) {
      const pairs: Pair[] = [
        [`x-${i}`, "y".repeat(400)],
        ["x-fixed", `${i}-`.repeat(80)],
        ["te", "trailers"],
      ];
      const bytes = encode(encoder, pairs);
      assert.deepEqual(
        decoder.decode(bytes, 0, bytes.length).fields.map((f) => [f.name, f.value]),
        pairs,
      );
      assert.equal(encoder.tableBytes, decoder.tableBytes);
      assert.ok(encoder.tableBytes <= 4096);
    }
  });

  it("forgets what it saw when names or values become too many", () => {
    const names: Pair[] = [];
    for (let i = 0; i < 300; i++) names.push([`x-${i}`, "v"]);
    const values: Pair[] = [];
    for (let i = 0; i < 320; i++) values.push([`x-${i % 20}`, `${i}`.padEnd(450, ".")]);
    for (const many of [names, values]) {
      const encoder = new HpackEncoder();
      encode(encoder, [["x-first", "1"], ...many]);
      assert.equal((encode(encoder, [["x-first", "1"]])[0] ?? 0) & 0xf0, 0x00, "as if never seen");
      assert.equal((encode(encoder, [["x-first", "1"]])[0] ?? 0) & 0xc0, 0x40);
    }
  });

  describe("table sizes", () => {
    const sizes: readonly (readonly [why: string, peer: readonly number[], own: number, expected: string])[] =
      [
        ["says nothing while the size stays 4096", [], 4096, ""],
        ["says nothing when the peer offers more than is used", [65536], 4096, ""],
        ["says nothing when the peer repeats 4096", [4096], 4096, ""],
        ["announces a smaller size of its own", [], 256, "3fe101"],
        ["announces the peer's smaller size", [100], 4096, "3f45"],
        ["announces 0", [0], 4096, "20"],
        ["announces the smallest and the last of several", [0, 4096], 4096, "203fe11f"],
        ["announces the smallest and the last, in between too", [2000, 10, 3000, 50], 4096, "2a3f13"],
        ["announces the last alone when it is the smallest", [2000, 10], 4096, "2a"],
        ["uses more than 4096 when both sides want it", [65536], 8192, "3fe13f"],
        ["takes the smaller of both", [1000], 8192, "3fc907"],
      ];
    for (const [why, peer, own, expected] of sizes) {
      it(why, () => {
        const encoder = new HpackEncoder({ maxTableBytes: own });
        for (const bytes of peer) encoder.setPeerTableSize(bytes);
        assert.deepEqual(encode(encoder, []), hex(expected));
        assert.deepEqual(encode(encoder, []), hex(""), "and only once");
      });
    }

    it("encodes without a table when the peer allows none", () => {
      const encoder = new HpackEncoder();
      for (let i = 0; i < 3; i++) encode(encoder, [["te", "trailers"]]);
      encoder.setPeerTableSize(0);
      const decoder = new HpackDecoder({ maxTableBytes: 0 });
      for (let i = 0; i < 3; i++) {
        const bytes = encode(encoder, [["te", "trailers"]]);
        assert.equal(decoder.decode(bytes, 0, bytes.length).fields[0]?.value, "trailers");
      }
      assert.equal(encoder.tableBytes, 0);
    });
  });
});
