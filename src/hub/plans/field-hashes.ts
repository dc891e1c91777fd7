// For upstreams whose balancer goes by a field of the request: the handlers that read it, put before those of the methods
// that have it.
import type { Method } from "../../call/call.js";
import type { CallKey } from "../../call/call-key.js";
import { withMessageSteps } from "../../call/message-steps.js";
import type { Handler } from "../../call/sink.js";
import type { ServiceRoute } from "../../routing/table.js";
import type { Config } from "../../settings/sections.js";
import { fieldHash } from "../../upstream/balancers/field-hash.js";

/** The handler before that of a method. */
export type HashOfFields = (method: Method, handler: Handler) => Handler;

interface Origin {
  readonly config: { readonly name: string };
  readonly cluster: { readonly hashes?: CallKey<number> };
}

export interface HashesOfFields {
  /** undefined: its balancer goes by no field. */
  (origin: Origin): HashOfFields | undefined;
  /** A sentence for each upstream that has methods, none of which has the field. */
  withoutEffect(routes: readonly ServiceRoute[]): string[];
}

export function hashesOfFields({ upstreams, limits }: Config): HashesOfFields {
  const fields = new Map(
    upstreams.flatMap(({ name, balancer: { options } }) =>
      options.by?.kind === "field" ? [[name, options.by.path] as const] : [],
    ),
  );
  const found = new Set<string>();
  const hashing = ({ config: { name }, cluster: { hashes } }: Origin): HashOfFields | undefined => {
    const field = fields.get(name);
    if (field === undefined || hashes === undefined) return undefined;
    return (method, handler) => {
      const step = fieldHash(method, field, hashes);
      if (step === undefined) return handler;
      found.add(name);
      return withMessageSteps([step], handler, limits.maxMessageBytes);
    };
  };
  const withoutEffect = (routes: readonly ServiceRoute[]): string[] =>
    [...fields].flatMap(([name, field]) => {
      const has = routes.some(({ upstream, methods }) => upstream === name && methods.length > 0);
      if (found.has(name) || !has) return [];
      return [`upstream "${name}": no request has one value at ${field}, by which its balancer goes`];
    });
  return Object.assign(hashing, { withoutEffect });
}
