// A side that does not read holds the other side back: through the hub as without it, and in bounded memory.
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:http2";
import { after, describe, test } from "node:test";
import { Metadata, status } from "@grpc/grpc-js";
import {
  type BehaviorServiceServer,
  ClientStreamRequest,
  ClientStreamResponse,
  type ClientStreamResponse as ClientStreamResponseType,
  ServerStreamRequest,
  ServerStreamResponse,
} from "#generated/test/v1/behavior.js";
import { behavior } from "#src/samples/echo/behavior.js";
import { behaviorClient, callUnary, single } from "./support/grpc.js";
import { openHttp, VERSIONS } from "./support/http.js";
import { type Hub, startHub } from "./support/hub.js";
import { peakResidentBytes, residentBytes } from "./support/memory.js";
import { serveBehavior } from "./support/service.js";

const MIB = 1024 * 1024;
const MESSAGE_BYTES = 64 * 1024;
/** Messages that go through in one stream: 256 MiB as gRPC; as JSON, which is slower, 32 MiB. */
const GRPC_MESSAGES = (256 * MIB) / MESSAGE_BYTES;
const JSON_MESSAGES = (32 * MIB) / MESSAGE_BYTES;
/** What a call that nobody reads may hold in the hub, its share of V8's slack included. */
const MAX_STALLED_GROWTH_BYTES = 48 * MIB;
/** That of Node 20: later ones let garbage grow further, which says nothing of what is held. */
const YOUNG_GENERATION = "--max-semi-space-size=16";
/** The most that the hub may grow while all of it passes at full speed: mostly garbage not collected yet. */
const MAX_PEAK_GROWTH_BYTES = 96 * MIB;
/** What lies in windows and sockets between the two ends, and in the end that does not read. */
const MAX_IN_FLIGHT_BYTES = 24 * MIB;
/** So many calls are answered in a row without a byte having moved: the stream stands still. */
const STILL_CALLS = 50;

/** Messages that the service has written, or has read, in the stream at hand. */
let moved = 0;
let openGate = (): void => {};
let gate = Promise.resolve();

const payload = Buffer.alloc(MESSAGE_BYTES, "0123456789");
const sample = behavior("");
const service: BehaviorServiceServer = {
  unary: sample.unary,
  bidiStream: sample.bidiStream,
  serverStream: (call) => {
    const messages = call.request.behavior?.responseCount ?? 0;
    const write = (): void => {
      while (moved < messages && !call.cancelled) {
        moved++;
        if (!call.write(ServerStreamResponse.fromPartial({ payload, index: moved - 1 }))) {
          call.once("drain", write);
          return;
        }
      }
      call.end();
    };
    write();
  },
  clientStream: (call, callback) => {
    let bytes = 0;
    void gate.then(() => {
      call.on("data", (request: ClientStreamRequest) => {
        bytes += request.payload.length;
      });
      call.on("end", () => callback(null, ClientStreamResponse.fromPartial({ requestBytes: String(bytes) })));
    });
  },
};

const scope = { after };
const running = await serveBehavior(scope, service);

async function hubFor(
  t: Parameters<typeof startHub>[0],
): Promise<{ hub: Hub; still: () => Promise<void>; before: number }> {
  const hub = await startHub(t, [`behavior=${running.address}`], { nodeOptions: [YOUNG_GENERATION] });
  const bystander = behaviorClient(t, hub.address);
  const answered = async (): Promise<void> => {
    const { code, details } = await callUnary(bystander, { payload: Buffer.from("still there?") });
    assert.equal(code, status.OK, details);
  };
  for (let i = 0; i < 200; i++) await answered();
  moved = 0;
  const still = async (): Promise<void> => {
    let at = -1;
    for (let calls = 0; calls < STILL_CALLS; calls++) {
      await answered();
      if (moved !== at) calls = 0;
      at = moved;
    }
  };
  return { hub, still, before: residentBytes(hub.program.pid) };
}

function assertStalled(
  what: string,
  hub: Hub,
  before: number,
  t: { diagnostic(message: string): void },
): void {
  const inFlight = moved * MESSAGE_BYTES;
  const growth = residentBytes(hub.program.pid) - before;
  t.diagnostic(`stalled: ${mib(inFlight)} on the way, the hub grew by ${mib(growth)}`);
  assert.ok(moved > 0, `${what} began`);
  assert.ok(inFlight < MAX_IN_FLIGHT_BYTES, `${mib(inFlight)} left the sender`);
  assert.ok(growth < MAX_STALLED_GROWTH_BYTES, `the hub grew by ${mib(growth)}`);
}

function assertPeak(hub: Hub, before: number, t: { diagnostic(message: string): void }): void {
  const growth = peakResidentBytes(hub.program.pid) - before;
  t.diagnostic(`at most, the hub grew by ${mib(growth)}`);
  assert.ok(growth < MAX_PEAK_GROWTH_BYTES, `the hub grew by ${mib(growth)}`);
}

/** A message as it stands in a gRPC stream. */
function frame(message: Uint8Array): Buffer {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
}

const mib = (bytes: number): string => `${(bytes / MIB).toFixed(1)} MiB`;

describe("a client that does not read", () => {
  test("gRPC: the service is held back, then all of it comes", async (t) => {
    const { hub, still, before } = await hubFor(t);
    // Not by grpc-js: its client reads on, whoever listens.
    const session = connect(`http://${hub.address}`);
    const call = session.request({
      ":method": "POST",
      ":path": "/test.v1.BehaviorService/ServerStream",
      "content-type": "application/grpc",
      te: "trailers",
    });
    const request = ServerStreamRequest.fromPartial({ behavior: { responseCount: GRPC_MESSAGES } });
    call.end(frame(ServerStreamRequest.encode(request).finish()));
    const trailers = once(call, "trailers");
    await once(call, "response");
    await still();
    assertStalled("the stream", hub, before, t);
    let bytes = 0;
    for await (const chunk of call) bytes += chunk.length;
    assert.ok(bytes > GRPC_MESSAGES * MESSAGE_BYTES);
    const [fields] = await trailers;
    assert.equal(fields["grpc-status"], "0");
    session.close();
    assertPeak(hub, before, t);
  });

  for (const version of VERSIONS) {
    test(`NDJSON over HTTP/${version}: the service is held back, then all of it comes`, async (t) => {
      const { hub, still, before } = await hubFor(t);
      const pending = openHttp(
        version,
        hub.address,
        `/test/v1/server-stream?behavior.response_count=${JSON_MESSAGES}`,
        {
          headers: { accept: "application/x-ndjson" },
        },
      );
      const { body } = await pending.answer;
      await still();
      assertStalled("the stream", hub, before, t);
      let lines = 0;
      let bytes = 0;
      for await (const chunk of body) {
        assert.ok(Buffer.isBuffer(chunk));
        bytes += chunk.length;
        for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, at + 1)) lines++;
      }
      pending.leave();
      assert.equal(lines, JSON_MESSAGES);
      assert.ok(bytes > (JSON_MESSAGES * MESSAGE_BYTES * 4) / 3);
      assertPeak(hub, before, t);
    });
  }
});

test("a service that does not read holds a fast client back, then has all of it", async (t) => {
  const { hub, still, before } = await hubFor(t);
  gate = new Promise((resolve) => {
    openGate = resolve;
  });
  const client = behaviorClient(t, hub.address);
  let uploading: ReturnType<typeof client.clientStream> | undefined;
  const outcome = single<ClientStreamResponseType>((callback) => {
    const call = client.clientStream(new Metadata(), {}, callback);
    uploading = call;
    call.on("error", () => {});
    const write = (): void => {
      while (moved < GRPC_MESSAGES) {
        moved++;
        if (!call.write(ClientStreamRequest.fromPartial({ payload }))) {
          call.once("drain", write);
          return;
        }
      }
      call.end();
    };
    write();
    return call;
  });
  assert.ok(uploading);
  await still();
  assertStalled("the upload", hub, before, t);
  openGate();
  const { code, details, messages } = await outcome;
  assert.equal(code, status.OK, details);
  assert.equal(messages[0]?.requestBytes, BigInt(GRPC_MESSAGES * MESSAGE_BYTES));
  assertPeak(hub, before, t);
});

test("64 clients that do not read hold no more than their windows", async (t) => {
  const { hub, still, before } = await hubFor(t);
  const clients = 64;
  const calls = Array.from({ length: clients }, () => {
    moved = 0;
    return openHttp("2", hub.address, `/test/v1/server-stream?behavior.response_count=${JSON_MESSAGES}`, {
      headers: { accept: "application/x-ndjson" },
    });
  });
  await Promise.all(calls.map(({ answer }) => answer));
  await still();
  const growth = residentBytes(hub.program.pid) - before;
  t.diagnostic(`${clients} stalled streams: the hub grew by ${mib(growth)}`);
  assert.ok(growth < 128 * MIB, `the hub grew by ${mib(growth)}`);
  for (const { leave } of calls) leave();
});
