// Config changes that a reload cannot apply, as declared by the sections.
import type { Section } from "../config/section.js";
import type { Features } from "./features.js";
import { type Config, sectionsOf } from "./sections.js";

/** Changes that a running hub cannot apply, a sentence each. */
export function needsRestart(before: Config, after: Config, features?: Features): string[] {
  const then = fixedBy(before, features);
  return Object.entries(fixedBy(after, features))
    .filter(([path, part]) => JSON.stringify(part) !== JSON.stringify(then[path]))
    .map(([path]) => `${path} has changed: that takes effect when the hub is started again`);
}

/** The parts of the config that only a start applies, by path. */
export function fixedBy(config: Config, features?: Features): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    Object.entries<Section>(sectionsOf(features)).flatMap(([key, section]) =>
      Object.entries(section.restart?.(config) ?? {}).map(([path, part]) => [
        path === "" ? key : `${key}.${path}`,
        part,
      ]),
    ),
  );
}
