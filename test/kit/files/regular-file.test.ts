// Whatever stands where a config names a file: a regular file is read whole, and nothing else holds the process.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { readSmallFile } from "#src/config/small-file.js";
import { readLargeFile, readRegularFile } from "#src/kit/files/regular-file.js";
import { loadProtos } from "#src/schema/sources/protos.js";
import { loadProtoset } from "#src/schema/sources/protoset.js";
import { loadConfig } from "#src/settings/load.js";
import { readCertificates, readKey } from "#src/tls/pem.js";

const folder = mkdtempSync(join(tmpdir(), "linchpin-files-"));
after(() => rmSync(folder, { recursive: true }));
const at = (name: string): string => join(folder, name);
const fifo = at("fifo");
execFileSync("mkfifo", [fifo]);

const BOTH = {
  "at once": async (path: string, max: number) => readRegularFile(path, max),
  "off the event loop": readLargeFile,
};

for (const [how, read] of Object.entries(BOTH))
  describe(`a file that is read ${how}`, () => {
    for (const bytes of [0, 1, 4_095, 4_096, 4_097, 100_000])
      test(`has all its ${bytes} bytes`, async () => {
        const content = Buffer.alloc(bytes, "abc");
        writeFileSync(at("some"), content);
        assert.ok((await read(at("some"), bytes)).equals(content));
        if (bytes > 0)
          await assert.rejects(read(at("some"), bytes - 1), /^Error: has \d+ bytes, more than the/);
      });

    test("may say nothing of its size", async (t) => {
      if (process.platform !== "linux") return t.diagnostic("only Linux has such files");
      assert.deepEqual(await read("/proc/self/status", 1e6).then((bytes) => bytes.length > 100), true);
      await assert.rejects(read("/proc/self/status", 100), /more than the limit of 100/);
    });

    test("is no FIFO, device, socket or folder", async () => {
      const server = createServer().listen(at("socket"));
      await once(server, "listening");
      mkdirSync(at(`folder-${how}`));
      await assert.rejects(read(fifo, 10), /^Error: is a FIFO, not a regular file$/);
      await assert.rejects(read("/dev/zero", 10), /is a device, not/);
      await assert.rejects(read(at("socket"), 10), /is a socket, not/);
      await assert.rejects(read(at(`folder-${how}`), 10), { code: "EISDIR" });
      await assert.rejects(read(at("none"), 10), { code: "ENOENT" });
      server.close();
    });
  });

describe("a FIFO in place of", () => {
  const UP = 'upstreams: { a: { endpoints: ["127.0.0.1:1"] } }\n';
  const config = (yaml: string) => () => {
    writeFileSync(at("config.yaml"), yaml);
    loadConfig(at("config.yaml"), {});
  };
  const tls = (keys: string) => config(`${UP}listen: [{ address: "127.0.0.1:0", tls: { ${keys} } }]\n`);
  mkdirSync(at("protos"));
  execFileSync("mkfifo", [at("protos/a.proto")]);
  writeFileSync(at("plain"), "");
  const files: Readonly<Record<string, () => unknown>> = {
    "the config": () => loadConfig(fifo, {}),
    "a listener's certificate": tls("cert: fifo, key: plain"),
    "a listener's key": tls("cert: plain, key: fifo"),
    "a listener's CA": tls("cert: plain, key: plain, clientCa: fifo"),
    "an upstream's CA": config('upstreams: { a: { endpoints: ["a:1"], tls: { ca: fifo } } }'),
    "an upstream's certificate": config(
      'upstreams: { a: { endpoints: ["a:1"], tls: { cert: fifo, key: fifo } } }',
    ),
    "the admin's token": config(`${UP}admin: { address: "0.0.0.0:0", tokenFile: fifo }\n`),
    "API keys": config(`${UP}interceptors: { auth: { apiKeys: { file: fifo } } }\n`),
    "an issuer's keys": config(
      `${UP}interceptors: { auth: { jwt: [{ issuer: "https://a", audiences: [a], jwks: fifo }] } }\n`,
    ),
    "a descriptor set": config('upstreams: { a: { endpoints: ["a:1"], schema: { protoset: fifo } } }'),
    "a file that is read again later": () => readSmallFile(fifo, "the keys"),
    "a certificate that is read again": () => {
      const read = readCertificates(fifo);
      if (!read.ok) throw new Error(read.reason);
    },
    "a key that is read again": () => {
      const read = readKey(fifo);
      if (!read.ok) throw new Error(read.reason);
    },
    "a descriptor set that is read again": () => loadProtoset(fifo),
    "a .proto file": () => loadProtos([at("protos")]),
  };
  for (const [name, read] of Object.entries(files))
    test(`${name} is reported, and blocks nothing`, async () => {
      await assert.rejects(async () => read(), /(?:fifo|a\.proto)\S* .*is a FIFO, not a/s);
    });
});
