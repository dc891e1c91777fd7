// curl, h2load and ghz through the hub: HTTP/1.1 and HTTP/2 by prior knowledge, JSON and gRPC, and load.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { SERVERS, startHub } from "./support/peers.js";
import { program, ROOT, run, type Server } from "./support/programs.js";

const running: Server[] = [];
const folder = mkdtempSync(join(tmpdir(), "linchpin-test-"));
let hub = "";

before(async () => {
  const server = await SERVERS["grpc-go"]?.();
  if (server === undefined) throw new Error("there is no grpc-go server");
  running.push(server);
  const started = await startHub([`behavior=${server.address}`]);
  running.push(started);
  hub = started.address;
});
after(async () => {
  for (const server of running.reverse()) await server.stop();
  rmSync(folder, { recursive: true, force: true });
});

interface Answer {
  readonly status: number;
  /** `1.1` or `2` */
  readonly version: string;
  readonly body: string;
}

async function curl(args: readonly string[], path: string, input = ""): Promise<Answer> {
  const format = "\n%{http_code} %{http_version}";
  const { code, stdout, stderr } = await run(
    program("curl"),
    ["-sS", "--max-time", "30", "-w", format, ...args, `http://${hub}${path}`],
    input,
  );
  assert.equal(code, 0, stderr);
  const [status = "", version = ""] = stdout.slice(stdout.lastIndexOf("\n") + 1).split(" ");
  return { status: Number(status), version, body: stdout.slice(0, stdout.lastIndexOf("\n")) };
}

const VERSIONS = [
  { flag: "--http1.1", version: "1.1" },
  { flag: "--http2-prior-knowledge", version: "2" },
] as const;

for (const { flag, version } of VERSIONS) {
  test(`curl ${flag}: JSON comes back`, async () => {
    const answer = await curl([flag, "--json", '{"payload":"aGk="}'], "/test/v1/unary");
    assert.equal(answer.status, 200, answer.body);
    assert.equal(answer.version, version);
    assert.match(answer.body, /"payload":\s*"aGk="/);
  });

  test(`curl ${flag}: a server stream`, async () => {
    const answer = await curl([flag], "/test/v1/server-stream?behavior.responseCount=5");
    assert.equal(answer.status, 200, answer.body);
    assert.match(answer.body, /"index":\s*4/);
  });

  test(`curl ${flag}: an unknown path is 404`, async () => {
    assert.equal((await curl([flag], "/test/v1/nothing")).status, 404);
  });

  test(`curl ${flag}: an unknown field is 400 and named`, async () => {
    const answer = await curl([flag, "--json", '{"payloadd":"aGk="}'], "/test/v1/unary");
    assert.equal(answer.status, 400, answer.body);
    assert.match(answer.body, /payloadd/);
  });

  test(`curl ${flag}: a payload of 2 MiB`, async () => {
    const payload = Buffer.alloc(2 << 20, "x").toString("base64");
    const answer = await curl([flag, "--json", "@-"], "/test/v1/unary", JSON.stringify({ payload }));
    assert.equal(answer.status, 200, answer.body.slice(0, 300));
    assert.ok(answer.body.includes(payload));
  });

  test(`curl ${flag}: a deadline is 504`, async () => {
    const body = '{"behavior":{"delay":"10s"}}';
    const answer = await curl([flag, "-H", "grpc-timeout: 100m", "--json", body], "/test/v1/unary");
    assert.equal(answer.status, 504, answer.body);
  });
}

test("h2load: no gRPC call of 20,000 fails, on 20 connections with 50 streams each", async () => {
  const message = Buffer.from([0x12, 5, ...Buffer.from("hello")]); // UnaryRequest { payload: "hello" }
  const file = join(folder, "request");
  writeFileSync(file, Buffer.concat([Buffer.from([0, 0, 0, 0, message.length]), message]));
  const { stdout } = await run(program("h2load"), [
    "-n20000",
    "-c20",
    "-m50",
    `-d${file}`,
    "-Hcontent-type: application/grpc",
    "-Hte: trailers",
    `http://${hub}/test.v1.BehaviorService/Unary`,
  ]);
  assert.match(stdout, / 20000 succeeded, 0 failed, 0 errored, 0 timeout/, stdout);
  // It does not read grpc-status: a refusal would carry no data.
  const data = Number(/\((\d+)\) data$/m.exec(stdout)?.[1]);
  assert.ok(data >= 20_000 * message.length, stdout);
});

test("ghz: every call of 20,000 ends with OK", async () => {
  const { stdout, stderr } = await run(program("ghz"), [
    "--insecure",
    `--protoset=${join(ROOT, "generated/image.binpb")}`,
    "--call=test.v1.BehaviorService.Unary",
    "--total=20000",
    "--concurrency=100",
    "--connections=4",
    "--format=json",
    '--data={"payload":"aGk="}',
    '--metadata={"x-echo-id":"{{newUUID}}"}',
    hub,
  ]);
  const report: unknown = JSON.parse(stdout || `{"error":${JSON.stringify(stderr)}}`);
  const codes =
    typeof report === "object" && report !== null ? Reflect.get(report, "statusCodeDistribution") : report;
  assert.deepEqual(codes, { OK: 20_000 });
});
