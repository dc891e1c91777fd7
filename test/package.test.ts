// The package as npm packs it, in a folder far from this repository: its types, its programs, its files.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { http } from "./e2e/support/http.js";
import { startNode } from "./e2e/support/program.js";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "linchpin-package-"));
const app = join(folder, "app");
const installed = join(app, "node_modules/linchpin-hub");
after(() => rmSync(folder, { recursive: true, force: true }));

const execute = promisify(execFile);
/** What npm downloads. It grows with each feature: see first what nobody needs of what is new. */
const MAX_PACKED_BYTES = 1_000_000;
let packedBytes = 0;
const TSC = join(ROOT, "node_modules/typescript/bin/tsc");

function json(file: string): Record<string, unknown> {
  return Object.fromEntries(Object.entries(JSON.parse(readFileSync(file, "utf8"))));
}

/** Makes a package of this repository's node_modules one of the app's. */
function link(name: string): void {
  const path = join(app, "node_modules", name);
  mkdirSync(dirname(path), { recursive: true });
  symlinkSync(join(ROOT, "node_modules", name), path);
}

before(async () => {
  mkdirSync(installed, { recursive: true });
  // What `prepack` would do has been done: these tests are compiled as well.
  const { stdout } = await execute(
    "npm",
    ["pack", "--ignore-scripts", "--silent", "--pack-destination", folder],
    { cwd: ROOT, env: { ...process.env, npm_config_cache: join(folder, "cache") } },
  );
  packedBytes = statSync(join(folder, stdout.trim())).size;
  // As `npm install` does it, but without a registry: the package itself, its dependencies and no others.
  await execute("tar", ["-xzf", join(folder, stdout.trim()), "--strip-components=1", "-C", installed]);
  const manifest = json(join(installed, "package.json"));
  for (const name of Object.keys(Object(manifest.dependencies))) link(name);
  mkdirSync(join(app, "node_modules/.bin"));
  chmodSync(join(installed, "dist/main.js"), 0o755);
  symlinkSync("../linchpin-hub/dist/main.js", join(app, "node_modules/.bin/linchpin"));
  writeFileSync(join(app, "package.json"), '{ "name": "app", "private": true, "type": "module" }\n');
});

test("every export of the package is a file in it, with types where it is code", () => {
  const manifest = json(join(installed, "package.json"));
  const targets = Object.values(Object(manifest.exports)).flatMap((target) =>
    typeof target === "string" ? [target] : Object.values(Object(target)),
  );
  assert.ok(targets.length >= 8, targets.join(", "));
  for (const target of targets) readFileSync(join(installed, String(target)));
});

test("it is no larger than it has to be", () => {
  assert.ok(packedBytes > 500_000 && packedBytes <= MAX_PACKED_BYTES, `${packedBytes} bytes`);
});

test("it has what its users need, and nothing of the tests", () => {
  const files = readdirSync(installed, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(installed, join(entry.parentPath, entry.name)));
  for (const name of [
    "README.md",
    "LICENSE",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "docs/security.md",
  ])
    assert.ok(files.includes(name), name);
  const strays =
    /^(?:generated\/image\.binpb|src|test|bench\/.*\.[jt]s|build|tools|proto\/(?:test|bench)|dist\/(?:generated\/(?:test|bench)|samples\/echo))\b|\.map$|tsbuildinfo/;
  assert.deepEqual(
    files.filter((name) => strays.test(name)),
    [],
  );
});

test("links of its documents lead to files that are in it", () => {
  const documents = readdirSync(installed, { recursive: true, encoding: "utf8" }).filter((name) =>
    name.endsWith(".md"),
  );
  const links = documents.flatMap((document) =>
    [...readFileSync(join(installed, document), "utf8").matchAll(/\]\((?!https?:|#)([^)#\s]+)/g)].map(
      ([, link = ""]) => ({
        document,
        link,
      }),
    ),
  );
  assert.ok(links.length > 50, String(links.length));
  assert.deepEqual(
    links.filter(({ document, link }) => !existsSync(join(installed, dirname(document), link))),
    [],
  );
});

/** Programs in the docstrings of the packed types: what follows an `@example`, up to the next tag. */
function examples(): string[] {
  const found: string[] = [];
  for (const name of readdirSync(join(installed, "dist"), { recursive: true, encoding: "utf8" })) {
    if (!name.endsWith(".d.ts")) continue;
    const text = readFileSync(join(installed, "dist", name), "utf8");
    for (const [, block = ""] of text.matchAll(/\* @example\n((?: *\*(?!\/)(?! @).*\n)*)/g))
      found.push(block.replaceAll(/^ *\* ?/gm, ""));
  }
  return found;
}

test("a program in strict TypeScript compiles against the packed types, and runs; examples of docstrings compile", async () => {
  link("@types/node");
  copyFileSync(join(ROOT, "test/consumer/main.ts"), join(app, "main.ts"));
  const written = examples();
  assert.ok(written.length >= 7, `${written.length} examples`);
  for (const [i, text] of written.entries()) {
    assert.match(text, /^import .* from "linchpin-hub(?:\/testing)?";$/m, "a whole program");
    writeFileSync(join(app, `example-${i}.ts`), text);
  }
  writeFileSync(
    join(app, "tsconfig.json"),
    JSON.stringify({
      compilerOptions: {
        target: "es2023",
        lib: ["es2023"],
        module: "nodenext",
        types: ["node"],
        strict: true,
        exactOptionalPropertyTypes: true,
        noUncheckedIndexedAccess: true,
        // The types of the package's own dependencies are checked too: they are what the program gets.
        skipLibCheck: false,
      },
    }),
  );
  await execute(process.execPath, [TSC, "-p", app]).catch((error: { stdout?: string }) =>
    assert.fail(error.stdout ?? String(error)),
  );
  const { stdout } = await execute(process.execPath, [join(app, "main.js")], { timeout: 30_000 });
  assert.deepEqual(stdout.trim().split("\n"), [
    "7 x-tenant is missing",
    "200 true",
    "404 false",
    "function",
    "true",
  ]);
});

test("npx linchpin --version prints the package's version", async () => {
  const { stdout } = await execute("npx", ["--no-install", "linchpin", "--version"], {
    cwd: app,
    env: { ...process.env, npm_config_cache: join(folder, "cache") },
  });
  assert.equal(stdout.trim(), `linchpin ${String(json(join(ROOT, "package.json")).version)}`);
});

test("the packed program has all that it serves: demo and serve", async (t) => {
  const main = join(app, "node_modules/.bin/linchpin");
  const demo = startNode(t, main, ["demo", "--listen=127.0.0.1:0", "--admin=off"], { cwd: app });
  const [, inner = ""] = await demo.stdout.waitFor(/^listening on http:\/\/(\S+)$/);
  assert.equal((await http("1.1", inner, "/v1/books/the-hobbit")).status, 200);
  const hub = startNode(t, main, ["serve", inner, "--listen=127.0.0.1:0", "--admin=off"], { cwd: app });
  const [, outer = ""] = await hub.stdout.waitFor(/^listening on http:\/\/(\S+)$/);
  assert.equal((await http("2", outer, "/v1/books/the-hobbit")).status, 200);
});
