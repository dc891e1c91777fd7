// What is generated is what the protos say, and the protos keep to their style. All from npm packages: no network.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative, sep } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { DescriptorIndex } from "#src/schema/descriptors/descriptor-index.js";
import { buf as runBuf } from "./support/buf.js";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const CACHE = mkdtempSync(join(tmpdir(), "linchpin-buf-"));
after(() => rmSync(CACHE, { recursive: true, force: true }));
/** Beside what our protos import: what services tell in status details, and the health protocol that they all have. */
const IMAGE_PATHS = [
  ...readdirSync(join(ROOT, "proto")).map((folder) => `proto/${folder}`),
  "node_modules/google-proto-files/google/rpc/code.proto",
  "node_modules/google-proto-files/google/rpc/error_details.proto",
  "node_modules/grpc-health-check/proto/health",
];
/** Not made by buf. */
const OTHERS = new Set(["tsconfig.json", "image.binpb", "hub.binpb"]);

/** With a cache of its own, and no remote in buf.yaml: what is not in node_modules is not there. */
const buf = (...args: string[]): string => runBuf(CACHE, ...args);

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)).split(sep).join("/"))
    .filter((name) => !OTHERS.has(name))
    .sort();
}

test("buf lint has nothing to say", () => {
  assert.equal(buf("lint"), "");
});

test("buf format has nothing to change", () => {
  assert.equal(buf("format", "--diff", "proto"), "");
});

test("the stubs in generated/ are those that the protos give: else run `make generate`", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "linchpin-generated-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  buf("generate", "--output", folder);
  const fresh = join(folder, "generated");
  const committed = join(ROOT, "generated");
  assert.deepEqual(filesBelow(committed), filesBelow(fresh));
  for (const name of filesBelow(fresh)) {
    assert.equal(
      readFileSync(join(committed, name), "utf8"),
      readFileSync(join(fresh, name), "utf8"),
      `generated/${name} is stale`,
    );
  }
});

test("generated/image.binpb is the one that the protos give: else run `make generate`", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "linchpin-image-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, "image.binpb");
  const paths = IMAGE_PATHS.flatMap((path) => ["--path", path]);
  buf("build", "--as-file-descriptor-set", ...paths, "--output", file);
  const fresh = readFileSync(file);
  const committed = readFileSync(join(ROOT, "generated/image.binpb"));
  // First by names: they tell more than a row of bytes.
  assert.deepEqual(DescriptorIndex.fromSet(committed).fileNames, DescriptorIndex.fromSet(fresh).fileNames);
  assert.ok(committed.equals(fresh), "generated/image.binpb is stale");
});

test("generated/hub.binpb is up to date: otherwise run `make generate`", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "linchpin-image-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, "hub.binpb");
  execFileSync(process.execPath, [join(ROOT, "tools/write-image.mjs"), file]);
  const committed = readFileSync(join(ROOT, "generated/hub.binpb"));
  assert.ok(committed.equals(readFileSync(file)), "generated/hub.binpb is stale");
  const { fileNames } = DescriptorIndex.fromSet(committed);
  assert.deepEqual(
    fileNames.filter((name) => /^(?:test|bench)\//.test(name)),
    [],
  );
});
