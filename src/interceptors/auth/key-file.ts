// A file of API keys: a YAML or JSON list of { name, sha256, roles }. Checked by plain rules, so that the hub loads no schema for it.
import { createRequire } from "node:module";
import { CALLER_NAME, KEY_SHA256, MAX_KEYS, MAX_ROLES, ROLE } from "../../config/names.js";
import { lateLoad } from "../../kit/files/late-load.js";
import { type Parsed, parsed, rejected } from "../../kit/text/parsed.js";
import type { ApiKeyConfig } from "./section.js";

/** Never quotes a value of the file: a misplaced value may be a key. */
export function parseKeyFile(text: string): Parsed<readonly ApiKeyConfig[]> {
  let value: unknown;
  try {
    value = read(text);
  } catch {
    return rejected("is neither YAML nor JSON");
  }
  if (!Array.isArray(value)) return rejected("must be a list of keys, each { name, sha256, roles }");
  if (value.length > MAX_KEYS) return rejected(`must have at most ${MAX_KEYS} keys`);
  const keys: ApiKeyConfig[] = [];
  const digests = new Set<string>();
  for (const [i, entry] of value.entries()) {
    const key = parseEntry(entry);
    if (typeof key === "string") return rejected(`entry ${i + 1} ${key}`);
    if (digests.has(key.sha256)) return rejected(`entry ${i + 1} is the key of an earlier entry`);
    digests.add(key.sha256);
    keys.push(key);
  }
  return parsed(keys);
}

function read(text: string): unknown {
  if (/^\s*[[{]/.test(text)) {
    try {
      return JSON.parse(text);
    } catch {
      // A YAML list in brackets.
    }
  }
  // Loaded only if needed: it costs 30 ms of the hub's start.
  const yaml: typeof import("yaml") = lateLoad(() => createRequire(import.meta.url)("yaml"));
  return yaml.parse(text, { maxAliasCount: 0 });
}

function parseEntry(entry: unknown): ApiKeyConfig | string {
  if (typeof entry !== "object" || entry === null || Array.isArray(entry)) {
    return "must be a mapping { name, sha256, roles }";
  }
  const { name, sha256, roles = [], ...others } = entry as Readonly<Record<string, unknown>>;
  if (Object.keys(others).length > 0) return "has a key other than name, sha256 and roles";
  if (typeof name !== "string" || !CALLER_NAME.pattern.test(name)) return `name: ${CALLER_NAME.expected}`;
  if (typeof sha256 !== "string" || !KEY_SHA256.pattern.test(sha256)) return `sha256: ${KEY_SHA256.expected}`;
  if (!Array.isArray(roles) || roles.length > MAX_ROLES) {
    return `roles: must be a list of at most ${MAX_ROLES}`;
  }
  const texts: string[] = [];
  for (const role of roles as readonly unknown[]) {
    if (typeof role !== "string" || !ROLE.pattern.test(role)) return `roles: ${ROLE.expected}`;
    texts.push(role);
  }
  return { name, sha256: sha256.toLowerCase(), roles: texts };
}
