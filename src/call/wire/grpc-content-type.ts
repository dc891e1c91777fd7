// Whether a content type is gRPC's: the same rule for requests, which choose a protocol by it, and for answers.

const GRPC = "application/grpc";

/**
 * `application/grpc`, or it with `+proto`, `+json` or a parameter behind it (gRPC over HTTP/2, "Content-Type").
 * gRPC-Web's types begin with it, too, and are none.
 */
export function isGrpcContentType(type: string): boolean {
  if (!type.startsWith(GRPC)) return false;
  const next = type.charCodeAt(GRPC.length);
  return Number.isNaN(next) || next === 0x2b /* + */ || next === 0x3b /* ; */ || next === 0x20;
}
