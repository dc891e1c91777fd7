// The thread that pool.ts starts: translates one large message after the other.
import { parentPort } from "node:worker_threads";
import type { FileRegistry } from "@bufbuild/protobuf";
import { refusal } from "../../call/status/reasons.js";
import { Status } from "../../call/status/status.js";
import { LayeredRegistry } from "../../schema/types/layered-registry.js";
import { BudgetExceeded, Codecs } from "../codec/codecs.js";
import type { BindingPlan } from "../routes/binding.js";
import { encodeBody, encodeText } from "../translate/encode-body.js";
import { bindRequest } from "../translate/request.js";
import { decodeResponse } from "../translate/response.js";
import { IN_THREAD } from "../translate/work.js";
import { type Job, type JobResult, type PlanSource, statusParts } from "./job.js";
import { KnownSchemas, planFrom, registryOf, transferable } from "./known.js";
import type { ThreadSchema } from "./schema.js";
import type { JobMessage } from "./threads.js";

interface Known {
  readonly registry: FileRegistry;
  readonly codecs: Codecs;
  /** As many as the schema has routes. */
  readonly plans: Map<string, BindingPlan>;
}

const schemas = new KnownSchemas(({ service, types, options }: ThreadSchema): Known => {
  const codecs = new Codecs(new LayeredRegistry(types.map(registryOf)), options);
  return { registry: registryOf(service), codecs, plans: new Map() };
});

function planOf({ registry, plans }: Known, source: PlanSource): BindingPlan {
  const key = JSON.stringify(source);
  const plan = plans.get(key) ?? planFrom(registry, source);
  plans.set(key, plan);
  return plan;
}

function work(message: JobMessage<ThreadSchema, Job>): JobResult {
  const { job } = message;
  const known = schemas.of(message);
  const { codecs } = known;
  const plan = planOf(known, job.plan);
  if (job.kind === "response") {
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
  return kind === "response"
    ? refusal("RESPONSE_TOO_LARGE", "the response is too large, or too expensive, to convert: ask for less")
    : refusal("MESSAGE_TOO_LARGE", "the body is too large, or too expensive, to convert: send less at once");
}

parentPort?.on("message", (message: JobMessage<ThreadSchema, Job>) => {
  let result: JobResult;
  try {
    result = work(message);
  } catch (e) {
    if (e instanceof BudgetExceeded) result = { status: statusParts(tooMuch(message.job.kind)) };
    else result = { fault: e instanceof Error ? (e.stack ?? e.message) : String(e) };
  }
  parentPort?.postMessage(result, "bytes" in result ? transferable(result.bytes) : []);
});
