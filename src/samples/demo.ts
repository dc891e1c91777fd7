// The services of `linchpin demo`: two instances of the library that share their books.
import { createServer } from "node:net";
import { startLibrary } from "./library/server.js";
import { Store } from "./library/store.js";

export interface RunningDemo {
  /** `host:port` of each instance. */
  readonly addresses: readonly string[];
  close(): Promise<void>;
}

/** Default ports of the instances: users can try their own hub on them. */
const PORTS = [50051, 50052];

/** Starts both on loopback, on their ports or on free ones. */
export async function startDemo(): Promise<RunningDemo> {
  const store = new Store();
  const instances = await Promise.all(
    PORTS.map(async (port, i) => {
      const options = { instance: `library-${i + 1}`, store };
      // Checked first: grpc-js logs its own error for a port in use.
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
