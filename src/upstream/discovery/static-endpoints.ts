// Endpoints that a config lists: `static:HOST:PORT,HOST:PORT`.
import { formatAddress, parseEndpoint } from "../../config/address.js";
import { parsedOrThrow } from "../../kit/text/user-error.js";
import type { EndpointInfo, EndpointSource } from "./endpoint-source.js";

/** Throws a UserError for an address that is malformed. */
export function staticEndpoints(target: string): EndpointSource {
  const all = target.split(",").map((text) => parsedOrThrow(parseEndpoint(text), "endpoint", text));
  return {
    watch(watcher) {
      watcher.endpoints(all);
      return { close() {} };
    },
  };
}

/** The target of a list. */
export function staticTarget(endpoints: readonly EndpointInfo[]): string {
  return `static:${endpoints.map(formatAddress).join(",")}`;
}
