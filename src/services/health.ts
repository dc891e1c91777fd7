// grpc.health.v1.Health for the hub and the samples: a status for each service, and one for the whole.
import type { Server } from "@grpc/grpc-js";
import { HealthImplementation } from "grpc-health-check";

export interface Health {
  /** Says whether a service can be called; "" is the server as a whole. Watchers hear of it. */
  set(service: string, serving: boolean): void;
  /** Reads the services again: those that are new are serving, those that are gone are UNKNOWN. */
  refresh(): void;
}

/** Adds the health service. All of it is serving from the start. `services` is read now and at each refresh. */
export function addHealth(server: Server, services: () => readonly string[]): Health {
  const implementation = new HealthImplementation();
  const known = new Map<string, "SERVING" | "NOT_SERVING" | "UNKNOWN">();
  const put = (service: string, status: "SERVING" | "NOT_SERVING" | "UNKNOWN"): void => {
    // Watchers are told of each setStatus, a change or not.
    if (known.get(service) === status) return;
    known.set(service, status);
    implementation.setStatus(service, status);
  };
  const refresh = (): void => {
    const current = new Set(services());
    for (const service of known.keys()) {
      if (service !== "" && !current.has(service)) put(service, "UNKNOWN");
    }
    for (const service of current) {
      const before = known.get(service);
      if (before === undefined || before === "UNKNOWN") put(service, "SERVING");
    }
  };
  put("", "SERVING");
  refresh();
  implementation.addToServer(server);
  return { set: (service, serving) => put(service, serving ? "SERVING" : "NOT_SERVING"), refresh };
}
