// What a person can get wrong at the start: one clear sentence, exit 1, no stack trace.
import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { after, before, test } from "node:test";
import { fileOf } from "./support/hub.js";
import { linchpin } from "./support/program.js";

const taken = createServer();
let address = "";
before(async () => {
  taken.listen(0, "127.0.0.1");
  await once(taken, "listening");
  address = `127.0.0.1:${(taken.address() as AddressInfo).port}`;
});
after(() => taken.close());

const FREE = ["--listen=127.0.0.1:0", "--admin=127.0.0.1:0"];
const UP = "upstreams: { a: { endpoints: [127.0.0.1:1] } }";

interface Case {
  readonly args: (file: (name: string, content: string) => Promise<string>) => Promise<readonly string[]>;
  readonly says: RegExp;
}

const CASES: Readonly<Record<string, Case>> = {
  "the port is in use": {
    args: async () => ["127.0.0.1:1", `--listen=${address}`, "--admin=off"],
    says: /cannot listen on 127\.0\.0\.1:\d+: the port is in use/,
  },
  "the admin port is in use": {
    args: async () => ["127.0.0.1:1", "--listen=127.0.0.1:0", `--admin=${address}`],
    says: /admin.*127\.0\.0\.1:\d+: the port is in use/,
  },
  "an address that this machine does not have": {
    args: async () => ["127.0.0.1:1", "--listen=192.0.2.1:0", "--admin=off"],
    says: /192\.0\.2\.1:0/,
  },
  "a descriptor set that is not there": {
    args: async () => ["127.0.0.1:1", "--protoset=/no/such/file.binpb", ...FREE],
    says: /\/no\/such\/file\.binpb/,
  },
  "a descriptor set that is none": {
    args: async (file) => [
      "127.0.0.1:1",
      `--protoset=${await file("x.binpb", "this is no descriptor set")}`,
      ...FREE,
    ],
    says: /x\.binpb/,
  },
  "a proto folder that is not there": {
    args: async () => ["127.0.0.1:1", "--proto=/no/such/folder", ...FREE],
    says: /\/no\/such\/folder/,
  },
  "a target that is none": { args: async () => ["library=nowhere", ...FREE], says: /library=nowhere/ },
  "a config that is not there": { args: async () => ["--config=/no/such.yaml"], says: /\/no\/such\.yaml/ },
  "a config that is no YAML": {
    args: async (file) => ["--config", await file("linchpin.yaml", "upstreams: [")],
    says: /linchpin\.yaml:1:\d+/,
  },
  "a config with an unknown key": {
    args: async (file) => ["--config", await file("linchpin.yaml", `${UP}\nlissten: 127.0.0.1:0\n`)],
    says: /linchpin\.yaml:2:1:? .*lissten.*listen/,
  },
  "a config with a wrong value": {
    args: async (file) => [
      "--config",
      await file("linchpin.yaml", `${UP}\ninterceptors:\n  deadline: { default: soon }\n`),
    ],
    says: /linchpin\.yaml:3:24/,
  },
  "a config that names a file that is not there": {
    args: async (file) => [
      "--config",
      await file(
        "linchpin.yaml",
        "upstreams: { a: { endpoints: [127.0.0.1:1], schema: { protoset: gone.binpb } } }",
      ),
      ...FREE,
    ],
    says: /gone\.binpb/,
  },
};

for (const [name, { args, says }] of Object.entries(CASES)) {
  test(name, async (t) => {
    const given = await args((file, content) => fileOf(t, file, content));
    const { code, stdout, stderr } = await linchpin(t, ["serve", ...given]);
    assert.equal(code, 1, stderr);
    assert.match(stderr, says);
    assert.doesNotMatch(stderr, /\n\s+at |internal error|node:internal/);
    assert.doesNotMatch(stdout, /listening on/);
  });
}
