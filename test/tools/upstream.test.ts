// Services on grpc-go behind the hub: restarted under load, and shared with clients that cancel in a hurry.
import assert from "node:assert/strict";
import { test } from "node:test";
import { behaviorClient } from "../e2e/support/grpc.js";
import { startHub, startHubWithConfig } from "../e2e/support/hub.js";
import { assertNoneLost, grpcLoad, Load } from "../e2e/support/load.js";
import { assertCalmDuringResets } from "../e2e/support/rapid-reset.js";
import { SERVERS } from "./support/peers.js";
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

for (const [name, start] of Object.entries(SERVERS))
  test(`a real ${name} server is asked for its health, and leaves while it is watched`, {
    timeout,
  }, async (t) => {
    const server = await start();
    let running = true;
    t.after(() => (running ? server.stop() : undefined));
    const hub = await startHubWithConfig(
      t,
      `listen: 127.0.0.1:0
admin: 127.0.0.1:0
upstreams:
  known: { endpoints: ["${server.address}"], health: { service: test.v1.BehaviorService, timeout: 20s } }
  unknown: { endpoints: ["${server.address}"], health: { service: no.such.Service, timeout: 20s } }
`,
    );
    const endpoints = async (): Promise<string[]> => {
      const { upstreams } = JSON.parse(await (await fetch(`${hub.adminUrl}/upstreams`)).text());
      return upstreams.map((row: { endpoints: { state: string; why?: string }[] }) =>
        row.endpoints.map(({ state, why }) => `${state} ${why ?? ""}`).join(),
      );
    };
    await untilEqual(endpoints, ["ready ", "unhealthy it says SERVICE_UNKNOWN"]);
    running = false;
    // It waits for its streams to end: were the Watch one that stays, it would wait for ever.
    await server.stop();
    await untilEqual(
      async () => (await endpoints()).map((row) => row.split(" ")[0] ?? ""),
      ["backoff", "backoff"],
    );
  });

test("one client's cancelled calls cost others of the same grpc-go service no call", {
  timeout,
}, async (t) => {
  const server = await serve();
  t.after(() => server.stop());
  assert.match(server.address, /:\d+$/);
  await assertCalmDuringResets(t, server.address);
});

/** Asks again until it is so; the last answer is in the failure. */
async function untilEqual(ask: () => Promise<readonly string[]>, wanted: readonly string[]): Promise<void> {
  const begun = performance.now();
  for (;;) {
    const now = await ask();
    if (now.join() === wanted.join()) return;
    if (performance.now() - begun > 20_000) assert.deepEqual(now, wanted);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
