// Writes docs/errors.md from the catalogue in src/call/status/reasons.ts and the reasons of features: `node tools/write-errors.mjs`, after `make build`.
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { errorsPage } from "../dist/call/status/reasons-page.js";
import { reasonsOf } from "../dist/settings/features.js";

writeFileSync(fileURLToPath(new URL("../docs/errors.md", import.meta.url)), errorsPage(reasonsOf()));
