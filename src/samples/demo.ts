// What `linchpin demo` puts behind the hub: two instances of the library that share their books.
import { createServer } from "node:net";
import { startLibrary } from "./library/server.js";
import { Store } from "./library/store.js";

export interface RunningDemo {
  /** `host:port` of each instance. */
  readonly addresses: readonly string[];
  close(): Promise<void>;
}

/** Where the instances listen where nothing else does: people find them there to try a hub of their own on. */
const PORTS = [50051, 50052];

/** Starts both on loopback, on their ports or on free ones. */
export async function startDemo(): Promise<RunningDemo> {
  const store = new Store();
  const instances = await Promise.all(
    PORTS.map(async (port, i) => {
      const options = { instance: `library-${i + 1}`, store };
      // Looked at first: grpc-js logs an error of its own where a port is taken.
      if (!(await isFree(port))) return startLibrary(options);
      return startLibrary({ ...options, port }).catch(() => startLibrary(options));
    }),
  );
  return {
    addresses: instances.map(({ address }) => address),
    close: async () => {
      await Promise.all(instances.map((instance) => instance.close()));
    },
  };
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}
