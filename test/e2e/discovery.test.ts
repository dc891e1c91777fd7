// The hub with a source of endpoints: what its users see of it while the list comes, changes, goes wrong and is reloaded.
import assert from "node:assert/strict";
import { rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, test } from "node:test";
import { status } from "@grpc/grpc-js";
import { behaviorClient, callUnary } from "./support/grpc.js";
import { fileOf, startHub, temporaryFolder } from "./support/hub.js";
import { startService } from "./support/service.js";

const scope = { after };
const [one, two] = await Promise.all([
  startService(scope, "behavior", { instance: "one" }),
  startService(scope, "behavior", { instance: "two" }),
]);

test("a file of endpoints: not there at first, then read, changed, wrong, and left alone by a reload", async (t) => {
  const list = join(await temporaryFolder(t), "behavior.yaml");
  const config = await fileOf(
    t,
    "linchpin.yaml",
    `upstreams: { behavior: { endpoints: "file:${list}", pending: { wait: 0s } } }\nreadiness: { wait: none }\n`,
  );
  const hub = await startHub(t, ["--config", config]);
  const get = async (path: string): Promise<string> => (await fetch(`${hub.adminUrl}${path}`)).text();
  const client = behaviorClient(t, hub.address);
  const instance = async (): Promise<string | undefined> =>
    (await callUnary(client, {})).messages[0]?.seen?.instance;

  // Nothing is known yet.
  assert.match(hub.program.stdout.text, /behavior \(file:\/\/\S+behavior\.yaml, no endpoint known yet\)/);
  assert.match(await get("/readyz"), /finding the endpoints of 1 upstream/);
  assert.equal((await callUnary(client, {})).code, status.UNAVAILABLE);
  assert.match(await get("/upstreams"), /"problem": "\S+behavior\.yaml: no such file or directory"/);
  assert.match(await get("/metrics"), /^linchpin_upstream_discovery_successful\{\S*"behavior"\S*\} 0$/m);

  await writeFile(list, `["${one.address}"]`);
  const ready = async (): Promise<boolean> => (await fetch(`${hub.adminUrl}/readyz`)).ok;
  for (const end = performance.now() + 30_000; !(await ready()); )
    assert.ok(performance.now() < end, hub.program.stderr.text);
  assert.equal(await instance(), "one");

  // Another list, and one that is wrong.
  await writeFile(`${list}.new`, `- ${two.address}\n`);
  await rename(`${list}.new`, list);
  let now = await instance();
  for (const end = performance.now() + 30_000; now !== "two" && performance.now() < end; )
    now = await instance();
  assert.equal(now, "two");
  await writeFile(list, "- nowhere\n");
  await hub.program.stderr.waitFor(
    /upstream "behavior": its endpoints are not known, or out of date: \S+behavior\.yaml:1:3: \[0\]: must be HOST:PORT/,
  );
  assert.equal(await instance(), "two");
  assert.match(await get("/upstreams"), /"since": "20\d\d-/);

  // What a reload does not touch goes on: the problem is that of the same watch.
  const told = /"since": "(\S+)"/.exec(await get("/upstreams"))?.[1];
  assert.equal((await fetch(`${hub.adminUrl}/reload`, { method: "POST" })).status, 200);
  assert.equal(/"since": "(\S+)"/.exec(await get("/upstreams"))?.[1], told);
  await writeFile(list, `[{ address: "${two.address}", weight: 2 }]`);
  await hub.program.stderr.waitFor(/upstream "behavior": its endpoints are known again/);
  const [, connections] = /"connections": (\d+)/.exec(await get("/upstreams")) ?? [];
  assert.equal(connections, "1");

  // A list in its place: the connection to the endpoint that stays is kept.
  const refused = 'upstreams: { behavior: { endpoints: "file:///" } }\n';
  await writeFile(config, refused);
  const answer = await fetch(`${hub.adminUrl}/reload`, { method: "POST" });
  assert.equal(answer.status, 409);
  assert.match(
    await answer.text(),
    /linchpin\.yaml:1:37: upstreams\.behavior\.endpoints: file: must name a file/,
  );
  await writeFile(config, `upstreams: { behavior: { endpoints: [${two.address}] } }\n`);
  assert.equal((await fetch(`${hub.adminUrl}/reload`, { method: "POST" })).status, 200);
  assert.equal(await instance(), "two");
  assert.doesNotMatch(await get("/upstreams"), /"source"/);
});
