// protobuf's own conformance suite, as far as it has JSON on either side: every case, the recommended ones too.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { program, ROOT, run } from "./support/programs.js";

const dir = mkdtempSync(join(tmpdir(), "linchpin-conformance-"));
after(() => rmSync(dir, { recursive: true }));

/** Cases with JSON that the suite had when this was written; the others are skipped by the testee. */
const AT_LEAST = 2700;

test("the codec passes every JSON case of protobuf's conformance suite", async () => {
  const image = join(dir, "image.binpb");
  const protos = join(ROOT, ".tools/protobuf/include");
  const built = await run(join(ROOT, "node_modules/.bin/buf"), ["build", protos, "-o", image]);
  assert.equal(built.code, 0, built.stderr);
  const testee = fileURLToPath(new URL("support/conformance-testee.js", import.meta.url));
  const options = ["--enforce_recommended", "--maximum_edition", "2023", "--output_dir", dir];
  const { code, stdout, stderr } = await run(program("linchpin-protobuf-conformance"), [
    ...options,
    process.execPath,
    testee,
    image,
  ]);
  const said = stdout + stderr;
  assert.equal(code, 0, said.slice(-5000));
  const passed = /PASSED: (\d+) successes, \d+ skipped, 0 expected failures, 0 unexpected failures/.exec(
    said,
  )?.[1];
  assert.ok(Number(passed) >= AT_LEAST, said.slice(-5000));
});
