// Completes package-lock.json with the optional packages of other platforms. A registry mirror that does not carry them
// makes `npm install` leave them out, and then `npm ci` refuses the lock file everywhere. Run it after npm install.
import { readFileSync, writeFileSync } from "node:fs";

const FILE = new URL("../package-lock.json", import.meta.url);
const SYSTEMS = { android: "android", darwin: "darwin", freebsd: "freebsd", linux: "linux", win32: "win32" };
const CPUS = { arm64: "arm64", armv7: "arm", x64: "x64", ia32: "ia32" };

const lock = JSON.parse(readFileSync(FILE, "utf8"));
const added = [];
for (const entry of Object.values(lock.packages))
  for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
    const path = `node_modules/${name}`;
    if (lock.packages[path] !== undefined) continue;
    const words = name.split(/[-/]/);
    lock.packages[path] = {
      version,
      ...pick("cpu", CPUS, words),
      ...(entry.dev ? { dev: true } : {}),
      ...(words.includes("musl") ? { libc: ["musl"] } : {}),
      optional: true,
      ...pick("os", SYSTEMS, words),
    };
    added.push(name);
  }

/** { os: ["linux"] } for a name that has such a word. */
function pick(key, table, words) {
  const found = words.map((word) => table[word]).find((value) => value !== undefined);
  return found === undefined ? {} : { [key]: [found] };
}

const paths = Object.keys(lock.packages).sort((a, b) => a.localeCompare(b, "en"));
lock.packages = Object.fromEntries(paths.map((path) => [path, lock.packages[path]]));
writeFileSync(FILE, `${JSON.stringify(lock, undefined, 2)}\n`);
console.log(added.length === 0 ? "the lock file is complete" : `added to the lock file: ${added.join(", ")}`);
