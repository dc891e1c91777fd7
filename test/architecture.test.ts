// Holds the one-way rule of docs/architecture.md: who may import whom, no cycles, and what each file must carry.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, posix } from "node:path";
import { before, test } from "node:test";
import { fileURLToPath } from "node:url";

const ROOT = join(dirname(fileURLToPath(import.meta.url)), "../..");

/** What every room over the two may use: `kit` knows no call, `call` is the nouns and the runner. */
const BASE = ["call/*", "kit/*"];
const SHARED = ["schema/*", "telemetry/*", "config/*", "tls", ...BASE];
const STAGES = [
  "admin/*",
  "services",
  "downstream/*",
  "interceptors/*",
  "routing",
  "transcoding/*",
  "openapi/*",
  "upstream/*",
];

/**
 * The table. A room is a folder of src/, or a file at its root; it may import itself and what stands here. `room/*` is
 * the room with all those in it; as a row it holds for those that have none of their own. Rooms of different stages never import each other: they meet in hub/, through the types
 * of call/.
 */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  main: ["cli/*"],
  index: ["hub", "hub/own", "view", "settings", "services/embedded-service", "upstream/discovery", ...SHARED],
  testing: ["hub/own", ...SHARED],
  cli: ["cli/*", "samples", "kit/text"],
  "cli/commands": ["cli/terminal", "hub", "hub/own", "view", "settings", "samples", "openapi", ...SHARED],
  "cli/terminal": ["hub", "view", "settings", "openapi", ...SHARED],
  hub: ["hub/*", "http2", "view", "settings", ...STAGES, ...SHARED],
  "hub/plans": ["hub/upstreams", "hub/pages", "settings/*", ...STAGES, "view", ...SHARED],
  "hub/upstreams": ["http2", "settings/*", "upstream/*", "view", ...SHARED],
  "hub/own": ["settings", "interceptors/*", "admin/pages", "view", "upstream/*", ...SHARED],
  "hub/pages": ["settings/sections", "openapi/*", "transcoding/*", ...SHARED],
  samples: ["samples/library"],
  "samples/echo": ["samples/common", "generated"],
  "samples/library": ["samples/common", "generated"],
  "samples/common": ["services", "generated"],
  admin: ["admin/pages", "view", ...SHARED],
  "admin/pages": ["view", ...SHARED],
  view: ["telemetry/metrics", "tls", ...BASE],
  services: [...SHARED, "generated"],
  "downstream/accept": [
    "downstream/protocols/*",
    "downstream/carriers/*",
    "downstream/client",
    "http2/*",
    ...SHARED,
  ],
  "downstream/protocols": ["downstream/carriers", ...SHARED],
  "downstream/protocols/*": [
    "downstream/protocols",
    "downstream/protocols/transcoded",
    "downstream/carriers",
    "downstream/client",
    ...SHARED,
  ],
  "downstream/protocols/transcoded": ["downstream/carriers", ...SHARED],
  "downstream/protocols/websocket": [
    "downstream/protocols",
    "downstream/protocols/rest",
    "downstream/protocols/transcoded",
    "downstream/carriers",
    ...SHARED,
  ],
  "downstream/carriers": ["downstream/client", "http2/*", ...SHARED],
  "downstream/carriers/http1": ["downstream/carriers", "downstream/client", "http2/wire", ...SHARED],
  "downstream/client": SHARED,
  interceptors: ["interceptors/*"],
  "interceptors/kit": SHARED,
  "interceptors/*": ["interceptors/kit", ...SHARED],
  routing: SHARED,
  openapi: ["openapi/schemas", "transcoding/*", "schema/*", ...BASE],
  "openapi/schemas": ["transcoding/codec", "transcoding/messages", ...BASE],
  transcoding: ["transcoding/*", ...SHARED],
  "transcoding/bodies": [
    "transcoding/threads",
    "transcoding/translate",
    "transcoding/routes",
    "transcoding/xml",
    "transcoding/codec",
    "transcoding/messages",
    ...SHARED,
  ],
  "transcoding/threads": [
    "transcoding/translate",
    "transcoding/routes",
    "transcoding/codec",
    "transcoding/messages",
    "schema/*",
    ...BASE,
  ],
  "transcoding/translate": [
    "transcoding/routes",
    "transcoding/xml",
    "transcoding/codec",
    "transcoding/messages",
    ...BASE,
  ],
  "transcoding/xml": ["transcoding/routes", "transcoding/codec", "transcoding/messages", ...BASE],
  "transcoding/routes": ["transcoding/codec", "transcoding/messages", "schema/*", ...BASE],
  "transcoding/codec": ["transcoding/messages", ...BASE],
  "transcoding/messages": BASE,
  upstream: ["upstream/*", "http2/*", ...SHARED],
  "upstream/pool": ["upstream/balancers", "upstream/discovery", "upstream/health", "http2/*", ...SHARED],
  "upstream/health": ["http2/*", ...SHARED],
  "upstream/balancers": ["upstream/balancers/parts", "upstream/discovery", "config", ...BASE],
  "upstream/balancers/parts": BASE,
  "upstream/discovery": ["config", "generated", ...BASE],
  "upstream/retry": ["upstream", "upstream/retry/policy", ...BASE],
  "upstream/retry/policy": ["config", ...BASE],
  "schema/sources": ["schema/types", "schema/compiler", "schema/tables", "schema/descriptors", ...BASE],
  "schema/types": ["schema/compiler", "schema/tables", "schema/descriptors", ...BASE],
  "schema/compiler": ["schema/descriptors", ...BASE],
  "schema/tables": ["schema/descriptors", ...BASE],
  "schema/descriptors": BASE,
  telemetry: ["telemetry/*", ...BASE],
  "telemetry/otlp": ["telemetry/metrics", "telemetry/tracing", ...BASE],
  "telemetry/metrics": BASE,
  "telemetry/tracing": BASE,
  "telemetry/log": BASE,
  settings: ["settings/sections", "interceptors/*", "upstream", "http2/wire/limits", ...SHARED],
  "settings/sections": ["upstream", "http2/wire/limits", ...SHARED],
  config: ["tls", "http2/wire/limits", ...BASE],
  tls: BASE,
  http2: ["http2/*", "kit/*"],
  "http2/frames": ["http2/wire", "http2/hpack", "kit/*"],
  "http2/wire": ["kit/*"],
  "http2/hpack": ["kit/*"],
  call: ["call/wire", "call/status", "kit/*"],
  "call/wire": ["call/status", "kit/*"],
  "call/status": ["kit/*"],
  kit: ["kit/text"],
  "kit/files": ["kit", "kit/text"],
  "kit/net": ["kit", "kit/text"],
  "kit/text": [],
};

/** Files of a folder, at most. */
const MAX_FILES = 16;
/** Lines of a file, at most. */
const MAX_LINES = 400;

const MORE_FILES: Readonly<Record<string, string>> = {
  config: "a file for each kind of value",
  "schema/compiler": "a file for each production of the grammar",
};

const MORE_LINES: Readonly<Record<string, string>> = {
  "call/pipeline.ts": "one state machine",
  "config/yaml.ts": "one reader with its positions",
  "downstream/carriers/http1/connection.ts": "one state machine",
  "http2/connection.ts": "the parts put together",
  "config/config-input.ts": "made from the sections",
  "schema/tables/schema-reader.ts": "one walk over a file's descriptor",
  "transcoding/codec/any-order.ts": "a printer for each kind of field, side by side for V8",
  "transcoding/codec/from-text.ts": "one scanner, whose functions V8 inlines",
  "transcoding/codec/from-tree.ts": "all of ProtoJSON's reading",
  "transcoding/codec/in-order.ts": "one walk",
  "transcoding/codec/plan.ts": "tables of one message",
  "transcoding/rest-router.ts": "the router and its rules",
  "transcoding/translate/request.ts": "one request's body, path and query",
};

/** Packages that only these layers may import. */
const PACKAGE_ONLY_IN: Readonly<Record<string, readonly string[]>> = {
  "@grpc/grpc-js": ["services", "samples", "upstream/discovery"],
  "grpc-health-check": ["services", "samples"],
};

interface Import {
  /** e.g. `upstream/cluster.ts` */
  readonly from: string;
  /** As written. */
  readonly specifier: string;
  /** `call/call` inside src, `generated` for stubs; undefined for a package. */
  readonly target: string | undefined;
  /** `import type` and `export type`: nothing is left of them at run time. */
  readonly typeOnly: boolean;
}

// Biome keeps statements at the start of a line and drops odd spacing; so these see every import that tsc sees.
const STATIC = /^(?:import|export)\b(?:[^;'"]*?\bfrom)?\s*["']([^"']+)["']/gm;
const DYNAMIC = /\b(?:import|require|require\.resolve)\(\s*["'`]([^"'`]+)["'`]/g;

function importsOf(file: string, source: string): Import[] {
  const code = source.replace(/^\s*\/\/.*$/gm, "").replace(/^\s*\/\*[\s\S]*?\*\//gm, "");
  const imports: Import[] = [];
  for (const pattern of [STATIC, DYNAMIC])
    for (const match of code.matchAll(pattern)) {
      const specifier = match[1] ?? "";
      const typeOnly = /^(?:import|export)\s+type\b/.test(match[0]);
      imports.push({ from: file, specifier, target: resolve(file, specifier), typeOnly });
    }
  return imports;
}

function resolve(file: string, specifier: string): string | undefined {
  if (specifier.startsWith("#generated/")) return "generated";
  const path = specifier.startsWith("#src/")
    ? specifier.slice("#src/".length)
    : specifier.startsWith(".")
      ? posix.join(posix.dirname(file), specifier)
      : undefined;
  if (path === undefined) return undefined;
  return path.startsWith("../") || path.startsWith("generated/") ? "generated" : path.replace(/\.js$/, "");
}

/** The folder that a path stands in; a file at the root is a room of its own. */
function roomOf(path: string): string {
  const folder = posix.dirname(path);
  return folder === "." ? path.replace(/\.ts$/, "") : folder;
}

function packageOf(specifier: string): string {
  return specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/");
}

/** Why an import is against the table; undefined when it is not. */
function offence({ from, specifier, target }: Import): string | undefined {
  const room = roomOf(from);
  const allowed = MAY_IMPORT[room] ?? MAY_IMPORT[`${posix.dirname(room)}/*`];
  if (allowed === undefined) return `src/${from}: ${room} has no row in the table of this test`;
  if (target === undefined) {
    const only = PACKAGE_ONLY_IN[packageOf(specifier)];
    if (only === undefined || only.includes(topOf(room)) || only.includes(room)) return undefined;
    return `src/${from} imports "${specifier}": only ${only.join(", ")} may`;
  }
  const to = roomOf(target);
  const admits = (entry: string): boolean =>
    entry.endsWith("/*")
      ? `${to}/`.startsWith(entry.slice(0, -1)) && !`${room}/`.startsWith(`${to}/`)
      : entry === to || entry === target;
  if (to === room || allowed.some(admits)) return undefined;
  return `src/${from} imports "${specifier}": ${room} may import ${allowed.join(", ") || "nothing"}`;
}

function topOf(room: string): string {
  return room.split("/")[0] ?? room;
}

/** One cycle of the graph as a path whose first and last are the same; undefined when there is none. */
function findCycle(graph: ReadonlyMap<string, readonly string[]>): string[] | undefined {
  const done = new Set<string>();
  const path: string[] = [];
  const visit = (node: string): string[] | undefined => {
    if (done.has(node)) return undefined;
    const at = path.indexOf(node);
    if (at >= 0) return [...path.slice(at), node];
    path.push(node);
    for (const next of graph.get(node) ?? []) {
      const cycle = visit(next);
      if (cycle !== undefined) return cycle;
    }
    path.pop();
    done.add(node);
    return undefined;
  };
  for (const node of graph.keys()) {
    const cycle = visit(node);
    if (cycle !== undefined) return cycle;
  }
  return undefined;
}

const sources = new Map<string, string>();

before(() => {
  for (const path of readdirSync(join(ROOT, "src"), { recursive: true, encoding: "utf8" }))
    if (path.endsWith(".ts")) sources.set(path, readFileSync(join(ROOT, "src", path), "utf8"));
  assert.ok(sources.size > 0, "src/ has no TypeScript files");
});

test("every import is in an allowed direction", () => {
  const offences = [...sources].flatMap(([file, source]) =>
    importsOf(file, source).flatMap((i) => offence(i) ?? []),
  );
  assert.deepEqual(offences, []);
});

// A cycle of types leaves nothing at run time, and the next test keeps it within one room: a connection and its streams
// may name each other.
test("no import cycles", () => {
  const graph = new Map(
    [...sources].map(([file, source]) => [
      file.replace(/\.ts$/, ""),
      importsOf(file, source).flatMap((i) => (i.typeOnly ? [] : (i.target ?? []))),
    ]),
  );
  assert.equal(findCycle(graph)?.join(" → "), undefined);
});

test("no cycles between rooms, types included", () => {
  const graph = new Map<string, string[]>();
  for (const [file, source] of sources) {
    const room = roomOf(file);
    for (const { target } of importsOf(file, source)) {
      if (target === undefined || target === "generated" || roomOf(target) === room) continue;
      graph.set(room, [...(graph.get(room) ?? []), roomOf(target)]);
    }
  }
  assert.equal(findCycle(graph)?.join(" → "), undefined);
});

test("folders and files stay small, or say why not", () => {
  const folders = new Map<string, number>();
  for (const file of sources.keys()) {
    const folder = posix.dirname(file);
    folders.set(folder, (folders.get(folder) ?? 0) + 1);
  }
  const crowded = [...folders].filter(([, files]) => files > MAX_FILES).map(([folder]) => folder);
  assert.deepEqual(crowded.sort(), Object.keys(MORE_FILES).sort(), `more than ${MAX_FILES} files`);
  const lines = (source: string): number => source.split("\n").length - 1;
  const long = [...sources].filter(([, source]) => lines(source) > MAX_LINES).map(([file]) => file);
  assert.deepEqual(long.sort(), Object.keys(MORE_LINES).sort(), `more than ${MAX_LINES} lines`);
});

test("every file of src opens with a comment that says what it is for", () => {
  const bare = [...sources].filter(([, source]) => !/^(?:#!.*\n)?(?:\/\/|\/\*)/.test(source));
  assert.deepEqual(
    bare.map(([file]) => file),
    [],
  );
});

/**
 * Phrases that the project once used in place of the field's words: see the glossary of docs/architecture.md. Only those
 * that are wrong wherever they stand.
 */
const NOT_ENGLISH = [
  "whoever",
  "be it",
  "(?:it|that|which|who) (?:is|are) none",
  "tells? of",
  "told (?:of|once)",
  "(?:is|are|was|were|been) told",
  "good answers?",
  "found right",
  "strangers?",
  "who is to know",
  "in good part",
];
const PHRASE = new RegExp(`\\b(?:${NOT_ENGLISH.join("|")})\\b`, "i");
/** Made from texts in the code, which name config keys and errors. */
const GENERATED = ["docs/config.md", "docs/errors.md", "src/config/config-input.ts"];

/** The lines of a file in which people are spoken to. */
function proseOf(file: string, source: string): readonly (readonly [line: number, text: string])[] {
  const lines = source.split("\n");
  if (file.endsWith(".md")) {
    let code = false;
    return lines.flatMap((text, i) => {
      if (text.startsWith("```")) code = !code;
      return code ? [] : [[i + 1, text] as const];
    });
  }
  const prose = file.startsWith("test/")
    ? /^\s*(?:test|it|describe)\(\s*(["`].*["`])/
    : /^\s*((?:\/\/|\/?\*).*)|\S\s+(\/\/ .*)$/;
  return lines.flatMap((text, i) => {
    const match = prose.exec(text);
    return match === null ? [] : [[i + 1, match[1] ?? match[2] ?? ""] as const];
  });
}

test("comments, documentation and the names of tests are in plain English", () => {
  const files = execFileSync("git", ["ls-files", "README.md", "docs/*.md", "src/*.ts", "test/*.test.ts"], {
    cwd: ROOT,
    encoding: "utf8",
  });
  const found = files
    .split("\n")
    .filter((file) => file !== "" && !GENERATED.includes(file))
    .filter((file) => existsSync(join(ROOT, file)))
    .flatMap((file) =>
      proseOf(file, readFileSync(join(ROOT, file), "utf8")).flatMap(([line, text]) => {
        const phrase = PHRASE.exec(text)?.[0];
        return phrase === undefined ? [] : [`${file}:${line}: "${phrase}": ${text.trim().slice(0, 100)}`];
      }),
    );
  assert.deepEqual(found, [], "docs/architecture.md has a glossary of the words to use");
});

test("the search for phrases finds them in comments, documentation and names of tests", () => {
  const found = (file: string, source: string): number =>
    proseOf(file, source).filter(([, text]) => PHRASE.test(text)).length;
  assert.equal(found("src/a.ts", "// The client is told.\nconst a = 1; // whoever asks\nconst told = 2;"), 2);
  assert.equal(found("src/a.ts", "/**\n * A name that is none.\n */"), 1);
  assert.equal(found("docs/a.md", "It tells of all.\n```\nwhoever\n```\n"), 1);
  assert.equal(found("test/a.test.ts", '  it("is told", () => {\n  // is told\n'), 1);
});

/** Lists, and bytes as text: what else is cut may end in half a character. */
const MAY_SLICE = [
  /^kit\/text\/text\.ts:/,
  // Field values are bytes there.
  /^http2\//,
  // Base64, dates, names of our own.
  /^hub\/pages\/etag\.ts: .*digest\("base64url"\)/,
  /^downstream\/protocols\/rest\/etag\.ts: .*hash\("sha256", body, "base64url"\)/,
  /^downstream\/protocols\/rest\/cors\.ts: .*asked\.headers\?\.slice/,
  /^downstream\/carriers\/header-list-limit\.ts: .*f\.value\.slice/,
  /^tls\/certificate-state\.ts: .*toISOString\(\)/,
  /^samples\//,
  /split\(","\)\.slice/,
  /Array\.from\(\w+\)\.slice/,
  /\b(?:near|values|short|unknown|groups|services|names|problems|additionalBindings)\.slice\(0, (?:MAX_[A-Z_]+|\d+)\)/,
];

test("text that clients sent is cut at characters: by cut of kit/text/text.ts", () => {
  const cuts = /\.slice\(0, (?:\d|MAX_|max)|\.substr(?:ing)?\(0,/;
  const found = [...sources].flatMap(([file, source]) =>
    source
      .split("\n")
      .filter((line) => cuts.test(line))
      .map((line) => `${file}: ${line.trim()}`)
      .filter((line) => !MAY_SLICE.some((allowed) => allowed.test(line))),
  );
  assert.deepEqual(found, []);
});

/** These read what comes with the package or from /proc, write, or look whether a descriptor is left. */
const MAY_OPEN = [
  "kit/files/late-load.ts",
  "kit/files/regular-file.ts",
  "kit/files/version.ts",
  "downstream/client/departed-clients.ts",
  "telemetry/metrics/standard-process.ts",
  "telemetry/log/line-target.ts",
  "services/image.ts",
  "hub/pages/docs-pages.ts",
  "schema/sources/schema-cache.ts",
];

test("files that a config names are read by kit/files/regular-file.ts, which waits for no FIFO", () => {
  const opens = /^import [^;]*\b(?:readFile|readFileSync|open|openSync|createReadStream)\b[^;]*"node:fs/m;
  const found = [...sources].filter(([, source]) => opens.test(source)).map(([file]) => file);
  assert.deepEqual(found.sort(), [...MAY_OPEN].sort());
});

test("the lock file names no registry host", () => {
  const lock = readFileSync(join(ROOT, "package-lock.json"), "utf8");
  assert.deepEqual(lock.match(/"resolved": "https?:.*/g) ?? [], []);
});

test("the lock file has the packages of every platform, or npm ci refuses it", () => {
  const lock: unknown = JSON.parse(readFileSync(join(ROOT, "package-lock.json"), "utf8"));
  const packages = entriesOf(Object.fromEntries(entriesOf(lock)).packages);
  const paths = new Set(packages.map(([path]) => path));
  const missing = packages
    .flatMap(([, entry]) => entriesOf(Object.fromEntries(entriesOf(entry)).optionalDependencies))
    .filter(([name]) => !paths.has(`node_modules/${name}`))
    .map(([name]) => name);
  assert.deepEqual(missing, [], "run: node tools/complete-lock.mjs");
});

function entriesOf(value: unknown): [string, unknown][] {
  return typeof value === "object" && value !== null ? Object.entries(value) : [];
}

test("no tracked file holds a path of somebody's machine", () => {
  // Written in parts, so that this file does not find itself.
  const path = new RegExp(`(?<![\\w./-])/(?:${["work", "root", "home/\\w+", "tmp/wt"].join("|")})/`, "g");
  const found = trackedFiles().flatMap((file) => {
    const text = readFileSync(join(ROOT, file), "latin1");
    return text.includes("\0") ? [] : [...text.matchAll(path)].map((m) => `${file}: ${m[0]}`);
  });
  assert.deepEqual(found, []);
});

function trackedFiles(): string[] {
  const listed = execFileSync("git", ["ls-files", "-z"], { cwd: ROOT, encoding: "utf8" });
  return listed.split("\0").filter((file) => file !== "" && existsSync(join(ROOT, file)));
}

test("the table itself rejects forbidden imports", () => {
  const import_ = (from: string, statement: string) => importsOf(from, statement).map(offence);
  const refused: readonly (readonly [string, string])[] = [
    ["upstream/pool.ts", 'import { a } from "../downstream/a.js";'],
    ["upstream/pool.ts", 'import type { A } from "../routing/table.js";'],
    ["call/call.ts", 'export { x } from "../config/config.js";'],
    ["call/call.ts", 'const x = await import("../schema/registry.js");'],
    ["http2/frame.ts", 'import { Status } from "../call/status/status.js";'],
    ["transcoding/codec/plan.ts", 'import { x } from "../bodies/framing.js";'],
    ["transcoding/codec/plan.ts", 'import type { X } from "../rest-router.js";'],
    ["kit/clock.ts", 'import type { Call } from "../call/call.js";'],
    ["routing/table.ts", 'import {\n  Connection,\n  type Stream,\n} from "../http2/connection.js";'],
    ["schema/sources/reflection.ts", 'import * as grpc from "@grpc/grpc-js";'],
    ["upstream/pool.ts", 'import "@grpc/grpc-js/build/src/client.js";'],
    ["newfolder/x.ts", 'import "../call/call.js";'],
  ];
  for (const [from, statement] of refused)
    assert.deepEqual(
      import_(from, statement).map((o) => typeof o),
      ["string"],
      `${from}: ${statement}`,
    );
  const admitted: readonly (readonly [string, string])[] = [
    ["http2/hpack/decoder.ts", 'import { field } from "../../kit/headers.js";'],
    ["services/health.ts", 'import { x } from "#generated/library/v1/library.js";'],
    ["hub.ts", 'import { Pool } from "./upstream/pool.js";'],
    ["upstream/pool.ts", 'import net from "node:net";'],
    ["upstream/pool.ts", '// import { a } from "../downstream/a.js";'],
  ];
  for (const [from, statement] of admitted)
    assert.deepEqual(
      import_(from, statement).filter((o) => o !== undefined),
      [],
      `${from}: ${statement}`,
    );
});

test("the search for cycles finds one", () => {
  const graph = new Map([
    ["a", ["b"]],
    ["b", ["c"]],
    ["c", ["b"]],
  ]);
  assert.deepEqual(findCycle(graph), ["b", "c", "b"]);
});
