// Interceptors in modules that a config names: the example of the documentation, and what is said of those that are wrong.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { BehaviorServiceService } from "#generated/test/v1/behavior.js";
import { within } from "#src/hub/own/within.js";
import { createHub, UserError } from "#src/index.js";
import { behavior } from "#src/samples/echo/behavior.js";
import { behaviorClient, callUnary, metadataOf } from "../e2e/support/grpc.js";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const IMAGE = readFileSync(join(ROOT, "generated/image.binpb"));
// Within the repository, so that modules find linchpin-hub.
mkdirSync(join(ROOT, "build"), { recursive: true });
const folder = mkdtempSync(join(ROOT, "build/modules-"));
after(() => rmSync(folder, { recursive: true, force: true }));

const services = [
  { definition: BehaviorServiceService, implementation: behavior("embedded"), descriptors: IMAGE },
];

function put(name: string, text: string): string {
  const file = join(folder, name);
  writeFileSync(file, text);
  return file;
}

for (const [, name = "", text = ""] of readFileSync(join(ROOT, "docs/interceptors.md"), "utf8").matchAll(
  /```js\n\/\/ (\S+)\n(.*?)```/gs,
))
  put(name, text);

const config = (module: string, rest = ""): string =>
  put("linchpin.yaml", `admin: off\nuse:\n  - module: ${module}\n${rest}`);

const start = (configFile: string) => createHub({ configFile, listen: "127.0.0.1:0", log: false, services });

test("the example of the documentation passes its own test", async () => {
  await promisify(execFile)(process.execPath, [join(folder, "tenants.test.js")], { cwd: folder });
});

test("a module of a config file is on the way, and a reload gives it new options", async (t) => {
  const options = (known: string): string =>
    config("./tenants.js", `    before: quota\n    options: { header: x-tenant, known: [${known}] }\n`);
  const hub = await start(options("blue"));
  t.after(() => hub.close());
  const client = behaviorClient(t, hub.address);
  const code = async (tenant: string): Promise<number> =>
    (await callUnary(client, {}, { metadata: metadataOf([["x-tenant", tenant]]) })).code;
  assert.deepEqual([await code("blue"), await code("green")], [0, 7]);
  assert.ok(hub.interceptors.includes("tenants"), hub.interceptors.join());
  options("green");
  assert.deepEqual(await hub.reload(), []);
  assert.deepEqual([await code("blue"), await code("green")], [7, 0]);
  // One that cannot be made changes nothing.
  config("./tenants.js");
  await assert.rejects(
    hub.reload(),
    /linchpin\.yaml:3:13: use\[0\]\.module: \.\/tenants\.js: options\.header is missing$/,
  );
  assert.equal(await code("green"), 0);
});

test("a module may take its time: a start and a reload wait for it", async (t) => {
  put(
    "slow.mjs",
    `import { setImmediate } from "node:timers/promises";
    import { Code, Status } from "linchpin-hub";
    export default async ({ refuse }, { retained }) => {
      await setImmediate();
      // What is kept across reloads is kept after an await as well.
      const kept = retained.keep("slow", {}, () => ({ made: 0 }));
      kept.made++;
      const start = () => (refuse ? new Status(Code.ABORTED, "made " + kept.made) : undefined);
      return { name: "slow", plan: () => ({ name: "slow", start }) };
    };`,
  );
  const options = (refuse: boolean): string => config("./slow.mjs", `    options: { refuse: ${refuse} }\n`);
  const hub = await start(options(false));
  t.after(() => hub.close());
  const client = behaviorClient(t, hub.address);
  assert.equal((await callUnary(client, {})).code, 0);
  options(true);
  assert.deepEqual(await hub.reload(), []);
  const { code, details } = await callUnary(client, {});
  assert.deepEqual([code, details], [10, "made 2"]);
});

test("a reload says which modules have changed since they were loaded", async (t) => {
  const text = (note: string): string =>
    `export default () => ({ name: "note-${note}", plan: () => undefined });`;
  put("changing.mjs", text("one"));
  const hub = await start(config("./changing.mjs"));
  t.after(() => hub.close());
  assert.deepEqual(await hub.reload(), []);
  put("changing.mjs", text("two"));
  const note =
    "./changing.mjs has changed since it was loaded: that takes effect when the hub is started again";
  assert.deepEqual(await hub.reload(), [note]);
  assert.ok(hub.interceptors.includes("note-one"), hub.interceptors.join());
  put("changing.mjs", text("one"));
  assert.deepEqual(await hub.reload(), []);
});

test("a module that could not be loaded is loaded once it is mended, without a restart", async (t) => {
  const hub = await start(config("./tenants.js", "    options: { header: x-tenant }\n"));
  t.after(() => hub.close());
  put("mended.mjs", "export default {{");
  config("./mended.mjs");
  await assert.rejects(hub.reload(), /is not a valid module/);
  put("mended.mjs", 'throw new Error("no database");');
  await assert.rejects(hub.reload(), /failed while it was loaded: no database/);
  put("mended.mjs", 'export default () => ({ name: "mended", plan: () => undefined });');
  assert.deepEqual(await hub.reload(), []);
  assert.ok(hub.interceptors.includes("mended"), hub.interceptors.join());
});

test("what does not end is not waited for for ever", async () => {
  await assert.rejects(
    within(1, new Promise(() => {}), "making its interceptor"),
    /^UserError: making its interceptor did not end within 0\.001 seconds$/,
  );
  assert.equal(await within(60_000, Promise.resolve(7), "it"), 7);
});

test("a program names modules in the same key", async (t) => {
  const known = { module: join(folder, "tenants.js"), options: { header: "x-tenant", known: ["blue"] } };
  const other = { name: "other", plan: () => undefined };
  const hub = await createHub({ listen: "127.0.0.1:0", log: false, services, use: [other, known] });
  t.after(() => hub.close());
  assert.ok(hub.interceptors.join().includes("tenants,other"), hub.interceptors.join());
  assert.equal((await callUnary(behaviorClient(t, hub.address), {})).code, 7);
});

const WRONG: readonly (readonly [what: string, text: string | undefined, says: RegExp])[] = [
  ["that is not there", undefined, /no such file/],
  [
    "that does not parse",
    "export default {{",
    /is not a valid module: Unexpected token .*; node --check \.\/wrong1\.mjs says where$/,
  ],
  [
    "without a default export",
    "export const tenants = 1;",
    /has no default export: it must be a function, as in/,
  ],
  [
    "whose export is no function",
    "export default { name: 'x' };",
    /must be a function, as in.*; it is an object$/,
  ],
  ["that throws", "throw new Error('no database');", /failed while it was loaded: no database$/],
  [
    "that imports nothing",
    "import 'linchpin-hubs';",
    /imports what is not there: Cannot find package 'linchpin-hubs'/,
  ],
  ["that makes nothing", "export default () => {};", /must return an interceptor, .*, not undefined$/],
  ["that makes something else", "export default () => ({ name: 'x' });", /not an object without them$/],
  ["that promises something else", "export default async () => ({});", /not an object without them$/],
  [
    "whose promise is rejected",
    "export default async () => { throw new Error('no'); };",
    /wrong\d+\.mjs: no$/,
  ],
  ["that cannot make it", "export default () => { throw new Error('no'); };", /wrong\d+\.mjs: no$/],
  ["of a name that cannot be", "export default () => ({ name: 'A b', plan() {} });", /a name has 1 to 63/],
  [
    "of a name that is taken",
    "export default () => ({ name: 'quota', plan() {} });",
    /another interceptor has that name/,
  ],
];

for (const [i, [what, text, says]] of WRONG.entries()) {
  test(`a module ${what} is an error with its place`, async () => {
    const name = `wrong${i}.mjs`;
    if (text !== undefined) put(name, text);
    const error: unknown = await start(config(`./${name}`)).catch((error: unknown) => error);
    assert.ok(error instanceof UserError, String(error));
    assert.match(error.message, says);
    if (i < 12) assert.match(error.message, /^\S+linchpin\.yaml:3:13: use\[0\]\.module: /);
  });
}

test("linchpin check loads modules, and reports errors with positions", async () => {
  put("late.mjs", "export default () => 7;");
  put("none.mjs", "");
  const file = put(
    "check.yaml",
    "upstreams: { a: { endpoints: [h:1] } }\nuse:\n  - module: ./late.mjs\n  - { module: ./late.mjs, after: auht }\n",
  );
  const check = (): Promise<{ stdout: string; code: number }> =>
    promisify(execFile)(process.execPath, [join(ROOT, "dist/main.js"), "check", file, "--json"]).then(
      ({ stdout }) => ({ stdout, code: 0 }),
      ({ stdout, code }) => ({ stdout, code }),
    );
  const first = await check();
  assert.equal(first.code, 1);
  assert.match(first.stdout, /use\[1\]\.after.*\n.*must be one of tracing, /);
  writeFileSync(
    file,
    "upstreams: { a: { endpoints: [h:1] } }\nuse:\n  - module: ./late.mjs\n    options: { key: 5 }\n",
  );
  const second = JSON.parse((await check()).stdout);
  assert.equal(second.length, 1);
  const { severity, line, column, path, message } = second[0];
  assert.deepEqual([severity, line, column, path], ["error", 3, 13, "use[0].module"]);
  assert.match(message, /must return an interceptor, .*, not a number$/);
});
