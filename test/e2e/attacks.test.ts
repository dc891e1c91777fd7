// Each attack on a real hub, in clear text and over TLS: it is cut off or bounded, no honest call on another connection
// fails or misses its deadline, memory stays under its bound. And honest patterns that look like attacks: none is cut off.
import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { status } from "@grpc/grpc-js";
import { UnaryRequest } from "#generated/test/v1/behavior.js";
import { frameMessage } from "#src/call/messages.js";
import { ErrorCode, Flag, FrameType, Setting } from "#src/http2/wire/protocol.js";
import {
  data,
  describeFrame,
  HELLO,
  headers,
  ping,
  RawPeer,
  rst,
  settings,
  windowUpdate,
} from "../support/frames.js";
import { until } from "../support/until.js";
import {
  ALL_BYTES,
  type Attack,
  DEADLINE_MS,
  DRIPPED_WINDOWS,
  FLOOD_ATTACKS,
  get,
  grpc,
  largeOn,
  MEMORY_BOUND_BYTES,
  READERS,
  SLOW,
  SLOW_READERS,
  STALL_MS,
  STREAM,
  startRig,
  type Target,
  UNARY,
  UNREAD,
  underAttack,
} from "./support/attacks.js";
import { SCHEMA_ATTACKS } from "./support/attacks-schemas.js";
import { SOCKET_ATTACKS } from "./support/attacks-sockets.js";
import { WORK_ATTACKS } from "./support/attacks-work.js";
import { behaviorClient, callUnary } from "./support/grpc.js";

const scope = { after };
const rig = await startRig(scope);

/** Failures of the clock: a machine that is busy otherwise can make them. What an attack does, it does each time. */
const LATE = /^gRPC: 4 |: 504$/;

/** No honest call fails, none is late; memory stays in bounds. Only calls that are late get a second look. */
async function withstands(runs: readonly (readonly [Attack, Target])[], looks = 2): Promise<void> {
  const { cost } = await underAttack(scope, rig, runs);
  assert.deepEqual(
    cost.failures.filter((failure) => !LATE.test(failure)),
    [],
    "no honest call failed",
  );
  assert.ok(cost.honestCalls > 0);
  assert.ok(cost.growthBytes < MEMORY_BOUND_BYTES, `memory grew by ${cost.growthBytes} bytes`);
  const late = cost.failures.length > 0 || cost.slowestMs >= DEADLINE_MS;
  if (late && looks > 1) {
    console.error(`once more: an honest call took ${cost.slowestMs} ms`);
    return withstands(runs, looks - 1);
  }
  assert.ok(!late, `an honest call took ${cost.slowestMs} ms, twice`);
}

/** `linchpin_http2_limits_passed_total` and `linchpin_http1_…` of what ended a connection or stream, by key of the limit. */
async function passed(): Promise<Map<string, number>> {
  const text = await (await fetch(`${rig.adminUrl}/metrics`)).text();
  const counts = new Map<string, number>();
  for (const [, labels = "", value] of text.matchAll(
    /^linchpin_http[12]_limits_passed_total\{(.*)\} (\d+)$/gm,
  )) {
    const key = /linchpin_limit="(\w+)"/.exec(labels)?.[1] ?? "";
    counts.set(key, (counts.get(key) ?? 0) + Number(value));
  }
  return counts;
}

async function counted(attack: Attack, run: () => Promise<void>): Promise<void> {
  const before = await passed();
  await run();
  const now = await passed();
  const grown = attack.limits.filter((key) => (now.get(key) ?? 0) > (before.get(key) ?? 0));
  assert.ok(
    attack.limits.length === 0 || grown.length > 0,
    `${attack.name}: none of ${attack.limits} was counted`,
  );
}

describe("a flood is cut off, and no other client is affected:", () => {
  for (const target of rig.targets) {
    for (const attack of FLOOD_ATTACKS) {
      test(`${attack.name}, over ${target.name}`, () =>
        counted(attack, () => withstands([[attack, target]])));
    }
  }
});

describe("a reset ends only its own socket, and no other client is affected:", () => {
  for (const target of rig.targets) {
    test(`over ${target.name}`, async () => {
      // One behind the other: a hundred handshakes at once would measure how fast the machine is.
      const all = async (): Promise<string> => {
        for (const attack of SOCKET_ATTACKS) await attack.run(target);
        return "none ended more than itself";
      };
      await withstands([[{ name: "sockets that are reset", limits: [], run: all }, target]]);
    });
  }
});

test("slow attacks, all at once: each is ended or bounded, and no other client is affected", async () => {
  const before = await passed();
  await withstands(SLOW.flatMap((attack) => rig.targets.map((target) => [attack, target] as const)));
  const now = await passed();
  for (const key of ["settingsTimeout", "headersTimeout", "maxHeaderList", "http1Pipelined"])
    assert.ok((now.get(key) ?? 0) > (before.get(key) ?? 0), `${key} was not counted`);
  const held = ["stallTimeout", "maxQueued", "maxProcessQueued"];
  assert.ok(
    held.some((key) => (now.get(key) ?? 0) > (before.get(key) ?? 0)),
    "stalled streams were not counted",
  );
});

describe("windows that drip hold no more than the process may buffer, and no other client is affected:", () => {
  for (const target of rig.targets) {
    test(`over ${target.name}`, () =>
      counted(DRIPPED_WINDOWS, () => withstands([[DRIPPED_WINDOWS, target]])));
  }
});

describe("slow readers over HTTP/1.1, all at once: each is ended, and no other client is affected", () => {
  for (const target of rig.targets) {
    test(`over ${target.name}`, async () => {
      const before = await passed();
      await withstands(SLOW_READERS.map((attack) => [attack, target] as const));
      const now = await passed();
      const ended = ["stallTimeout", "maxProcessQueued"]
        .map((key) => (now.get(key) ?? 0) - (before.get(key) ?? 0))
        .reduce((sum, count) => sum + count);
      assert.ok(ended >= READERS * SLOW_READERS.length, `${ended} connections were counted`);
    });
  }
});

test("the log has each limit once for each listener, and no fault", () => {
  const { lines } = rig.hub.stderr;
  const told = lines.flatMap((line) => /was closed: .*\(limits\.(\w+);/.exec(line)?.[1] ?? []);
  for (const key of told) {
    const times = told.filter((other) => other === key).length;
    assert.ok(
      times <= rig.targets.length,
      `${key} was told ${times} times by ${rig.targets.length} listeners`,
    );
  }
  for (const attack of FLOOD_ATTACKS)
    assert.ok(
      attack.limits.some((key) => told.includes(key)),
      `nothing of ${attack.limits} in the log`,
    );
  assert.deepEqual(
    lines.filter((line) => /fault|error|Error/.test(line)),
    [],
  );
});

describe("an honest pattern is left alone:", () => {
  const message = frameMessage(Buffer.from(UnaryRequest.encode(UnaryRequest.create()).finish()));

  for (const target of rig.targets) {
    const peerOf = (): RawPeer => {
      const peer = new RawPeer(target.connect("h2"), "client");
      peer.send(HELLO, windowUpdate(0, 1 << 30));
      return peer;
    };
    const ended = (peer: RawPeer, id: number) => () =>
      peer.find(FrameType.HEADERS, id, Flag.END_STREAM) ?? peer.find(FrameType.RST_STREAM, id);
    /** All streams of a batch have been answered; what came is forgotten, so that looking stays cheap. */
    const answered = async (peer: RawPeer, ids: readonly number[]): Promise<void> => {
      for (const id of ids) {
        const end = await peer.until(`the end of stream ${id}`, ended(peer, id));
        assert.equal(end.type, FrameType.HEADERS, describeFrame(end));
      }
      peer.frames.length = 0;
    };
    const ids = (batch: number, size: number): number[] =>
      Array.from({ length: size }, (_, i) => 2 * (size * batch + i) + 1);

    test(`grpc-go's half-close, DATA and END_STREAM apart, over ${target.name}`, async () => {
      const peer = peerOf();
      for (let batch = 0; batch < 15; batch++) {
        const streams = ids(batch, 100);
        for (const id of streams) peer.send(headers(id, grpc(UNARY)), data(id, message), data(id, "", true));
        await answered(peer, streams);
      }
      peer.socket.destroy();
    });

    test(`bandwidth probes: a PING with every call, over ${target.name}`, async () => {
      const peer = peerOf();
      for (let batch = 0; batch < 6; batch++) {
        const streams = ids(batch, 100);
        for (const id of streams)
          peer.send(headers(id, grpc(UNARY)), data(id, message, true), ping("bdpprobe"));
        await answered(peer, streams);
      }
      await peer.roundTrip();
      peer.socket.destroy();
    });

    test(`as many cancels as answered calls, over ${target.name}`, async () => {
      const peer = peerOf();
      for (let batch = 0; batch < 15; batch++) {
        const streams = ids(batch, 200);
        const [kept, cancelled] = [
          streams.filter((_, i) => i % 2 === 0),
          streams.filter((_, i) => i % 2 === 1),
        ];
        for (const id of streams) peer.send(headers(id, grpc(UNARY)), data(id, message, true));
        for (const id of cancelled) peer.send(rst(id, ErrorCode.CANCEL));
        await answered(peer, kept);
      }
      await peer.roundTrip();
      peer.socket.destroy();
    });

    test(`WINDOW_UPDATE for stream and connection with every frame of an answer, over ${target.name}`, async () => {
      const peer = peerOf();
      peer.send(settings([Setting.INITIAL_WINDOW_SIZE, 16_384]), largeOn(1));
      let seen = 0;
      while (ended(peer, 1)() === undefined) {
        await peer.until("more of the answer", () => (peer.frames.length > seen ? true : undefined));
        for (; seen < peer.frames.length; seen++) {
          const { type, id, payload } = peer.frames[seen] ?? { type: -1, id: 0, payload: Buffer.alloc(0) };
          if (type === FrameType.DATA && payload.length > 0)
            peer.send(windowUpdate(id, payload.length), windowUpdate(0, payload.length));
        }
      }
      assert.equal(ended(peer, 1)()?.type, FrameType.HEADERS);
      peer.socket.destroy();
    });

    test(`a channel that connects before it is needed, and then is quiet, over ${target.name}`, async () => {
      const peer = peerOf();
      await peer.roundTrip();
      // Longer than every limit on a slow beginning, and than the hub's own PING.
      await until(
        () => peer.frames.some((f) => f.type === FrameType.PING && f.flags === 0),
        "keepalive of the hub",
      );
      const asked = peer.frames.find((f) => f.type === FrameType.PING && f.flags === 0);
      peer.send(
        ping(asked?.payload.toString("latin1"), Flag.ACK),
        headers(1, grpc(UNARY)),
        data(1, message, true),
      );
      await answered(peer, [1]);
      peer.socket.destroy();
    });
  }

  /** Reads 2 MiB, and then nothing for a while, again and again: on the whole three times as long as it may stop. */
  async function readSlowly(target: Target, request: string): Promise<{ bytes: number; longestMs: number }> {
    const socket = target.connect("http/1.1");
    socket.pause();
    socket.write(request, "latin1");
    let bytes = 0;
    let longestMs = 0;
    while (bytes < ALL_BYTES && !socket.closed) {
      const from = performance.now();
      await new Promise((resolve) => setTimeout(resolve, 300));
      for (const goal = Math.min(bytes + 2 * 1024 * 1024, ALL_BYTES); bytes < goal && !socket.closed; ) {
        const chunk: Buffer | null = socket.read();
        if (chunk === null) await new Promise((resolve) => setTimeout(resolve, 5));
        else bytes += chunk.length;
      }
      longestMs = Math.max(longestMs, performance.now() - from);
    }
    socket.destroy();
    return { bytes, longestMs };
  }

  /** An event every 1.2 s, which is longer than a client may take nothing of what waits for it. */
  async function readEvents(target: Target, more: string): Promise<void> {
    const path = "/test/v1/server-stream?behavior.response_count=3&behavior.interval=1.2s";
    const socket = target.connect("http/1.1");
    let text = "";
    socket.on("data", (chunk: Buffer) => {
      text += chunk.toString("latin1");
    });
    socket.write(get(path, `accept: text/event-stream\r\n${more}`));
    await until(() => text.endsWith("0\r\n\r\n") || socket.closed, "the end of the events");
    assert.equal(text.match(/^data: \{"/gm)?.length, 3, text);
    socket.destroy();
  }

  test("clients that read slowly but steadily over HTTP/1.1", async () => {
    for (let held = 0; ; held++) {
      const before = await passed();
      const readers = await Promise.all(
        rig.targets.flatMap((target) => UNREAD.map(([, request]) => readSlowly(target, request))),
      );
      // Whom the machine holds up is no steady reader.
      const unsteady = readers.some(({ bytes, longestMs }) => bytes < ALL_BYTES && longestMs > STALL_MS);
      if (unsteady && held < 5) continue;
      for (const { bytes, longestMs } of readers)
        assert.ok(bytes >= ALL_BYTES, `closed after ${bytes} bytes; its longest turn took ${longestMs} ms`);
      assert.deepEqual(await passed(), before);
      return;
    }
  });

  test("streams over HTTP/1.1 that make little", async () => {
    const before = await passed();
    await Promise.all(
      rig.targets.flatMap((target) => [readEvents(target, ""), readEvents(target, "te: trailers\r\n")]),
    );
    assert.deepEqual(await passed(), before);
  });

  test("a client that cancels nine calls of ten when they have waited for a while", async () => {
    const client = behaviorClient(scope, rig.targets[0].address);
    for (let batch = 0; batch < 8; batch++) {
      const outcomes = await Promise.all(
        Array.from({ length: 100 }, (_, i) => {
          const delay = { seconds: i % 10 === 0 ? 0 : 1, nanos: 0 };
          return callUnary(client, { behavior: { delay } }, { options: { deadline: Date.now() + 150 } });
        }),
      );
      const codes = new Set(outcomes.map(({ code }) => code));
      codes.delete(status.OK);
      assert.deepEqual([...codes], [status.DEADLINE_EXCEEDED]);
    }
    assert.equal((await callUnary(client, {})).code, status.OK);
  });

  test("streams that pause between messages for longer than a JSON body may", async () => {
    const peer = new RawPeer(rig.targets[0].connect("h2"), "client");
    peer.send(HELLO, headers(1, grpc(STREAM.replace("ServerStream", "BidiStream"))), data(1, message));
    await peer.frame(FrameType.DATA, 1);
    await new Promise((resolve) => setTimeout(resolve, 1200));
    assert.equal(ended1(peer), undefined);
    peer.send(data(1, message, true));
    await peer.frame(FrameType.HEADERS, 1, Flag.END_STREAM);
    peer.socket.destroy();
  });
});

const ended1 = (peer: RawPeer): string | undefined => {
  const end = peer.find(FrameType.RST_STREAM, 1) ?? peer.find(FrameType.GOAWAY);
  return end && describeFrame(end);
};

describe("slow parsing", () => {
  for (const attack of WORK_ATTACKS)
    for (const target of attack.name.includes("service") ? [rig.targets[0]] : rig.targets)
      test(`${attack.name} (${target.name})`, () => withstands([[attack, target]]));
});

describe("services whose schemas are attacks", () => {
  for (const attack of SCHEMA_ATTACKS) {
    test(attack.name, async () => {
      assert.ok(await attack.run(rig.targets[0]));
    });
  }
});
