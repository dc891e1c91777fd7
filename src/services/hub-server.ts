// The grpc-js server of the hub's own services. Loaded at its first call: grpc-js and the health package take longer to
// load than the rest of the hub takes to start.
import type { Duplex } from "node:stream";
import { Server, ServerCredentials, type UntypedServiceImplementation } from "@grpc/grpc-js";
import type { EmbeddedService } from "./embedded-service.js";
import { addHealth, type Health, type ServiceHealth } from "./health.js";
import { addReflection, type DescriptorSource } from "./reflection.js";

/** gRPC's own default; the minimum, whatever the limit for JSON is. */
const MIN_MESSAGE_BYTES = 4 * 1024 * 1024;

export interface HubServerOptions {
  /** What the health service answers for, read at each refresh. */
  readonly health: () => ServiceHealth;
  /** undefined: it does not reflect. */
  readonly reflection: DescriptorSource | undefined;
  /** Further services, with messages of up to `maxMessageBytes`. */
  readonly embedded: readonly EmbeddedService[];
  readonly maxMessageBytes: number;
}

export interface HubServer {
  readonly health: Health;
  /** Serves a connection. */
  serve(connection: Duplex): void;
  close(): void;
}

export function startHubServer(options: HubServerOptions): HubServer {
  const server = new Server({
    "grpc.max_receive_message_length": Math.max(MIN_MESSAGE_BYTES, options.maxMessageBytes),
  });
  // The types of grpc-js require every method; its code responds with UNIMPLEMENTED for missing ones.
  for (const { definition, implementation } of options.embedded)
    server.addService(definition, implementation as UntypedServiceImplementation);
  const health = addHealth(server, options.health);
  if (options.reflection !== undefined) addReflection(server, options.reflection);
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
  return {
    health,
    serve: (connection) => injector.injectConnection(connection),
    close: () => {
      injector.destroy();
      server.forceShutdown();
    },
  };
}
