// `npm install -g` of the packed package, from the registry, by a user who is not root, on each version of Node.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { http } from "../e2e/support/http.js";
import { ROOT, startProgram } from "../e2e/support/program.js";

const execute = promisify(execFile);
/** The user `nobody`; who runs the tests without being root is such a user already. */
const NOBODY = 65_534;
const isRoot = process.getuid?.() === 0;
const AS = isRoot
  ? [
      "setpriv",
      "--reuid",
      String(NOBODY),
      "--regid",
      String(NOBODY),
      "--clear-groups",
      "--no-new-privs",
      "--",
    ]
  : [];

const folder = mkdtempSync(join(tmpdir(), "linchpin-install-"));
after(() => rmSync(folder, { recursive: true, force: true }));
/** All of them: what the first has fetched, the others need not. */
const cache = join(folder, "cache");
let tarball = "";
/** Where the registry is, and whom to trust there; nothing else of who runs the tests. */
const settings: NodeJS.ProcessEnv = {};
/** The registry is far away, and may be slow. */
const PATIENCE_MS = 300_000;

before(async () => {
  chmodSync(folder, 0o755);
  const pack = ["pack", "--ignore-scripts", "--silent", "--pack-destination", folder];
  tarball = join(folder, (await execute("npm", pack, { cwd: ROOT })).stdout.trim());
  for (const key of ["registry", "cafile"]) {
    const value = (await execute("npm", ["config", "get", key], { cwd: ROOT })).stdout.trim();
    if (value !== "null") settings[`npm_config_${key}`] = value;
  }
  mkdirSync(cache);
  if (isRoot) chownSync(cache, NOBODY, NOBODY);
});

for (const [version, bin] of [
  ["20", dirname(process.execPath)],
  ["22", join(ROOT, ".tools/node22/bin")],
  ["24", join(ROOT, ".tools/node24/bin")],
] as const) {
  test(`as a user who is not root, on Node ${version}`, async (t) => {
    assert.ok(existsSync(join(bin, "node")), `Node is missing in ${bin}: run make tools`);
    const home = join(folder, `home-${version}`);
    mkdirSync(home, { mode: 0o700 });
    if (isRoot) chownSync(home, NOBODY, NOBODY);
    const prefix = join(home, ".npm-global");
    const env = {
      ...settings,
      PATH: [bin, process.env.PATH].join(delimiter),
      HOME: home,
      npm_config_cache: cache,
      npm_config_prefix: prefix,
      npm_config_update_notifier: "false",
    };
    const run = async (...command: string[]): Promise<string> => {
      const [program = "", ...args] = [...AS, ...command];
      return (await execute(program, args, { cwd: home, env, timeout: PATIENCE_MS })).stdout.trim();
    };
    assert.match(await run("node", "--version"), new RegExp(`^v${version}\\.`));
    await run("npm", "install", "--global", "--no-audit", "--no-fund", tarball);

    const linchpin = join(prefix, "bin/linchpin");
    assert.match(await run(linchpin, "--version"), /^linchpin \d+\.\d+\.\d+$/);
    const command = [...AS, linchpin, "demo", "--listen=127.0.0.1:0", "--admin=off"];
    const demo = startProgram(t, command, { cwd: home, env });
    const [, address = ""] = await demo.stdout.waitFor(/^listening on http:\/\/(\S+)$/);
    assert.equal((await http("1.1", address, "/v1/books/the-hobbit")).status, 200);
  });
}
