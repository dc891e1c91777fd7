// The executable as shells and people meet it: exit codes, what goes to which stream, and never a stack trace.
import assert from "node:assert/strict";
import { execFile, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { parse } from "yaml";
import { COMMANDS } from "#src/cli/terminal/commands.js";
import { linchpin, MAIN, Running } from "./linchpin.js";

const folder = mkdtempSync(join(tmpdir(), "linchpin-cli-"));
after(() => rmSync(folder, { recursive: true }));

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

const GOOD = file("good.yaml", "upstreams: { library: { endpoints: [127.0.0.1:1] } }\n");
const BAD = file("bad.yaml", "upstreams: { library: { endpoints: [127.0.0.1] } }\nadmn: off\n");
/** What `linchpin` is asked with nothing in its folder. */
const EMPTY = { cwd: mkdtempSync(join(folder, "empty-")) };

const { version } = JSON.parse(
  readFileSync(fileURLToPath(new URL("../../../package.json", import.meta.url)), "utf8"),
);

// Prints the URL of each module that is imported.
const HOOKS = `export async function load(url, context, next) {
  process._rawDebug(url);
  return next(url, context);
}`;
const dataUrl = (code: string): string => `data:text/javascript,${encodeURIComponent(code)}`;
const TRACE_IMPORTS = dataUrl(
  `import { register } from "node:module"; register(${JSON.stringify(dataUrl(HOOKS))});`,
);

/** Runs a command with this text on its standard input. */
function checked(args: readonly string[], input: string) {
  const { LINCHPIN_CONFIG: _, ...env } = process.env;
  return spawnSync(process.execPath, [MAIN, ...args], { input, env, encoding: "utf8" });
}

describe("what needs no hub", { concurrency: 4 }, () => {
  type Row = readonly [args: readonly string[], code: number, stdout: RegExp, stderr: RegExp];
  const NOTHING = /^$/;
  const ROWS: readonly Row[] = [
    [["--version"], 0, new RegExp(`^linchpin ${version}\n$`), NOTHING],
    [["version"], 0, new RegExp(`^linchpin ${version}\n$`), NOTHING],
    [["--help"], 0, /linchpin serve .*\n/, NOTHING],
    [["help", "serve"], 0, /^usage: linchpin serve .*--protoset FILE/s, NOTHING],
    [["serve", "--help"], 0, /^usage: linchpin serve /, NOTHING],
    [["help", "srve"], 2, NOTHING, /^linchpin help: unknown command srve \(did you mean serve\?\)\nusage: /],
    [[], 2, NOTHING, /linchpin serve .*\n/],
    [["chek"], 2, NOTHING, /^linchpin: unknown command chek \(did you mean check\?\)\nusage: [^\n]+\n$/],
    [["--vresion"], 2, NOTHING, /^linchpin: unknown option --vresion \(did you mean --version\?\)\nusage: /],
    [["__proto__"], 2, NOTHING, /unknown command __proto__/],
    [["check", GOOD], 0, /good\.yaml: fine; upstreams: library\n$/, NOTHING],
    [
      ["check", BAD],
      1,
      NOTHING,
      /^.*bad\.yaml:1:37: upstreams\.library\.endpoints\[0\]: must be HOST:PORT.*\n.*bad\.yaml:2:1: admn: unknown key \(did you mean admin\?\).*\n$/,
    ],
    [["check", "/nowhere.yaml"], 1, NOTHING, /^\/nowhere\.yaml: no such file or directory\n$/],
    [["check", folder], 1, NOTHING, /^.*: is a directory, not a config file\n$/],
    [
      ["check"],
      2,
      NOTHING,
      /^linchpin check: no config: .*\nusage: linchpin check \[FILE\] \[--live\] \[--json\]\n$/,
    ],
    [["check", GOOD, GOOD], 2, NOTHING, /^linchpin check: unexpected argument/],
    [["check", "--strict"], 2, NOTHING, /^linchpin check: unknown option --strict\nusage: /],
    [["openapi"], 2, NOTHING, /^linchpin openapi: no config/],
    [["openapi", "nowhere.yaml"], 1, NOTHING, /^nowhere\.yaml: no such file or directory\n$/],
    [["config-schema"], 0, /^\{\n {2}"\$schema"/, NOTHING],
    [["init", "-o", "-", "library=h:1"], 0, /^# yaml-language-server: .*upstreams:\n {2}library:/s, NOTHING],
    [["serve"], 2, NOTHING, /^linchpin serve: no config.*\nusage: linchpin serve/],
    [
      ["serve", "h:1", "--workers", "4"],
      2,
      NOTHING,
      /--workers 4: must be 1: more than one worker is not supported yet/,
    ],
    [["serve", "h:1", "--workers", "0"], 2, NOTHING, /--workers 0: must be 1/],
    [["serve", "h:1", "--workers", "auto"], 2, NOTHING, /--workers auto: must be 1/],
    [
      ["serve", "h:1", "--log-level", "loud"],
      2,
      NOTHING,
      /--log-level is one of debug, info, warn, error, silent/,
    ],
    [["serve", "h:1", "--lisen", "x"], 2, NOTHING, /unknown option --lisen \(did you mean --listen\?\)/],
    [["serve", "h:1", "--listen"], 2, NOTHING, /--listen needs a value: --listen HOST:PORT/],
    [["serve", "h:1", "--listen", "--admin"], 2, NOTHING, /--listen needs a value/],
    [["serve", "h:1", "--listen", "h:1", "--listen=h:2"], 2, NOTHING, /--listen is given twice/],
    [
      ["serve", "hub.yaml"],
      2,
      NOTHING,
      /a config file is given by --config: linchpin serve --config hub\.yaml\n/,
    ],
    [["serve", "nowhere"], 1, NOTHING, /^a target must be HOST:PORT.*not "nowhere"\n$/],
    [
      ["serve", "https://h/path"],
      1,
      NOTHING,
      /^a target must be https:\/\/HOST or https:\/\/HOST:PORT, and no more, not .*\n$/,
    ],
    [
      ["serve", "h:1", "--protoset", "/nowhere"],
      1,
      NOTHING,
      /^--protoset: \/nowhere: no such file or directory\n$/,
    ],
    [["serve", "--config", BAD], 1, NOTHING, /bad\.yaml:2:1: admn/],
    [["serve", "--config", "/nowhere.yaml"], 1, NOTHING, /^\/nowhere\.yaml: no such file or directory\n$/],
    [["routes"], 2, NOTHING, /no config/],
    [["routes", "GET"], 2, NOTHING, /GET needs a path/],
    [["routes", "h:1", "GET", "v1"], 2, NOTHING, /a request is METHOD PATH, as in GET \/v1\/books/],
    [["routes", "nowhere.yaml"], 1, NOTHING, /^nowhere\.yaml: no such file or directory\n$/],
    [["upstreams", "ftp://h"], 2, NOTHING, /ftp:\/\/h is neither a config file nor an address, as in http:/],
    [
      ["upstreams", "127.0.0.1:1"],
      1,
      NOTHING,
      /^the admin listener at http:\/\/127\.0\.0\.1:1 cannot be asked: ECONNREFUSED; is a hub running, /,
    ],
    [["descriptors", "h:1"], 2, NOTHING, /-o FILE is missing/],
    [["descriptors"], 2, NOTHING, /an argument is missing/],
    [["demo", "x"], 2, NOTHING, /unexpected argument "x"/],
    [["demo", "--listen", "8080"], 1, NOTHING, /^--listen must name the host as well: 127\.0\.0\.1:8080 /],
  ];
  for (const [args, code, stdout, stderr] of ROWS) {
    test(`linchpin ${args.map((arg) => arg.replace(folder, "")).join(" ")} ends with ${code}`, async () => {
      const run = await linchpin(args, EMPTY);
      assert.equal(run.code, code, run.stderr);
      assert.match(run.stdout, stdout);
      assert.match(run.stderr, stderr);
      assert.doesNotMatch(run.stdout + run.stderr, /^\s+at /m);
    });
  }

  test("check reads standard input, warns of keys without effect, and prints JSON", () => {
    const fine = "upstreams: { a: { endpoints: [h:1] } }\n";
    const warned = checked(["check", "-"], `${fine}limits: { maxAgeGrace: 1s }\n`);
    assert.equal(warned.status, 0);
    assert.equal(warned.stdout, "<stdin>: fine; upstreams: a\n");
    assert.equal(
      warned.stderr,
      "warning: <stdin>:2:11: limits.maxAgeGrace: has no effect: limits.maxAge is none\n",
    );
    const wrong = checked(["check", "-", "--json"], `${fine}admn: off\n`);
    assert.equal(wrong.status, 1);
    const [{ message, ...place }, ...others] = JSON.parse(wrong.stdout);
    assert.deepEqual(others, []);
    assert.deepEqual(place, { severity: "error", file: "<stdin>", line: 2, column: 1, path: "admn" });
    assert.match(message, /^unknown key \(did you mean admin\?\)/);
    assert.equal(checked(["check", "-", "--json"], fine).stdout, "[]\n");
    assert.match(
      checked(["check", "-"], "#".repeat(1024 ** 2 + 1)).stderr,
      /^<stdin>:1:1: a config file has at most/,
    );
  });

  test("the completion of each shell has every command and option", () => {
    for (const shell of ["bash", "zsh", "fish"]) {
      const { status, stdout } = checked(["completion", shell], "");
      assert.equal(status, 0);
      for (const { name, options } of Object.values(COMMANDS))
        for (const word of [name, ...Object.keys(options)])
          assert.ok(stdout.includes(word), `${shell}: ${word}`);
    }
    const { stdout } = checked(["completion", "bash"], "");
    const completed = spawnSync("bash", ["--norc"], {
      input: `${stdout}\nCOMP_WORDS=(linchpin check --j) COMP_CWORD=2\n_linchpin\necho "\${COMPREPLY[@]}"\n`,
      encoding: "utf8",
    });
    // A machine may do without bash.
    if (completed.error === undefined) assert.equal(completed.stdout, "--json\n", completed.stderr);
  });

  test("init --minimal writes the upstreams alone", async () => {
    const { stdout } = await linchpin(["init", "--minimal", "-o", "-", "library=127.0.0.1:50051"]);
    assert.equal(
      stdout,
      "# yaml-language-server: $schema=./linchpin.schema.json\nupstreams:\n  library:\n    endpoints:\n      - 127.0.0.1:50051\n",
    );
  });

  test("init writes a config that check finds fine, and never over another", async () => {
    const cwd = mkdtempSync(join(folder, "init-"));
    const first = await linchpin(["init", "library=h:1", "library=h:2"], { cwd });
    assert.equal(first.code, 0, first.stderr);
    const written = readFileSync(join(cwd, "linchpin.yaml"), "utf8");
    assert.match((await linchpin(["check"], { cwd })).stdout, /^linchpin\.yaml: fine; upstreams: library\n$/);
    assert.equal(JSON.parse(readFileSync(join(cwd, "linchpin.schema.json"), "utf8")).title, "linchpin.yaml");
    const second = await linchpin(["init"], { cwd });
    assert.equal(second.code, 1);
    assert.equal(second.stderr, "linchpin.yaml: exists already; -o FILE writes another\n");
    assert.equal(readFileSync(join(cwd, "linchpin.yaml"), "utf8"), written);
  });

  test("LINCHPIN_CONFIG names the config, before ./linchpin.yaml", async () => {
    const cwd = mkdtempSync(join(folder, "env-"));
    writeFileSync(join(cwd, "linchpin.yaml"), "x");
    const run = await linchpin(["check"], { cwd, env: { LINCHPIN_CONFIG: GOOD } });
    assert.match(run.stdout, /good\.yaml: fine/);
  });

  test("LINCHPIN_DEBUG shows the stack", async () => {
    const run = await linchpin(["serve", "nowhere"], { env: { LINCHPIN_DEBUG: "1" } });
    assert.match(run.stderr, /^\s+at /m);
  });

  test("a reader that closes early is no failure", async () => {
    const running = new Running(["config-schema"]);
    running.child.stdout?.destroy();
    const { code, stderr } = await running.finished();
    assert.equal(code, 0);
    assert.equal(stderr, "");
  });
});

const ANY = ["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"];

describe("a serving hub", () => {
  let demo: Running;
  let url: string;
  let target: string;
  before(async () => {
    demo = new Running(["demo", ...ANY]);
    url = (await demo.until(/^listening on (http:\/\/127\.0\.0\.1:\d+)$/m))[1] ?? "";
    target = /^library \(([^,]+),/m.exec(demo.stdout)?.[1] ?? "";
  });
  after(async () => {
    demo.kill("SIGTERM");
    await demo.finished();
  });

  test("says what it learned and what to try, and listening last", () => {
    assert.match(
      demo.stdout,
      /^library \(127\.0\.0\.1:\d+, 127\.0\.0\.1:\d+\): 2 services, \d+ methods, \d+ REST routes$/m,
    );
    assert.match(demo.stdout, /^ {2}curl .*\/v1\/books/m);
    assert.match(demo.stdout, /\nlistening on http:\/\/127\.0\.0\.1:\d+\n$/);
    assert.equal(demo.stderr, "");
  });

  test("takes calls by then, and shows its health", async () => {
    assert.equal((await fetch(`${url}/v1/books`)).status, 200);
    const admin = /(http:\S+)\/routes/.exec(demo.stdout)?.[1] ?? "";
    assert.equal((await fetch(`${admin}/readyz`)).status, 200);
  });

  test("upstreams shows its endpoints, asked at its address or at that of a config file", async () => {
    const admin = /(http:\S+)\/routes/.exec(demo.stdout)?.[1] ?? "";
    const config = file(
      "admin.yaml",
      `admin: ${admin.slice(7)}\nupstreams: { a: { endpoints: [127.0.0.1:1] } }\n`,
    );
    for (const source of [admin, admin.slice(7), config]) {
      const text = await linchpin(["upstreams", source]);
      assert.equal(text.code, 0, text.stderr);
      assert.match(text.stdout, /^library\n {2}127\.0\.0\.1:\d+ +ready +1 open +0 calls/);
    }
    const json = await linchpin(["upstreams", "--json"], { env: { LINCHPIN_CONFIG: config } });
    const { upstreams } = JSON.parse(json.stdout);
    assert.deepEqual(
      upstreams.map(({ name, balancer, panic }: Record<string, unknown>) => [name, balancer, panic]),
      [["library", "peak_ewma", false]],
    );
    assert.equal(upstreams[0].endpoints[0].state, "ready");
    const other = await linchpin(["upstreams", url]);
    assert.equal(other.code, 1);
    assert.match(other.stderr, /^the admin listener at http:\S+ answered 404: /);
  });

  test("every curl that the demo prints works", async () => {
    const lines = demo.stdout.match(/^ {2}curl .*$/gm) ?? [];
    assert.ok(lines.length >= 3);
    for (const line of lines) {
      const address = /http:\/\/[^'\s]+/.exec(line)?.[0] ?? "";
      const json = /--json '([^']+)'/.exec(line)?.[1];
      const response = await fetch(
        address,
        json === undefined
          ? {}
          : { method: "POST", body: json, headers: { "content-type": "application/json" } },
      );
      assert.ok(response.ok, `${line}: ${response.status} ${await response.text()}`);
      await response.body?.cancel().catch(() => undefined);
    }
  });

  test("openapi prints the document of a server, whole or a part, as JSON or YAML", async () => {
    const whole = await linchpin(["openapi", target]);
    assert.equal(whole.code, 0, whole.stderr);
    const { openapi, paths } = JSON.parse(whole.stdout);
    assert.equal(openapi, "3.1.1");
    assert.ok("/v1/books/{book}" in paths && "/v2/books/{book}" in paths);
    const file = join(folder, "library.yaml");
    const part = await linchpin(["openapi", target, "--service", "library.v2.LibraryService", "-o", file]);
    assert.equal(part.code, 0, part.stderr);
    const document: unknown = parse(readFileSync(file, "utf8"));
    assert.ok(typeof document === "object" && document !== null && "paths" in document);
    const v2 = await linchpin(["openapi", target, "--version", "v2"]);
    assert.deepEqual(document, JSON.parse(v2.stdout));
    const wrong = await linchpin(["openapi", target, "--version", "v9"]);
    assert.equal(wrong.code, 1);
    assert.equal(wrong.stderr, "no version 'v9': there is v1, v2\n");
  });

  test("routes shows the table of a server, and explains a request", async () => {
    const table = await linchpin(["routes", target]);
    assert.equal(table.code, 0, table.stderr);
    assert.match(table.stdout, /^GET +\/v1\/books +library\.v1\.LibraryService\/ListBooks +\S+$/m);
    assert.match(table.stdout, /^gRPC +\/library\.v1\.LibraryService\/GetBook +/m);
    const json = await linchpin(["routes", target, "--json"]);
    assert.ok(JSON.parse(json.stdout).length > 10);
    const why = await linchpin(["routes", target, "GET", "/v1/books"]);
    assert.equal(why.code, 0, why.stderr);
    assert.match(why.stdout, /ListBooks/);
    const none = await linchpin(["routes", `http://${target}`, "GET", "/v1/shelves"]);
    assert.equal(none.code, 1, "nothing answers");
    assert.match(none.stdout, /no route/i);
  });

  test("check --live learns the upstreams", async () => {
    const text = (address: string): string => `upstreams: { library: { endpoints: ["${address}"] } }\n`;
    const fine = checked(
      ["check", "-", "--live"],
      `${text(target)}methods: { library.v1.Nope: { deadline: 1s } }\n`,
    );
    assert.equal(fine.status, 0, fine.stderr);
    assert.equal(fine.stderr, "warning: <stdin>: methods: no upstream has library.v1.Nope\n");
    const down = checked(["check", "-", "--live", "--json"], text("127.0.0.1:1"));
    assert.equal(down.status, 1, down.stderr);
    const [found, ...others] = JSON.parse(down.stdout);
    assert.deepEqual(others, []);
    assert.equal(found.severity, "error");
    assert.match(found.message, /^upstream "library": .*127\.0\.0\.1:1/);
  });

  test("descriptors writes an image, from which the services are served", async (t) => {
    const image = join(folder, "image.binpb");
    const written = await linchpin(["descriptors", target, "-o", image]);
    assert.equal(written.code, 0, written.stderr);
    assert.match(written.stderr, /services: .*library\.v1\.LibraryService/);
    assert.equal(written.stdout, "");
    const hub = new Running(["serve", `library=${target}`, "--protoset", image, ...ANY]);
    t.after(() => hub.kill("SIGKILL"));
    const own = (await hub.until(/listening on (\S+)/))[1];
    assert.equal((await fetch(`${own}/v1/books`)).status, 200);
    const nowhere = await linchpin(["descriptors", target, "-o", "/nowhere/x"]);
    assert.equal(nowhere.code, 1);
    assert.match(nowhere.stderr, /^\/nowhere\/x: no such file or directory\n$/);
  });

  test("output to a pipe is complete, however slowly it is read", async () => {
    const shell = promisify(execFile);
    for (const command of [
      ["openapi", target],
      ["descriptors", target, "-o", "-"],
    ]) {
      // Byte by byte: the pipe is full most of the time.
      const script = 'main="$1"; shift; node "$main" "$@" | dd bs=1 status=none | wc -c';
      const { stdout, stderr } = await shell("sh", ["-c", script, "sh", MAIN, ...command]);
      assert.doesNotMatch(stderr, /EAGAIN/);
      const file = join(folder, "whole");
      await linchpin([command[0] ?? "", target, "-o", file]);
      assert.equal(Number(stdout), readFileSync(file).length, command[0]);
    }
  });

  test("serves if an upstream is down, and reports it", async (t) => {
    const hub = new Running(["serve", "--config", GOOD, ...ANY]);
    t.after(() => hub.kill("SIGKILL"));
    const own = (await hub.until(/listening on (\S+)/))[1];
    assert.match(hub.stdout, /^library \(127\.0\.0\.1:1\): no services known yet\n {2}\S/m);
    assert.equal(hub.stderr.match(/^.* warn .*upstream "library".*$/gm)?.length, 1, hub.stderr);
    assert.ok((await fetch(`${own}/v1/books`)).status >= 400);
  });

  test("says in one sentence that the port is in use", async (t) => {
    const taken = createServer().listen(0, "127.0.0.1");
    t.after(() => taken.close());
    await new Promise((resolve) => taken.once("listening", resolve));
    const address = taken.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    for (const flags of [
      ["--listen", `127.0.0.1:${port}`, "--admin", "off"],
      ["--listen", "127.0.0.1:0", "--admin", `127.0.0.1:${port}`],
    ]) {
      const run = await linchpin(["serve", target, "--log-level", "silent", ...flags]);
      assert.equal(run.code, 1);
      assert.match(
        run.stderr,
        /^the (hub|admin listener) cannot listen on 127\.0\.0\.1:\d+: the port is in use.*\n$/,
      );
      assert.doesNotMatch(run.stdout, /listening/);
    }
  });

  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    test(`${signal} drains and ends with 0, after SIGHUP has not`, async () => {
      const hub = new Running(["serve", target, ...ANY, "--log-format", "json"]);
      await hub.until(/listening on/);
      hub.kill("SIGHUP");
      await hub.until(/nothing was changed: there is no config file/, "stderr");
      hub.kill(signal);
      const { code, stderr } = await hub.finished();
      assert.equal(code, 0, stderr);
      const lines = stderr
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line));
      assert.deepEqual(
        lines.map((line) => line.level),
        ["error", "info"],
      );
    });
  }

  for (const [signal, code] of [
    ["SIGTERM", 143],
    ["SIGINT", 130],
  ] as const) {
    test(`a second ${signal} ends at once with ${code}, while a call runs`, async (t) => {
      const hub = new Running(["serve", target, ...ANY]);
      t.after(() => hub.kill("SIGKILL"));
      const own = (await hub.until(/listening on (\S+)/))[1];
      const response = await fetch(`${own}/v1/books:search?query=the&interval=1s`, {
        headers: { accept: "application/x-ndjson" },
      });
      const ended = response.text().catch(() => "cut");
      hub.kill(signal);
      await hub.until(/draining/, "stderr");
      hub.kill(signal);
      assert.equal((await hub.finished()).code, code);
      assert.equal(await ended, "cut");
    });
  }
});

test("--version waits for no schema, no YAML and no gRPC", async () => {
  const env = { NODE_OPTIONS: `--import ${TRACE_IMPORTS}` };
  const check = await linchpin(["check", GOOD], { env });
  assert.match(
    check.stderr,
    /node_modules\/zod\/.*node_modules\/yaml\/|node_modules\/yaml\/.*node_modules\/zod\//s,
  );
  const run = await linchpin(["--version"], { env });
  assert.equal(run.code, 0);
  assert.match(run.stderr, /dist\/cli\/commands\/version\.js/);
  assert.doesNotMatch(run.stderr, /node_modules\//);
});
