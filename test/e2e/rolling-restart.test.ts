// A restart of service or hub under load: no call is lost.
import assert from "node:assert/strict";
import { once } from "node:events";
import { Agent, type IncomingMessage, request } from "node:http";
import { type ClientHttp2Session, connect } from "node:http2";
import { describe, test } from "node:test";
import { status } from "@grpc/grpc-js";
import { freeAddress } from "../support/free-address.js";
import { behaviorClient, callUnary } from "./support/grpc.js";
import { startHub, startHubWithConfig } from "./support/hub.js";
import { assertNoneLost, grpcLoad, Load } from "./support/load.js";
import type { Scope } from "./support/program.js";
import { type Service, startService } from "./support/service.js";

/** Stops a service as an orchestrator does, by SIGTERM, and starts the next in its place. */
async function restart(t: Scope, { program, address }: Service, instance: string): Promise<Service> {
  program.kill("SIGTERM");
  assert.deepEqual(await program.exited, { code: 0, signal: null });
  return startService(t, "behavior", { address, instance });
}

/** A service that can be started again at its address. */
async function restartable(t: Scope): Promise<Service> {
  return startService(t, "behavior", { address: await freeAddress() });
}

const timeout = 60_000;

describe("a service that is restarted under load", { timeout }, () => {
  test("one of two instances after the other: no call is lost", async (t) => {
    const instances = await Promise.all([restartable(t), restartable(t)]);
    const hub = await startHub(
      t,
      instances.map(({ address }) => `behavior=${address}`),
    );
    const load = grpcLoad(new Load(), behaviorClient(t, hub.address));
    load.add("json", 1, jsonCaller(t, [hub.address]));
    await load.goOn(10);
    for (const [i, service] of instances.entries()) {
      await restart(t, service, `new ${i}`);
      await load.reaches(`new ${i}`);
      await load.goOn(10);
    }
    assertNoneLost(await load.stop(), 4);
  });

  test("the only instance: calls wait until it is back, and none is lost", async (t) => {
    const only = await restartable(t);
    // On a machine that is busy with other tests a start may take a while.
    const hub = await startHubWithConfig(
      t,
      `upstreams: { behavior: { endpoints: ["${only.address}"], pending: { wait: 30s } } }
interceptors: { deadline: { default: 60s } }`,
    );
    const load = grpcLoad(new Load(), behaviorClient(t, hub.address));
    await load.goOn(10);
    await restart(t, only, "new");
    await load.reaches("new");
    await load.goOn(10);
    assertNoneLost(await load.stop(), 3);
  });

  test("the only instance, and it does not come back: calls fail at their deadline, or soon", async (t) => {
    const only = await restartable(t);
    const hub = await startHubWithConfig(
      t,
      `upstreams: { behavior: { endpoints: ["${only.address}"], pending: { wait: 1s } } }`,
    );
    const client = behaviorClient(t, hub.address);
    assert.equal((await callUnary(client, {})).code, status.OK);
    only.program.kill("SIGTERM");
    await only.program.exited;
    const [short, long] = await Promise.all([
      callUnary(client, {}, { options: { deadline: Date.now() + 200 } }),
      callUnary(client, {}),
    ]);
    assert.ok([status.DEADLINE_EXCEEDED, status.UNAVAILABLE].includes(short.code), short.details);
    assert.equal(long.code, status.UNAVAILABLE);
    assert.match(long.details, /"behavior" cannot be reached/);
  });
});

/** A keep-alive client of JSON over HTTP/1.1 that goes to the next address when one takes no connection. */
function jsonCaller(t: Scope, addresses: readonly string[]): () => Promise<string> {
  const agent = new Agent({ keepAlive: true });
  t.after(async () => agent.destroy());
  let at = 0;
  const post = (address: string): Promise<string> =>
    new Promise((resolve, reject) => {
      const sent = request(`http://${address}/test/v1/unary`, {
        agent,
        method: "POST",
        headers: { "content-type": "application/json" },
      });
      sent.on("response", (response: IncomingMessage) => {
        // Behind it nothing may be asked on this connection: the next call begins elsewhere.
        if (response.headers.connection === "close") at++;
        response
          .resume()
          .on("end", () => resolve(response.statusCode === 200 ? "ok" : `${response.statusCode}`));
        response.on("error", (error) => resolve(`answer: ${error.message}`));
      });
      sent.on("error", reject);
      sent.end(JSON.stringify({ payload: "eA==" }));
    });
  return async () => {
    for (;;) {
      try {
        return await post(addresses[at % addresses.length] ?? "");
      } catch (error) {
        const { code } = Object(error);
        // Nothing was sent: another address is a matter of course. All else is a lost call.
        if (code !== "ECONNREFUSED") return String(code);
        at++;
      }
    }
  };
}

/** A gRPC client on node:http2 that connects to the next address when it is told to leave. */
function http2Caller(t: Scope, addresses: readonly string[]): () => Promise<string> {
  let session: ClientHttp2Session | undefined;
  let at = -1;
  t.after(async () => session?.destroy());
  const next = async (): Promise<ClientHttp2Session> => {
    for (;;) {
      at++;
      const candidate = connect(`http://${addresses[at % addresses.length]}`);
      candidate.on("goaway", () => {
        if (session === candidate) session = undefined;
      });
      candidate.on("close", () => {
        if (session === candidate) session = undefined;
      });
      try {
        await once(candidate, "connect");
        candidate.on("error", () => {});
        session = candidate;
        return candidate;
      } catch {
        // Refused: the next address.
      }
    }
  };
  const call = async (): Promise<string> => {
    const stream = (session ?? (await next())).request({
      ":method": "POST",
      ":path": "/test.v1.BehaviorService/Unary",
      "content-type": "application/grpc",
      te: "trailers",
    });
    const ended = new Promise<string>((resolve) => {
      stream.on("trailers", (trailers) =>
        resolve(trailers["grpc-status"] === "0" ? "ok" : JSON.stringify(trailers)),
      );
      stream.on("response", (headers) => {
        if (headers["grpc-status"] !== undefined) resolve(`status ${String(headers["grpc-status"])}`);
      });
      stream.on("error", (error) => resolve(error.message));
      stream.on("close", () => resolve("closed without an answer"));
    });
    stream.resume();
    stream.end(Buffer.alloc(5));
    return ended;
  };
  return async () => {
    for (;;) {
      const ended = await call();
      // By node:http2 itself: a request that had not left when the GOAWAY came. It is sent elsewhere (RFC 9113 §8.7).
      if (!ended.includes("NGHTTP2_REFUSED_STREAM")) return ended;
    }
  };
}

describe("a hub that is drained under load while another takes over", { timeout }, () => {
  test("grpc-js round robin, node:http2 and HTTP/1.1 keep-alive clients lose no call", async (t) => {
    const service = await startService(t, "behavior");
    const target = [`behavior=${service.address}`];
    const [old, next] = await Promise.all([startHub(t, target), startHub(t, target)]);
    const addresses = [old.address, next.address];
    const client = behaviorClient(t, `ipv4:${addresses.join(",")}`, {
      // As it is by default: a call that crosses a GOAWAY is sent again by grpc-js itself.
      "grpc.enable_retries": 1,
      "grpc.service_config": JSON.stringify({ loadBalancingConfig: [{ round_robin: {} }] }),
    });
    const load = grpcLoad(new Load(), client);
    for (let i = 0; i < 2; i++) load.add("http2", 1, http2Caller(t, addresses));
    for (let i = 0; i < 2; i++) load.add("json", 1, jsonCaller(t, addresses));
    await load.goOn(10);
    old.program.kill("SIGTERM");
    assert.deepEqual(await old.program.exited, { code: 0, signal: null });
    await load.goOn(10);
    assertNoneLost(await load.stop(), 5);
  });
});
