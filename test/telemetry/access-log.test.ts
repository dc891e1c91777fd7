// The access log as who runs the hub reads it: one JSON line for each call, whole also when the hub ends at once.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { Metadata } from "@grpc/grpc-js";
import { behaviorClient, callUnary, metadataOf } from "../e2e/support/grpc.js";
import { http } from "../e2e/support/http.js";
import { type Hub, startHubWithConfig, temporaryFolder } from "../e2e/support/hub.js";
import { linchpin } from "../e2e/support/program.js";
import { startService } from "../e2e/support/service.js";

const scope = { after };
const [behavior, library] = await Promise.all([
  startService(scope, "behavior"),
  startService(scope, "library"),
]);

const hubWith = (interceptors: string): Promise<Hub> =>
  startHubWithConfig(
    scope,
    `upstreams:
  behavior: { endpoints: ["${behavior.address}"] }
  library: { endpoints: ["${library.address}"] }
interceptors: { ${interceptors} }
`,
  );

type Line = Readonly<Record<string, unknown>>;

function linesOf(text: string): Line[] {
  return text
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line): Line => JSON.parse(line));
}

/** Ends the hub, and returns what its log has then. */
async function ended(hub: Hub): Promise<Line[]> {
  hub.program.kill("SIGTERM");
  assert.equal((await hub.program.exited).code, 0);
  return linesOf(hub.program.stdout.text);
}

const TRACE = "4bf92f3577b34da6a3ce929d0e0e4736";
const SECRETS = {
  authorization: "Bearer hunter2",
  "x-api-key": "hunter2",
  cookie: "session=hunter2",
};

describe("a line on stdout", () => {
  let lines: Line[] = [];

  test("comes for each call, and none is lost when the hub drains", async () => {
    const hub = await hubWith("accessLog: { destination: stdout }");
    const client = behaviorClient(scope, hub.address);
    const metadata = metadataOf([
      ...Object.entries(SECRETS),
      ["traceparent", `00-${TRACE}-00f067aa0ba902b7-01`],
    ]);
    await callUnary(client, { payload: Buffer.from("hunter2") }, { metadata });
    const junk = new Metadata();
    junk.set("grpc-timeout", "junk");
    await callUnary(client, {}, { metadata: junk });
    await callUnary(client, { behavior: { refuse: { code: 5, message: "hunter2" } } });
    await http("1.1", hub.address, "/v1/books/none-such", {
      headers: { ...SECRETS, "user-agent": "x".repeat(1000) },
    });
    await http("2", hub.address, "/v1/books?page_token=hunter2");
    client.close();
    lines = await ended(hub);
    assert.equal(lines.length, 5, JSON.stringify(lines, undefined, 1));
  });

  test("of a gRPC call says who called what, where it went and how long it took", () => {
    const [line = {}] = lines;
    const { time, durationMs, upstreamMs, userAgent, responseBytes, ...rest } = line;
    assert.ok(Number(responseBytes) > 14);
    assert.ok(Math.abs(Date.parse(String(time)) - Date.now()) < 60_000);
    assert.ok(Number(upstreamMs) > 0 && Number(durationMs) >= Number(upstreamMs));
    assert.match(String(userAgent), /grpc-node-js/);
    assert.deepEqual(rest, {
      level: "info",
      protocol: "grpc",
      method: "test.v1.BehaviorService/Unary",
      code: 0,
      status: "OK",
      by: "upstream",
      requestBytes: 14,
      upstream: "behavior",
      endpoint: behavior.address,
      attempts: 1,
      traceId: TRACE,
      peer: "127.0.0.1",
    });
  });

  test("of a refused call says which rule refused it", () => {
    const line = lines[1];
    assert.equal(line?.level, "warn");
    assert.equal(line?.by, "hub");
    assert.equal(line?.status, "INVALID_ARGUMENT");
    assert.match(String(line?.message), /grpc-timeout/);
    assert.equal(line?.attempts, 0);
    assert.equal(line?.upstream, undefined);
  });

  test("of a JSON request says route, path and HTTP status", () => {
    const line = lines[3];
    assert.deepEqual(
      [line?.protocol, line?.httpMethod, line?.httpRoute, line?.httpPath, line?.httpStatus, line?.status],
      ["rest", "GET", "/v1/{name=books/*}", "/v1/books/none-such", 404, "NOT_FOUND"],
    );
    assert.equal(line?.method, "library.v1.LibraryService/GetBook");
    assert.ok(String(line?.userAgent).length <= 201);
    assert.equal(lines[4]?.httpPath, "/v1/books");
  });

  test("never has a credential, a message or a query in it", () =>
    assert.ok(!JSON.stringify(lines).includes("hunter2")));
});

test("a sample leaves calls out that ended well, and none that failed", async () => {
  const hub = await hubWith("accessLog: { destination: stdout, sample: 0 }");
  for (let i = 0; i < 3; i++) await http("1.1", hub.address, "/v1/books?page_size=1");
  await http("1.1", hub.address, "/v1/books/none-such");
  const lines = await ended(hub);
  assert.deepEqual(
    lines.map(({ status }) => status),
    ["NOT_FOUND"],
  );
});

test("a file is appended to, over restarts", async () => {
  const file = join(await temporaryFolder(scope), "access.log");
  for (let i = 0; i < 2; i++) {
    const hub = await hubWith(`accessLog: { destination: "${file}" }`);
    await http("1.1", hub.address, "/v1/books?page_size=1");
    assert.deepEqual(await ended(hub), []);
  }
  assert.equal(linesOf(await readFile(file, "utf8")).length, 2);
});

test("a file that cannot be written is reported in one sentence", async () => {
  await assert.rejects(hubWith('accessLog: { destination: "/none-such/access.log" }'), (error) => {
    assert.match(
      String(error),
      /linchpin\.yaml:4:\d+: interceptors\.accessLog\.destination: \/none-such: no such file or directory/,
    );
    return true;
  });
});

describe("text that a client made up", () => {
  test("moves no cursor, and is the same text for those who read the JSON", async () => {
    const hub = await hubWith("accessLog: { destination: stdout }");
    const hostile = "\u009b2J\u0085";
    // A byte per character: HTTP/1.1 does not let it in.
    await http("2", hub.address, `/v1/${hostile}`);
    const fields = { "content-type": "application/grpc", te: "trailers" };
    await http("2", hub.address, `/a.B/${hostile}`, { method: "POST", headers: fields, body: "" });
    const lines = await ended(hub);
    assert.equal(lines.length, 2);
    assert.doesNotMatch(hub.program.stdout.text.replaceAll("\n", ""), /\p{Cc}|\p{Bidi_Control}/u);
    assert.match(JSON.stringify(lines), /\u009b2J/);
  });
});

/** What the hub says of itself. */
async function metric(hub: Hub, name: string): Promise<number> {
  const { text } = await http("1.1", hub.adminUrl.replace("http://", ""), "/metrics");
  return Number(new RegExp(`^${name} (\\d+)$`, "m").exec(text)?.[1]);
}

/** Calls, some of which fail, until the metric says that so many lines were lost. */
async function untilLost(hub: Hub, name: string, lost: number): Promise<void> {
  for (let calls = 0; ; calls++) {
    await http("1.1", hub.address, "/v1/books?page_size=1");
    if ((await metric(hub, name)) >= lost) return;
    assert.ok(calls < 5_000, `${name} stays at ${await metric(hub, name)}`);
  }
}

describe("a log that nobody reads", () => {
  test("a full disk: lines are dropped and counted, calls continue, and the hub exits on request", async () => {
    const hub = await hubWith('accessLog: { destination: "/dev/full" }');
    await untilLost(hub, "linchpin_access_log_dropped_total", 2);
    hub.program.kill("SIGTERM");
    assert.deepEqual(await hub.program.exited, { code: 0, signal: null });
  });

  test("a pipe that is not read: the hub ends nevertheless", async () => {
    const hub = await hubWith("accessLog: { destination: stdout }");
    hub.program.leave("stdout", "unread");
    // More than a pipe holds: 64 KiB.
    const path = `/v1/books?page_size=1`;
    for (let i = 0; i < 400; i++) {
      await http("1.1", hub.address, path, { headers: { "user-agent": "x".repeat(200) } });
    }
    hub.program.kill("SIGTERM");
    await hub.program.stderr.waitFor(/SIGTERM: draining/);
    await hub.program.exited.then(({ code }) => assert.equal(code, 0));
  });

  test("a pipe whose reader has gone: lines are lost and counted", async () => {
    const hub = await hubWith("accessLog: { destination: stdout }");
    hub.program.leave("stdout", "closed");
    await untilLost(hub, "linchpin_access_log_dropped_total", 2);
    hub.program.kill("SIGTERM");
    assert.deepEqual(await hub.program.exited, { code: 0, signal: null });
  });

  test("a FIFO without a reader is reported at the start, and does not hold it", async () => {
    const fifo = join(await temporaryFolder(scope), "fifo");
    execFileSync("mkfifo", [fifo]);
    await assert.rejects(
      hubWith(`accessLog: { destination: "${fifo}" }`),
      /the access log cannot be written: ENXIO/,
    );
  });
});

describe("the hub's own log", () => {
  /** Each has a reason that is logged once an hour for each client. */
  const nonsense = async ({ address }: Hub): Promise<void> => {
    const [, host = "", port = ""] = /^(.*):(\d+)$/.exec(address) ?? [];
    for (const request of ["GET / HTTP/1.1\r\nHost: a b\r\n\r\n", "GET / HTTP/1.1\r\n: x\r\n\r\n"]) {
      const socket = connect(Number(port), host);
      socket.end(request);
      socket.resume();
      await once(socket, "close");
    }
  };
  const config = `upstreams: { library: { endpoints: ["${library.address}"] } }`;

  test("whose reader has gone, as that of stdout, ends nothing", async () => {
    const hub = await startHubWithConfig(scope, config);
    hub.program.leave("stdout", "closed");
    hub.program.leave("stderr", "closed");
    await nonsense(hub);
    assert.equal((await http("1.1", hub.address, "/v1/books?page_size=1")).status, 200);
    assert.ok((await metric(hub, "linchpin_log_dropped_total")) >= 1);
    hub.program.kill("SIGTERM");
    assert.deepEqual(await hub.program.exited, { code: 0, signal: null });
  });

  test("on a disk that is full ends nothing", async () => {
    const hub = await startHubWithConfig(scope, config, { stderr: "/dev/full" });
    await nonsense(hub);
    assert.ok((await metric(hub, "linchpin_log_dropped_total")) >= 1);
    assert.equal((await http("1.1", hub.address, "/v1/books?page_size=1")).status, 200);
    hub.program.kill("SIGTERM");
    assert.deepEqual(await hub.program.exited, { code: 0, signal: null });
  });
});

test("a command whose output no disk takes fails, and one whose reader has seen enough does not", async () => {
  const full = await linchpin(scope, ["config-schema"], { stdout: "/dev/full" });
  assert.equal(full.code, 1);
  assert.match(full.stderr, /standard output: ENOSPC/);
});
