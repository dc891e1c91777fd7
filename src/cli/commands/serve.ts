// `linchpin serve`: a hub in the foreground, until a signal ends it.
import { setFlagsFromString } from "node:v8";
import type { RunningHub } from "../../hub.js";
import { watchFiles } from "../../kit/files/watch-files.js";
import type { Log } from "../../kit/log.js";
import { defaultConfig, withOverrides } from "../../settings/from-args.js";
import type { Config } from "../../settings/sections.js";
import { readArguments, UsageError } from "../terminal/args.js";
import { COMMANDS } from "../terminal/commands.js";
import { defaultConfigFile, isConfigFile, NO_CONFIG } from "../terminal/config-file.js";
import type { Io } from "../terminal/io.js";
import { createLog, logOf } from "../terminal/log.js";
import { serveUntilSignal, watchSignals } from "../terminal/signals.js";
import { summary } from "../terminal/summary.js";

/**
 * V8 marks its whole heap whenever it has grown by this much. A hub's heap is small, and V8 lets a small one grow by
 * only 8 MiB: the buffers of some twenty responses of 100 KiB, each of which then costs twice as much. Up to half of
 * the available memory, the heap may be three times its used size; V8 itself allows up to four.
 */
const HEAP_GROWING_PERCENT = 200;

export async function run(args: readonly string[], io: Io): Promise<number> {
  const given = readArguments(COMMANDS.serve, args);
  const log = logOf(given.value("log-level"), given.value("log-format"), io);
  const workers = given.value("workers") ?? "1";
  if (workers !== "1")
    throw new UsageError(`--workers ${workers}: must be 1: more than one worker is not supported yet`);

  const targets = given.positionals;
  const asFile = targets.find(isConfigFile);
  if (asFile !== undefined) {
    throw new UsageError(`a config file is given by --config: linchpin serve --config ${asFile}`);
  }
  const file = given.value("config") ?? (targets.length === 0 ? defaultConfigFile(io) : undefined);
  if (file === undefined && targets.length === 0) {
    throw new UsageError(`${NO_CONFIG}; name a gRPC server: linchpin serve 127.0.0.1:50051`);
  }
  const readConfig = async (): Promise<Config> =>
    withOverrides(file === undefined ? defaultConfig() : await fromFile(file, io, log), {
      targets,
      protoset: given.value("protoset"),
      protoDirs: given.values("proto"),
      schemaCache: given.value("schema-cache"),
      listen: given.value("listen"),
      admin: given.value("admin"),
    });
  // Before it is read: a change during the start counts too.
  const reloads = given.flag("watch") ? watchConfig(file) : undefined;
  const config = await readConfig();
  io.serving?.();

  // The hub is loaded after the arguments are checked: errors are reported at once.
  setFlagsFromString(`--heap-growing-percent=${HEAP_GROWING_PERCENT}`);
  const { startHub } = await import("../../hub.js");
  const signals = watchSignals(log);
  const hub = await startHub(config, log, { readConfig: file === undefined ? undefined : readConfig });
  const say = given.value("log-format") === "json" ? createLog("info", "json", io.out).info : io.out;
  for (const line of summary(hub)) say(line);
  if (hub.adminUrl !== undefined) say(`admin on ${hub.adminUrl}`);
  for (const url of hub.urls) say(`listening on ${url}`);
  reloads?.start(hub);
  try {
    return await serveUntilSignal(hub, signals, log);
  } finally {
    reloads?.close();
  }
}

/** Reloads the hub, once it is started, when the file has changed. */
function watchConfig(file: string | undefined): { start(hub: RunningHub): void; close(): void } {
  if (file === undefined) throw new UsageError("--watch: there is no config file to watch");
  let running: RunningHub | undefined;
  let changed = false;
  const watch = watchFiles([file], () => {
    changed = true;
    // How it went is in the log.
    running?.reload(`${file} has changed`).catch(() => undefined);
  });
  return {
    start(hub) {
      running = hub;
      if (changed) hub.reload(`${file} has changed`).catch(() => undefined);
    },
    close: () => watch.close(),
  };
}

/** The YAML parser and the schema are loaded only for a file. */
async function fromFile(file: string, io: Io, log: Log): Promise<Config> {
  const { loadConfig } = await import("../../settings/load.js");
  const config = loadConfig(file, io.env, { warn: (message) => log.warn(message) });
  if (config.use.length > 0) await (await import("../../hub/own/modules.js")).loadModules(config);
  return config;
}
