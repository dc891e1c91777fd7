// A call that one side gives up: the other side is told, whichever protocol the client speaks.
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect as connect2 } from "node:http2";
import { connect } from "node:net";
import { after, describe, test } from "node:test";
import { type Metadata, status } from "@grpc/grpc-js";
import {
  type BehaviorServiceClient,
  BidiStreamRequest,
  ClientStreamRequest,
  ServerStreamRequest,
  UnaryRequest,
} from "#generated/test/v1/behavior.js";
import { behaviorClient, callUnary, metadataOf, streamed } from "./support/grpc.js";
import { openHttp, requestOn, VERSIONS } from "./support/http.js";
import { type Hub, startHub, startHubWithConfig } from "./support/hub.js";
import { type Service, startService } from "./support/service.js";

const scope = { after };
const service = await startService(scope, "behavior");
const hub = await startHub(scope, [`behavior=${service.address}`]);
const client = behaviorClient(scope, hub.address);

/** Longer than any test. */
const FOREVER = { seconds: 3600n, nanos: 0 };
const FOREVER_JSON = "3600s";

let calls = 0;
function nextId(): string {
  return `call-${++calls}`;
}

interface Running {
  cancel(): void;
  on(event: "status", listener: (status: { code: number }) => void): unknown;
  on(event: "error", listener: (error: Error) => void): unknown;
}

/** A call of each kind that the service does not end. */
const ENDLESS: Readonly<Record<string, (client: BehaviorServiceClient, metadata: Metadata) => Running>> = {
  unary: (client, metadata) =>
    client.unary(UnaryRequest.fromPartial({ behavior: { delay: FOREVER } }), metadata, () => {}),
  serverStream: (client, metadata) =>
    client
      .serverStream(
        ServerStreamRequest.fromPartial({ behavior: { responseCount: 2, interval: FOREVER } }),
        metadata,
      )
      .resume(),
  clientStream: (client, metadata) => {
    const call = client.clientStream(metadata, () => {});
    call.write(ClientStreamRequest.fromPartial({}));
    return call;
  },
  bidiStream: (client, metadata) => {
    const call = client.bidiStream(metadata);
    call.write(BidiStreamRequest.fromPartial({}));
    return call.resume();
  },
};

async function codeOf(call: Running): Promise<number> {
  call.on("error", () => {});
  return new Promise((resolve) => call.on("status", ({ code }) => resolve(code)));
}

for (const [method, begin] of Object.entries(ENDLESS)) {
  describe(`gRPC, ${method}`, () => {
    test("the client cancels: the service sees it", async () => {
      const id = nextId();
      const call = begin(client, metadataOf([["x-call-id", id]]));
      const code = codeOf(call);
      await service.program.stdout.waitFor(new RegExp(`^began ${method} ${id}$`));
      call.cancel();
      await service.program.stdout.waitFor(new RegExp(`^cancelled ${method} ${id}$`));
      assert.equal(await code, status.CANCELLED);
    });

    test("the service dies: the client is notified UNAVAILABLE", async (t) => {
      const mortal = await startService(t, "behavior");
      const inFront = await startHub(t, [`behavior=${mortal.address}`]);
      const id = nextId();
      const code = codeOf(begin(behaviorClient(t, inFront.address), metadataOf([["x-call-id", id]])));
      await mortal.program.stdout.waitFor(new RegExp(`^began ${method} ${id}$`));
      mortal.program.kill("SIGKILL");
      assert.equal(await code, status.UNAVAILABLE);
    });
  });
}

test("gRPC: the client's connection breaks: the service sees every call of it", async () => {
  const [host = "", port = ""] = hub.address.split(":");
  const socket = connect(Number(port), host);
  const session = connect2(`http://${hub.address}`, { createConnection: () => socket });
  const ids = [nextId(), nextId()];
  for (const id of ids) {
    const stream = session.request({
      ":method": "POST",
      ":path": "/test.v1.BehaviorService/BidiStream",
      "content-type": "application/grpc",
      te: "trailers",
      "x-call-id": id,
    });
    stream.on("error", () => {});
    await service.program.stdout.waitFor(new RegExp(`^began bidiStream ${id}$`));
  }
  socket.destroy();
  for (const id of ids) await service.program.stdout.waitFor(new RegExp(`^cancelled bidiStream ${id}$`));
});

test("gRPC: a service that dies in the middle of a stream: what came before it is there", async (t) => {
  const mortal = await startService(t, "behavior");
  const inFront = await startHub(t, [`behavior=${mortal.address}`]);
  const call = behaviorClient(t, inFront.address).bidiStream();
  call.write(BidiStreamRequest.fromPartial({ payload: Buffer.from("one") }));
  const { code, messages } = await streamed(call, () => mortal.program.kill("SIGKILL"));
  assert.equal(code, status.UNAVAILABLE);
  assert.deepEqual(
    messages.map(({ payload }) => payload.toString()),
    ["one"],
  );
});

/** Requests over JSON that the service does not answer, or not to the end. */
const UNANSWERED = { path: "/test/v1/unary", method: "unary", body: { behavior: { delay: FOREVER_JSON } } };
const UNFINISHED = {
  path: "/test/v1/server-stream",
  method: "serverStream",
  body: { behavior: { responseCount: 2, interval: FOREVER_JSON } },
};

for (const version of VERSIONS) {
  describe(`JSON over HTTP/${version}`, () => {
    test("the client leaves before the answer: the service sees it", async () => {
      const id = nextId();
      const { path, method, body } = UNANSWERED;
      const pending = openHttp(version, hub.address, path, {
        body: JSON.stringify(body),
        headers: { "x-call-id": id },
      });
      const failed = assert.rejects(pending.answer);
      await service.program.stdout.waitFor(new RegExp(`^began ${method} ${id}$`));
      pending.leave();
      await service.program.stdout.waitFor(new RegExp(`^cancelled ${method} ${id}$`));
      await failed;
    });

    test("the client leaves in the middle of a stream: the service sees it", async () => {
      const id = nextId();
      const { path, method, body } = UNFINISHED;
      const pending = openHttp(version, hub.address, path, {
        body: JSON.stringify(body),
        headers: { "x-call-id": id, accept: "application/x-ndjson" },
      });
      const answer = await pending.answer;
      answer.body.on("error", () => {});
      await once(answer.body, "data");
      pending.leave();
      await service.program.stdout.waitFor(new RegExp(`^cancelled ${method} ${id}$`));
    });

    test("the service dies before its answer: 503", async (t) => {
      const { mortal, inFront } = await mortals(t);
      const id = nextId();
      const { path, method, body } = UNANSWERED;
      const pending = openHttp(version, inFront.address, path, {
        body: JSON.stringify(body),
        headers: { "x-call-id": id },
      });
      await mortal.program.stdout.waitFor(new RegExp(`^began ${method} ${id}$`));
      mortal.program.kill("SIGKILL");
      const answer = await pending.answer;
      assert.equal(answer.status, 503);
      pending.leave();
    });

    test("the service dies in mid-stream: the last line is the error", async (t) => {
      const { mortal, inFront } = await mortals(t);
      const { path, body } = UNFINISHED;
      const pending = openHttp(version, inFront.address, path, {
        body: JSON.stringify(body),
        headers: { accept: "application/x-ndjson" },
      });
      const answer = await pending.answer;
      let text = "";
      answer.body.once("data", () => mortal.program.kill("SIGKILL"));
      for await (const chunk of answer.body) text += chunk;
      const last: unknown = JSON.parse(text.trimEnd().split("\n").pop() ?? "");
      assert.equal(Reflect.get(Object(Reflect.get(Object(last), "error")), "code"), status.UNAVAILABLE, text);
      assert.equal(answer.trailers()["grpc-status"], String(status.UNAVAILABLE));
      pending.leave();
    });
  });
}

async function mortals(t: {
  after(fn: () => Promise<void>): void;
}): Promise<{ mortal: Service; inFront: Hub }> {
  const mortal = await startService(t, "behavior");
  return { mortal, inFront: await startHub(t, [`behavior=${mortal.address}`]) };
}

test("HTTP/2: one stream that is cancelled leaves the others of its connection alone", async () => {
  const session = connect2(`http://${hub.address}`);
  const id = nextId();
  const gone = requestOn(session, UNANSWERED.path, {
    body: JSON.stringify(UNANSWERED.body),
    headers: { "x-call-id": id },
  });
  const failed = assert.rejects(gone.answer);
  await service.program.stdout.waitFor(new RegExp(`^began unary ${id}$`));
  gone.leave();
  await service.program.stdout.waitFor(new RegExp(`^cancelled unary ${id}$`));
  await failed;
  const other = await requestOn(session, UNANSWERED.path, { body: "{}" }).answer;
  assert.equal(other.status, 200);
  other.body.resume();
  session.destroy();
});

test("HTTP/1.1: a client that leaves in the middle of its body leaves nothing running", async () => {
  const id = nextId();
  const [host = "", port = ""] = hub.address.split(":");
  const socket = connect(Number(port), host);
  socket.write(
    `POST /test/v1/unary HTTP/1.1\r\nhost: x\r\nx-call-id: ${id}\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{"payload"`,
  );
  socket.end();
  socket.resume();
  await once(socket, "close");
  assert.equal((await callUnary(client, {})).code, status.OK);
  assert.ok(!service.program.stdout.text.includes(id), "the service was never called");
});

test("an HTTP/1.1 client that does not read its stream: the service sees the end, the access log why", async () => {
  const strict = await startHubWithConfig(
    scope,
    `upstreams: { behavior: { endpoints: ["${service.address}"] } }
interceptors: { accessLog: { destination: stdout } }
limits: { stallTimeout: 300ms }
`,
  );
  const [host = "", port = ""] = strict.address.split(":");
  const id = nextId();
  const path = "/test/v1/server-stream?behavior.response_bytes=65536&behavior.response_count=1000";
  const socket = connect(Number(port), host);
  socket.on("error", () => {});
  socket.pause();
  socket.write(`GET ${path} HTTP/1.1\r\nhost: x\r\nx-call-id: ${id}\r\n\r\n`);
  await service.program.stdout.waitFor(new RegExp(`^cancelled serverStream ${id}$`));
  const [line] = await strict.program.stdout.waitFor(/^\{.*"status":"CANCELLED".*$/);
  const { by, message, httpStatus, method } = JSON.parse(line);
  assert.deepEqual(
    { by, message, httpStatus, method },
    {
      by: "client",
      message: "the client left: the peer took nothing of an answer for 300 ms",
      httpStatus: 200,
      method: "test.v1.BehaviorService/ServerStream",
    },
  );
  const metrics = await (await fetch(`${strict.adminUrl}/metrics`)).text();
  assert.match(metrics, /^linchpin_http1_limits_passed_total\{linchpin_limit="stallTimeout"\} 1$/m);
  socket.destroy();
});
