// In a thread: the schemas that it has received, and the plans of their routes.
import { createFileRegistry, type FileRegistry, fromBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { registryFrom } from "../../schema/types/registry.js";
import type { BindingPlan } from "../routes/binding.js";
import { planBinding } from "../routes/rule-plan.js";
import type { PlanSource } from "./job.js";
import type { ThreadTypes } from "./schema.js";
import { type JobMessage, MAX_SCHEMAS } from "./threads.js";

/** A thread's data for each schema: kept as long as threads.ts relies on it. */
export class KnownSchemas<S, K> {
  /** The oldest first, and forgotten first. */
  readonly #known = new Map<number, K>();
  readonly #learn: (schema: S) => K;

  constructor(learn: (schema: S) => K) {
    this.#learn = learn;
  }

  of({ schemaId, schema }: Pick<JobMessage<S, unknown>, "schemaId" | "schema">): K {
    const known = schema === undefined ? this.#known.get(schemaId) : this.#learn(schema);
    if (known === undefined) throw new Error(`schema ${schemaId} is not known in this thread`);
    this.#known.set(schemaId, known);
    for (const oldest of this.#known.keys()) {
      if (this.#known.size <= MAX_SCHEMAS) break;
      this.#known.delete(oldest);
    }
    return known;
  }
}

/** Those of one upstream: made once for all its services. */
const registries = new WeakMap<ThreadTypes, FileRegistry>();

export function registryOf(types: ThreadTypes): FileRegistry {
  let registry = registries.get(types);
  if (registry === undefined) {
    registry =
      types instanceof Uint8Array
        ? createFileRegistry(fromBinary(FileDescriptorSetSchema, types))
        : registryFrom(types);
    registries.set(types, registry);
  }
  return registry;
}

/** The plan that the event loop has, of the same rule. */
export function planFrom(registry: FileRegistry, source: PlanSource): BindingPlan {
  const { service, method: name, template, body, responseBody } = source;
  const descriptor = registry.getService(service)?.methods.find((m) => m.name === name);
  if (descriptor === undefined) throw new Error(`${service}/${name} is not known in this thread`);
  const kind = descriptor.methodKind;
  const method = { service, name, path: `/${service}/${name}`, kind, idempotent: false, descriptor };
  const rule = { httpMethod: source.httpMethod, template, body, responseBody, additionalBindings: [] };
  const plan = planBinding(method, descriptor, rule, source.source, source.forms);
  if (typeof plan === "string") throw new Error(plan);
  return plan;
}

/** The memory of bytes to post that need not be copied. Small ones are in a pool that others share. */
export function transferable({ buffer, length }: Uint8Array): ArrayBuffer[] {
  return buffer instanceof ArrayBuffer && length * 2 > buffer.byteLength ? [buffer] : [];
}
