// `make bench`: CPU time per call of the hub beside its peers, in one run on one machine. See bench/README.md.
//   node build/bench/main.js [--rounds N] [--seconds S] [--only WORD]… [--against FOLDER]
import { availableParallelism, cpus, release } from "node:os";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { largeSchemas } from "./large-schemas.js";
import { LOADS, type Load, probe } from "./loads.js";
import { LINCHPIN, otherVersion, PEERS, type RunningPeer, startPeer } from "./peers.js";
import { findProgram, freePort, start, stopAll, stopAtExit } from "./proc.js";
import { type Sample, tables } from "./report.js";

const PROXY_CORE = 0;
/** Backend and load share the other core; on a machine of one core all share it, and the figures are worse. */
const LOAD_CORE = availableParallelism() > 1 ? 1 : 0;
const WARM_UP_SECONDS = 2;

const USAGE = `node build/bench/main.js [--rounds N] [--seconds S] [--only WORD]… [--against FOLDER]
  --rounds N        how often each peer is measured under each load, 1 to 50; default 5
  --seconds S       how long each measurement takes, 1 to 60; default 4
  --only WORD       only peers and loads with the word in their name; may be repeated (--only linchpin --only ghz)
  --against FOLDER  a built checkout of another version of the hub: measured beside this one, in the place of the peers
  --schemas         only the part about large schemas`;

function usage(problem: string): never {
  console.error(`${problem}\n${USAGE}`);
  process.exit(2);
}

interface Options {
  readonly rounds: number;
  readonly seconds: number;
  readonly only: readonly string[];
  /** Folder of a built checkout of another version. */
  readonly against: string | undefined;
  /** The part about large schemas alone. */
  readonly schemas: boolean;
}

function options(): Options {
  try {
    const { values } = parseArgs({
      options: {
        rounds: { type: "string", default: "5" },
        seconds: { type: "string", default: "4" },
        only: { type: "string", multiple: true, default: [] },
        against: { type: "string" },
        schemas: { type: "boolean", default: false },
      },
    });
    const within = (name: string, text: string, max: number): number => {
      const value = Number(text);
      if (!Number.isInteger(value) || value < 1 || value > max)
        usage(`--${name} is 1 to ${max}, not ${text}`);
      return value;
    };
    return {
      rounds: within("rounds", values.rounds, 50),
      seconds: within("seconds", values.seconds, 60),
      only: values.only.map((word) => word.toLowerCase()),
      against: values.against,
      schemas: values.schemas,
    };
  } catch (error) {
    return usage(error instanceof Error ? error.message : String(error));
  }
}

/** Words that fit some name here choose among these; words that fit none here choose elsewhere. */
function chosen<T extends { readonly name: string }>(
  all: readonly T[],
  words: readonly string[],
): readonly T[] {
  const fits = (word: string) => (item: T) => item.name.toLowerCase().includes(word);
  const here = words.filter((word) => all.some(fits(word)));
  return here.length === 0 ? all : all.filter((item) => here.some((word) => fits(word)(item)));
}

async function measure(peer: RunningPeer, load: Load, seconds: number): Promise<Sample> {
  peer.proc.peakMiB();
  const before = peer.proc.cpuSeconds();
  const done = await load.run(peer.port, seconds, LOAD_CORE);
  const used = peer.proc.cpuSeconds() - before;
  if (peer.proc.exited) throw new Error(`${peer.name} died: ${peer.proc.lastWords}`);
  // A handful is cut off when the time is over; more is a peer that does not do the work.
  if (done.calls === 0 || done.failed > 200 + done.calls / 1000)
    throw new Error(`${done.failed} of ${done.calls + done.failed} calls failed`);
  return {
    load: load.name,
    peer: peer.name,
    unit: load.unit ?? "call",
    cpuMicros: (used * 1e6) / done.calls,
    callsPerSecond: done.callsPerSecond,
    peakMiB: peer.proc.peakMiB(),
  };
}

/** Over the whole run, its start among it; as the hub's own metric says, which is at most 10 ms too much. */
async function longestBlock(peers: readonly RunningPeer[]): Promise<string | undefined> {
  const hub = peers.find(({ name }) => name === "linchpin");
  if (hub === undefined || hub.proc.exited) return undefined;
  const text = await (await fetch(`http://127.0.0.1:${hub.adminPort}/metrics`)).text();
  const seconds = /^linchpin_eventloop_block_max_seconds\{linchpin_window="process"\} (\S+)$/m.exec(
    text,
  )?.[1];
  return seconds === undefined ? undefined : `${(Number(seconds) * 1000).toFixed(1)} ms`;
}

async function main(): Promise<number> {
  const { rounds, seconds, only, against, schemas } = options();
  const all = against === undefined ? PEERS : [LINCHPIN, otherVersion(against)];
  for (const word of only)
    if (![...all, ...LOADS].some(({ name }) => name.toLowerCase().includes(word)))
      usage(
        `no peer and no load has "${word}" in its name: ${[...all, ...LOADS].map((p) => p.name).join("; ")}`,
      );
  stopAtExit();
  if (schemas) {
    console.log(await largeSchemas(PROXY_CORE));
    return 0;
  }
  const problems: string[] = [];

  console.log(`${cpus()[0]?.model ?? "?"}, ${availableParallelism()} cores, Linux ${release()}`);
  console.log(
    LOAD_CORE === PROXY_CORE
      ? "one core for all: expect a wide spread"
      : `proxy on core ${PROXY_CORE}; backend and load on core ${LOAD_CORE}`,
  );

  const backendPort = await freePort();
  const backend = start("backend", LOAD_CORE, process.execPath, [
    fileURLToPath(new URL("backend.js", import.meta.url)),
    String(backendPort),
  ]);
  await backend.listening(backendPort);

  const loads = chosen(LOADS, only).filter((load) => {
    if (findProgram(load.tool) !== undefined) return true;
    problems.push(`${load.tool}: not installed (make tools)`);
    return false;
  });
  const peers: RunningPeer[] = [];
  for (const peer of chosen(all, only)) {
    if (!loads.some((load) => peer.wires.includes(load.wire))) continue;
    if (peer.program === undefined) {
      problems.push(`${peer.name}: not installed (make tools)`);
      continue;
    }
    try {
      const running = await startPeer(peer, peer.program, backendPort, PROXY_CORE);
      for (const wire of running.wires) await probe(running.port, wire);
      console.log(`  ${peer.name}: ${peer.version(peer.program)}`);
      peers.push(running);
    } catch (error) {
      problems.push(`${peer.name}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  const rows = loads.flatMap((load) =>
    peers.filter((peer) => peer.wires.includes(load.wire)).map((peer) => ({ peer, load })),
  );
  const total = Math.ceil((rows.length * (WARM_UP_SECONDS + rounds * (seconds + 1))) / 60);
  console.log(
    `${rows.length} pairs of peer and load, ${rounds} rounds of ${seconds} s: some ${total} minutes`,
  );

  const samples: Sample[] = [];
  const left = new Set(rows);
  for (let round = 0; round <= rounds; round++) {
    // Two versions take turns at being first: what the first leaves behind (a hot core) meets both.
    const order = against !== undefined && round % 2 === 1 ? [...left].reverse() : [...left];
    for (const row of order) {
      const { peer, load } = row;
      try {
        // Round 0 warms up: connections, caches, the just-in-time compiler.
        const sample = await measure(peer, load, round === 0 ? WARM_UP_SECONDS : seconds);
        if (round > 0) samples.push(sample);
      } catch (error) {
        left.delete(row);
        problems.push(
          `${peer.name} under ${load.name}: ${error instanceof Error ? error.message : String(error)}`,
        );
      }
    }
    if (round > 0) console.log(`round ${round} of ${rounds} done`);
  }
  const block = await longestBlock(peers);
  await stopAll();

  console.log(`\n${tables(samples)}`);
  if (block !== undefined) console.log(`\nThe hub's longest block of its event loop: ${block}`);
  if (only.length === 0 && against === undefined) console.log(`\n${await largeSchemas(PROXY_CORE)}`);
  if (problems.length > 0) console.log(`\nNot measured:\n  ${problems.join("\n  ")}`);
  // The peers are there to compare with; without the hub itself it is no benchmark of it.
  return problems.some((problem) => problem.startsWith("linchpin")) ? 1 : 0;
}

process.exitCode = await main();
