// Endpoints that a config lists: `static:HOST:PORT,unix:/PATH`, or the list itself.
import { parseEndpointAddress } from "../../config/address.js";
import { parsedOrThrow } from "../../kit/text/user-error.js";
import type { EndpointInfo, EndpointSource, SourceContext } from "./endpoint-source.js";
import { isNamed, watchListed } from "./listed-names.js";

/** Throws a UserError for an address that is malformed. */
export function staticEndpoints(target: string, context: SourceContext): EndpointSource {
  return listedEndpoints(
    target.split(",").map((text) => parsedOrThrow(parseEndpointAddress(text), "endpoint", text)),
    context,
  );
}

export function listedEndpoints(all: readonly EndpointInfo[], context: SourceContext): EndpointSource {
  return {
    watch(watcher) {
      if (all.some(isNamed)) return watchListed(all, watcher, context);
      watcher.endpoints(all);
      return { close() {} };
    },
  };
}
