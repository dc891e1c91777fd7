// Errors of the sample services: a gRPC status with google.rpc details (AIP-193).
import { Metadata, status } from "@grpc/grpc-js";
import type { Any } from "#generated/google/protobuf/any.js";
import { BadRequest, ErrorInfo, ResourceInfo } from "#generated/google/rpc/error_details.js";
import { Status } from "#generated/google/rpc/status.js";

/** One invalid field; `field` is its path in the request, as in `book.title`. */
export interface FieldViolation {
  readonly field: string;
  readonly description: string;
  /** Upper case, for programs, as in `REQUIRED`. */
  readonly reason: string;
}

/** Thrown by a sample's handler; any other exception reaches the client as INTERNAL without its text. */
export class RpcError extends Error {
  readonly code: number;
  readonly details: string;
  readonly statusDetails: readonly Any[];

  constructor(code: number, details: string, statusDetails: readonly Any[] = []) {
    super(details);
    this.name = "RpcError";
    this.code = code;
    this.details = details;
    this.statusDetails = statusDetails;
  }

  /** The status as a message, for APIs that report failures inside a response. */
  toStatus(): Status {
    return { code: this.code, message: this.details, details: [...this.statusDetails] };
  }

  /** Trailers that go with the status. */
  toTrailers(): Metadata {
    const metadata = new Metadata();
    if (this.statusDetails.length > 0) {
      metadata.set("grpc-status-details-bin", Buffer.from(Status.encode(this.toStatus()).finish()));
    }
    return metadata;
  }
}

const DOMAIN = "library.example.com";

export function invalidArgument(violations: readonly FieldViolation[]): RpcError {
  const text = violations.map((violation) => `${violation.field}: ${violation.description}`).join("; ");
  const detail = BadRequest.fromPartial({
    fieldViolations: violations.map((violation) => ({ ...violation })),
  });
  return new RpcError(status.INVALID_ARGUMENT, text, [
    pack("google.rpc.BadRequest", BadRequest.encode(detail).finish()),
  ]);
}

/** A failure about one book. `reason`: upper case, for programs, as in `BOOK_NOT_FOUND`. */
export function bookError(code: number, name: string, reason: string, message: string): RpcError {
  const resource = ResourceInfo.fromPartial({
    resourceType: "library.example.com/Book",
    resourceName: name,
    description: message,
  });
  return new RpcError(code, message, [
    pack("google.rpc.ResourceInfo", ResourceInfo.encode(resource).finish()),
    errorInfo(reason, { name }),
  ]);
}

/** The reason for programs: the detail that AIP-193 requires. */
export function errorInfo(reason: string, metadata: Record<string, string> = {}): Any {
  return pack(
    "google.rpc.ErrorInfo",
    ErrorInfo.encode(ErrorInfo.fromPartial({ reason, domain: DOMAIN, metadata })).finish(),
  );
}

function pack(type: string, bytes: Uint8Array): Any {
  return { typeUrl: `type.googleapis.com/${type}`, value: Buffer.from(bytes) };
}
