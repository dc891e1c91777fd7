// From async functions to grpc-js handlers: failures become statuses, streams wait for slow readers and end when the
// caller disconnects.
import { once } from "node:events";
import type { Readable } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import {
  type handleBidiStreamingCall,
  type handleClientStreamingCall,
  type handleServerStreamingCall,
  type handleUnaryCall,
  Metadata,
  type ServerDuplexStream,
  type ServerReadableStream,
  type ServerUnaryCall,
  type ServerWritableStream,
  type ServiceError,
  status,
} from "@grpc/grpc-js";
import { RpcError } from "./errors.js";

/** Fires when the call is over for its caller: cancelled, past its deadline, or the connection is gone. */
export function signalOf(call: {
  cancelled: boolean;
  on(event: "cancelled", listener: () => void): unknown;
}): AbortSignal {
  const controller = new AbortController();
  if (call.cancelled) controller.abort();
  else call.on("cancelled", () => controller.abort());
  return controller.signal;
}

export function unary<Request, Response>(
  handler: (request: Request, call: ServerUnaryCall<Request, Response>) => Response | Promise<Response>,
): handleUnaryCall<Request, Response> {
  return async (call, callback) => {
    try {
      callback(null, await handler(call.request, call));
    } catch (error) {
      callback(toServiceError(error));
    }
  };
}

/** Makes the trailers of a call, whether it fails or not. Default: none but those of the failure. */
type TrailersOf = (call: { readonly metadata: Metadata }) => Metadata;
const noTrailers: TrailersOf = () => new Metadata();

/** The handler yields the responses; the next one is requested when there is room for it. */
export function serverStreaming<Request, Response>(
  handler: (
    request: Request,
    signal: AbortSignal,
    call: ServerWritableStream<Request, Response>,
  ) => AsyncIterable<Response> | Iterable<Response>,
  trailersOf = noTrailers,
): handleServerStreamingCall<Request, Response> {
  return (call) => {
    const signal = signalOf(call);
    return pump(call, signal, trailersOf(call), () => handler(call.request, signal, call));
  };
}

export function clientStreaming<Request, Response>(
  handler: (
    requests: AsyncIterable<Request>,
    signal: AbortSignal,
    call: ServerReadableStream<Request, Response>,
  ) => Promise<Response>,
  trailersOf = noTrailers,
): handleClientStreamingCall<Request, Response> {
  return async (call, callback) => {
    const trailers = trailersOf(call);
    try {
      callback(null, await handler(requestsOf<Request>(call), signalOf(call), call), trailers);
    } catch (error) {
      if (!call.cancelled) callback(toServiceError(error, trailers));
    }
  };
}

export function bidiStreaming<Request, Response>(
  handler: (
    requests: AsyncIterable<Request>,
    signal: AbortSignal,
    call: ServerDuplexStream<Request, Response>,
  ) => AsyncIterable<Response>,
  trailersOf = noTrailers,
): handleBidiStreamingCall<Request, Response> {
  return (call) => {
    const signal = signalOf(call);
    return pump(call, signal, trailersOf(call), () => handler(requestsOf<Request>(call), signal, call));
  };
}

/** Waits; rejects when the call is over first. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (ms > 0) await delay(ms, undefined, { signal });
}

async function pump<Response>(
  call: ServerWritableStream<unknown, Response> | ServerDuplexStream<unknown, Response>,
  signal: AbortSignal,
  trailers: Metadata,
  responses: () => AsyncIterable<Response> | Iterable<Response>,
): Promise<void> {
  try {
    for await (const response of responses()) {
      if (signal.aborted) return;
      if (!call.write(response)) await once(call, "drain", { signal });
    }
    call.end(trailers);
  } catch (error) {
    if (!signal.aborted) call.emit("error", toServiceError(error, trailers));
  }
}

/** Leaves the stream open when the reader stops early: a response may still follow. */
function requestsOf<Request>(call: Readable): AsyncIterable<Request> {
  return { [Symbol.asyncIterator]: () => call.iterator({ destroyOnReturn: false }) };
}

/** What grpc-js ends the call with; the failure's own trailers go with the given ones. */
export function toServiceError(error: unknown, trailers = new Metadata()): ServiceError {
  let known: RpcError;
  if (error instanceof RpcError) {
    known = error;
  } else {
    console.error(error);
    known = new RpcError(status.INTERNAL, "the sample service failed; its log says why");
  }
  const metadata = known.toTrailers();
  metadata.merge(trailers);
  return Object.assign(new Error(known.details), { code: known.code, details: known.details, metadata });
}
