// The sources of endpoints, by the scheme of a target (`static:127.0.0.1:50051`). A new one is a file here and a row.
import { systemClock } from "../../kit/clock.js";
import { maskedText } from "../../kit/text/masked-text.js";
import { UserError } from "../../kit/text/user-error.js";
import { dnsEndpoints, srvEndpoints } from "./dns-endpoints.js";
import type { EndpointSource, SourceContext, SourceFactory } from "./endpoint-source.js";
import { etcdEndpoints } from "./etcd-endpoints.js";
import { fileEndpoints } from "./file-endpoints.js";
import { kubernetesEndpoints } from "./kubernetes-endpoints.js";
import { staticEndpoints } from "./static-endpoints.js";

export const SOURCES = {
  static: staticEndpoints,
  file: fileEndpoints,
  dns: dnsEndpoints,
  "dns+srv": srvEndpoints,
  etcd: etcdEndpoints,
  kubernetes: kubernetesEndpoints,
} as const satisfies Readonly<Record<string, SourceFactory>>;

/** The source of a target. Throws a UserError that lists the known schemes, or says what is malformed. */
export function openSource(
  target: string,
  context: SourceContext,
  sources: Readonly<Record<string, SourceFactory>> = SOURCES,
): EndpointSource {
  const scheme = schemeOf(target);
  const factory = Object.hasOwn(sources, scheme) ? sources[scheme] : undefined;
  if (factory === undefined) {
    const known = Object.keys(sources).map((name) => `${name}:`);
    throw new UserError(`endpoints "${maskedText(target)}": must begin with ${known.join(", ")}`);
  }
  return factory(target.slice(scheme.length + 1), context);
}

/** Throws like `openSource`. */
export function checkTarget(target: string): void {
  openSource(target, { clock: systemClock, random: Math.random });
}

/** Whether a text has the form of a target, valid or not, and not of an address. */
export function hasScheme(text: string): boolean {
  return Object.hasOwn(SOURCES, schemeOf(text)) || text.includes("://");
}

function schemeOf(target: string): string {
  return target.slice(0, Math.max(0, target.indexOf(":")));
}
