// Large schemas: what a hub that serves one costs to start, and how long it holds its event loop while it does what a
// schema's size decides. From google-proto-files: compute.googleapis.com (5 MB of descriptors), and all of googleapis
// (84 MB).
import { existsSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { freePort, type Proc, ROOT, run, SCRATCH, start } from "./proc.js";
import { grid } from "./report.js";

/** Requests for one page at once. */
const TOGETHER = 10;
const ROUNDS = 3;
const OWN_SERVICES_MS = 3000;
const PATIENCE_MS = 180_000;
const BUILD_MS = 300_000;
const BUF = join(ROOT, "node_modules/.bin/buf");
const PROTOS = join(ROOT, "node_modules/google-proto-files");
const MAIN = join(ROOT, "dist/main.js");
const BLOCK_WATCH = new URL("block-watch.js", import.meta.url).href;

interface Large {
  readonly name: string;
  /** Of `buf build`. */
  readonly paths: readonly string[];
  /** Of pages, on the hub's port and on the admin listener's. */
  readonly pages: readonly string[];
  readonly adminPages: readonly string[];
}

const SCHEMAS: readonly Large[] = [
  {
    name: "compute v1",
    paths: ["--path", "google/cloud/compute/v1"],
    pages: ["/openapi.json", "/openapi.yaml"],
    adminPages: ["/routes", "/upstreams"],
  },
  {
    name: "all of googleapis",
    paths: ["--exclude-path", "google/protobuf"],
    pages: ["/openapi.json?service=google.cloud.compute.v1.Instances"],
    adminPages: ["/routes", "/upstreams"],
  },
];

/** One row: what was done, on which schema, and what it cost. */
interface Cost {
  readonly seconds: number;
  readonly cpuSeconds: number;
  readonly blockMs: number;
  readonly note: string;
}

/** The table, for each schema whose name has one of the words; without words for all. */
export async function largeSchemas(core: number): Promise<string> {
  const rows: string[][] = [["", "ms", "CPU ms", "CPU ms of the longest block", ""]];
  for (const schema of SCHEMAS) {
    for (const [what, cost] of await measured(schema, await protosetOf(schema), core)) {
      const { seconds, cpuSeconds, blockMs, note } = cost;
      const ms = (value: number): string => (value * 1000).toFixed(0);
      rows.push([`${schema.name}: ${what}`, ms(seconds), ms(cpuSeconds), blockMs.toFixed(1), note]);
    }
  }
  return `Large schemas, the least of ${ROUNDS} rounds\n${grid(rows)}`;
}

async function protosetOf({ name, paths }: Large): Promise<string> {
  const folder = join(SCRATCH, "protos");
  const file = join(SCRATCH, `${name.replaceAll(" ", "-")}.binpb`);
  if (!existsSync(folder)) {
    mkdirSync(folder);
    // buf passes over node_modules.
    for (const part of ["google", "grafeas"]) symlinkSync(join(PROTOS, part), join(folder, part));
  }
  await run(
    0,
    BUF,
    [
      "build",
      folder,
      ...paths.map((path) => (path.startsWith("-") ? path : join(folder, path))),
      "--as-file-descriptor-set",
      "-o",
      file,
    ],
    BUILD_MS,
  );
  return file;
}

async function measured(schema: Large, protoset: string, core: number): Promise<ReadonlyMap<string, Cost>> {
  const best = new Map<string, Cost>();
  const take = (what: string, cost: Cost): void => {
    const before = best.get(what);
    best.set(
      what,
      before === undefined
        ? cost
        : {
            seconds: Math.min(before.seconds, cost.seconds),
            cpuSeconds: Math.min(before.cpuSeconds, cost.cpuSeconds),
            blockMs: Math.min(before.blockMs, cost.blockMs),
            note: cost.note,
          },
    );
  };
  for (let round = 0; round < ROUNDS; round++) {
    const [port, adminPort] = [await freePort(), await freePort()];
    const config = join(SCRATCH, "large.yaml");
    // Nobody listens there: what is measured needs no service.
    writeFileSync(
      config,
      `listen: 127.0.0.1:${port}\nadmin: 127.0.0.1:${adminPort}\nupstreams: { google: { endpoints: ["127.0.0.1:1"], schema: { protoset: ${protoset} } } }\ninterceptors: { deadline: { default: 120s } }\n`,
    );
    const from = performance.now();
    const hub = start("linchpin", core, process.execPath, [
      "--import",
      BLOCK_WATCH,
      MAIN,
      "serve",
      "--config",
      config,
    ]);
    const admin = `http://127.0.0.1:${adminPort}`;
    await until(hub, async () => (await statusOf(`${admin}/readyz`)) === 200);
    const costs = { seconds: (performance.now() - from) / 1000, cpuSeconds: hub.cpuSeconds() };
    take("start", {
      ...costs,
      blockMs: await blockMs(hub),
      note: `${hub.peakMiB().toFixed(0)} MiB`,
    });
    // The hub's own services are loaded a second after the start.
    await new Promise((resolve) => setTimeout(resolve, OWN_SERVICES_MS));
    const pages = [
      ...schema.pages.map((path) => [path, `http://127.0.0.1:${port}${path}`] as const),
      ...schema.adminPages.map((path) => [`${path} of the admin listener`, admin + path] as const),
    ];
    for (const [path, url] of pages) take(`${TOGETHER} × ${path}`, await asked(hub, url));
    await hub.stop();
  }
  return best;
}

async function asked(hub: Proc, url: string): Promise<Cost> {
  await blockMs(hub);
  const from = performance.now();
  const before = hub.cpuSeconds();
  const sizes = await Promise.all(
    Array.from({ length: TOGETHER }, async () => {
      const answer = await fetch(url);
      if (answer.status !== 200) throw new Error(`${url} answered ${answer.status}: ${await answer.text()}`);
      return (await answer.arrayBuffer()).byteLength;
    }),
  );
  const seconds = (performance.now() - from) / 1000;
  const cpuSeconds = hub.cpuSeconds() - before;
  return {
    seconds,
    cpuSeconds,
    blockMs: await blockMs(hub),
    note: `${((sizes[0] ?? 0) / 1e6).toFixed(1)} MB`,
  };
}

/** Of the hub's event loop, since this was asked last. */
async function blockMs(hub: Proc): Promise<number> {
  const told = hub.printed(/^longest block: (\S+) ms$/gm).length;
  process.kill(hub.pid, "SIGUSR2");
  await until(hub, async () => hub.printed(/^longest block: (\S+) ms$/gm).length > told);
  return Number(hub.printed(/^longest block: (\S+) ms$/gm).at(-1)?.[1]);
}

async function until(hub: Proc, holds: () => Promise<boolean>): Promise<void> {
  const limit = performance.now() + PATIENCE_MS;
  while (!(await holds())) {
    if (hub.exited) throw new Error(hub.lastWords || "it exited");
    if (performance.now() > limit) throw new Error("it took too long");
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

async function statusOf(url: string): Promise<number | undefined> {
  try {
    const answer = await fetch(url);
    await answer.arrayBuffer();
    return answer.status;
  } catch {
    return undefined; // It does not listen yet.
  }
}
