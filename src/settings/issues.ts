// Rewords zod's issues for users, with positions.
import type * as z from "zod";
import { type Path, pathText, type YamlFile } from "../config/yaml.js";
import { didYouMean } from "../kit/text/nearest.js";
import type { Features } from "./features.js";
import { placesOfKey } from "./key-places.js";
import { mayQuote } from "./secrets.js";

export type Report = (offset: number, path: string, message: string) => void;

/** Says what an issue is about, and where. @param base position of the value at which the issue's path begins */
export function reportIssue(
  issue: z.core.$ZodIssue,
  features: Features,
  yaml: YamlFile,
  report: Report,
  base: Path = [],
): void {
  const path: Path = [...base, ...namesOf(issue)];
  // Missing environment variables have been reported already.
  if (yaml.failed(path)) return;
  switch (issue.code) {
    case "unrecognized_keys": {
      const allowed = issue.message.split("\n");
      for (const key of issue.keys) {
        const at = [...path, key];
        report(yaml.keyOffset(at), pathText(at), unknownKey(key, allowed, features));
      }
      return;
    }
    case "invalid_union": {
      // A branch that accepts the value's type and rejects something inside is more specific than the union.
      const closest = issue.errors.find(
        (branch) => branch.length > 0 && branch.every((i) => i.path.length > 0),
      );
      if (closest !== undefined) {
        for (const inner of closest) reportIssue(inner, features, yaml, report, path);
        return;
      }
      break;
    }
    default:
  }
  const message = issue.message;
  if (issue.code === "custom" && issue.params?.atKey === true) {
    report(yaml.keyOffset(path), pathText(path), message);
  } else if (!yaml.has(path)) {
    report(yaml.valueOffset(path), pathText(path), `is missing: ${message}`);
  } else {
    const not = mayQuote(path, features) ? yaml.notWhat(path, KINDS.has(issue.code)) : "";
    // A quoted variable is text, whatever its value looks like.
    const hint =
      issue.code === "invalid_type" && /^, not ["'].*\$\{/.test(not) ? "; leave out the quotes" : "";
    report(yaml.valueOffset(path), pathText(path), `${message}${not}${hint}`);
  }
}

/** Issues that are about the kind of a value. */
const KINDS: ReadonlySet<string> = new Set(["invalid_type", "invalid_value", "invalid_union"]);

function unknownKey(key: string, allowed: readonly string[], features: Features): string {
  const belongs = placesOfKey(key, features);
  const hint =
    belongs.length === 0 ? didYouMean(key, allowed) : ` here (it belongs under ${belongs.join(" or ")})`;
  return `unknown key${hint}; allowed: ${allowed.join(", ")}`;
}

const TYPES: Readonly<Record<string, string>> = {
  array: "must be a list",
  boolean: "must be true or false",
  object: "must be a mapping",
  record: "must be a mapping",
  string: "must be text",
};

/** The message for an issue without its own. */
export function defaultMessage(issue: z.core.$ZodRawIssue): string {
  switch (issue.code) {
    case "invalid_type":
      return TYPES[issue.expected] ?? `must be of type ${issue.expected}`;
    case "too_small":
      return `must have at least ${issue.minimum}`;
    case "too_big":
      return `must have at most ${issue.maximum}`;
    case "unrecognized_keys":
      return keysOf(issue.inst).join("\n");
    default:
      return "is not allowed";
  }
}

/** The keys of the object schema that raised the issue. */
function keysOf(schema: unknown): string[] {
  if (typeof schema !== "object" || schema === null || !("shape" in schema)) return [];
  return typeof schema.shape === "object" && schema.shape !== null ? Object.keys(schema.shape) : [];
}

/** The keys and values that an issue is about. */
export function placesOf(issue: z.core.$ZodIssue): Path[] {
  const path = namesOf(issue);
  if (issue.code === "unrecognized_keys") return issue.keys.map((key) => [...path, key]);
  return [path];
}

function namesOf({ path }: z.core.$ZodIssue): Path {
  return path.map((part) => (typeof part === "symbol" ? String(part) : part));
}
