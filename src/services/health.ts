// grpc.health.v1.Health for the hub and the samples: a status for each service, and one for the server.
import type { Server } from "@grpc/grpc-js";
import { HealthImplementation } from "grpc-health-check";

export interface Health {
  /** Sets whether a service can be called; "" is the server as a whole. Watchers are notified. */
  set(service: string, serving: boolean): void;
  /** Reads the services again; those that are gone are UNKNOWN. */
  refresh(): void;
}

/** By full name of a service: whether it can be called. undefined: as it was said by `set`, at first that it can. */
export type ServiceHealth = ReadonlyMap<string, boolean | undefined>;

/** Adds the health service. The server as a whole is serving from the start. `services` is read now and at each refresh. */
export function addHealth(server: Server, services: () => ServiceHealth): Health {
  const implementation = new HealthImplementation();
  const known = new Map<string, "SERVING" | "NOT_SERVING" | "UNKNOWN">();
  const put = (service: string, status: "SERVING" | "NOT_SERVING" | "UNKNOWN"): void => {
    // Watchers are notified of each setStatus, whether it is a change or not.
    if (known.get(service) === status) return;
    known.set(service, status);
    implementation.setStatus(service, status);
  };
  const refresh = (): void => {
    const current = services();
    for (const service of known.keys()) {
      if (service !== "" && !current.has(service)) put(service, "UNKNOWN");
    }
    for (const [service, serving] of current) {
      const before = known.get(service);
      if (serving !== undefined) put(service, serving ? "SERVING" : "NOT_SERVING");
      else if (before === undefined || before === "UNKNOWN") put(service, "SERVING");
    }
  };
  put("", "SERVING");
  refresh();
  implementation.addToServer(server);
  return { set: (service, serving) => put(service, serving ? "SERVING" : "NOT_SERVING"), refresh };
}
