// A file of endpoints: however it is replaced its new list is taken over, and a bad one changes nothing.
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, it } from "node:test";
import { formatAddress } from "#src/config/address.js";
import { systemClock } from "#src/kit/clock.js";
import { UserError } from "#src/kit/text/user-error.js";
import type { EndpointWatcher } from "#src/upstream/discovery/endpoint-source.js";
import { fileEndpoints } from "#src/upstream/discovery/file-endpoints.js";
import { until } from "../support/until.js";

const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean();
});

function folder(): string {
  const made = mkdtempSync(join(tmpdir(), "linchpin-"));
  cleanups.push(() => rmSync(made, { recursive: true }));
  return made;
}

/** What a source said: lists as text, problems in brackets. */
class Heard implements EndpointWatcher {
  readonly all: string[] = [];

  endpoints(...[all, problem]: Parameters<EndpointWatcher["endpoints"]>): void {
    const traits = all.map((one) => {
      const { weight = "", zone = "", priority = "" } = one;
      return `${formatAddress(one)}${weight}${zone}${priority === "" ? "" : `p${priority}`}`;
    });
    this.all.push(traits.join(" ") + (problem === undefined ? "" : ` [${problem}]`));
  }

  problem(text: string): void {
    this.all.push(`[${text}]`);
  }

  async last(expected: string | RegExp): Promise<void> {
    const fits = (): boolean => {
      const last = this.all.at(-1) ?? "";
      return typeof expected === "string" ? last === expected : expected.test(last);
    };
    await until(fits, String(expected)).catch((error: Error) => {
      throw new Error(`${error.message}, after\n${this.all.join("\n")}`);
    });
  }
}

/** A file of endpoints that is watched. */
function watched(path: string): Heard {
  const heard = new Heard();
  const source = fileEndpoints(`//${encodeURI(path)}`, { clock: systemClock, random: Math.random });
  const watch = source.watch(heard);
  cleanups.push(() => watch.close());
  return heard;
}

describe("what a file may contain", () => {
  for (const [text, said] of [
    ["[h:1, h:2]", "h:1 h:2"],
    ["- h:1\n- unix:/run/a.sock\n", "h:1 unix:/run/a.sock"],
    ['["h:1", {"address": "h:2", "weight": 3, "zone": "b", "priority": 1}]', "h:1 h:23bp1"],
    ["# instances\n- { address: '[::1]:2', weight: 0 }\n- h:1\n", "[::1]:20 h:1"],
    ["[h:1, H:1, h:2]", /^h:1 h:2 \[.*library\.yaml: h:1 is listed more than once: it counts once\]$/],
  ] as const)
    it(text, async () => {
      const path = join(folder(), "library.yaml");
      writeFileSync(path, text);
      await watched(path).last(said);
    });

  for (const [text, said] of [
    ["", /yaml:1:1: the file is empty: a list of endpoints needs at least one/],
    ["[]", /yaml:1:1: lists no endpoint\]$/],
    ["endpoints: [h:1]", /yaml:1:1: must be a list of endpoints.*, not a mapping/],
    ["- h:1\n- h\n", /yaml:2:3: \[1\]: must be HOST:PORT, as in 127\.0\.0\.1:50051, not h\]$/],
    [
      "- h:1\n- { address: h:2, weight: -7 }\n",
      /yaml:2:27: \[1\]\.weight: must be a whole number .*, not -7/,
    ],
    ["- h:1\n- { adress: h:2 }\n", /yaml:2:13: \[1\]\.adress: unknown key; allowed: address/],
    [
      '[{"address": "h:1"},\n {"address": 5}]',
      /yaml:2:14: \[1\]\.address: must be HOST:PORT or unix:\/PATH, not 5/,
    ],
    ["[h:1", /yaml:1:5: /],
    ["[a, b, c, d, e]", /\[0\]: .*; .*\[1\]: .*; .*\[2\]: .*; and 2 more\]$/],
    [
      `[${Array.from({ length: 10_001 }, (_, i) => `"h:${i + 1}"`)}]`,
      /lists 10001 endpoints, more than the 10000/,
    ],
    [" ".repeat(1024 ** 2 + 1), /has 1048577 bytes, more than the limit/],
  ] as const)
    it(`what is wrong with ${JSON.stringify(text.slice(0, 40))}`, async () => {
      const path = join(folder(), "library.yaml");
      writeFileSync(path, text);
      await watched(path).last(said);
    });
});

describe("a file that changes", () => {
  it("in place, by rename, from invalid to valid, and when it appears and disappears", async () => {
    const path = join(folder(), "a b%20.yaml");
    const heard = watched(path);
    await heard.last(/^\[.*a b%20\.yaml: no such file or directory\]$/);
    writeFileSync(path, "[h:1]");
    await heard.last("h:1");
    writeFileSync(path, "[h:22]");
    await heard.last("h:22");
    writeFileSync(`${path}.new`, "[h:333]");
    renameSync(`${path}.new`, path);
    await heard.last("h:333");
    writeFileSync(path, "[h, h:4444]");
    await heard.last(/^\[.*:1:2: \[0\]: must be HOST:PORT/);
    rmSync(path);
    await heard.last(/no such file or directory/);
    writeFileSync(path, "[h:5]");
    await heard.last("h:5");
  });

  it("by a swap of symlinks, as Kubernetes changes the files of a ConfigMap", async () => {
    const mount = folder();
    const version = (name: string, text: string): void => {
      mkdirSync(join(mount, name));
      writeFileSync(join(mount, name, "library.yaml"), text);
      symlinkSync(name, join(mount, "..data_tmp"));
      renameSync(join(mount, "..data_tmp"), join(mount, "..data"));
    };
    version("..1", "[h:1]");
    symlinkSync("..data/library.yaml", join(mount, "library.yaml"));
    const heard = watched(join(mount, "library.yaml"));
    await heard.last("h:1");
    version("..2", "[h:2]");
    await heard.last("h:2");
    rmSync(join(mount, "..1"), { recursive: true });
    version("..3", "[h:3]");
    await heard.last("h:3");
    assert.deepEqual(heard.all, ["h:1", "h:2", "h:3"]);
  });

  it("reports nothing once the watch is closed, and hundreds of watches leave nothing behind", async () => {
    const path = join(folder(), "library.yaml");
    writeFileSync(path, "[h:1]");
    const handles = (): number =>
      process.getActiveResourcesInfo().filter((name) => !/^(?:Timeout|Immediate)$/.test(name)).length;
    const before = handles();
    const heard = new Heard();
    const context = { clock: systemClock, random: Math.random };
    for (let i = 0; i < 300; i++) fileEndpoints(`//${path}`, context).watch(heard).close();
    await until(() => handles() <= before, "the ends of all watches");
    assert.deepEqual(heard.all, []);
  });
});

describe("a target", () => {
  for (const target of ["//", "//host/etc/a.yaml", "", "///etc/", "///etc/%zz"])
    it(`file:${target} names no file`, () =>
      assert.throws(
        () => fileEndpoints(target, { clock: systemClock, random: Math.random }),
        (error) => error instanceof UserError && /^file: must (?:name a file|have %25)/.test(error.message),
      ));
});
