// `linchpin --version`: the version of the installed package.
import { readFileSync } from "node:fs";
import { readArguments } from "./args.js";
import { COMMANDS } from "./commands.js";
import type { Io } from "./io.js";

/** e.g. `0.1.0` */
export function version(): string {
  const text = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  const manifest: unknown = JSON.parse(text);
  if (typeof manifest === "object" && manifest !== null && "version" in manifest)
    return String(manifest.version);
  throw new Error("package.json has no version");
}

export async function run(args: readonly string[], io: Io): Promise<number> {
  readArguments(COMMANDS.version, args);
  io.out(`linchpin ${version()}`);
  return 0;
}
