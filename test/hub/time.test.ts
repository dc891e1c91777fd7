// A hub on a clock that is moved by hand: what it does when time passes, over real sockets.
import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { type TestContext, test } from "node:test";
import type { HubOptions, RunningHub } from "#src/hub.js";
import { startHub } from "#src/hub.js";
import type { Runtime } from "#src/kit/runtime.js";
import { UserError } from "#src/kit/text/user-error.js";
import { configOf } from "#src/settings/load.js";
import { behaviorClient, callUnary } from "../e2e/support/grpc.js";
import { serveBehavior } from "../e2e/support/service.js";
import { FakeClock } from "../support/fake-clock.js";
import { turns, until } from "../support/until.js";

const LISTEN = "127.0.0.1:0";

/** A server that takes connections and says nothing. */
async function mute(t: TestContext): Promise<{ address: string; sockets: Set<Socket> }> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    socket.once("close", () => sockets.delete(socket));
    socket.resume();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  const { port } = server.address() as AddressInfo;
  return { address: `127.0.0.1:${port}`, sockets };
}

/** Starts a hub on a clock of its own, and takes down what it says. */
function onClock(t: TestContext, config: object, options: HubOptions = {}) {
  const clock = new FakeClock();
  const runtime: Runtime = { clock, random: () => 0.5, env: {} };
  const lines: string[] = [];
  const say = (message: string): void => void lines.push(message);
  const log = { info: say, warn: say, error: say };
  const started = startHub(configOf({ listen: LISTEN, admin: false, ...config }), log, {
    ...options,
    runtime,
  });
  let hub: RunningHub | undefined;
  started.then(
    (running) => {
      hub = running;
    },
    () => undefined,
  );
  t.after(async () => (await started).close());
  return { clock, lines, started, running: () => hub };
}

test("an upstream that does not answer is waited for two seconds at the start", async (t) => {
  const { address, sockets } = await mute(t);
  const { clock, started, running } = onClock(t, { upstreams: { silent: { endpoints: [address] } } });
  await until(() => sockets.size > 0, "the hub to connect");
  clock.advance(1_999);
  await turns();
  assert.equal(running(), undefined, "it waits");
  clock.advance(1);
  const hub = await started;
  assert.equal(hub.ready, false);
  assert.deepEqual(hub.notReady, ["learning the services of 1 upstream"]);
});

test("readiness.wait ends the wait for an upstream that was never learned", async (t) => {
  const { address } = await mute(t);
  const config = { upstreams: { silent: { endpoints: [address] } }, readiness: { wait: "30s" } };
  const { clock, started, lines } = onClock(t, config);
  await turns();
  clock.advance(2_000);
  const hub = await started;
  clock.advance(29_999);
  assert.equal(hub.ready, false);
  clock.advance(1);
  assert.equal(hub.ready, true);
  assert.match(lines.join("\n"), /ready after 30 s, though not learned yet: silent/);
});

test("an upstream that a reload drops keeps its connections for ten seconds", async (t) => {
  const [before, after] = [await mute(t), await mute(t)];
  const of = ({ address }: { address: string }) => ({ endpoints: [address], schema: "none" });
  const readConfig = async () => configOf({ listen: LISTEN, admin: false, upstreams: { b: of(after) } });
  const { clock, started } = onClock(t, { upstreams: { a: of(before) } }, { readConfig });
  const hub = await started;
  await until(() => before.sockets.size === 1, "a connection to the first");
  clock.advance(500);
  assert.deepEqual(await hub.reload(), []);
  assert.deepEqual(hub.lastReload, { succeeded: true, at: clock.wallTime() });
  await until(() => after.sockets.size === 1, "a connection to the second");
  clock.advance(9_999);
  await turns();
  assert.equal(before.sockets.size, 1);
  clock.advance(1);
  await until(() => before.sockets.size === 0, "the first to be left");
});

test("a failed reload records when, and changes nothing", async (t) => {
  const { address } = await mute(t);
  const readConfig = () => Promise.reject(new UserError("linchpin.yaml:1:1: no such key"));
  const upstreams = { a: { endpoints: [address], schema: "none" } };
  const { clock, started, lines } = onClock(t, { upstreams }, { readConfig });
  const hub = await started;
  assert.deepEqual(hub.lastReload, { succeeded: true, at: clock.wallTime() });
  clock.advance(3_600_000);
  await assert.rejects(hub.reload("SIGHUP"), /no such key/);
  assert.deepEqual(hub.lastReload, { succeeded: false, at: clock.wallTime() });
  assert.deepEqual(
    hub.upstreams().map(({ name }) => name),
    ["a"],
  );
  assert.match(lines.join("\n"), /SIGHUP: nothing was changed: linchpin\.yaml:1:1: no such key/);
});

test("a drain accepts for its delay, waits for calls, and cuts those that run when its time is over", async (t) => {
  const service = await serveBehavior(t);
  const { clock, started, lines } = onClock(t, {
    upstreams: { behavior: { endpoints: [service.address] } },
    interceptors: { deadline: { default: "none" } },
    drain: { delay: "5s", grace: "25s" },
  });
  const hub = await started;
  const address = hub.url.slice("http://".length);
  const long = callUnary(behaviorClient(t, address), { behavior: { delay: { seconds: 3600, nanos: 0 } } });
  await until(() => hub.upstreams()[0]?.endpoints[0]?.calls === 1, "the call to reach the service");
  let drained = false;
  const drain = hub.drain().then(() => {
    drained = true;
  });
  assert.deepEqual(hub.notReady, ["draining"]);
  clock.advance(4_999);
  const late = await callUnary(behaviorClient(t, address), { behavior: {} });
  assert.equal(late.code, 0, "it still accepts");
  clock.advance(1);
  await refusesConnections(address);
  clock.advance(19_999);
  await turns();
  assert.equal(drained, false, "it waits for the call");
  clock.advance(1);
  const { code, details } = await long;
  assert.equal(code, 14);
  assert.match(details, /the hub is leaving, and the call did not end in time/);
  assert.match(lines.join("\n"), /1 call cut: the grace time of the drain is over/);
  await drain;
});

async function refusesConnections(address: string): Promise<void> {
  const [host, port] = address.split(":");
  for (let refused = false; !refused; ) {
    const socket = connect(Number(port), host);
    refused = await new Promise((resolve) => {
      socket.once("connect", () => resolve(false));
      socket.once("error", () => resolve(true));
    });
    socket.destroy();
  }
}
