// The sources of endpoints, by the scheme of a target such as `static:127.0.0.1:50051`. A new one is a file here and a row.
import { UserError } from "../../kit/text/user-error.js";
import type { EndpointSource, SourceContext, SourceFactory } from "./endpoint-source.js";
import { staticEndpoints } from "./static-endpoints.js";

export const SOURCES = {
  static: staticEndpoints,
} as const satisfies Readonly<Record<string, SourceFactory>>;

/** The source of a target. Throws a UserError that names the schemes there are, or says what is malformed. */
export function openSource(
  target: string,
  context: SourceContext,
  sources: Readonly<Record<string, SourceFactory>> = SOURCES,
): EndpointSource {
  const colon = target.indexOf(":");
  const scheme = target.slice(0, Math.max(0, colon));
  const factory = Object.hasOwn(sources, scheme) ? sources[scheme] : undefined;
  if (factory === undefined) {
    const known = Object.keys(sources).map((name) => `${name}:`);
    throw new UserError(`endpoints "${target}": must begin with ${known.join(", ")}`);
  }
  return factory(target.slice(colon + 1), context);
}
