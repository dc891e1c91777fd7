// test.v1.BehaviorService: does what the first request's `behavior` says.
import { Metadata, type ServerUnaryCall } from "@grpc/grpc-js";
import type { Duration } from "#generated/google/protobuf/duration.js";
import type { Status } from "#generated/google/rpc/status.js";
import type { Behavior, BehaviorServiceServer, Seen } from "#generated/test/v1/behavior.js";
import { RpcError } from "../common/errors.js";
import {
  bidiStreaming,
  clientStreaming,
  pause,
  serverStreaming,
  signalOf,
  toServiceError,
} from "../common/handlers.js";

const ECHO_PREFIX = "x-echo-";
const TRAIL_PREFIX = "x-trail-";

type AnyCall = Pick<ServerUnaryCall<unknown, unknown>, "metadata" | "getDeadline" | "sendMetadata">;

/** `instance` comes back in each `seen`. */
export function behavior(instance: string): BehaviorServiceServer {
  return {
    unary: async (call, callback) => {
      const { behavior, payload } = call.request;
      const trailers = trailersOf(call);
      try {
        await begin(call, behavior, signalOf(call));
        failWith(behavior?.fail);
        callback(null, { payload: payloadFor(behavior, payload), seen: seenOf(call, instance) }, trailers);
      } catch (error) {
        if (!call.cancelled) callback(toServiceError(error, trailers));
      }
    },

    serverStream: serverStreaming(async function* ({ behavior, payload }, signal, call) {
      await begin(call, behavior, signal);
      const response = payloadFor(behavior, payload);
      for (let index = 0; index < (behavior?.responseCount ?? 0); index++) {
        if (index > 0) await pause(millisecondsOf(behavior?.interval), signal);
        yield { payload: response, index, seen: index === 0 ? seenOf(call, instance) : undefined };
      }
      failWith(behavior?.fail);
    }, trailersOf),

    clientStream: clientStreaming(async (requests, signal, call) => {
      let behavior: Behavior | undefined;
      let requestCount = 0n;
      let requestBytes = 0n;
      let last: Buffer = Buffer.alloc(0);
      for await (const request of requests) {
        if (requestCount === 0n) {
          behavior = request.behavior;
          await begin(call, behavior, signal);
        }
        requestCount++;
        requestBytes += BigInt(request.payload.length);
        last = request.payload;
        if (Number(requestCount) === behavior?.stopAfter) break;
      }
      if (requestCount === 0n) await begin(call, undefined, signal);
      failWith(behavior?.fail);
      return {
        requestCount,
        requestBytes,
        payload: payloadFor(behavior, last),
        seen: seenOf(call, instance),
      };
    }, trailersOf),

    bidiStream: bidiStreaming(async function* (requests, signal, call) {
      let behavior: Behavior | undefined;
      let index = 0n;
      for await (const request of requests) {
        if (index === 0n) {
          behavior = request.behavior;
          await begin(call, behavior, signal);
        }
        const payload = payloadFor(behavior, request.payload);
        yield { payload, index, seen: index === 0n ? seenOf(call, instance) : undefined };
        index++;
        if (Number(index) === behavior?.stopAfter) break;
      }
      failWith(behavior?.fail);
    }, trailersOf),
  };
}

/** Everything that comes before the first response. */
async function begin(call: AnyCall, behavior: Behavior | undefined, signal: AbortSignal): Promise<void> {
  const headers = new Metadata();
  copy(call.metadata, ECHO_PREFIX, headers);
  if (behavior?.headersFirst) call.sendMetadata(headers);
  await pause(millisecondsOf(behavior?.delay), signal);
  failWith(behavior?.refuse);
  if (!behavior?.headersFirst) call.sendMetadata(headers);
}

function failWith(status: Status | undefined): void {
  if (status === undefined || status.code === 0) return;
  throw new RpcError(status.code, status.message, status.details);
}

function trailersOf(call: { readonly metadata: Metadata }): Metadata {
  const trailers = new Metadata();
  copy(call.metadata, TRAIL_PREFIX, trailers);
  return trailers;
}

function copy(from: Metadata, prefix: string, to: Metadata): void {
  for (const key of Object.keys(from.getMap())) {
    if (key.startsWith(prefix)) for (const value of from.get(key)) to.add(key, value);
  }
}

function payloadFor(behavior: Behavior | undefined, requested: Buffer): Buffer {
  const bytes = behavior?.responseBytes ?? 0;
  return bytes > 0 ? Buffer.alloc(bytes, "linchpin ") : requested;
}

function seenOf(call: AnyCall, instance: string): Seen {
  const metadata = [];
  for (const key of Object.keys(call.metadata.getMap())) {
    for (const value of call.metadata.get(key)) {
      metadata.push({ key, value: typeof value === "string" ? value : value.toString("base64") });
    }
  }
  const deadline = call.getDeadline();
  const leftMs = (deadline instanceof Date ? deadline.getTime() : deadline) - Date.now();
  return { metadata, timeLeft: Number.isFinite(leftMs) ? durationOf(leftMs) : undefined, instance };
}

function durationOf(ms: number): Duration {
  const seconds = Math.trunc(ms / 1000);
  return { seconds: BigInt(seconds), nanos: Math.round((ms - seconds * 1000) * 1e6) };
}

function millisecondsOf(duration: Duration | undefined): number {
  return duration === undefined ? 0 : Number(duration.seconds) * 1000 + duration.nanos / 1e6;
}
