// The hub's own gRPC services, health and reflection over everything behind it, on a grpc-js server without a port: the
// router sees it as one more cluster, reached through an in-memory connection.
import type { Duplex } from "node:stream";
import { reportFault } from "../kit/faults.js";
import { lateLoad } from "../kit/files/late-load.js";
import { duplexPair } from "../kit/net/duplex-pair.js";
import type { Health } from "./health.js";
import type { HubServer, HubServerOptions } from "./hub-server.js";
import { imageIndex } from "./image.js";
import { HEALTH_SERVICE, REFLECTION_SERVICES } from "./service-names.js";

export interface HubServices {
  /** Full names of the hub's own services. */
  readonly services: readonly string[];
  readonly health: Health;
  /** Starts the server, if it has not started. Rejects when a service cannot be served. */
  start(): Promise<void>;
  /** A new connection to it; starts it. */
  dial(): Duplex;
  close(): void;
}

export function hubServices(options: HubServerOptions): HubServices {
  let loading: Promise<HubServer> | undefined;
  let server: HubServer | undefined;
  let closed = false;
  // Health statuses that were set before the server existed.
  const early = new Map<string, boolean>();
  const begin = async (): Promise<HubServer> => {
    const { startHubServer } = await lateLoad(() => import("./hub-server.js"));
    // The data of reflection: later there may be no file descriptor left to read it.
    if (options.reflection !== undefined) imageIndex();
    server = startHubServer(options);
    for (const [service, serving] of early) server.health.set(service, serving);
    if (closed) server.close();
    return server;
  };
  const load = (): Promise<HubServer> => {
    loading ??= begin().catch((error: unknown) => {
      // Tried again at the next call.
      loading = undefined;
      throw error;
    });
    return loading;
  };
  return {
    services: [HEALTH_SERVICE, ...(options.reflection === undefined ? [] : REFLECTION_SERVICES)],
    health: {
      set: (service, serving) => {
        if (server === undefined) early.set(service, serving);
        else server.health.set(service, serving);
      },
      // A server that starts later reads the services then.
      refresh: () => server?.health.refresh(),
    },
    start: async () => {
      await load();
    },
    dial: () => {
      const [ours, theirs] = duplexPair();
      load()
        .then((started) => started.serve(theirs))
        .catch((error: unknown) => {
          reportFault("while starting the hub's own services", error);
          theirs.destroy();
        });
      return ours;
    },
    close: () => {
      closed = true;
      server?.close();
    },
  };
}
