// The HTTP/2 engine over a pair of streams in memory, in either role, fed what real peers said, changed and cut up.
import assert from "node:assert/strict";
import { type Owner, Recorder, rawClient, rawServer, request, respond, trailersOf } from "../support/wire.js";
import { mutated, pieces } from "./mutate.js";
import { Random } from "./random.js";
import type { Running, Target } from "./target.js";
import type { Conversation } from "./traffic.js";

const turns = async (count: number): Promise<void> => {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve));
};

/** What the engine promises its owner, whatever came. */
function checkEvents(recorders: readonly Recorder[], owner: Owner): void {
  for (const { events, ended, reset } of recorders) {
    assert.ok(ended || reset !== undefined, "every stream comes to an end");
    const at = events.indexOf("reset");
    assert.ok(at === -1 || at === events.length - 1, `nothing follows a reset: ${events}`);
    assert.ok(events.filter((e) => e === "trailers").length <= 1, `${events}`);
    assert.ok(events.filter((e) => e === "headers").length <= 1, `${events}`);
  }
  assert.equal(owner.events.filter((e) => e === "close").length, 1);
}

/** Large messages in byte-sized pieces cost more turns than they tell. */
const MAX_TURNS = 50;

export function engineServer(all: readonly Conversation[]): Target {
  const recordings = all.filter(({ name }) => /grpc|http2/.test(name)).map(({ client }) => client);
  return {
    name: "engine as a server",
    parallel: 8,
    share: 20,
    async start(): Promise<Running> {
      return {
        async one(seed) {
          const random = new Random(seed);
          const { peer, server, owner } = await rawClient(
            (stream, { over }) => {
              respond(stream, [[":status", "200"]], false);
              stream.sendData(Buffer.alloc(3000), 0, 3000, false);
              if (stream.id % 4 === 1) stream.sendTrailers(trailersOf(["grpc-status", "0"]));
              else if (stream.id % 4 === 3) void over.then(() => stream.reset(8));
              else stream.stopPeer();
            },
            { silent: true },
          );
          const faults: unknown[] = [];
          Object.assign(owner, { onFault: (error: unknown) => faults.push(error) });
          let left = MAX_TURNS;
          for (const piece of pieces(mutated(recordings, random), random)) {
            peer.socket.write(piece);
            if (left-- > 0) await turns(1);
          }
          await turns(3);
          server.destroy();
          await owner.closed;
          // A peer that leaves its side open is waited for, for a while, and with it all that was for it.
          peer.socket.destroy();
          server.socket.destroy();
          assert.deepEqual(faults, []);
          assert.equal(server.active, 0);
          assert.equal(server.queuedBytes, 0);
          for (const recorder of owner.requests) assert.ok(recorder.ended || recorder.reset !== undefined);
          checkEvents(owner.requests, owner);
        },
        async check() {},
        async stop() {},
      };
    },
  };
}

export function engineClient(all: readonly Conversation[]): Target {
  const recordings = all.filter(({ name }) => /grpc|http2/.test(name)).map(({ hub }) => hub);
  return {
    name: "engine as a client",
    parallel: 8,
    share: 15,
    async start(): Promise<Running> {
      return {
        async one(seed) {
          const random = new Random(seed);
          // The hub's SETTINGS stand at the head of each recording, but may be what was changed.
          const { peer, client, owner } = await rawServer();
          const faults: unknown[] = [];
          Object.assign(owner, { onFault: (error: unknown) => faults.push(error) });
          const recorders = Array.from({ length: 4 }, () => new Recorder());
          recorders.forEach((recorder, i) => {
            const stream = request(client, recorder);
            stream.sendData(Buffer.alloc(i * 20_000), 0, i * 20_000, i % 2 === 0);
          });
          let left = MAX_TURNS;
          for (const piece of pieces(mutated(recordings, random), random)) {
            peer.socket.write(piece);
            if (left-- > 0) await turns(1);
          }
          await turns(3);
          client.destroy();
          await owner.closed;
          peer.socket.destroy();
          client.socket.destroy();
          assert.deepEqual(faults, []);
          assert.equal(client.active, 0);
          assert.equal(client.queuedBytes, 0);
          checkEvents(recorders, owner);
        },
        async check() {},
        async stop() {},
      };
    },
  };
}
