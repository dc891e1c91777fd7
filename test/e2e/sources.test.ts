// Where services and routes come from: files instead of reflection, rules and a prefix of the config, several
// upstreams; and the commands that show it without serving.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { status } from "@grpc/grpc-js";
import { behaviorClient, callUnary, metadataOf } from "./support/grpc.js";
import { http, VERSIONS } from "./support/http.js";
import { startHub, startHubWithConfig, temporaryFolder } from "./support/hub.js";
import { LINCHPIN, linchpin, ROOT, startNode } from "./support/program.js";
import { startService } from "./support/service.js";

const scope = { after };
const IMAGE = `${ROOT}generated/image.binpb`;
const mute = await startService(scope, "behavior", { reflection: false });
const library = await startService(scope, "library");

describe("services from files", { concurrency: true }, () => {
  const SOURCES: Readonly<Record<string, readonly string[]>> = {
    "a descriptor set": [`--protoset=${IMAGE}`],
    "a folder of .proto files": [`--proto=${ROOT}proto`],
  };
  for (const [name, args] of Object.entries(SOURCES)) {
    test(`${name}: gRPC, and JSON by the rules that it holds`, async (t) => {
      const hub = await startHub(t, [`behavior=${mute.address}`, ...args]);
      assert.equal((await callUnary(behaviorClient(t, hub.address), {})).code, status.OK);
      for (const version of VERSIONS) {
        const answer = await http(version, hub.address, "/test/v1/unary", { body: '{"payload":"aGk="}' });
        assert.equal(answer.status, 200, answer.text);
        assert.match(answer.text, /"payload":\s*"aGk="/);
      }
      assert.match(hub.program.stdout.text, /test\.v1\.BehaviorService/);
    });
  }

  test("a file that takes its time is waited for", async (t) => {
    // Longer than it waits for an upstream that is asked over the network.
    const slow = `data:text/javascript,${encodeURIComponent(`
      import fs from "node:fs/promises";
      import { syncBuiltinESMExports } from "node:module";
      const { open } = fs;
      fs.open = async (path, ...rest) => {
        if (path === ${JSON.stringify(IMAGE)}) {
          await new Promise((resolve) => setTimeout(resolve, 2500));
          console.log("opened late");
        }
        return open(path, ...rest);
      };
      syncBuiltinESMExports();
    `)}`;
    const hub = await startHub(t, [`behavior=${mute.address}`, `--protoset=${IMAGE}`], {
      nodeOptions: [`--import=${slow}`],
    });
    assert.equal(hub.program.stdout.matching(/opened late/).length, 1);
    const answer = await http("1.1", hub.address, "/test/v1/unary", { body: "{}" });
    assert.equal(answer.status, 200, answer.text);
  });

  test("a service without reflection and without files: the hub says what is missing", async (t) => {
    const hub = await startHub(t, [`behavior=${mute.address}`]);
    const [warning] = hub.program.stderr.matching(/upstream "behavior".*reflection/);
    assert.match(warning?.input ?? "", /--protoset|protoset/, hub.program.stderr.text);
  });
});

describe("the config's rules and prefix", () => {
  test("rules are laid over those of the service, and every path starts with the prefix", async (t) => {
    const hub = await startHubWithConfig(
      t,
      `
upstreams:
  library: { endpoints: ["${library.address}"] }
  behavior: { endpoints: ["${mute.address}"], schema: { protoset: "${IMAGE}" } }
http:
  prefix: /api
  rules:
    - selector: test.v1.BehaviorService.Unary
      post: /echo/{behavior.response_bytes}
      body: "*"
      additional_bindings: [{ get: "/echo" }]
`,
    );
    for (const version of VERSIONS) {
      const echoed = await http(version, hub.address, "/api/echo/3", { body: "{}" });
      assert.equal(echoed.status, 200, echoed.text);
      assert.match(echoed.text, /"payload":\s*"bGlu"/);
      assert.equal((await http(version, hub.address, "/api/echo?payload=aGk")).status, 200);
      assert.equal((await http(version, hub.address, "/api/v1/books")).status, 200);
      assert.equal((await http(version, hub.address, "/v1/books")).status, 404);
      assert.equal((await http(version, hub.address, "/echo")).status, 404);
    }
    // gRPC has no prefix.
    assert.equal((await callUnary(behaviorClient(t, hub.address), {})).code, status.OK);
  });
});

describe("several upstreams", () => {
  test("each has its own services", async (t) => {
    const behavior = await startService(t, "behavior");
    const hub = await startHub(t, [`one=${library.address}`, `two=${behavior.address}`]);
    assert.equal((await callUnary(behaviorClient(t, hub.address), {})).code, status.OK);
    assert.equal((await http("2", hub.address, "/v2/books")).status, 200);
    // On a busy machine it may say that it learned one of them late.
    assert.deepEqual(hub.program.stderr.matching(/"one".*"two"|"two".*"one"/), []);
  });

  test("of the same service in two, the first wins, with a warning", async (t) => {
    const one = await startService(t, "behavior", { instance: "first" });
    const two = await startService(t, "behavior", { instance: "second" });
    const hub = await startHub(t, [`one=${one.address}`, `two=${two.address}`]);
    const client = behaviorClient(t, hub.address);
    for (let i = 0; i < 10; i++) {
      const { headers } = await callUnary(client, {}, { metadata: metadataOf([["x-echo-i", String(i)]]) });
      assert.deepEqual(headers?.get("x-served-by"), ["first"]);
    }
    const warnings = hub.program.stderr.matching(/test\.v1\.BehaviorService/);
    assert.equal(warnings.length, 1, hub.program.stderr.text);
    assert.match(warnings[0]?.input ?? "", /"two".*"one"/);
  });
});

describe("commands", () => {
  test("routes: every route of a server", async (t) => {
    const { code, stdout, stderr } = await linchpin(t, ["routes", library.address]);
    assert.equal(code, 0, stderr);
    assert.match(stdout, /^GET\s+\/v1\/books\s+library\.v1\.LibraryService\/ListBooks/m);
    assert.match(stdout, /^gRPC\s+\/library\.v2\.LibraryService\/GetBook/m);
  });

  test("routes: which rule answers a request", async (t) => {
    const { code, stdout } = await linchpin(t, ["routes", library.address, "GET", "/v1/books/emma"]);
    assert.equal(code, 0);
    assert.match(stdout, /library\.v1\.LibraryService\/GetBook/);
  });

  test("routes: of a server that is down, a sentence and exit 1", async (t) => {
    const { code, stderr } = await linchpin(t, ["routes", "gone=127.0.0.1:1"]);
    assert.equal(code, 1);
    assert.match(stderr, /upstream "gone"/);
    assert.doesNotMatch(stderr, /\n\s+at /);
  });

  test("descriptors: what it writes is what --protoset takes", async (t) => {
    const behavior = await startService(t, "behavior");
    const file = join(await temporaryFolder(t), "services.binpb");
    const { code, stderr } = await linchpin(t, ["descriptors", behavior.address, "-o", file]);
    assert.equal(code, 0, stderr);
    assert.ok((await readFile(file)).includes("test.v1"));
    const hub = await startHub(t, [`behavior=${mute.address}`, `--protoset=${file}`]);
    const answer = await http("1.1", hub.address, "/test/v1/unary", { body: "{}" });
    assert.equal(answer.status, 200, answer.text);
  });

  test("demo: books by JSON from two instances, and it ends in good order", async (t) => {
    const demo = startNode(t, LINCHPIN, ["demo", "--listen=127.0.0.1:0", "--admin=127.0.0.1:0"]);
    const [, address = ""] = await demo.stdout.waitFor(/^listening on http:\/\/(\S+)$/);
    const served = new Set<unknown>();
    for (let i = 0; i < 100 && served.size < 2; i++) {
      const answer = await http("1.1", address, "/v1/books?page_size=1");
      assert.equal(answer.status, 200, answer.text);
      served.add(answer.headers["x-served-by"]);
    }
    assert.equal(served.size, 2);
    demo.kill("SIGTERM");
    assert.deepEqual(await demo.exited, { code: 0, signal: null });
  });

  test("demo: every command that it suggests for curl answers", async (t) => {
    const demo = startNode(t, LINCHPIN, ["demo", "--listen=127.0.0.1:0", "--admin=127.0.0.1:0"]);
    await demo.stdout.waitFor(/^listening on/);
    const suggested = demo.stdout.matching(/curl .*?(http:\/\/[^\s']+)/);
    assert.ok(suggested.length >= 4, demo.stdout.text);
    for (const { input, 1: url = "" } of suggested) {
      const body = /--json '([^']*)'/.exec(input)?.[1];
      const init =
        body === undefined ? {} : { method: "POST", body, headers: { "content-type": "application/json" } };
      const answer = await fetch(url, init);
      assert.equal(answer.status, 200, `${input}: ${await answer.text()}`);
    }
  });
});
