// What `linchpin demo` puts behind the hub: two instances of the library that share their books.
import { startLibrary } from "./library/server.js";
import { Store } from "./library/store.js";

export interface RunningDemo {
  /** `host:port` of each instance. */
  readonly addresses: readonly string[];
  close(): Promise<void>;
}

/** Starts both on free loopback ports. */
export async function startDemo(): Promise<RunningDemo> {
  const store = new Store();
  const instances = await Promise.all(
    ["library-1", "library-2"].map((instance) => startLibrary({ instance, store })),
  );
  return {
    addresses: instances.map(({ address }) => address),
    close: async () => {
      await Promise.all(instances.map((instance) => instance.close()));
    },
  };
}
