// The tool that runs the tests: what fails the run, what gets a second chance, and what it says of that.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";

const TOOL = fileURLToPath(new URL("../../tools/test.mjs", import.meta.url));
const TEST = 'import { test } from "node:test";';
const PASSES = `${TEST} test("passes", () => {});`;
const FAILS = `${TEST} test("fails", () => { throw new Error("as ever"); });`;
/** Fails unless the file that it writes was there before. */
const PASSES_SECOND = `import { existsSync, writeFileSync } from "node:fs"; ${TEST}
test("passes before", () => {});
test("passes the second time", () => {
  if (existsSync(import.meta.filename + ".seen")) return;
  writeFileSync(import.meta.filename + ".seen", "");
  throw new Error("the first time");
});`;

interface Case {
  readonly says: string;
  readonly files: Readonly<Record<string, string>>;
  readonly flags?: readonly string[];
  readonly passes: boolean;
  readonly prints: readonly RegExp[];
  readonly never?: RegExp;
}

const RETRY = ["--retry-unsteady"];
const UNSTEADY = /Unsteady: failed, and passed when run once more, alone:\n {2}\S*second\.test\.js\n$/;

const CASES: readonly Case[] = [
  {
    says: "a file that passes the second time fails the run",
    files: { second: PASSES_SECOND, other: PASSES },
    passes: false,
    prints: [
      /the first time/,
      /ℹ tests 3\n/,
      /ℹ pass 2\n/,
      /ℹ fail 1\n/,
      /second\.test\.js: 1 of 2 failed\n$/,
    ],
    never: /Once more/,
  },
  {
    says: "with --retry-unsteady it does not, its failure is shown, and the last lines name it",
    files: { second: PASSES_SECOND, other: PASSES },
    flags: RETRY,
    passes: true,
    prints: [/Error: the first time/, /ℹ tests 3\n/, /ℹ pass 3\n/, /ℹ fail 0\n/, UNSTEADY],
  },
  {
    says: "a file that fails again fails the run, whatever else was unsteady",
    files: { second: PASSES_SECOND, fails: FAILS },
    flags: RETRY,
    passes: false,
    prints: [/Unsteady: .*\n.*second\.test\.js\n/, /Failed:\n {2}\S*fails\.test\.js: 1 of 1 failed\n$/],
    never: /Unsteady: .*\n.*fails\.test\.js/,
  },
  {
    says: "a file without a test fails the run",
    files: { empty: "export {};", other: PASSES },
    flags: RETRY,
    passes: false,
    prints: [/empty\.test\.js: it ran no test\n$/],
  },
  {
    says: "a skipped test and one to do fail the run, and get no second chance",
    files: { left: `${TEST} test.skip("skipped", () => {}); test.todo("to do"); test("passes", () => {});` },
    flags: RETRY,
    passes: false,
    prints: [
      /ℹ skipped 1\n/,
      /ℹ todo 1\n/,
      /ℹ fail 0\n/,
      /left\.test\.js: skipped\n.*left\.test\.js: to do\n$/,
    ],
    never: /Once more/,
  },
  {
    says: "a process that ends by itself fails the run",
    files: {
      ends: `${PASSES} setTimeout(() => process.exit(3), 10); test("waits", () => new Promise(() => {}));`,
    },
    passes: false,
    prints: [/ends\.test\.js: its process ended with code 3\n$/],
  },
  {
    says: "a file that does not load fails the run, and is named",
    files: { broken: "throw new Error('not a module');", other: PASSES },
    passes: false,
    prints: [
      /not a module/,
      /ℹ pass 1\n/,
      /ℹ fail 1\n/,
      /broken\.test\.js: its process ended with code 1\n$/,
    ],
  },
  {
    says: "a hook that fails after all tests passed fails the run",
    files: {
      hook: `${PASSES} import { after } from "node:test"; after(() => { throw new Error("too late"); });`,
    },
    passes: false,
    prints: [/hook\.test\.js: .*\n$/],
  },
  {
    // Node 20 and 22 end it when nothing is left to wait for, 24 waits.
    says: "a test that never ends fails the run",
    files: { waits: `${TEST} test("waits", () => new Promise(() => {}));` },
    flags: ["--timeout=3"],
    passes: false,
    prints: [/waits\.test\.js: (?:1 of 1 failed|it was stopped after 3 s)\n/],
  },
  {
    says: "a file that hangs is stopped, and fails the run",
    files: { hangs: `${PASSES} setInterval(() => {}, 1000);` },
    flags: ["--timeout=3"],
    passes: false,
    prints: [/hangs\.test\.js: it was stopped after 3 s\n/],
  },
  {
    says: "of files that share a process, the one that failed is run again, and named",
    files: { "call/first": PASSES, "call/second": PASSES_SECOND, "call/third": PASSES },
    flags: RETRY,
    passes: true,
    prints: [
      /alone, since they failed:\n {2}\S*call\/second\.test\.js\n\n/,
      /ℹ pass 4\n/,
      /in 2 processes/,
      UNSTEADY,
    ],
  },
  {
    says: "a file that does not load fails, and those that share its process pass",
    files: { "call/broken": "throw new Error('not a module');", "call/third": PASSES },
    passes: false,
    prints: [/in 1 processes/, /ℹ pass 1\n/, /Failed:\n {2}\S*broken\.test\.js: 1 of 1 failed\n$/],
  },
  {
    says: "of files that share a process, one without a test fails",
    files: { "call/empty": "export {};", "call/third": PASSES },
    passes: false,
    prints: [/in 1 processes/, /ℹ pass 1\n/, /Failed:\n {2}\S*empty\.test\.js: it ran no test\n$/],
  },
  {
    says: "when a shared process ends, each file that was not done is run again",
    files: {
      "call/done": PASSES,
      // Some turns of the event loop later: from Node 22 on, what a test did reaches the reporter in another turn.
      "call/ends": `${PASSES} test("ends", async () => {
        for (let turn = 0; turn < 100; turn++) await new Promise(setImmediate);
        (0, process)["exit"](3);
      });`,
      "call/third": PASSES,
    },
    flags: RETRY,
    passes: false,
    prints: [/since they failed:\n.*call\/ends.*\n.*call\/third.*\n\n/, /Failed:\n.*call\/ends.*code 3\n$/],
  },
  {
    says: "the slowest files are named",
    files: { other: PASSES },
    passes: true,
    prints: [/The slowest, .*\n +\S+ +\(\S+\) {2}\S*other\.test\.js\n/],
  },
];

for (const { says, files, flags = [], passes, prints, never } of CASES) {
  test(says, async (t) => {
    const { code, text } = await runTests(await folderOf(t, files), flags);
    assert.equal(code, passes ? 0 : 1, text);
    for (const pattern of prints) assert.match(text, pattern);
    if (never !== undefined) assert.doesNotMatch(text, never);
  });
}

test("with --passed, what passed is not run again, and what did not is", async (t) => {
  const folder = await folderOf(t, { passes: PASSES, second: PASSES_SECOND });
  const flags = ["--passed", join(folder, "passed.json")];
  const first = await runTests(folder, flags);
  assert.equal(first.code, 1);
  assert.match(first.text, /ℹ tests 3\n/);
  const second = await runTests(folder, flags);
  assert.equal(second.code, 0, second.text);
  assert.match(second.text, /ℹ tests 2\n/);
  assert.match(second.text, /passed before, and were not run again 1\n/);
});

test("--node-only leaves out what does not depend on the version of Node", async (t) => {
  const folder = await folderOf(t, { "routing/other": FAILS, "tls/other": PASSES });
  const { code, text } = await runTests(folder, ["--node-only"]);
  assert.equal(code, 0, text);
  assert.match(text, /ℹ tests 1\n/);
});

test("long tests wait for --long or --all, and run when named", async (t) => {
  const folder = await folderOf(t, { linear: FAILS, other: PASSES });
  for (const [passes, ...args] of [[true], [false, "--long"], [false, "--all"], [false, "linear"]] as const) {
    const { code, text } = await runTests(folder, args);
    assert.equal(code === 0, passes, text);
  }
});

test("says when nothing matches", async (t) => {
  const { code, text } = await runTests(await folderOf(t, { other: PASSES }), ["no-such-file"]);
  assert.equal(code, 1);
  assert.match(text, /No test matches no-such-file/);
});

async function folderOf(t: TestContext, files: Readonly<Record<string, string>>): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "linchpin-tests-"));
  t.after(() => rm(folder, { recursive: true }));
  await writeFile(join(folder, "package.json"), '{ "type": "module" }');
  for (const [name, text] of Object.entries(files)) {
    const path = join(folder, `${name}.test.js`);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, text);
  }
  return folder;
}

function runTests(folder: string, flags: readonly string[]) {
  return new Promise<{ code: number | string | null | undefined; text: string }>((resolve) => {
    execFile(process.execPath, [TOOL, "--from", folder, ...flags], (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : error.code, text: stdout + stderr });
    });
  });
}
