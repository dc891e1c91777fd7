// Writes the tables of docs/security.md from the limits in src/: `node tools/write-limits.mjs`, after `make build`.
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { limitTables, TABLES_BEGIN, TABLES_END } from "../dist/settings/limits-page.js";

const file = fileURLToPath(new URL("../docs/security.md", import.meta.url));
const page = readFileSync(file, "utf8");
const [before] = page.split(TABLES_BEGIN);
const [, after] = page.split(TABLES_END);
writeFileSync(file, `${before}${TABLES_BEGIN}${limitTables()}${TABLES_END}${after}`);
// As lint wants the tables.
const biome = fileURLToPath(new URL("../node_modules/.bin/biome", import.meta.url));
execFileSync(biome, ["format", "--write", file], { stdio: "inherit" });
