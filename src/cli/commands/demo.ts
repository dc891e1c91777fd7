// `linchpin demo`: the sample services behind a hub, with commands to try; `make run` runs it.

import { startHub } from "../../hub.js";
import { defaultConfig, withOverrides } from "../../settings/from-args.js";
import { readArguments } from "../terminal/args.js";
import { COMMANDS } from "../terminal/commands.js";
import type { Io } from "../terminal/io.js";
import { logOf } from "../terminal/log.js";
import { serveUntilSignal, watchSignals } from "../terminal/signals.js";
import { summary } from "../terminal/summary.js";

/** The sample services as they run: `src/samples/demo.ts`. */
export interface RunningDemo {
  /** `host:port` of each instance of the library. */
  readonly addresses: readonly string[];
  close(): Promise<void>;
}

export async function run(
  args: readonly string[],
  io: Io,
  startDemo: () => Promise<RunningDemo>,
): Promise<number> {
  const given = readArguments(COMMANDS.demo, args);
  const log = logOf(given.value("log-level"), given.value("log-format"), io);
  const flags = { listen: given.value("listen"), admin: given.value("admin") };
  // Before anything starts: an invalid flag is reported at once.
  withOverrides(defaultConfig(), { targets: [], ...flags });

  io.serving?.();
  const signals = watchSignals(log);
  const demo = await startDemo();
  const targets = demo.addresses.map((address) => `library=${address}`);
  const config = withOverrides(defaultConfig(), { targets, ...flags });
  const hub = await startHub(config, log);
  for (const line of summary(hub)) io.out(line);
  io.out("");
  for (const line of tryThese(hub.url, hub.adminUrl)) io.out(line);
  io.out("");
  for (const url of hub.urls) io.out(`listening on ${url}`);
  const code = await serveUntilSignal(hub, signals, log);
  await demo.close();
  return code;
}

/** Commands to copy, for the addresses that the hub has. */
function tryThese(url: string, adminUrl: string | undefined): string[] {
  const address = url.replace(/^https?:\/\//, "");
  const lines = [
    "Try:",
    `  curl '${url}/v1/books?page_size=3'`,
    `  curl -N '${url}/v1/books:search?query=sea'`,
    `  curl --json '{"title": "Emma", "authors": ["Jane Austen"]}' ${url}/v1/books`,
    `  grpcurl -plaintext ${address} list`,
    `  grpcurl -plaintext -d '{"page_size": 3}' ${address} library.v1.LibraryService/ListBooks`,
  ];
  if (adminUrl !== undefined) lines.push(`  curl -H 'accept: text/plain' ${adminUrl}/routes`);
  return lines;
}
