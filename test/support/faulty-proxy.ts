// A TCP proxy on loopback that makes the faults of a network and of machines: connections that freeze, slow down, are
// refused, or end within a frame.
import { connect, createServer, type Server, type Socket } from "node:net";
import type { Scope } from "../e2e/support/program.js";

interface Pair {
  readonly client: Socket;
  readonly service: Socket;
  /** Ends within what the service sends next. */
  cut: boolean;
}

export class FaultyProxy {
  /** HOST:PORT */
  address = "";
  readonly #target: { readonly host: string; readonly port: number };
  #server: Server | undefined;
  readonly #pairs = new Set<Pair>();
  #frozen = false;
  #delayMs = 0;

  private constructor(target: string) {
    const colon = target.lastIndexOf(":");
    this.#target = { host: target.slice(0, colon), port: Number(target.slice(colon + 1)) };
  }

  /** @param target HOST:PORT of the service, which need not be there yet */
  static async start(scope: Scope, target: string): Promise<FaultyProxy> {
    const proxy = new FaultyProxy(target);
    await proxy.#listen(0);
    scope.after(async () => {
      proxy.#server?.close();
      proxy.reset();
    });
    return proxy;
  }

  async #listen(port: number): Promise<void> {
    const server = createServer({ noDelay: true }, (client) => this.#relay(client));
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(port, "127.0.0.1", resolve);
    });
    const address = server.address();
    if (address === null || typeof address === "string") throw new Error("no port");
    this.address = `127.0.0.1:${address.port}`;
    this.#server = server;
  }

  /** Connections that are open. */
  get connections(): number {
    return this.#pairs.size;
  }

  /** Relays nothing in either direction, and closes nothing, until `heal`. */
  freeze(): void {
    this.#frozen = true;
    for (const { client, service } of this.#pairs) {
      client.pause();
      service.pause();
    }
  }

  /** What the service sends comes so many milliseconds later. */
  slow(delayMs: number): void {
    this.#delayMs = delayMs;
  }

  /** Ends each connection of now within the next frames that the service sends: their last bytes are missing. */
  cut(): void {
    for (const pair of this.#pairs) pair.cut = true;
  }

  /** Ends every connection at once. */
  reset(): void {
    for (const { client, service } of this.#pairs) {
      client.resetAndDestroy();
      service.destroy();
    }
  }

  /** Ends every connection, and takes no other until `accept`. */
  async refuse(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    const closed = new Promise((resolve) => server?.close(resolve) ?? resolve(undefined));
    this.reset();
    await closed;
  }

  async accept(): Promise<void> {
    if (this.#server === undefined) await this.#listen(Number(this.address.split(":").pop()));
  }

  /** No more faults; connections that are open go on. */
  heal(): void {
    this.#frozen = false;
    this.#delayMs = 0;
    for (const { client, service } of this.#pairs) {
      client.resume();
      service.resume();
    }
  }

  #relay(client: Socket): void {
    const service = connect({ ...this.#target, noDelay: true });
    const pair: Pair = { client, service, cut: false };
    this.#pairs.add(pair);
    const end = (): void => {
      this.#pairs.delete(pair);
      client.destroy();
      service.destroy();
    };
    for (const socket of [client, service]) {
      // ECONNREFUSED, ECONNRESET: the other side sees the connection end.
      socket.on("error", end);
      socket.on("close", end);
      if (this.#frozen) socket.pause();
    }
    // In the order in which it came, whatever the delay is by then.
    const late: { readonly chunk: Buffer; readonly due: number }[] = [];
    const pump = (): void => {
      for (let first = late[0]; first !== undefined; first = late[0]) {
        const waitMs = first.due - performance.now();
        if (waitMs > 0) {
          setTimeout(pump, waitMs);
          return;
        }
        late.shift();
        if (client.destroyed || client.write(first.chunk)) continue;
        service.pause();
        client.once("drain", () => this.#frozen || service.resume());
      }
    };
    client.on("data", (chunk: Buffer) => {
      if (!service.write(chunk)) {
        client.pause();
        service.once("drain", () => this.#frozen || client.resume());
      }
    });
    service.on("data", (chunk: Buffer) => {
      if (pair.cut && chunk.length > 9) {
        client.write(chunk.subarray(0, chunk.length - 3), () => client.resetAndDestroy());
        service.destroy();
        return;
      }
      late.push({ chunk, due: performance.now() + this.#delayMs });
      if (late.length === 1) pump();
    });
  }
}
