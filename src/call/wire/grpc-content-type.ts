// Whether a content type is gRPC's: the same rule for requests, which select a protocol by it, and for responses.

const GRPC = "application/grpc";

/**
 * `application/grpc`, optionally followed by `+proto`, `+json` or a parameter (gRPC over HTTP/2, "Content-Type").
 * gRPC-Web's types begin with it too, but are not gRPC.
 */
export function isGrpcContentType(type: string): boolean {
  if (!type.startsWith(GRPC)) return false;
  const next = type.charCodeAt(GRPC.length);
  return Number.isNaN(next) || next === 0x2b /* + */ || next === 0x3b /* ; */ || next === 0x20;
}
