// The thread that pool.ts starts: translates one large message after the other.
import { parentPort } from "node:worker_threads";
import { createFileRegistry, type FileRegistry, fromBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { refusal } from "../../core/reasons.js";
import { Status } from "../../core/status.js";
import { LayeredRegistry } from "../../schema/layered-registry.js";
import { registryFrom } from "../../schema/registry.js";
import type { BindingPlan } from "../binding.js";
import { Codecs, TooMuch } from "../codec/codecs.js";
import { encodeBody, encodeText } from "../encode-body.js";
import { bindRequest } from "../request.js";
import { decodeResponse } from "../response.js";
import { planBinding } from "../rule-plan.js";
import { IN_THREAD } from "../work.js";
import { type Job, type JobMessage, type JobResult, type PlanSource, statusParts } from "./job.js";
import { MAX_SCHEMAS } from "./pool.js";
import type { ThreadSchema, ThreadTypes } from "./schema.js";

interface Known {
  readonly registry: FileRegistry;
  readonly codecs: Codecs;
  /** As many as the schema has routes. */
  readonly plans: Map<string, BindingPlan>;
}

/** The oldest first, and forgotten first, as pool.ts counts on. */
const schemas = new Map<number, Known>();

function learn(id: number, { service, types, options }: ThreadSchema): Known {
  const codecs = new Codecs(new LayeredRegistry(types.map(registryOf)), options);
  const known = { registry: registryOf(service), codecs, plans: new Map() };
  schemas.set(id, known);
  for (const oldest of schemas.keys()) {
    if (schemas.size <= MAX_SCHEMAS) break;
    schemas.delete(oldest);
  }
  return known;
}

/** Those of one upstream: made once, whoever's service asks for them. */
const registries = new WeakMap<ThreadTypes, FileRegistry>();

function registryOf(types: ThreadTypes): FileRegistry {
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

function planOf({ registry, plans }: Known, source: PlanSource): BindingPlan {
  const key = JSON.stringify(source);
  const known = plans.get(key);
  if (known !== undefined) return known;
  const { service, method: name, template, body, responseBody } = source;
  const descriptor = registry.getService(service)?.methods.find((m) => m.name === name);
  if (descriptor === undefined) throw new Error(`${service}/${name} is not known in this thread`);
  const kind = descriptor.methodKind;
  const method = { service, name, path: `/${service}/${name}`, kind, idempotent: false, descriptor };
  const rule = { httpMethod: source.httpMethod, template, body, responseBody, additionalBindings: [] };
  const plan = planBinding(method, descriptor, rule, source.source, source.forms);
  if (typeof plan === "string") throw new Error(plan);
  plans.set(key, plan);
  return plan;
}

function work({ schemaId, schema, job }: JobMessage): JobResult {
  const known = schema === undefined ? schemas.get(schemaId) : learn(schemaId, schema);
  if (known === undefined) throw new Error(`schema ${schemaId} is not known in this thread`);
  const { codecs } = known;
  const plan = planOf(known, job.plan);
  if (job.kind === "answer") {
    const printed = decodeResponse(plan, job.bytes, codecs, job.form, IN_THREAD);
    if (printed instanceof Status) return { status: statusParts(printed) };
    return { bytes: printed.body, contentType: printed.contentType };
  }
  const options = { ...job.options, codecs };
  const { path, query, overridden } = job;
  const match = { plan, options, overridden, bound: () => bindRequest(plan, path, query, options) };
  const body = Buffer.from(job.bytes.buffer, job.bytes.byteOffset, job.bytes.byteLength);
  const encoded =
    job.kind === "body" ? encodeBody(match, body, job.contentType, IN_THREAD) : encodeText(match, body);
  return encoded instanceof Status
    ? { status: statusParts(encoded) }
    : { bytes: encoded, contentType: "application/x-protobuf" };
}

function tooMuch(kind: Job["kind"]): Status {
  return kind === "answer"
    ? refusal("RESPONSE_TOO_LARGE", "the answer is too large, or too much work, to be printed: ask for less")
    : refusal("MESSAGE_TOO_LARGE", "the body is too large, or too much work, as JSON: send less at once");
}

parentPort?.on("message", (message: JobMessage) => {
  let result: JobResult;
  try {
    result = work(message);
  } catch (e) {
    if (e instanceof TooMuch) result = { status: statusParts(tooMuch(message.job.kind)) };
    else result = { fault: e instanceof Error ? (e.stack ?? e.message) : String(e) };
  }
  const buffer = "bytes" in result ? result.bytes.buffer : undefined;
  // A small one lies in a pool that others share.
  const whole =
    buffer instanceof ArrayBuffer && "bytes" in result && result.bytes.length * 2 > buffer.byteLength;
  parentPort?.postMessage(result, whole ? [buffer] : []);
});
