// A service on a real socket that does exactly what a test says, misbehaviour included: raw HTTP/2, no gRPC library.
import { connect, createServer, type Server, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { frameMessage } from "#src/call/messages.js";
import { Connection, type ConnectionOptions } from "#src/http2/connection.js";
import { checkRequest } from "#src/http2/frames/messages.js";
import type { Stream, StreamHandler, StreamReset } from "#src/http2/stream.js";
import { freePort } from "./free-address.js";

export class ServiceRequest implements StreamHandler {
  readonly stream: Stream;
  readonly connection: Connection;
  readonly path: string;
  readonly authority: string;
  readonly fields: readonly (readonly [string, string])[];
  readonly chunks: Buffer[] = [];
  ended: boolean;
  reset: StreamReset | undefined = undefined;
  sentBytes = 0;
  /** Give credit back as data comes. */
  reading = true;
  onEnd: () => void = () => {};

  constructor(
    stream: Stream,
    connection: Connection,
    path: string,
    authority: string,
    fields: readonly (readonly [string, string])[],
    ended: boolean,
  ) {
    this.stream = stream;
    this.connection = connection;
    this.path = path;
    this.authority = authority;
    this.fields = fields;
    this.ended = ended;
  }

  get body(): Buffer {
    return Buffer.concat(this.chunks);
  }

  get(name: string): string | undefined {
    return this.fields.find(([n]) => n === name)?.[1];
  }

  onHeaders(): void {}
  onTrailers(): void {}
  onData(stream: Stream, chunk: Buffer, start: number, end: number, last: boolean): void {
    this.chunks.push(Buffer.from(chunk.subarray(start, end)));
    if (this.reading) stream.consumed(end - start);
    if (!last) return;
    this.ended = true;
    this.onEnd();
  }
  onReset(_stream: Stream, reset: StreamReset): void {
    this.reset = reset;
  }
  onSent(bytes: number): void {
    this.sentBytes += bytes;
  }

  headers(
    fields: Record<string, string> = { ":status": "200", "content-type": "application/grpc" },
    end = false,
  ): this {
    if (!this.stream.beginHeaders()) return this;
    for (const [name, value] of Object.entries(fields)) this.stream.header(name, value, false);
    this.stream.endHeaders(end);
    return this;
  }

  data(bytes: Uint8Array | string, last = false): this {
    const chunk = Buffer.from(bytes);
    this.stream.sendData(chunk, 0, chunk.length, last);
    return this;
  }

  message(content: Uint8Array | string): this {
    return this.data(frameMessage(Buffer.from(content)));
  }

  trailers(fields: Record<string, string> = { "grpc-status": "0" }): this {
    this.stream.sendTrailers(
      Object.entries(fields).map(([name, value]) => ({ name, value, sensitive: false })),
    );
    return this;
  }

  /** A whole answer of one message. */
  ok(content = "answer"): void {
    this.headers().message(content).trailers();
  }
}

export class H2Service {
  readonly requests: ServiceRequest[] = [];
  readonly connections: Connection[] = [];
  accepted = 0;
  onRequest: (request: ServiceRequest) => void = () => {};
  private readonly sockets = new Set<Socket>();
  private readonly options: Partial<ConnectionOptions>;
  private server: Server | undefined = undefined;
  /** 0 until it has started first. */
  private port = 0;

  constructor(onRequest?: (request: ServiceRequest) => void, options: Partial<ConnectionOptions> = {}) {
    if (onRequest !== undefined) this.onRequest = onRequest;
    this.options = options;
  }

  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  /** Connections that are open. */
  get open(): number {
    return this.sockets.size;
  }

  readonly dial = (): Duplex => connect({ host: "127.0.0.1", port: this.port, noDelay: true });

  /** Binds (the same port each time); before it, the port is known but refuses connections. */
  async start(): Promise<this> {
    const server = createServer({ noDelay: true }, (socket) => this.accept(socket));
    this.server = server;
    if (this.port === 0) this.port = await freePort();
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(this.port, "127.0.0.1", resolve);
    });
    return this;
  }

  private accept(socket: Socket): void {
    this.accepted++;
    this.sockets.add(socket);
    socket.on("close", () => this.sockets.delete(socket));
    socket.on("error", () => {});
    const connection: Connection = new Connection(
      socket,
      { ...this.options, role: "server" },
      {
        onStream: (stream, block, end) => {
          const head = checkRequest(block, end);
          if (typeof head === "string") return;
          const fields = head.fields.map((f) => [f.name, f.value] as const);
          const request = new ServiceRequest(stream, connection, head.path, head.authority, fields, end);
          stream.handler = request;
          this.requests.push(request);
          this.onRequest(request);
        },
        onClose: () => {},
      },
    );
    this.connections.push(connection);
  }

  /** Stops at once: connections break, the port refuses. */
  async stop(): Promise<void> {
    const { server } = this;
    this.server = undefined;
    if (server === undefined) return;
    const closed = new Promise((resolve) => server.close(resolve));
    for (const socket of this.sockets) socket.destroy();
    await closed;
  }
}
