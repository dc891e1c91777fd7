// The operations of the hub for `routes`, `openapi` and `descriptors`, without serving; run.ts passes them.

import { inspect as inspectHub } from "../../hub/inspect.js";
import type { Log } from "../../kit/log.js";
import { UserError } from "../../kit/text/user-error.js";
import type { OpenApiInput } from "../../openapi/document.js";
import { inOrder } from "../../schema/tables/schema-tables.js";
import type { Config } from "../../settings/sections.js";
import type { RouteRow } from "../../view/hub-view.js";

export interface Inspection {
  readonly routes: readonly RouteRow[];
  /** Explains which rule matches `GET /v1/books`, and why others do not. */
  explain(method: string, path: string): readonly string[];
  /** Whether the request has a route. */
  answers(method: string, path: string): boolean;
  /** Input of an OpenAPI document. */
  readonly openApi: OpenApiInput;
  /** Upstreams that could not be learned, a sentence each; also among the problems. */
  readonly unlearned: readonly string[];
  /** What could not be learned, or is invalid, a sentence each. */
  readonly problems: readonly string[];
}

/** Learns every upstream of a config, and plans its routes; listens nowhere. */
export type Inspect = (config: Config, log: Log) => Promise<Inspection>;

export interface Learned {
  /** Serialized google.protobuf.FileDescriptorProto as the server sent them, each after its imports. */
  readonly files: readonly Uint8Array[];
  /** Full names. */
  readonly services: readonly string[];
}

/** Learns the services of a config's upstreams. Rejects with a UserError if it cannot. */
export type Learn = (config: Config, log: Log) => Promise<Learned>;

export const inspect: Inspect = (config) => inspectHub(config);

export const learn: Learn = async (config) => {
  const { schema, problems } = await inspectHub(config);
  if (schema.services.length === 0) throw new UserError(problems.join("\n"));
  const names = schema.registry.parts.flatMap(({ tables }) =>
    inOrder(tables).map((file) => tables.fileNames[file] ?? ""),
  );
  const files = [...new Set(names)].flatMap((name) => schema.files.get(name) ?? []);
  return { files, services: schema.services.map((service) => service.typeName) };
};
