// Full names of the gRPC services that the hub and the samples have besides their own. Imports nothing heavy.

export const HEALTH_SERVICE = "grpc.health.v1.Health";

/** The names to add to a list of services if reflection lists itself. */
export const REFLECTION_SERVICES: readonly string[] = [
  "grpc.reflection.v1.ServerReflection",
  "grpc.reflection.v1alpha.ServerReflection",
];
