// Generated grpc-js clients, and how their calls ended, as values.
import {
  type CallOptions,
  type ClientOptions,
  type ClientReadableStream,
  type ClientUnaryCall,
  credentials,
  Metadata,
  type MetadataValue,
  type ServiceError,
  type StatusObject,
} from "@grpc/grpc-js";
import {
  BehaviorServiceClient,
  BidiStreamRequest,
  type BidiStreamResponse,
  ClientStreamRequest,
  type ClientStreamResponse,
  ServerStreamRequest,
  type ServerStreamResponse,
  UnaryRequest,
  type UnaryResponse,
} from "#generated/test/v1/behavior.js";
import type { Scope } from "./program.js";

export const insecure = credentials.createInsecure();

/** Everything that a client sees of a call. */
export interface Outcome<Response> {
  readonly code: number;
  readonly details: string;
  readonly messages: readonly Response[];
  readonly headers: Metadata | undefined;
  readonly trailers: Metadata;
}

/** A client on a connection of its own, closed with the scope. */
export function behaviorClient(
  scope: Scope,
  address: string,
  options: Partial<ClientOptions> = {},
): BehaviorServiceClient {
  const client = new BehaviorServiceClient(address, insecure, {
    "grpc.use_local_subchannel_pool": 1,
    "grpc.max_receive_message_length": -1,
    "grpc.enable_retries": 0,
    ...options,
  });
  scope.after(async () => client.close());
  return client;
}

export function metadataOf(entries: readonly (readonly [string, MetadataValue])[]): Metadata {
  const metadata = new Metadata();
  for (const [key, value] of entries) metadata.add(key, value);
  return metadata;
}

type Callback<Response> = (error: ServiceError | null, response: Response | undefined) => void;

/** The outcome of a call with one response; `begin` starts it with the callback. */
export function single<Response>(
  begin: (callback: Callback<Response>) => ClientUnaryCall,
): Promise<Outcome<Response>> {
  return new Promise((resolve) => {
    const messages: Response[] = [];
    let headers: Metadata | undefined;
    const call = begin((error, response) => {
      if (error === null && response !== undefined) messages.push(response);
    });
    call.on("metadata", (received: Metadata) => {
      headers = received;
    });
    call.on("status", ({ code, details, metadata }: StatusObject) =>
      setImmediate(() => resolve({ code, details, messages, headers, trailers: metadata })),
    );
  });
}

/** The outcome of a call with a stream of responses, read to its end. `onMessage` sees each as it comes. */
export function streamed<Response>(
  call: ClientReadableStream<Response>,
  onMessage: (message: Response, count: number) => void = () => {},
): Promise<Outcome<Response>> {
  return new Promise((resolve) => {
    const messages: Response[] = [];
    let headers: Metadata | undefined;
    let status: StatusObject | undefined;
    let ended = false;
    const look = (): void => {
      if (status === undefined || !ended) return;
      resolve({ code: status.code, details: status.details, messages, headers, trailers: status.metadata });
    };
    call.on("metadata", (received: Metadata) => {
      headers = received;
    });
    call.on("data", (message: Response) => {
      messages.push(message);
      onMessage(message, messages.length);
    });
    call.on("error", () => {}); // The status says the same.
    call.on("end", () => {
      ended = true;
      look();
    });
    call.on("status", (received: StatusObject) => {
      status = received;
      look();
    });
  });
}

export interface CallInit {
  readonly metadata?: Metadata;
  readonly options?: Partial<CallOptions>;
}

/** A request of which only some fields are said. */
export type PartialOf<Message extends { fromPartial(object: never): unknown }> = Parameters<
  Message["fromPartial"]
>[0];

export function callUnary(
  client: BehaviorServiceClient,
  request: PartialOf<typeof UnaryRequest>,
  { metadata = new Metadata(), options = {} }: CallInit = {},
): Promise<Outcome<UnaryResponse>> {
  return single((callback) => client.unary(UnaryRequest.fromPartial(request), metadata, options, callback));
}

export function callServerStream(
  client: BehaviorServiceClient,
  request: PartialOf<typeof ServerStreamRequest>,
  { metadata = new Metadata(), options = {} }: CallInit = {},
): Promise<Outcome<ServerStreamResponse>> {
  return streamed(client.serverStream(ServerStreamRequest.fromPartial(request), metadata, options));
}

export function callClientStream(
  client: BehaviorServiceClient,
  requests: readonly PartialOf<typeof ClientStreamRequest>[],
  { metadata = new Metadata(), options = {} }: CallInit = {},
): Promise<Outcome<ClientStreamResponse>> {
  return single((callback) => {
    const call = client.clientStream(metadata, options, callback);
    call.on("error", () => {});
    for (const request of requests) call.write(ClientStreamRequest.fromPartial(request));
    call.end();
    return call;
  });
}

export function callBidiStream(
  client: BehaviorServiceClient,
  requests: readonly PartialOf<typeof BidiStreamRequest>[],
  { metadata = new Metadata(), options = {} }: CallInit = {},
): Promise<Outcome<BidiStreamResponse>> {
  const call = client.bidiStream(metadata, options);
  const outcome = streamed(call);
  for (const request of requests) call.write(BidiStreamRequest.fromPartial(request));
  call.end();
  return outcome;
}
