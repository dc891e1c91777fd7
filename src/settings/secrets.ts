// The secrets of a config, as declared by the sections.
import type { Section } from "../config/section.js";
import type { Path } from "../config/yaml.js";
import { FEATURES, type Features } from "./features.js";
import { sectionsOf } from "./sections.js";

/** Paths of secrets from the top of the file, with `*` for names and for entries of lists. */
export function secretsOf(features: Features = FEATURES): readonly (readonly string[])[] {
  return pathsOf(features, ({ secrets }) => secrets);
}

/** Whether an error may quote an invalid value: a secret that is too short, or misplaced, is still one. */
export function mayQuote(path: Path, features: Features): boolean {
  const unsaid = pathsOf(features, ({ secrets = [], unquoted = [] }) => [...secrets, ...unquoted]);
  return !unsaid.some((secret) => within(path, secret));
}

function pathsOf(
  features: Features,
  of: (section: Section) => readonly string[] | undefined,
): readonly (readonly string[])[] {
  return Object.entries<Section>(sectionsOf(features)).flatMap(([key, section]) =>
    (of(section) ?? []).map((path) => [key, ...path.split(".")]),
  );
}

/** Whether a path matches the pattern, or is below it. */
function within(path: Path, pattern: Path): boolean {
  return pattern.every((part, i) => part === "*" || part === path[i]);
}
