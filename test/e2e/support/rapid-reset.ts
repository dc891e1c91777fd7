// Clients that cancel in a hurry, and one that does not, at a service that they share.
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { status } from "@grpc/grpc-js";
import { BidiStreamRequest } from "#generated/test/v1/behavior.js";
import { ErrorCode } from "#src/http2/wire/protocol.js";
import { type Fields, HELLO, headers, RawPeer, rst } from "../../support/frames.js";
import { behaviorClient, callUnary, streamed } from "./grpc.js";
import { startHub } from "./hub.js";
import { ROOT, type Scope } from "./program.js";

/** Together far more than nghttp2 takes (1000, and 33 per second); each fewer than the hub takes from one client. */
const ATTACKERS = 3;
const BATCHES = 4;
const BATCH = 200;

const NEVER_ANSWERED: Fields = [
  [":method", "POST"],
  [":scheme", "http"],
  [":path", "/test.v1.BehaviorService/BidiStream"],
  [":authority", "attack"],
  ["te", "trailers"],
  ["content-type", "application/grpc"],
];

/** Opens calls and cancels them before they are answered, batch by batch, on one connection. */
async function attack(address: string): Promise<void> {
  const [host = "", port = ""] = address.split(":");
  const socket = connect({ host, port: Number(port) });
  await once(socket, "connect");
  const peer = new RawPeer(socket, "client");
  peer.send(HELLO);
  let id = 1;
  for (let batch = 0; batch < BATCHES; batch++) {
    const ids = Array.from({ length: BATCH }, () => {
      id += 2;
      return id;
    });
    peer.send(...ids.map((one) => headers(one, NEVER_ANSWERED)));
    await peer.roundTrip();
    peer.send(...ids.map((one) => rst(one, ErrorCode.CANCEL)));
    await peer.roundTrip();
  }
  assert.equal(peer.ended, false, `the hub ended the connection: ${peer.describe().slice(-200)}`);
  socket.destroy();
}

/** A counter of /metrics, summed over its series. */
async function metric(adminUrl: string, name: string): Promise<number> {
  const text = await (await fetch(`${adminUrl}/metrics`)).text();
  const lines = text.split("\n").filter((line) => line.startsWith(`${name}{`));
  return lines.reduce((sum, line) => sum + Number(line.split(" ").at(-1)), 0);
}

/** Fails when one of the calm client's calls does, or when the service was sent more resets than it should be. */
export async function assertCalmDuringResets(t: Scope, address: string): Promise<void> {
  const hub = await startHub(t, [`behavior=${address}`, `--protoset=${ROOT}generated/image.binpb`]);
  const calm = behaviorClient(t, hub.address);
  const stream = calm.bidiStream();
  let answers = 0;
  let heard = (): void => {};
  const ended = streamed(stream, () => {
    answers++;
    heard();
  });
  const ask = (): Promise<void> =>
    new Promise((resolve) => {
      // A stream that was broken off is told of below.
      void ended.then(() => resolve());
      heard = resolve;
      stream.write(BidiStreamRequest.fromPartial({ payload: Buffer.from("x") }));
    });
  await ask();

  const codes = new Map<number, number>();
  let running = true;
  const unary = async (): Promise<void> => {
    while (running) {
      const { code } = await callUnary(calm, { payload: Buffer.from("x") });
      codes.set(code, (codes.get(code) ?? 0) + 1);
    }
  };
  const callers = [unary(), unary()];
  await Promise.all(Array.from({ length: ATTACKERS }, () => attack(hub.address)));
  await ask();
  running = false;
  await Promise.all(callers);
  stream.end();
  assert.equal((await ended).code, status.OK);
  assert.equal(answers, 2);
  assert.deepEqual([...codes.keys()], [status.OK]);

  const sent = await metric(hub.adminUrl, "linchpin_upstream_resets_sent_total");
  const retired = await metric(hub.adminUrl, "linchpin_upstream_connections_retired_total");
  assert.ok(retired >= 1, `${retired} connections retired`);
  assert.ok(sent >= 100 && sent <= 100 * (retired + 1), `${sent} resets on ${retired} connections`);
}
