// Hundreds of reloads while calls go on: none is lost, and what an earlier config needed is gone.
import assert from "node:assert/strict";
import { test } from "node:test";
import { status } from "@grpc/grpc-js";
import { startHub } from "#src/hub.js";
import { configOf } from "#src/settings/load.js";
import type { Config } from "#src/settings/sections.js";
import { behaviorClient, callServerStream, callUnary } from "../e2e/support/grpc.js";
import { serveBehavior } from "../e2e/support/service.js";
import { collectGarbage } from "../support/collect-garbage.js";
import { FakeClock } from "../support/fake-clock.js";
import { turns, until } from "../support/until.js";

const RELOADS = 200;
/** Until code is compiled and caches are full. */
const WARM_UP = 30;
/** An upstream that a reload has dropped is closed by then. */
const RETIREMENT_MS = 11_000;
/** What one hub's reloads may leave behind, all together: a generation that is kept is some 200 kB. */
const GROWTH_BYTES = 8 * 1024 * 1024;

const silent = { info() {}, warn() {}, error() {} };

/** What keeps the process busy: timers, sockets, servers, by kind. */
function resources(): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const kind of process.getActiveResourcesInfo()) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  return counts;
}

/** Calls run meanwhile: there may be fewer timers and immediates than there were. */
function atMost(now: ReadonlyMap<string, number>, before: ReadonlyMap<string, number>): boolean {
  return [...now].every(([kind, count]) => count <= (before.get(kind) ?? 0));
}

const listed = (counts: ReadonlyMap<string, number>): string => JSON.stringify([...counts].sort());

test(`${RELOADS} reloads under load lose no call, and leave no connection, timer or memory behind`, async (t) => {
  const services = await Promise.all([serveBehavior(t), serveBehavior(t), serveBehavior(t)]);
  const addresses = services.map(({ address }) => address);
  // Each differs from the one before in endpoints, limits, policies, upstreams and routes.
  const config = (n: number): Config =>
    configOf({
      listen: "127.0.0.1:0",
      admin: false,
      upstreams: {
        behavior: {
          endpoints: n % 3 === 0 ? addresses : [addresses[n % 3], addresses[(n + 1) % 3]],
          pending: { max: 500 + (n % 7) },
        },
        ...(n % 2 === 1
          ? {
              [`other${n % 5}`]: {
                endpoints: [addresses[0]],
                schema: "none",
                services: [`other.v${n % 5}.S`],
              },
            }
          : {}),
      },
      interceptors: {
        deadline: { default: `${20 + (n % 4)}s` },
        quota: [{ name: "all", key: [], rate: `${100_000 + (n % 2)}/s` }],
      },
      methods: { "test.v1.BehaviorService/Unary": { deadline: `${30 + (n % 2)}s` } },
    });
  const clock = new FakeClock();
  let current = config(0);
  const hub = await startHub(current, silent, {
    readConfig: async () => current,
    runtime: { clock, random: Math.random, env: {} },
  });
  t.after(() => hub.close());
  const client = behaviorClient(t, new URL(hub.url).host);

  let calls = 0;
  const lost: string[] = [];
  let running = true;
  const note = ({ code, details }: { code: number; details: string }): void => {
    calls++;
    if (code !== status.OK) lost.push(`${code} ${details}`);
  };
  const caller = async (call: () => Promise<{ code: number; details: string }>): Promise<void> => {
    while (running) note(await call());
  };
  const payload = Buffer.from("x");
  const unary = () => callUnary(client, { payload });
  const stream = () =>
    callServerStream(client, {
      behavior: { responseCount: 3, interval: { seconds: 0n, nanos: 3_000_000 } },
      payload,
    });
  const callers = [unary, unary, unary, stream].map(caller);

  let reloads = 0;
  const reload = async (next: Config): Promise<void> => {
    current = next;
    await hub.reload();
  };
  const reloadOften = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i++) {
      const before = calls;
      await reload(config(++reloads));
      await until(() => calls > before || lost.length > 0, "a call between two reloads");
    }
  };
  /** With the first config, once what earlier ones had is retired. */
  const settled = async (): Promise<number> => {
    await reload(config(0));
    clock.advance(RETIREMENT_MS);
    await turns();
    collectGarbage();
    return process.memoryUsage().heapUsed;
  };
  await reloadOften(WARM_UP);
  const before = await settled();
  const open = resources();
  const timers = clock.pending;
  await reloadOften(RELOADS);
  const growth = (await settled()) - before;
  await until(() => atMost(resources(), open), `${listed(resources())} is at most ${listed(open)}`);
  running = false;
  await Promise.all(callers);
  assert.deepEqual(lost, []);
  // Those of calls come and go.
  assert.ok(clock.pending <= timers + 20, `${timers} timers before, ${clock.pending} after`);
  assert.ok(growth < GROWTH_BYTES, `${RELOADS} reloads: ${growth} bytes`);
});
