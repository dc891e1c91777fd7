// The systemd unit, as systemd itself reads it.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { LINCHPIN } from "../e2e/support/program.js";
import { program, ROOT, run } from "./support/programs.js";

const folder = mkdtempSync(join(tmpdir(), "linchpin-unit-"));
after(() => rmSync(folder, { recursive: true, force: true }));

/** The unit as it is, but for the place of the command: it is not installed here. */
const unit = join(folder, "linchpin.service");
const command = join(folder, "linchpin");
writeFileSync(command, `#!/bin/sh\nexec node ${LINCHPIN} "$@"\n`, { mode: 0o755 });
const text = readFileSync(join(ROOT, "deploy/linchpin.service"), "utf8");
writeFileSync(unit, text.replace("/usr/local/bin/linchpin", command));

/** 0 is best, 10 is a service of root without any limit. What is left: it has the network. */
const MOST_EXPOSED = 1.5;

test("systemd finds nothing wrong with it", async () => {
  const { code, stdout, stderr } = await run(program("systemd-analyze"), ["verify", unit]);
  assert.deepEqual([code, stdout + stderr], [0, ""]);
});

test("systemd calls it hardly exposed", async () => {
  const { stdout, stderr } = await run(program("systemd-analyze"), ["security", "--offline=true", unit]);
  const [, level = "10"] = /exposure level for linchpin\.service: ([\d.]+)/.exec(stdout) ?? [];
  assert.ok(Number(level) <= MOST_EXPOSED, stdout + stderr);
});
