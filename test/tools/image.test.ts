// The image of the Dockerfile: built with buildah on a Debian that is made here, and run as it says, on a root file
// system that is read-only. Needs root, for buildah's chroot and for mounts.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  renameSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { after, before, type TestContext, test } from "node:test";
import { promisify } from "node:util";
import { status } from "@grpc/grpc-js";
import { BidiStreamRequest } from "#generated/test/v1/behavior.js";
import { behaviorClient, streamed } from "../e2e/support/grpc.js";
import { http } from "../e2e/support/http.js";
import { type Program, ROOT, startProgram } from "../e2e/support/program.js";
import { startService } from "../e2e/support/service.js";
import { program, run } from "./support/programs.js";

const execute = promisify(execFile);
/** Made once for each machine; git ignores the folder. */
const DEBIAN = join(ROOT, ".tools/debian.tar");
const NODE = join(ROOT, ".tools/node24/bin/node");
const CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt";
/** Installing and copying on a slow machine. */
const PATIENCE_MS = 1_200_000;

const folder = mkdtempSync(join(tmpdir(), "linchpin-image-"));
const service = await startService({ after }, "behavior");
// By a process of its own: these are tens of thousands of files.
after(() => execute("rm", ["-rf", folder], { timeout: PATIENCE_MS }));

async function buildah(...args: string[]): Promise<string> {
  // Of its own, so that nothing stays behind.
  const storage = [
    "--root",
    join(folder, "storage"),
    "--runroot",
    join(folder, "run"),
    "--storage-driver",
    "vfs",
  ];
  const options = {
    timeout: PATIENCE_MS,
    maxBuffer: 64 * 1024 * 1024,
    env: { ...process.env, TMPDIR: folder },
  };
  const { stdout } = await execute(program("buildah"), [...storage, ...args], options);
  return stdout.trim();
}

interface ImageConfig {
  readonly User: string;
  readonly Env: readonly string[];
  readonly Cmd: readonly string[];
  readonly Entrypoint: readonly string[];
  readonly WorkingDir: string;
  readonly StopSignal: string;
  readonly Healthcheck: { readonly Test: readonly string[] };
}
let config: ImageConfig;
/** Where the image's files lie. */
let root = "";

/** A Debian with Node, and npm to build with: what the official image is. */
async function makeBase(): Promise<void> {
  if (!existsSync(DEBIAN)) {
    const made = join(folder, "debian.tar");
    await execute(
      program("mmdebstrap"),
      ["--variant=minbase", "--include=ca-certificates,libstdc++6,libatomic1", "bookworm", made],
      {
        timeout: PATIENCE_MS,
        maxBuffer: 64 * 1024 * 1024,
      },
    );
    cpSync(made, `${DEBIAN}.new`);
    renameSync(`${DEBIAN}.new`, DEBIAN);
  }
  const local = join(folder, "base/usr/local");
  mkdirSync(join(local, "bin"), { recursive: true });
  cpSync(NODE, join(local, "bin/node"));
  const [npm = ""] = (process.env.PATH ?? "")
    .split(delimiter)
    .map((path) => join(path, "npm"))
    .filter((path) => existsSync(path));
  cpSync(dirname(dirname(realpathSync(npm))), join(local, "lib/node_modules/npm"), { recursive: true });
  const script = '#!/bin/sh\nexec node /usr/local/lib/node_modules/npm/bin/npm-cli.js "$@"\n';
  writeFileSync(join(local, "bin/npm"), script, { mode: 0o755 });
  // The registry is that of this machine, and whom to trust there.
  const registry = (await execute("npm", ["config", "get", "registry"])).stdout.trim();
  mkdirSync(join(local, "etc"));
  writeFileSync(join(local, "etc/npmrc"), `registry=${registry}\ncafile=${CERTIFICATES}\n`);
  mkdirSync(join(folder, "base", dirname(CERTIFICATES)), { recursive: true });
  cpSync(CERTIFICATES, join(folder, "base", CERTIFICATES));

  const base = await buildah("from", "scratch");
  await buildah("add", "-q", base, DEBIAN, "/");
  await buildah("add", "-q", base, join(folder, "base"), "/");
  await buildah("config", "--env", "PATH=/usr/local/bin:/usr/bin:/bin", base);
  await buildah("commit", "-q", "--format", "docker", "--rm", base, "localhost/node:24");
}

before(
  async () => {
    assert.equal(process.getuid?.(), 0, "buildah's chroot and mounts need root");
    await makeBase();
    const build = ["--isolation", "chroot", "--format", "docker", "--build-arg", "BASE=localhost/node:24"];
    await buildah("bud", ...build, "--tag", "localhost/linchpin", ROOT);
    config = JSON.parse(await buildah("inspect", "--type", "image", "localhost/linchpin")).Docker.config;
    root = await buildah("mount", await buildah("from", "localhost/linchpin"));
  },
  { timeout: PATIENCE_MS },
);

/** A command in the image, as a runtime with `--read-only` and the mounted folder of its config would run it. */
function inImage(configs: string, command: readonly string[], env: readonly string[] = []): string[] {
  const script = [
    'mount --bind "$0" "$0"',
    'mount --bind "$1" "$0$2"',
    'mount -o remount,bind,ro "$0$2"',
    'mount -t proc proc "$0/proc"',
    'mount -o remount,bind,ro "$0"',
    'folder="$2" user="$3"',
    "shift 3",
    'exec chroot --userspec="$user" --groups= "$0" /usr/bin/env -i --chdir="$folder" "$@"',
  ].join(" && ");
  const inside = [...config.Env, ...env, ...command];
  return [
    "unshare",
    "--mount",
    "bash",
    "-c",
    script,
    root,
    configs,
    config.WorkingDir,
    config.User,
    ...inside,
  ];
}

function configFolder(): string {
  const path = mkdtempSync(join(folder, "config-"));
  const text = `listen: 127.0.0.1:0\nadmin: 127.0.0.1:0\nupstreams: { behavior: { endpoints: ["${service.address}"] } }\n`;
  writeFileSync(join(path, "linchpin.yaml"), text, { mode: 0o644 });
  return path;
}

async function started(
  t: TestContext,
): Promise<{ hub: Program; address: string; admin: string; configs: string }> {
  const configs = configFolder();
  await execute("chmod", ["755", folder, configs]);
  const hub = startProgram(t, inImage(configs, [...config.Entrypoint, ...config.Cmd]));
  const [, admin = ""] = await hub.stdout.waitFor(/^admin on (http:\S+)$/);
  const [, address = ""] = await hub.stdout.waitFor(/^listening on http:\/\/(\S+)$/);
  return { hub, address, admin, configs };
}

test("its config runs it: not as root, by exec, ended by SIGTERM", () => {
  assert.match(config.User, /^[1-9]\d*:[1-9]\d*$/);
  assert.equal(config.StopSignal, "SIGTERM");
  assert.deepEqual([...config.Entrypoint, ...config.Cmd], ["node", "/opt/linchpin/dist/main.js", "serve"]);
  assert.equal(config.Healthcheck.Test[0], "CMD");
});

test("the hub in it serves JSON and gRPC, as nobody, on a read-only file system; SIGTERM lets calls end", async (t) => {
  const { hub, address, admin, configs } = await started(t);
  const owner = /^Uid:\s+(\d+)\s+(\d+)/m.exec(readFileSync(`/proc/${hub.pid}/status`, "utf8"));
  assert.deepEqual(owner?.slice(1), ["65532", "65532"]);
  assert.equal((await http("1.1", address, "/test/v1/unary", { body: "{}" })).status, 200);
  const listed = await run(program("grpcurl"), ["-plaintext", address, "list"]);
  assert.match(listed.stdout, /^test\.v1\.BehaviorService$/m, listed.stderr);

  const [, ...check] = config.Healthcheck.Test;
  const healthy = async (): Promise<number | null> => {
    const [command = "", ...args] = inImage(configs, check, [`LINCHPIN_HEALTH_URL=${admin}/livez`]);
    return (await run(command, args)).code;
  };
  assert.equal(await healthy(), 0);

  const call = behaviorClient(t, address).bidiStream();
  let next = (): void => {};
  const outcome = streamed(call, () => next());
  const answered = (): Promise<void> =>
    new Promise((resolve) => {
      next = resolve;
      call.write(BidiStreamRequest.fromPartial({}));
    });
  await answered();
  hub.kill("SIGTERM");
  await hub.stderr.waitFor(/draining/);
  await answered();
  call.end();
  assert.equal((await outcome).code, status.OK);
  assert.deepEqual(await hub.exited, { code: 0, signal: null });
  assert.equal(await healthy(), 1);
});

test("nothing of the build is in it, and without a config it says what is missing", async () => {
  for (const path of ["opt/linchpin/src", "opt/linchpin/node_modules/typescript", "build"])
    assert.ok(!existsSync(join(root, path)), path);
  const empty = mkdtempSync(join(folder, "config-"));
  await execute("chmod", ["755", empty]);
  const [command = "", ...args] = inImage(empty, [...config.Entrypoint, ...config.Cmd]);
  const { code, stderr } = await run(command, args);
  assert.equal(code, 1);
  assert.match(stderr, /\/etc\/linchpin\/linchpin\.yaml: no such file/);
});
