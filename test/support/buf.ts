// Runs buf, from its npm package, with a home of its own: tests may run side by side, and where the user's home is not
// theirs to write.
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));

/** In the project's folder; `home` takes its cache. Returns stdout; throws with stderr. */
export function buf(home: string, ...args: string[]): string {
  const env = {
    ...process.env,
    HOME: home,
    XDG_CONFIG_HOME: home,
    XDG_CACHE_HOME: home,
    BUF_CACHE_DIR: home,
  };
  return execFileSync(`${ROOT}node_modules/.bin/buf`, args, {
    cwd: ROOT,
    env,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
  });
}
