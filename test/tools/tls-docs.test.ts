// docs/tls.md, done as it says: its openssl commands, its config, its curl commands.
import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { type TestContext, test } from "node:test";
import { startLibrary } from "#src/samples/library/server.js";
import { startNode } from "../e2e/support/program.js";
import { until } from "../support/until.js";
import { program, ROOT, run } from "./support/programs.js";

const DOC = readFileSync(join(ROOT, "docs/tls.md"), "utf8");

function blocks(kind: string): string[] {
  return [...DOC.matchAll(new RegExp(`\`\`\`${kind}\n([^]*?)\`\`\``, "g"))].map(([, text = ""]) => text);
}

/** Runs a block of commands; every one must succeed. */
async function shell(dir: string, commands: string): Promise<string> {
  const path = `PATH='${dir}${delimiter}${process.env.PATH ?? ""}'`;
  const { code, stdout, stderr } = await run(program("bash"), [
    "-c",
    `set -eu; cd '${dir}'; export ${path}\n${commands}`,
  ]);
  assert.equal(code, 0, `${commands}\n${stdout}${stderr}`);
  return stdout;
}

test("every command of docs/tls.md works", async (t: TestContext) => {
  const dir = mkdtempSync(join(tmpdir(), "linchpin-docs-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  for (const name of ["openssl", "curl"]) program(name);
  const linchpin = join(dir, "linchpin");
  writeFileSync(linchpin, `#!/bin/sh\nexec '${process.execPath}' '${join(ROOT, "dist/main.js")}' "$@"\n`);
  chmodSync(linchpin, 0o755);

  const [certificates, check, curls, ...rest] = blocks("sh");
  const [config, upstream, admin] = blocks("yaml");
  assert.ok(certificates && check && curls && config && upstream && admin && rest.length === 0);
  await shell(dir, certificates);
  writeFileSync(join(dir, "linchpin.yaml"), config);
  assert.match(await shell(dir, check), /^linchpin\.yaml: fine/);

  // The other pieces of config are right, too.
  writeFileSync(join(dir, "upstream.yaml"), upstream);
  await shell(dir, "openssl rand -hex 32 > admin.token; linchpin check upstream.yaml");
  writeFileSync(join(dir, "admin.yaml"), `${admin}upstreams: { a: { endpoints: [h:1] } }\n`);
  await shell(dir, "linchpin check admin.yaml");

  // On free ports, with a library behind it.
  const library = await startLibrary({});
  t.after(() => library.close());
  const free = config
    .replace("127.0.0.1:50051", library.address)
    .replaceAll(/(127\.0\.0\.1):(?:8080|844\d|9901)/g, "$1:0");
  writeFileSync(join(dir, "linchpin.yaml"), free);
  const hub = startNode({ after: (end) => t.after(end) }, join(ROOT, "dist/main.js"), ["serve"], {
    cwd: dir,
  });
  const ports = (): (string | undefined)[] =>
    hub.stdout.matching(/^listening on \w+:\/\/127\.0\.0\.1:(\d+)$/).map(([, port]) => port);
  await until(() => ports().length === 3, "three addresses", 20_000);
  const [clear, open, mutual] = ports();
  assert.ok(clear && open && mutual);
  const books = await shell(dir, curls.replace(":8443", `:${open}`).replace(":8444", `:${mutual}`));
  assert.equal(books.match(/"books"/g)?.length, 2, books);
  // And what should not work does not.
  const without = await run(program("curl"), [
    "-sS",
    "--cacert",
    join(dir, "ca.crt"),
    `https://localhost:${mutual}/v1/books`,
  ]);
  assert.notEqual(without.code, 0);
});
