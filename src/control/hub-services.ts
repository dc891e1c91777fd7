// The hub's own gRPC services, health and reflection over all that is behind it, on a grpc-js server without a port:
// the router sees it as one more cluster, reached through an in-memory connection.
import type { Duplex } from "node:stream";
import { Server, ServerCredentials } from "@grpc/grpc-js";
import { duplexPair } from "../core/duplex-pair.js";
import { addHealth, HEALTH_SERVICE, type Health } from "./health.js";
import { addReflection, type DescriptorSource, REFLECTION_SERVICES } from "./reflection.js";

export interface HubServices {
  /** Full names of what it serves. */
  readonly services: readonly string[];
  readonly health: Health;
  /** A new connection to it. */
  dial(): Duplex;
  close(): void;
}

/** @param reflection undefined: the hub does not reflect. */
export function hubServices(
  health: () => readonly string[],
  reflection: DescriptorSource | undefined,
): HubServices {
  const server = new Server({ "grpc.max_receive_message_length": 4 * 1024 * 1024 });
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
