// Writes docs/config.md from the sections of the config: `node tools/write-config.mjs`, after `make build`.
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { configPage } from "../dist/settings/config-page.js";

writeFileSync(fileURLToPath(new URL("../docs/config.md", import.meta.url)), configPage());
