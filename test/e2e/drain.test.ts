// SIGTERM and SIGINT: running calls end, new ones go elsewhere, and the process leaves with 0.
import assert from "node:assert/strict";
import { once } from "node:events";
import { Agent, request } from "node:http";
import { connect as connect2 } from "node:http2";
import { connect } from "node:net";
import { after, describe, test } from "node:test";
import { status } from "@grpc/grpc-js";
import { BidiStreamRequest } from "#generated/test/v1/behavior.js";
import { behaviorClient, callUnary, metadataOf, streamed } from "./support/grpc.js";
import { HealthClient } from "./support/health.js";
import { openHttp, VERSIONS } from "./support/http.js";
import { type Hub, startHub, startHubWithConfig } from "./support/hub.js";
import type { Scope } from "./support/program.js";
import { startService } from "./support/service.js";

const service = await startService({ after }, "behavior");

const hubFor = (t: Scope): Promise<Hub> => startHub(t, [`behavior=${service.address}`]);
const draining = (hub: Hub) => hub.program.stderr.waitFor(/draining/);

function addressOf(hub: Hub): { host: string; port: number } {
  const [host = "", port = ""] = hub.address.split(":");
  return { host, port: Number(port) };
}

/** What a new connection meets: `connected`, or the system's code. */
async function knock(hub: Hub): Promise<string> {
  const socket = connect(addressOf(hub));
  // `once` rejects with what comes as `error`.
  const met = once(socket, "connect").then(
    () => "connected",
    (error: unknown) => String(Reflect.get(Object(error), "code")),
  );
  return met.finally(() => socket.destroy());
}

/** The log tells of a drain a moment before the listeners close. */
async function refuses(hub: Hub): Promise<void> {
  const limit = performance.now() + 30_000;
  let met = await knock(hub);
  while (met !== "ECONNREFUSED" && performance.now() < limit) met = await knock(hub);
  assert.equal(met, "ECONNREFUSED");
}

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  test(`${signal}: a hub without calls leaves with 0`, async (t) => {
    const hub = await hubFor(t);
    hub.program.kill(signal);
    assert.deepEqual(await hub.program.exited, { code: 0, signal: null });
  });
}

test("a running stream continues while new connections are refused, and its end is the hub's", async (t) => {
  const hub = await hubFor(t);
  const call = behaviorClient(t, hub.address).bidiStream();
  let next = (): void => {};
  const outcome = streamed(call, () => next());
  const answered = (): Promise<void> =>
    new Promise((resolve) => {
      next = resolve;
      call.write(BidiStreamRequest.fromPartial({}));
    });
  await answered();
  hub.program.kill("SIGTERM");
  await draining(hub);
  await refuses(hub);
  const ready = await fetch(`${hub.adminUrl}/readyz`);
  assert.equal(ready.status, 503);
  assert.match(await ready.text(), /draining/);
  assert.equal((await fetch(`${hub.adminUrl}/livez`)).status, 200);
  await answered();
  await answered();
  call.end();
  assert.equal((await outcome).code, status.OK);
  assert.deepEqual(await hub.program.exited, { code: 0, signal: null });
});

test("a running unary call ends well, by gRPC and by JSON over both versions", async (t) => {
  const hub = await hubFor(t);
  const delay = { seconds: 0n, nanos: 500_000_000 };
  const grpc = callUnary(
    behaviorClient(t, hub.address),
    { behavior: { delay } },
    { metadata: metadataOf([["x-call-id", "drain-grpc"]]) },
  );
  const json = VERSIONS.map((version) =>
    openHttp(version, hub.address, "/test/v1/unary", {
      body: JSON.stringify({ behavior: { delay: "0.5s" } }),
      headers: { "x-call-id": `drain-${version}` },
    }),
  );
  for (const id of ["grpc", ...VERSIONS])
    await service.program.stdout.waitFor(new RegExp(`^began unary drain-${id}$`));
  hub.program.kill("SIGTERM");
  await draining(hub);
  assert.equal((await grpc).code, status.OK);
  for (const { answer } of json) {
    const { status: code, body } = await answer;
    assert.equal(code, 200);
    await once(body.resume(), "end");
  }
  assert.deepEqual(await hub.program.exited, { code: 0, signal: null });
});

test("HTTP/2 clients get two GOAWAYs, and no call is lost between", async (t) => {
  const hub = await hubFor(t);
  const session = connect2(`http://${hub.address}`);
  t.after(() => session.destroy());
  await once(session, "remoteSettings");
  const goaways: number[] = [];
  session.on("goaway", (code, lastStreamId) => {
    assert.equal(code, 0);
    goaways.push(lastStreamId);
  });
  const closed = once(session, "close");
  hub.program.kill("SIGTERM");
  await closed;
  assert.equal(goaways[0], 2 ** 31 - 1);
  assert.deepEqual(await hub.program.exited, { code: 0, signal: null });
});

test("/healthz is 503 for HTTP clients that are still connected", async (t) => {
  const hub = await hubFor(t);
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  t.after(() => agent.destroy());
  const ask = async (): Promise<{ status: unknown; text: string; connection: unknown }> => {
    const [response] = await once(request(`http://${hub.address}/healthz`, { agent }).end(), "response");
    const { statusCode, headers } = response;
    return { status: statusCode, text: (await response.toArray()).join(""), connection: headers.connection };
  };
  assert.equal((await ask()).status, 200);
  hub.program.kill("SIGTERM");
  await draining(hub);
  const { status: code, text, connection } = await ask();
  assert.equal(code, 503, text);
  assert.match(text, /"reason":"NOT_SERVING"/);
  assert.equal(connection, "close");
  assert.deepEqual(await hub.program.exited, { code: 0, signal: null });
});

test("watchers of the health hear NOT_SERVING", async (t) => {
  const hub = await hubFor(t);
  const health = new HealthClient(t, hub.address);
  const seen: string[] = [];
  const call = health.watch("");
  const leaving = new Promise<void>((resolve) => {
    call.on("data", (serving: string) => {
      seen.push(serving);
      if (serving === "SERVING") hub.program.kill("SIGTERM");
      else resolve();
    });
  });
  await leaving;
  assert.deepEqual(seen, ["SERVING", "NOT_SERVING"]);
  call.cancel();
  assert.deepEqual(await hub.program.exited, { code: 0, signal: null });
});

describe("clients that only sit there do not hold the hub", () => {
  const IDLE: Readonly<Record<string, (hub: Hub, t: Scope) => Promise<void>>> = {
    "a connection that has said nothing": async (hub, t) => {
      const socket = connect(addressOf(hub)).on("error", () => {});
      t.after(async () => void socket.destroy());
      await once(socket, "connect");
      // One more that is answered: the one before it has been accepted.
      assert.equal((await callUnary(behaviorClient(t, hub.address), {})).code, status.OK);
    },
    "HTTP/1.1, kept alive": async (hub, t) => {
      const agent = new Agent({ keepAlive: true });
      t.after(async () => agent.destroy());
      const sent = request(`http://${hub.address}/test/v1/unary`, { agent, method: "POST" });
      sent.setHeader("content-type", "application/json").end("{}");
      const [response] = await once(sent, "response");
      await once(response.resume(), "end");
    },
    "HTTP/2 without calls": async (hub, t) => {
      const session = connect2(`http://${hub.address}`).on("error", () => {});
      t.after(async () => session.destroy());
      await once(session, "remoteSettings");
    },
    "a grpc-js client without calls": async (hub, t) => {
      assert.equal((await callUnary(behaviorClient(t, hub.address), {})).code, status.OK);
    },
  };
  for (const [name, open] of Object.entries(IDLE)) {
    test(name, async (t) => {
      const hub = await hubFor(t);
      await open(hub, t);
      const since = Date.now();
      hub.program.kill("SIGTERM");
      assert.deepEqual(await hub.program.exited, { code: 0, signal: null });
      assert.ok(Date.now() - since < 4_000, `it took ${Date.now() - since} ms`);
    });
  }
});

test("calls that do not end within the grace period are ended, and the hub still exits with 0", async (t) => {
  const hub = await startHubWithConfig(
    t,
    `{ upstreams: { behavior: { endpoints: ["${service.address}"] } }, drain: { grace: 300ms } }`,
  );
  const call = behaviorClient(t, hub.address).bidiStream();
  const outcome = streamed(call, () => hub.program.kill("SIGTERM"));
  call.write(BidiStreamRequest.fromPartial({}));
  assert.deepEqual(await hub.program.exited, { code: 0, signal: null });
  assert.equal((await outcome).code, status.UNAVAILABLE);
});

describe("a delay of the drain", () => {
  const withDelay = (t: Scope, drain: string): Promise<Hub> =>
    startHubWithConfig(
      t,
      `{ upstreams: { behavior: { endpoints: ["${service.address}"] } }, drain: ${drain} }`,
    );

  test("the hub says that it is leaving, and still accepts connections and calls", async (t) => {
    const hub = await withDelay(t, "{ delay: 1h, grace: 2h }");
    hub.program.kill("SIGTERM");
    await hub.program.stderr.waitFor(/draining; new calls are accepted for 3600 s more/);
    assert.equal((await fetch(`${hub.adminUrl}/readyz`)).status, 503);
    assert.equal((await fetch(`http://${hub.address}/healthz`)).status, 503);
    assert.equal(await knock(hub), "connected");
    assert.equal((await callUnary(behaviorClient(t, hub.address), {})).code, status.OK);
    hub.program.kill("SIGTERM");
    assert.deepEqual(await hub.program.exited, { code: 143, signal: null });
  });

  test("then it drains, and leaves with 0", async (t) => {
    const hub = await withDelay(t, "{ delay: 200ms, grace: 20s }");
    hub.program.kill("SIGTERM");
    assert.deepEqual(await hub.program.exited, { code: 0, signal: null });
  });
});

test("calls that do not end within the grace period get an error in their protocol", async (t) => {
  const hub = await startHubWithConfig(
    t,
    `{ upstreams: { behavior: { endpoints: ["${service.address}"] } }, drain: { grace: 400ms } }`,
  );
  const body = JSON.stringify({ behavior: { responseCount: 2, interval: "3600s" } });
  const STREAMS = [
    ["application/json", /,\{"error":\{"code":14,"message":"the hub is leaving[^\n]*\}\]$/],
    ["application/x-ndjson", /\n\{"error":\{"code":14,"message":"the hub is leaving[^\n]*\}\n$/],
    ["text/event-stream", /\nevent: failed\ndata: \{"code":14,"message":"the hub is leaving[^\n]*\}\n\n$/],
  ] as const;
  const streams = await Promise.all(
    VERSIONS.flatMap((version) =>
      STREAMS.map(async ([accept, expected]) => {
        const { answer } = openHttp(version, hub.address, "/test/v1/server-stream", {
          body,
          headers: { accept },
        });
        const { status: code, body: events } = await answer;
        assert.equal(code, 200);
        return { what: `${accept} over ${version}`, expected, text: events.toArray() };
      }),
    ),
  );
  const call = behaviorClient(t, hub.address).bidiStream();
  const outcome = streamed(call, () => hub.program.kill("SIGTERM"));
  call.write(BidiStreamRequest.fromPartial({}));
  assert.deepEqual(await hub.program.exited, { code: 0, signal: null });
  assert.match(hub.program.stderr.text, /warn +7 calls cut: the grace time of the drain is over/);
  const { code, details } = await outcome;
  assert.deepEqual(
    [code, details],
    [status.UNAVAILABLE, "the hub is leaving, and the call did not end in time"],
  );
  for (const { what, expected, text } of streams) assert.match((await text).join(""), expected, what);
});

test("a second signal ends the hub at once", async (t) => {
  const hub = await hubFor(t);
  const call = behaviorClient(t, hub.address).bidiStream();
  const outcome = streamed(call, () => hub.program.kill("SIGTERM"));
  call.write(BidiStreamRequest.fromPartial({}));
  await draining(hub);
  hub.program.kill("SIGINT");
  assert.deepEqual(await hub.program.exited, { code: 130, signal: null });
  assert.notEqual((await outcome).code, status.OK);
});

test("SIGHUP does not end the hub", async (t) => {
  const hub = await hubFor(t);
  hub.program.kill("SIGHUP");
  await hub.program.stderr.waitFor(/SIGHUP/);
  assert.equal((await callUnary(behaviorClient(t, hub.address), {})).code, status.OK);
});

for (const [how, code] of [
  ["is thrown", 'throw new Error("escaped")'],
  ["is rejected", 'Promise.reject(new Error("escaped"))'],
] as const) {
  test(`what ${how} outside of every barrier: running calls end well, and the process leaves with 70`, async (t) => {
    const thrown = `data:text/javascript,process.on("SIGUSR2", () => { ${code}; });`;
    const hub = await startHub(t, [`behavior=${service.address}`], { nodeOptions: [`--import=${thrown}`] });
    const call = behaviorClient(t, hub.address).bidiStream();
    let next = (): void => {};
    const outcome = streamed(call, () => next());
    const answered = (): Promise<void> =>
      new Promise((resolve) => {
        next = resolve;
        call.write(BidiStreamRequest.fromPartial({}));
      });
    await answered();
    // Not only the first: what comes while it drains changes nothing.
    hub.program.kill("SIGUSR2");
    await draining(hub);
    hub.program.kill("SIGUSR2");
    await refuses(hub);
    await answered();
    call.end();
    assert.equal((await outcome).code, status.OK);
    assert.deepEqual(await hub.program.exited, { code: 70, signal: null });
    const told = hub.program.stderr.matching(/fault [0-9a-f]{8} of the hub, outside of any call.*escaped/);
    assert.equal(told.length, 1, hub.program.stderr.text);
  });
}
