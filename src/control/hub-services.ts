// The hub's own gRPC services, health and reflection over all that is behind it, on a grpc-js server without a port:
// the router sees it as one more cluster, reached through an in-memory connection.
import type { Duplex } from "node:stream";
import {
  Server,
  ServerCredentials,
  type ServiceDefinition,
  type UntypedServiceImplementation,
} from "@grpc/grpc-js";
import { duplexPair } from "../core/duplex-pair.js";
import { addHealth, HEALTH_SERVICE, type Health } from "./health.js";
import { addReflection, type DescriptorSource, REFLECTION_SERVICES } from "./reflection.js";

/** gRPC's own default; the least that it takes, whatever the limit for JSON is. */
const MIN_MESSAGE_BYTES = 4 * 1024 * 1024;

/** A gRPC service that the program serves itself, behind the hub. */
export interface EmbeddedService {
  /** What ts-proto generates as `XService`, or what @grpc/proto-loader gives as `X.service`. */
  readonly definition: ServiceDefinition;
  /** Its methods, as @grpc/grpc-js takes them. A method that it does not have is UNIMPLEMENTED. */
  readonly implementation: UntypedServiceImplementation;
  /**
   * A serialized FileDescriptorSet that declares the service, as `buf build -o FILE` and `protoc -o FILE
   * --include_imports` write it: what JSON and reflection need. Default: what the definition carries, which those of
   * @grpc/proto-loader do; without any, gRPC clients alone can call the service.
   */
  readonly descriptors?: Uint8Array | undefined;
}

export interface HubServices {
  /** Full names of what is the hub's own. */
  readonly services: readonly string[];
  readonly health: Health;
  /** A new connection to it. */
  dial(): Duplex;
  close(): void;
}

/**
 * @param reflection undefined: the hub does not reflect.
 * @param embedded what else the server serves, with messages of up to `maxMessageBytes`.
 */
export function hubServices(
  health: () => readonly string[],
  reflection: DescriptorSource | undefined,
  embedded: readonly EmbeddedService[] = [],
  maxMessageBytes = MIN_MESSAGE_BYTES,
): HubServices {
  const server = new Server({
    "grpc.max_receive_message_length": Math.max(MIN_MESSAGE_BYTES, maxMessageBytes),
  });
  for (const { definition, implementation } of embedded) server.addService(definition, implementation);
  const services = [HEALTH_SERVICE];
  const running = addHealth(server, health);
  if (reflection !== undefined) {
    addReflection(server, reflection);
    services.push(...REFLECTION_SERVICES);
  }
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
  return {
    services,
    health: running,
    dial: () => {
      const [ours, theirs] = duplexPair();
      injector.injectConnection(theirs);
      return ours;
    },
    close: () => {
      injector.destroy();
      server.forceShutdown();
    },
  };
}
