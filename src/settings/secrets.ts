// What of a config nobody is shown: as the sections say.
import type { Section } from "../config/section.js";
import type { Path } from "../config/yaml.js";
import { FEATURES, type Features } from "./features.js";
import { sectionsOf } from "./sections.js";

/** Paths of secrets from the top of the file, with `*` for names and for entries of lists. */
export function secretsOf(features: Features = FEATURES): readonly (readonly string[])[] {
  return pathsOf(features, ({ secrets }) => secrets);
}

/** Whether an error may repeat a wrong value: a secret that is too short, or stands in the wrong place, is still one. */
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

/** Whether a path leads to what the pattern names, or into it. */
function within(path: Path, pattern: Path): boolean {
  return pattern.every((part, i) => part === "*" || part === path[i]);
}
