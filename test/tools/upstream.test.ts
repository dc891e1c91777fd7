// Services on grpc-go behind the hub: restarted under load, and shared with clients that cancel in a hurry.
import assert from "node:assert/strict";
import { test } from "node:test";
import { behaviorClient } from "../e2e/support/grpc.js";
import { startHub } from "../e2e/support/hub.js";
import { assertNoneLost, grpcLoad, Load } from "../e2e/support/load.js";
import { assertCalmDuringResets } from "../e2e/support/rapid-reset.js";
import { program, startServer } from "./support/programs.js";

const timeout = 60_000;
const serve = (...args: string[]) => startServer(program("linchpin-peer-go"), ["serve", ...args]);

test("two grpc-go instances, restarted one after the other (GracefulStop): no call is lost", {
  timeout,
}, async (t) => {
  const instances = await Promise.all([serve("old 0"), serve("old 1")]);
  const running = new Set(instances);
  t.after(() => Promise.all([...running].map((server) => server.stop())));
  const hub = await startHub(
    t,
    instances.map(({ address }) => `behavior=${address}`),
  );
  const load = grpcLoad(new Load(), behaviorClient(t, hub.address));
  await load.goOn(10);
  for (const [i, server] of instances.entries()) {
    await server.stop();
    running.delete(server);
    running.add(await serve(`new ${i}`, server.address));
    await load.reaches(`new ${i}`);
    await load.goOn(10);
  }
  assertNoneLost(await load.stop(), 3);
});

test("one client's cancelled calls cost others of the same grpc-go service no call", {
  timeout,
}, async (t) => {
  const server = await serve();
  t.after(() => server.stop());
  assert.match(server.address, /:\d+$/);
  await assertCalmDuringResets(t, server.address);
});
