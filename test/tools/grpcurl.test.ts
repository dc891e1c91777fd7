// grpcurl through the hub without any file: it lists, describes and calls by the hub's own reflection.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileOf } from "../e2e/support/hub.js";
import { SERVERS, startHub, startWithoutReflection } from "./support/peers.js";
import { type Ended, program, ROOT, run, type Server } from "./support/programs.js";

const running: Server[] = [];
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
});

function grpcurl(args: readonly string[], input = ""): Promise<Ended> {
  const [options, rest] = [args.filter((a) => a.startsWith("-")), args.filter((a) => !a.startsWith("-"))];
  return run(program("grpcurl"), ["-plaintext", ...options, hub, ...rest], input);
}

test("list names the services behind the hub, and the hub's own", async () => {
  const { stdout, stderr } = await grpcurl(["list"]);
  const services = stdout.trim().split("\n");
  for (const name of ["test.v1.BehaviorService", "grpc.health.v1.Health"])
    assert.ok(services.includes(name), `${name} is not among ${stdout}${stderr}`);
});

test("list names the methods of a service", async () => {
  const { stdout } = await grpcurl(["list", "test.v1.BehaviorService"]);
  assert.deepEqual(
    stdout
      .trim()
      .split("\n")
      .map((line) => line.replace("test.v1.BehaviorService.", ""))
      .sort(),
    ["BidiStream", "ClientStream", "ServerStream", "Unary"],
  );
});

test("describe shows the HTTP rules that the service's authors wrote", async () => {
  const { stdout } = await grpcurl(["describe", "test.v1.BehaviorService.Unary"]);
  assert.match(stdout, /google\.api\.http/);
  assert.match(stdout, /"\/test\/v1\/unary"/);
});

test("describe shows a message", async () => {
  const { stdout } = await grpcurl(["describe", ".test.v1.UnaryRequest"]);
  assert.match(stdout, /bytes payload = 2/);
});

test("a unary call", async () => {
  const { code, stdout, stderr } = await grpcurl(['-d={"payload":"aGk="}', "test.v1.BehaviorService/Unary"]);
  assert.equal(code, 0, stderr);
  assert.match(stdout, /"payload": "aGk="/);
  assert.match(stdout, /"instance": "grpc-go"/);
});

test("a server stream", async () => {
  const { code, stdout, stderr } = await grpcurl([
    '-d={"behavior":{"responseCount":3}}',
    "test.v1.BehaviorService/ServerStream",
  ]);
  assert.equal(code, 0, stderr);
  assert.equal(stdout.match(/^\{/gm)?.length, 3);
});

test("a client stream", async () => {
  const { code, stdout, stderr } = await grpcurl(
    ["-d=@", "test.v1.BehaviorService/ClientStream"],
    '{"payload":"aGk="}{"payload":"aGk="}{}',
  );
  assert.equal(code, 0, stderr);
  assert.match(stdout, /"requestCount": "3"/);
});

test("both ways", async () => {
  const { code, stdout, stderr } = await grpcurl(
    ["-d=@", "test.v1.BehaviorService/BidiStream"],
    '{"payload":"aGk="}{"payload":"aG8="}',
  );
  assert.equal(code, 0, stderr);
  assert.match(stdout, /"payload": "aGk="[\s\S]*"payload": "aG8="/);
});

test("a refusal shows its code and message", async () => {
  const { code, stderr } = await grpcurl([
    '-d={"behavior":{"refuse":{"code":5,"message":"no such book"}}}',
    "test.v1.BehaviorService/Unary",
  ]);
  assert.equal(code, 64 + 5, stderr);
  assert.match(stderr, /NotFound[\s\S]*no such book/);
});

test("a refusal of the hub's own shows its details, which no service's descriptors have", async (t) => {
  const dir = mkdtempSync(join(tmpdir(), "grpcurl-"));
  t.after(() => rmSync(dir, { recursive: true }));
  const config = join(dir, "linchpin.yaml");
  writeFileSync(
    config,
    `upstreams: { behavior: { endpoints: ["${running[0]?.address}"] } }
interceptors: { auth: { required: false, apiKeys: { keys: [{ name: web, sha256: "${"0".repeat(64)}" }] } } }
methods: { test.v1.BehaviorService/Unary: { auth: required } }
`,
  );
  const guarded = await startHub([], [`--config=${config}`]);
  t.after(() => guarded.stop());
  const args = ["-plaintext", guarded.address, "test.v1.BehaviorService/Unary"];
  const { stderr } = await run(program("grpcurl"), args, "");
  assert.match(stderr, /Unauthenticated/);
  assert.match(stderr, /"@type": "type.googleapis.com\/google.rpc.ErrorInfo",[\s\S]*"reason": "[A-Z_]+"/);
});

test("health", async () => {
  const { stdout, stderr } = await grpcurl(["grpc.health.v1.Health/Check"]);
  assert.match(stdout, /"status": "SERVING"/, stderr);
});

test("a service without reflection, by the caller's own .proto files", async (t) => {
  const server = await startWithoutReflection();
  running.push(server);
  const config = await fileOf(
    t,
    "linchpin.yaml",
    `upstreams: { legacy: { endpoints: ["${server.address}"], schema: none, services: [test.v1.BehaviorService] } }`,
  );
  const started = await startHub([], [`--config=${config}`]);
  running.push(started);
  const files = [
    `-import-path=${ROOT}proto`,
    `-import-path=${ROOT}node_modules/google-proto-files`,
    "-proto=test/v1/behavior.proto",
  ];
  const call = (method: string, input: string): Promise<Ended> =>
    run(
      program("grpcurl"),
      ["-plaintext", ...files, "-d=@", started.address, `test.v1.BehaviorService/${method}`],
      input,
    );
  for (const [method, input, expected] of [
    ["Unary", '{"payload":"aGk="}', /"payload": "aGk="[\s\S]*"instance": "grpcio"/],
    ["ServerStream", '{"behavior":{"responseCount":3}}', /"index": 2/],
    ["ClientStream", '{"payload":"aGk="}{"payload":"aGk="}{}', /"requestCount": "3"/],
    ["BidiStream", '{"payload":"aGk="}{"payload":"aG8="}', /"payload": "aGk="[\s\S]*"payload": "aG8="/],
  ] as const) {
    const { code, stdout, stderr } = await call(method, input);
    assert.equal(code, 0, `${method}: ${stderr}`);
    assert.match(stdout, expected, method);
  }
  const refused = await call("Unary", '{"behavior":{"refuse":{"code":5,"message":"no such book"}}}');
  assert.equal(refused.code, 64 + 5, refused.stderr);
  assert.match(refused.stderr, /no such book/);
  const listed = await run(program("grpcurl"), ["-plaintext", started.address, "describe"]);
  assert.equal(listed.code, 0, listed.stderr);
  assert.ok(!listed.stdout.includes("BehaviorService"));
});
