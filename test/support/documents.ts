// Runs what the documentation shows: each document in a folder of its own, from its first block to its last, beside the
// demo that `make run` starts. Ports of the documents stand for free ones.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { LINCHPIN, type Program, ROOT, startNode } from "../e2e/support/program.js";
import { freeAddress } from "./free-address.js";
import { type Block, blocksOf, commandsOf, fits, type Shown } from "./markdown.js";

/** The documents that a user reads. */
export function documents(): string[] {
  const docs = readdirSync(join(ROOT, "docs")).filter((name) => name.endsWith(".md"));
  return ["README.md", ...docs.sort().map((name) => `docs/${name}`)];
}

export function blocksIn(document: string): Block[] {
  return blocksOf(readFileSync(join(ROOT, document), "utf8"));
}

/** Documents that a test of their own runs. */
export const ELSEWHERE: ReadonlyMap<string, string> = new Map([
  ["docs/tls.md", "test/tools/tls-docs.test.ts"],
  ["docs/interceptors.md", "test/hub/modules.test.ts"],
]);

/** Commands that no test runs, and why. */
export const NOT_RUN: ReadonlyMap<string, string> = new Map([
  ["make run", "`linchpin demo`, which is what it runs, is started before the first block of each document"],
  ...[
    "docker build --build-arg NODE_VERSION=24 --tag linchpin:0.1.0 .",
    "docker run --read-only --volume ./linchpin.yaml:/etc/linchpin/linchpin.yaml:ro --publish 8080:8080 linchpin:0.1.0",
  ].map((command): [string, string] => [
    command,
    "tools/image.test builds the image with buildah, and runs it",
  ]),
  ...[
    "cp deploy/linchpin.service /etc/systemd/system/",
    "systemctl enable --now linchpin",
    "systemctl reload linchpin",
  ].map((command): [string, string] => [
    command,
    "it takes a machine that systemd runs; tools/unit.test has it look at the unit",
  ]),
  ['alias linchpin="node $PWD/dist/main.js"', "the tests' PATH has a linchpin that is the same"],
  [
    "npm install @grpc/grpc-js @bufbuild/protobuf",
    "the network is not needed: the packages are those of this repository",
  ],
  [
    "npm install --save-dev @bufbuild/buf ts-proto typescript @types/node",
    "the network is not needed: the packages are those of this repository",
  ],
]);

/** Programs that a bare machine has not; what begins with them runs where `make tools` was. */
export const FOREIGN = /^grpcurl\b/;

/** Commands that serve until they are stopped. */
const SERVES = /^(?:linchpin serve\b|node out\/hub\.js)/;

/** Of a command; compilers take their time on a busy machine. */
const PATIENCE_MS = 120_000;
/** Of hubs that documents start, of servers that are not there. */
const FREE_PORTS = [8081, 8082, 50053];

/** `own`: what npm packages and this repository have. */
export type Tools = "own" | "foreign";

class Session {
  readonly folder = mkdtempSync(join(tmpdir(), "linchpin-docs-"));
  /** From the addresses in the documents to those in use. */
  private readonly addresses = new Map<string, string>();
  private readonly env: NodeJS.ProcessEnv;
  private readonly t: TestContext;
  private readonly tools: Tools;
  private serving: Program | undefined = undefined;

  constructor(t: TestContext, tools: Tools) {
    this.t = t;
    this.tools = tools;
    t.after(() => rmSync(this.folder, { recursive: true, force: true }));
    const bin = join(this.folder, ".bin");
    mkdirSync(bin);
    const script = (name: string, command: string): void => {
      writeFileSync(join(bin, name), `#!/bin/sh\nexec ${command} "$@"\n`);
      chmodSync(join(bin, name), 0o755);
    };
    script("linchpin", `"${process.execPath}" "${LINCHPIN}"`);
    // The real one shows a bar where it does not write to a terminal.
    script(
      "curl",
      tools === "own"
        ? `"${process.execPath}" "${ROOT}build/test/support/curl.js"`
        : `"${pathOf("curl")}" -sS`,
    );
    const { NODE_TEST_CONTEXT: _runner, LINCHPIN_CONFIG: _config, ...env } = process.env;
    this.env = {
      ...env,
      PATH: [bin, join(ROOT, ".tools/bin"), env.PATH].join(":"),
      npm_config_cache: join(this.folder, ".npm"),
    };
    // As in a project that has installed what the documents tell it to.
    writeFileSync(join(this.folder, "package.json"), '{ "private": true, "type": "module" }\n');
    const modules = join(this.folder, "node_modules");
    mkdirSync(modules);
    for (const name of readdirSync(join(ROOT, "node_modules")))
      symlinkSync(join(ROOT, "node_modules", name), join(modules, name));
    symlinkSync(ROOT, join(modules, "linchpin-hub"));
  }

  async start(): Promise<void> {
    for (const port of FREE_PORTS) this.addresses.set(`127.0.0.1:${port}`, await freeAddress());
    const { stdout } = startNode(this.t, LINCHPIN, ["demo", "--listen=127.0.0.1:0", "--admin=127.0.0.1:0"]);
    const [, one = "", two = ""] = await stdout.waitFor(/^library \((\S+), (\S+)\)/);
    this.addresses.set("127.0.0.1:50051", one);
    this.addresses.set("127.0.0.1:50052", two);
    const [, admin = ""] = await stdout.waitFor(/http:\/\/(\S+)\/routes$/);
    this.addresses.set("127.0.0.1:9901", admin);
    const [, hub = ""] = await stdout.waitFor(/^listening on http:\/\/(\S+)$/);
    this.addresses.set("127.0.0.1:8080", hub);
  }

  /** Files that a config names may stand after it. */
  writeFiles(blocks: readonly Block[]): void {
    for (const block of blocks) if (block.language === "yaml") this.file(block, "#");
  }

  async run(block: Block): Promise<void> {
    switch (block.language) {
      case "yaml":
        await this.config(block);
        return;
      case "ts":
        this.file(block, "//");
        return;
      default:
        for (const shown of commandsOf(block))
          if (!NOT_RUN.has(shown.command) && (this.tools === "foreign" || !FOREIGN.test(shown.command)))
            await this.command(shown);
    }
  }

  /** Writes a file that the block's first line names, else a linchpin.yaml; a config must be a right one. */
  private async config(block: Block): Promise<void> {
    const name = this.file(block, "#");
    if (/^buf\./.test(name) || /^- /m.test(block.text)) return;
    const whole = /^upstreams:/m.test(block.text)
      ? name
      : this.write(
          `whole-${name}`,
          `${block.text}\nupstreams: { library: { endpoints: [127.0.0.1:50051] } }\n`,
        );
    await this.command({ command: `linchpin check ${whole}`, output: undefined });
  }

  private file({ text }: Block, comment: string): string {
    const name = new RegExp(`^${comment} ([\\w.-]+\\.\\w+)\\b`).exec(text)?.[1] ?? "linchpin.yaml";
    return this.write(name, text);
  }

  private write(name: string, text: string): string {
    writeFileSync(join(this.folder, name), this.real(text));
    return name;
  }

  private async command({ command, output }: Shown): Promise<void> {
    if (SERVES.test(command)) {
      await this.serve(command, output);
      return;
    }
    const { code, printed } = await this.execute(command);
    // `linchpin routes` of a request that nothing answers.
    const expected = output?.startsWith("no route matches") === true ? 1 : 0;
    assert.equal(code, expected, `${command}\n${printed}`);
    if (output !== undefined) assertFits(command, output, this.shown(printed));
  }

  /** Starts what serves, in place of what served before, as a reader stops one to start the other. */
  private async serve(command: string, output: string | undefined): Promise<void> {
    await this.serving?.stop();
    const [program = "", ...args] = this.real(command).split(/ +/);
    const script = program === "linchpin" ? LINCHPIN : join(this.folder, args.shift() ?? "");
    const serving = startNode(this.t, script, args, { cwd: this.folder, env: this.env });
    this.serving = serving;
    await serving.stdout.waitFor(/^listening on/).catch((error: unknown) => {
      throw new Error(`${command}\n${serving.stderr.text}`, { cause: error });
    });
    // The log has the time before each line.
    const log = serving.stderr.text.replace(/^\S+Z (\w+ +)/gm, "$1");
    if (output !== undefined)
      assertFits(command, output, this.shown([log, serving.stdout.text].filter((s) => s !== "").join("\n")));
  }

  private execute(command: string): Promise<{ code: number | null; printed: string }> {
    return new Promise((resolve, reject) => {
      const child = spawn("sh", ["-c", this.real(command)], {
        cwd: this.folder,
        env: this.env,
        stdio: ["ignore", "pipe", "pipe"],
        timeout: PATIENCE_MS,
      });
      let printed = "";
      const read = (chunk: string): void => {
        printed += chunk;
      };
      child.stdout.setEncoding("utf8").on("data", read);
      child.stderr.setEncoding("utf8").on("data", read);
      child.on("error", reject);
      child.on("close", (code, signal) =>
        resolve({ code, printed: signal === null ? printed : `${printed}\nended by ${signal}` }),
      );
    });
  }

  /** With the addresses in use. */
  private real(text: string): string {
    return text.replace(/127\.0\.0\.1:\d+/g, (address) => this.addresses.get(address) ?? address);
  }

  /** With the addresses of the documents. */
  private shown(text: string): string {
    const names = new Map([...this.addresses].map(([name, address]) => [address, name]));
    return text.replace(/127\.0\.0\.1:\d+/g, (address) => names.get(address) ?? address);
  }
}

function assertFits(command: string, shown: string, actual: string): void {
  assert.ok(fits(shown, actual), `${command}\n--- prints\n${actual}\n--- and the document shows\n${shown}`);
}

/** Where a program of the PATH lies. */
function pathOf(name: string): string {
  const folders = (process.env.PATH ?? "").split(":");
  const found = folders.map((folder) => join(folder, name)).find((file) => existsSync(file));
  if (found === undefined) throw new Error(`${name} is not installed: run make tools`);
  return found;
}

/** Languages of the blocks that are run, or written as files. */
export const RUN: ReadonlySet<string> = new Set(["sh", "console", "yaml", "ts"]);
/** Languages of the others: drawings, parts of something, and modules, which a test of their own runs. */
export const SHOWN: ReadonlySet<string> = new Set(["", "text", "json", "js"]);

/** Declares a test for each document that has something to run: its blocks in their order. */
export function testDocuments(tools: Tools): void {
  for (const document of documents()) {
    const blocks = blocksIn(document).filter(({ language }) => RUN.has(language));
    if (blocks.length === 0 || ELSEWHERE.has(document)) continue;
    test(`${document} holds`, async (t) => {
      const session = new Session(t, tools);
      await session.start();
      session.writeFiles(blocks);
      for (const block of blocks)
        await t.test(`line ${block.line}: ${block.text.split("\n", 1)[0]}`, () => session.run(block));
    });
  }
}
