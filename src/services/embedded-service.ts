// A service of the program that the hub runs in, as the program gives it.
import type { ServiceDefinition, UntypedServiceImplementation } from "@grpc/grpc-js";

/** A gRPC service that the program serves itself, behind the hub. */
export interface EmbeddedService {
  /** `XService` of ts-proto, or `X.service` of @grpc/proto-loader. */
  readonly definition: ServiceDefinition;
  /** Its methods, as in @grpc/grpc-js. A missing method is UNIMPLEMENTED. */
  readonly implementation: Partial<UntypedServiceImplementation>;
  /**
   * A serialized FileDescriptorSet that declares the service, as `buf build -o FILE` and `protoc -o FILE
   * --include_imports` write it: what JSON and reflection need. Default: what the definition carries, which those of
   * @grpc/proto-loader do; without any, gRPC clients alone can call the service.
   */
  readonly descriptors?: Uint8Array | undefined;
}
