// Writes docs/config.md and src/config/config-input.ts from the sections of the config: `node tools/write-config.mjs`,
// after `make build`.
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { configPage } from "../dist/settings/config-page.js";
import { configType } from "../dist/settings/config-type.js";

const write = (path, text) => writeFileSync(fileURLToPath(new URL(`../${path}`, import.meta.url)), text);
write("docs/config.md", configPage());
write("src/config/config-input.ts", configType());
