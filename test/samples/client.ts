// Generated clients as promises, and statuses as values.
import assert from "node:assert/strict";
import {
  type CallOptions,
  type ClientUnaryCall,
  credentials,
  Metadata,
  type ServiceError,
} from "@grpc/grpc-js";
import { BadRequest, ErrorInfo, ResourceInfo } from "#generated/google/rpc/error_details.js";
import { Status } from "#generated/google/rpc/status.js";

type Callback<Response> = (error: ServiceError | null, response: Response) => void;
type Method<Request, Response> = (
  request: Request,
  metadata: Metadata,
  options: Partial<CallOptions>,
  callback: Callback<Response>,
) => ClientUnaryCall;

export const insecure = credentials.createInsecure();

export interface Answer<Response> {
  readonly response: Response;
  readonly headers: Metadata;
  readonly trailers: Metadata;
}

/** Calls a unary method of a generated client. Rejects with the ServiceError. */
export function call<Client, Request, Response>(
  client: Client,
  method: (this: Client, ...args: Parameters<Method<Request, Response>>) => ClientUnaryCall,
  request: Request,
  metadata = new Metadata(),
  options: Partial<CallOptions> = {},
): Promise<Answer<Response>> {
  return new Promise((resolve, reject) => {
    let headers = new Metadata();
    let response: Response;
    const running = method.call(client, request, metadata, options, (error, value) => {
      if (error !== null) reject(error);
      else response = value;
    });
    running.on("metadata", (received: Metadata) => {
      headers = received;
    });
    running.on("status", (status) => {
      if (status.code === 0) setImmediate(() => resolve({ response, headers, trailers: status.metadata }));
    });
  });
}

export function isServiceError(error: unknown): error is ServiceError {
  return error instanceof Error && "code" in error && "details" in error && "metadata" in error;
}

/** The error that a call must end with. */
export async function failureOf(running: Promise<unknown>): Promise<ServiceError> {
  try {
    await running;
  } catch (error) {
    if (isServiceError(error)) return error;
    throw error;
  }
  return assert.fail("the call ended well");
}

export interface Details {
  readonly badRequest?: BadRequest;
  readonly errorInfo?: ErrorInfo;
  readonly resourceInfo?: ResourceInfo;
}

/** What stands in grpc-status-details-bin. Its code and message must be the call's own. */
export function detailsOf(error: ServiceError): Details {
  const [bytes] = error.metadata.get("grpc-status-details-bin");
  assert.ok(Buffer.isBuffer(bytes), "there are status details");
  const status = Status.decode(bytes);
  assert.equal(status.code, error.code);
  assert.equal(status.message, error.details);
  return readDetails(status);
}

export function readDetails(status: Status): Details {
  let details: Details = {};
  for (const { typeUrl, value } of status.details) {
    if (typeUrl === "type.googleapis.com/google.rpc.BadRequest") {
      details = { ...details, badRequest: BadRequest.decode(value) };
    } else if (typeUrl === "type.googleapis.com/google.rpc.ErrorInfo") {
      details = { ...details, errorInfo: ErrorInfo.decode(value) };
    } else if (typeUrl === "type.googleapis.com/google.rpc.ResourceInfo") {
      details = { ...details, resourceInfo: ResourceInfo.decode(value) };
    } else {
      assert.fail(`unexpected detail ${typeUrl}`);
    }
  }
  return details;
}

/** The fields that a BadRequest names. */
export function fieldsOf(error: ServiceError): string[] {
  return (detailsOf(error).badRequest?.fieldViolations ?? []).map(({ field }) => field);
}
