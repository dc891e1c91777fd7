// Removes compiled files whose source is gone, so that no deleted test runs and no deleted module is still found.
import { existsSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
/** Where tsc puts what; a longer output path wins over the one it lies in. */
const OUTPUTS = [
  ["generated", "dist/generated"],
  ["src", "dist"],
  ["test", "build/test"],
  ["bench", "build/bench"],
];
const COMPILED = /\.(?:js|d\.ts)(?:\.map)?$/;

for (const [source, output] of OUTPUTS) {
  const folder = join(ROOT, output);
  if (!existsSync(folder)) continue;
  for (const entry of readdirSync(folder, { recursive: true, encoding: "utf8" })) {
    if (!COMPILED.test(entry)) continue;
    if (output === "dist" && entry.startsWith("generated/")) continue;
    const origin = join(ROOT, source, entry.replace(COMPILED, ".ts"));
    if (!existsSync(origin)) rmSync(join(folder, entry));
  }
}
