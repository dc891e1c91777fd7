// What is remembered of schemas: byte by byte what was learned, or nothing.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtemp, readdir, readFile, rm, symlink, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { fromBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import fc from "fast-check";
import { SchemaMemory } from "#src/hub/upstreams/schema-memory.js";
import { completed } from "#src/kit/in-slices.js";
import { SchemaCache } from "#src/schema/sources/schema-cache.js";
import {
  readSchemaFile,
  type SchemaFile,
  SchemaFileError,
  schemaFileParts,
} from "#src/schema/sources/schema-file.js";
import { type Schema, schemaFromFiles } from "#src/schema/types/schema.js";
import { until } from "../support/until.js";
import { echoFile, filesOf } from "./support/files.js";

const FILES = filesOf(echoFile("a.v1"), echoFile("b.v1"));
const AT = Date.UTC(2026, 0, 2);
const FILE: SchemaFile = {
  upstream: "library",
  endpoints: ["127.0.0.1:1"],
  learnedAt: AT,
  services: ["a.v1.Echo", "b.v1.Echo"],
  warnings: ["it is old"],
  files: FILES,
};
const bytesOf = (file: SchemaFile): Buffer => Buffer.concat([...schemaFileParts(file)]);
/** Files as hexadecimal text: they may be Buffers, or views of other memory. */
function plain(file: SchemaFile) {
  const files = [...file.files].map(([name, bytes]) => [name, Buffer.from(bytes).toString("hex")]);
  return { ...file, files };
}
const read = (bytes: Uint8Array) => plain(completed(readSchemaFile(bytes)));

/** A file that says other things of itself, and is whole. */
function saying(about: unknown): Buffer {
  const json = Buffer.from(JSON.stringify(about));
  // Field 50001, then 50002 with the digest, both length-delimited.
  const content = Buffer.concat([Buffer.from([0x8a, 0xb5, 0x18, json.length]), json]);
  const digest = createHash("sha256").update(content).digest();
  return Buffer.concat([content, Buffer.from([0x92, 0xb5, 0x18, 0x20]), digest]);
}

describe("a schema as a file", () => {
  test("comes back unchanged, and is a FileDescriptorSet to others", () => {
    const bytes = bytesOf(FILE);
    assert.deepEqual(read(bytes), plain(FILE));
    const set = fromBinary(FileDescriptorSetSchema, bytes);
    assert.deepEqual(
      set.file.map(({ name }) => name),
      [...FILES.keys()],
    );
  });

  test("of many parts too, none of them large", () => {
    const files = new Map([...FILES, ...filesOf(echoFile("big", { package: "x".repeat(3_000_000) }))]);
    const parts = [...schemaFileParts({ ...FILE, files })];
    assert.ok(parts.length > 5 && parts.every(({ length }) => length < 600_000));
    assert.ok(JSON.stringify(read(Buffer.concat(parts))) === JSON.stringify(plain({ ...FILE, files })));
  });

  test("is refused wherever a byte is lost, changed or added", () => {
    const bytes = bytesOf(FILE);
    for (let at = 0; at < bytes.length; at++) {
      assert.throws(() => read(bytes.subarray(0, at)), SchemaFileError, `cut at ${at}`);
      const changed = Buffer.from(bytes);
      changed[at] = (changed[at] ?? 0) ^ 0x10;
      assert.throws(() => read(changed), SchemaFileError, `changed at ${at}`);
    }
    assert.throws(() => read(Buffer.concat([bytes, Buffer.from([0])])), SchemaFileError);
  });

  for (const [about, says] of [
    [{ format: 2, anything: true }, /another version of the hub wrote it \(format 2, this one has 1\)/],
    [{}, /not a schema written by the hub/],
    [null, /not a schema written by the hub/],
    [[], /not a schema written by the hub/],
    [
      { format: 1, upstream: "a", endpoints: [], learnedAt: 1e20, services: [], warnings: [] },
      /not a schema/,
    ],
    [{ format: 1, upstream: "a", endpoints: [1], learnedAt: 1, services: [], warnings: [] }, /not a schema/],
  ] as const)
    test(`that says ${JSON.stringify(about)} of itself is refused`, () => {
      assert.throws(() => read(saying(about)), says);
    });

  test("any bytes are a schema or a SchemaFileError", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        assert.throws(() => read(bytes), SchemaFileError);
        const digest = createHash("sha256").update(bytes).digest();
        // Whole, whatever it holds.
        const whole = Buffer.concat([bytes, Buffer.from([0x92, 0xb5, 0x18, 0x20]), digest]);
        assert.throws(() => read(whole), SchemaFileError);
      }),
    );
  });
});

const scope = { after };
const OWNER = { name: "library", endpoints: ["127.0.0.1:1", "127.0.0.1:2"] };
const ONE = schemaFromFiles(filesOf(echoFile("a.v1")));
const TWO = schemaFromFiles(filesOf(echoFile("a.v1"), echoFile("a.v2", { name: "v2.proto" })));

async function setUp() {
  const folder = await mkdtemp(join(tmpdir(), "linchpin-schemas-"));
  scope.after(() => rm(folder, { recursive: true, force: true }));
  const told: string[] = [];
  const cache = new SchemaCache(folder, (message) => told.push(message));
  return { folder, told, cache, path: cache.pathOf(OWNER.name) };
}

const namesOf = (schema: Schema | undefined) => schema?.services.map(({ typeName }) => typeName);

describe("a folder of schemas", () => {
  test("returns the stored schema, with the same hash, and services without descriptors", async () => {
    const { cache, told, folder, path } = await setUp();
    assert.equal(await cache.read(OWNER), undefined);
    const schema = { ...TWO, undescribed: ["old.Orders"], warnings: ["w"] };
    assert.equal(await cache.write(OWNER, schema, AT), true);
    const found = await cache.read({ ...OWNER, endpoints: ["127.0.0.1:2", "127.0.0.1:9"] });
    assert.equal(found?.learnedAt, AT);
    assert.deepEqual(namesOf(found?.schema), ["a.v1.Echo", "a.v2.Echo"]);
    assert.deepEqual(found?.schema.undescribed, ["old.Orders"]);
    assert.deepEqual(found?.schema.warnings, ["w"]);
    for (const [name, bytes] of found?.schema.files ?? [])
      assert.deepEqual(Buffer.from(bytes), Buffer.from(TWO.files.get(name) ?? []));
    await cache.write(OWNER, TWO, AT);
    assert.equal((await cache.read(OWNER))?.schema.hash, TWO.hash);
    assert.deepEqual(await readdir(folder), [path.slice(folder.length + 1)], "nothing else is left");
    assert.deepEqual(told, []);
  });

  test("names of upstreams are safe as names of files, and none shares another's", async () => {
    const { cache, folder } = await setUp();
    const names = ["a", "A", "..", "../x", "a/b", "a\0b", "a.b", "con", "x".repeat(63), "x".repeat(500), "é"];
    for (const name of names) {
      assert.equal(await cache.write({ ...OWNER, name }, ONE, AT), true, name);
      assert.deepEqual(namesOf((await cache.read({ ...OWNER, name }))?.schema), ["a.v1.Echo"], name);
    }
    const files = await readdir(folder);
    assert.equal(new Set(files.map((file) => file.toLowerCase())).size, names.length);
  });

  for (const [what, spoil, says] of [
    ["cut short", (bytes: Buffer) => bytes.subarray(0, -9), /is truncated/],
    ["empty", () => Buffer.alloc(0), /not a schema written by the hub/],
    ["changed", (bytes: Buffer) => Buffer.from(bytes).fill(7, 20, 30), /it is damaged/],
    ["of a newer format", () => saying({ format: 9 }), /another version of the hub wrote it/],
    [
      "of another upstream",
      () => bytesOf({ ...FILE, upstream: "orders" }),
      /belongs to the upstream "orders"/,
    ],
    ["of other endpoints", () => bytesOf({ ...FILE, endpoints: ["h:9"] }), /from other endpoints: h:9/],
    [
      "of files that contradict each other",
      () =>
        bytesOf({
          ...FILE,
          files: new Map([
            ...FILES,
            ...filesOf(echoFile("a.v1", { name: "c.proto", service: [{ name: "Echo" }] })),
          ]),
        }),
      /does not take all of its files/,
    ],
  ] as const)
    test(`a file that is ${what} is logged once, and not used`, async () => {
      const { cache, told, path } = await setUp();
      await cache.write(OWNER, ONE, AT);
      await writeFile(path, spoil(await readFile(path)));
      for (let i = 0; i < 2; i++) assert.equal(await cache.read(OWNER), undefined);
      assert.equal(told.length, 1, told.join("\n"));
      assert.match(told[0] ?? "", says);
      assert.match(told[0] ?? "", /^upstream "library": its cached schema, \/.*\.binpb, is not used: /);
      assert.equal(await cache.write(OWNER, TWO, AT), true, "it is replaced by what is learned");
      assert.equal((await cache.read(OWNER))?.schema.hash, TWO.hash);
    });

  test("anything but a file does not block", async () => {
    const { cache, told, path } = await setUp();
    execFileSync("mkfifo", [path]);
    assert.equal(await cache.read(OWNER), undefined);
    assert.match(told[0] ?? "", /is a FIFO, not a regular file/);
    assert.equal(await cache.write(OWNER, ONE, AT), true);
    assert.equal((await cache.read(OWNER))?.schema.hash, ONE.hash);
  });

  test("a link in the file's place is replaced, what it leads to stays", async () => {
    const { cache, folder, path } = await setUp();
    const other = join(folder, "other");
    await writeFile(other, "mine");
    await symlink(other, path);
    await cache.write(OWNER, ONE, AT);
    assert.equal(await readFile(other, "utf8"), "mine");
    assert.equal((await cache.read(OWNER))?.schema.hash, ONE.hash);
  });

  test("that is missing is logged once, however many upstreams there are", async () => {
    const { told, folder } = await setUp();
    const cache = new SchemaCache(join(folder, "missing"), (message) => told.push(message));
    for (const name of ["a", "b", "c"]) {
      assert.equal(await cache.read({ ...OWNER, name }), undefined);
      assert.equal(await cache.write({ ...OWNER, name }, ONE, AT), false);
    }
    assert.deepEqual(told, [
      `schemas cannot be kept in ${folder}/missing: ENOENT: no such file or directory`,
    ]);
  });

  test("two hubs that write at once: a reader sees the one or the other, whole", async () => {
    const { cache, folder, told } = await setUp();
    const other = new SchemaCache(folder, (message) => told.push(message));
    await cache.write(OWNER, ONE, AT);
    let writing = true;
    const hashes = new Set<string | undefined>();
    const reading = (async () => {
      while (writing) hashes.add((await cache.read(OWNER))?.schema.hash);
    })();
    await Promise.all(
      [cache, other].map(async (hub, i) => {
        for (let n = 0; n < 30; n++) assert.ok(await hub.write(OWNER, (i + n) % 2 === 0 ? ONE : TWO, AT));
      }),
    );
    writing = false;
    await reading;
    for (const hash of hashes) assert.ok(hash === ONE.hash || hash === TWO.hash, `${hash}`);
    assert.deepEqual(told, []);
    assert.equal((await readdir(folder)).length, 1);
  });

  test("files of a hub that was killed are removed; files that may still be written stay", async () => {
    const { cache, folder, path } = await setUp();
    const name = path.slice(folder.length + 1);
    const [old, fresh] = [`.${name}.1.tmp`, `.${name}.2.tmp`];
    const others = [".other.binpb.1.tmp", `${name}.tmp`, "notes.txt"];
    for (const file of [old, fresh, ...others]) await writeFile(join(folder, file), "");
    const before = (Date.now() - 3_600_000) / 1000;
    for (const file of [old, ...others]) await utimes(join(folder, file), before, before);
    await cache.write(OWNER, ONE, AT);
    assert.deepEqual((await readdir(folder)).sort(), [fresh, ...others, name].sort());
  });

  test("that is closed is not written to any more", async () => {
    const { cache, folder } = await setUp();
    cache.close();
    assert.equal(await cache.write(OWNER, ONE, AT), false);
    assert.deepEqual(await readdir(folder), []);
  });
});

describe("one upstream's schema", () => {
  test("is written when it was learned, changed, or not written for an hour", async () => {
    const { cache, path } = await setUp();
    let now = AT;
    const memory = new SchemaMemory(() => OWNER, cache, { wallTime: () => now });
    /** When what lies there was learned, once nothing is being written. */
    const keeps = async (schema: Schema, expected: number, hash = schema.hash): Promise<void> => {
      memory.keep(schema);
      let found: Awaited<ReturnType<typeof cache.read>>;
      let busy = false;
      await until(() => {
        if (!busy) {
          busy = true;
          void cache.read(OWNER).then((read) => {
            found = read;
            busy = false;
          });
        }
        return found?.learnedAt === expected && found.schema.hash === hash;
      }, `it was learned at ${found?.learnedAt}`);
    };
    await keeps(ONE, AT);
    now += 60_000;
    await keeps(ONE, AT);
    await keeps(TWO, now);
    const written = now;
    now += 3_599_999;
    await keeps(TWO, written);
    now += 1;
    await keeps(TWO, now);
    await rm(path);
    now += 3_600_000;
    await keeps(TWO, now);
    memory.close();
    now += 3_600_000;
    memory.keep(ONE);
    await keeps(ONE, now - 3_600_000, TWO.hash);
  });
});
