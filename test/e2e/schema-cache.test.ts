// A hub that starts while its services are down serves what it remembers of them, and learns them when they come.
import assert from "node:assert/strict";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { status } from "@grpc/grpc-js";
import { LibraryServiceService } from "#generated/library/v1/library.js";
import { type RunningSample, serve } from "#src/samples/common/serve.js";
import { startLibrary } from "#src/samples/library/server.js";
import { Store } from "#src/samples/library/store.js";
import { libraryV1 } from "#src/samples/library/v1.js";
import { freeAddress } from "../support/free-address.js";
import { behaviorClient, callUnary } from "./support/grpc.js";
import { HealthClient } from "./support/health.js";
import { http, VERSIONS } from "./support/http.js";
import { fileOf, type Hub, startHub, temporaryFolder } from "./support/hub.js";
import { linchpin, type Scope } from "./support/program.js";
import { serveBehavior, startService } from "./support/service.js";

const scope = { after };

async function startV1(owner: Scope, port: number): Promise<RunningSample> {
  const implementation = libraryV1(new Store());
  const service = { name: "library.v1.LibraryService", definition: LibraryServiceService, implementation };
  const running = await serve([service], { port, image: "image.binpb" });
  owner.after(() => running.close(0));
  return running;
}

interface Setting {
  readonly folder: string;
  readonly address: string;
  readonly port: number;
  /** The one file in the folder. */
  readonly file: string;
  /** Starts a hub with the same config. */
  start(owner: Scope): Promise<Hub>;
  readonly config: string;
}

/** A hub has learned the library, and has gone; the library as well. */
async function remembered(owner: Scope, more = ""): Promise<Setting> {
  const folder = await temporaryFolder(owner);
  const address = await freeAddress();
  const port = Number(address.split(":")[1]);
  const text = `
schemaCache: ${folder}
upstreams: { library: { endpoints: ["${address}"] } }
${more}`;
  const config = await fileOf(owner, "linchpin.yaml", text);
  const start = (by: Scope): Promise<Hub> => startHub(by, ["--config", config]);
  const service = await startV1(owner, port);
  const hub = await start(owner);
  for (let files: string[] = []; files.length !== 1 || files[0]?.startsWith(".") === true; ) {
    await new Promise((resolve) => setTimeout(resolve, 10));
    files = await readdir(folder);
  }
  hub.program.kill("SIGTERM");
  assert.equal((await hub.program.exited).code, 0);
  await service.close(0);
  const [name = ""] = await readdir(folder);
  return { folder, address, port, file: join(folder, name), start, config };
}

async function page(hub: Hub, path: string) {
  return JSON.parse(await (await fetch(`${hub.adminUrl}${path}`)).text());
}

/** Routes are in force a few turns of the event loop after the line that tells of their service. */
async function statusOnceRouted(hub: Hub, path: string): Promise<number | undefined> {
  for (let tries = 0; ; tries++) {
    const { status } = await http("1.1", hub.address, path);
    if (status !== 404 || tries === 100) return status;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

describe("a hub that starts while its services are down", () => {
  test("serves their routes, document and reflection as remembered, and is ready", async (t) => {
    const setting = await remembered(t, "readiness: { wait: none }");
    const hub = await setting.start(t);
    assert.match(
      hub.program.stdout.text,
      /^library \(\S+\): 1 service, 8 methods, \d+ REST routes\n {2}library\.v1\.LibraryService\n {2}remembered, from 20\S+Z; the hub keeps asking it$/m,
    );
    for (const version of VERSIONS) {
      const down = await http(version, hub.address, "/v1/books");
      assert.equal(down.status, 503, down.text);
      assert.match(String(down.headers["retry-after"]), /^\d+$/);
      assert.match(down.text, /"reason":"UPSTREAM_UNAVAILABLE"/);
      assert.equal(
        (await http(version, hub.address, "/v1/nothing")).status,
        404,
        "what is not there is known",
      );
      assert.equal((await http(version, hub.address, "/v1/books", { method: "DELETE" })).status, 405);
    }
    const document = (await http("1.1", hub.address, "/openapi.json")).text;
    assert.match(document, /"\/v1\/books\/\{book\}"/);
    assert.equal((await fetch(`${hub.adminUrl}/readyz`)).status, 200);
    const health = new HealthClient(t, hub.address);
    await health.until("library.v1.LibraryService", "NOT_SERVING");
    const reflected = await fileOf(t, "image.binpb", "");
    const described = await linchpin(scope, ["descriptors", hub.address, "-o", reflected]);
    assert.equal(described.code, 0, described.stderr);
    assert.match(described.stderr, /services: library\.v1\.LibraryService/);
    assert.ok((await readFile(reflected)).includes("library/v1/library.proto"));

    const { upstreams } = await page(hub, "/upstreams");
    assert.match(upstreams[0].remembered, /^20\d\d-.*Z$/);
    assert.match(upstreams[0].problem, /cannot be reached/);
    const text = await fetch(`${hub.adminUrl}/upstreams`, { headers: { accept: "text/plain" } });
    assert.match(await text.text(), /its schema is remembered, from 20/);

    const routes = await linchpin(scope, ["routes", setting.config]);
    assert.equal(routes.code, 0, routes.stderr);
    assert.match(routes.stdout, /GET +\/v1\/books /);
    const live = await linchpin(scope, ["check", "--live", setting.config]);
    assert.equal(live.code, 1);
    assert.match(live.stderr, /upstream "library": .*; its schema is remembered, from 20\S+Z/);

    // The same service comes: what was remembered is right.
    const service = await startV1(t, setting.port);
    await hub.program.stderr.waitFor(
      /upstream "library": learned: 1 service, 8 methods, as it was remembered/,
    );
    assert.equal((await http("1.1", hub.address, "/v1/books")).status, 200);
    assert.equal((await page(hub, "/upstreams")).upstreams[0].remembered, undefined);
    await service.close(0);
    // Another build of it, while the hub runs and after the next start.
    await startLibrary({ port: setting.port }).then((both) => t.after(() => both.close(0)));
    await hub.program.stderr.waitFor(/its schema has changed: added service library\.v2\.LibraryService/);
    assert.equal(await statusOnceRouted(hub, "/v2/books"), 200);
  });

  test("a schema that has changed meanwhile is replaced, and the log says so", async (t) => {
    const setting = await remembered(t);
    const both = await startLibrary({ port: setting.port });
    t.after(() => both.close(0));
    const hub = await setting.start(t);
    await hub.program.stderr.waitFor(
      /upstream "library": its schema has changed since it was remembered, on 20\S+Z: added service library\.v2\.LibraryService/,
    );
    assert.equal(await statusOnceRouted(hub, "/v2/books"), 200);
    assert.equal((await http("1.1", hub.address, "/v1/books")).status, 200);
    // The next hub remembers the new one.
    for (
      let text = "";
      !text.includes("library/v2/library.proto");
      text = await readFile(setting.file, "latin1")
    )
      await new Promise((resolve) => setTimeout(resolve, 10));
    await both.close(0);
    const next = await setting.start(t);
    assert.equal((await http("1.1", next.address, "/v2/books")).status, 503);
  });

  test("a damaged file is ignored: logged once, and everything is as without it", async (t) => {
    const setting = await remembered(t, "readiness: { wait: none }");
    const bytes = await readFile(setting.file);
    bytes[100] = (bytes[100] ?? 0) ^ 1;
    await writeFile(setting.file, bytes);
    const hub = await setting.start(t);
    const warnings = hub.program.stderr.matching(/is not used: it is damaged/);
    assert.equal(warnings.length, 1, hub.program.stderr.text);
    assert.match((await http("1.1", hub.address, "/v1/books")).text, /SERVICE_NOT_LEARNED/);
    assert.equal((await fetch(`${hub.adminUrl}/readyz`)).status, 503);
    await startV1(t, setting.port);
    await hub.program.stderr.waitFor(/ready: every upstream has been learned/);
    assert.equal((await http("1.1", hub.address, "/v1/books")).status, 200);
    assert.equal(hub.program.stderr.matching(/is not used/).length, 1);
  });

  test("a service that moved to another upstream is where it was learned", async (t) => {
    const setting = await remembered(t);
    const now = await startService(t, "library-v1", { instance: "moved" });
    const config = await fileOf(
      t,
      "moved.yaml",
      `
schemaCache: ${setting.folder}
upstreams:
  library: { endpoints: ["${setting.address}"] }
  moved: { endpoints: ["${now.address}"] }
`,
    );
    const hub = await startHub(t, ["--config", config]);
    assert.equal((await http("1.1", hub.address, "/v1/books")).status, 200);
    assert.match(hub.program.stderr.text, /of upstream "library" is hidden: upstream "moved" has it too/);
  });
});

describe("a folder that cannot be used", () => {
  test("is an error of check, and a warning of a hub that serves all the same", async (t) => {
    const service = await serveBehavior(t);
    const folder = await temporaryFolder(t);
    const missing = join(folder, "missing");
    const config = await fileOf(
      t,
      "linchpin.yaml",
      `upstreams: { behavior: { endpoints: ["${service.address}"] } }\nschemaCache: ${missing}\n`,
    );
    const checked = await linchpin(scope, ["check", config]);
    assert.equal(checked.code, 1);
    assert.match(checked.stderr, /:2:14: schemaCache: .*\/missing: no such file or directory$/m);
    const hub = await startHub(t, ["--config", config]);
    await hub.program.stderr.waitFor(/schemaCache: .*no such file or directory; schemas are not remembered/);
    assert.equal((await callUnary(behaviorClient(t, hub.address), {})).code, status.OK);
    const flag = await startHub(t, [`behavior=${service.address}`, `--schema-cache=${folder}`]);
    for (let files: string[] = []; !files.some((name) => /^behavior-[0-9a-f]{16}\.binpb$/.test(name)); ) {
      await new Promise((resolve) => setTimeout(resolve, 10));
      files = await readdir(folder);
    }
    assert.equal(flag.program.stderr.matching(/warn/).length, 0, flag.program.stderr.text);

    // A reload brings the folder into use.
    await writeFile(config, (await readFile(config, "utf8")).replace("/missing", ""));
    await linchpin(scope, ["check", config]).then(({ code, stderr }) => assert.equal(code, 0, stderr));
    assert.equal((await fetch(`${hub.adminUrl}/reload`, { method: "POST" })).status, 200);
    assert.equal((await page(hub, "/config")).schemaCache, folder);
  });
});
