// Endpoints that a config lists: `static:HOST:PORT,unix:/PATH`, or the list itself.
import { parseEndpointAddress } from "../../config/address.js";
import { parsedOrThrow } from "../../kit/text/user-error.js";
import type { EndpointInfo, EndpointSource } from "./endpoint-source.js";

/** Throws a UserError for an address that is malformed. */
export function staticEndpoints(target: string): EndpointSource {
  return listedEndpoints(
    target.split(",").map((text) => parsedOrThrow(parseEndpointAddress(text), "endpoint", text)),
  );
}

export function listedEndpoints(all: readonly EndpointInfo[]): EndpointSource {
  return {
    watch(watcher) {
      watcher.endpoints(all);
      return { close() {} };
    },
  };
}
