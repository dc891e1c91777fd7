// A status as gRPC trailers.
import { encodeGrpcMessage, encodeStatusProto, type Status } from "../../../call/status/status.js";
import { Headers } from "../../../kit/headers.js";

/** A status as trailers (gRPC over HTTP/2, "Responses"). */
export function statusTrailers(status: Status): Headers {
  const trailers = new Headers(status.metadata?.fields);
  trailers.set("grpc-status", String(status.code));
  if (status.message !== "") trailers.set("grpc-message", encodeGrpcMessage(status.message));
  if (status.details.length > 0) {
    const bytes = Buffer.from(encodeStatusProto(status));
    trailers.set("grpc-status-details-bin", bytes.toString("base64").replace(/={1,2}$/, ""));
  }
  return trailers;
}
