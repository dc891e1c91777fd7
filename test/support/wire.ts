// Connections of the engine over sockets and memory, and handlers that record what they are told.
import { type AddressInfo, createServer, connect as netConnect, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { Connection, type ConnectionHandler, type ConnectionOptions } from "#src/http2/connection.js";
import type { HeaderBlock } from "#src/http2/hpack/decoder.js";
import type { Stream, StreamHandler, StreamReset } from "#src/http2/stream.js";
import { field } from "#src/kit/headers.js";
import { duplexPair } from "#src/kit/net/duplex-pair.js";
import { type Fields, HELLO, RawPeer, REQUEST, settings } from "./frames.js";

export function pairsOf(block: HeaderBlock): [string, string][] {
  return block.fields.map((f) => [f.name, f.value]);
}

/** Records one stream's events, and gives credit at once unless told not to. */
export class Recorder implements StreamHandler {
  headers: [string, string][] | undefined = undefined;
  trailers: [string, string][] | undefined = undefined;
  readonly chunks: Buffer[] = [];
  bytes = 0;
  sent = 0;
  ended = false;
  reset: StreamReset | undefined = undefined;
  /** How often each event came, for "at most once". */
  readonly events: string[] = [];
  /** Resolves when the peer has ended or the stream was reset. */
  readonly over: Promise<void>;
  private resolveOver: () => void = () => {};
  readonly autoConsume: boolean;
  hook: (event: string, stream: Stream) => void = () => {};
  sentHook: (bytes: number) => void = () => {};

  constructor(autoConsume = true) {
    this.autoConsume = autoConsume;
    this.over = new Promise((resolve) => {
      this.resolveOver = resolve;
    });
  }

  get body(): Buffer {
    return Buffer.concat(this.chunks);
  }

  begin(block: HeaderBlock, end: boolean): void {
    this.headers = pairsOf(block);
    if (end) this.finish();
  }

  private finish(): void {
    this.ended = true;
    this.resolveOver();
  }

  onHeaders(stream: Stream, block: HeaderBlock, end: boolean): void {
    this.events.push("headers");
    this.begin(block, end);
    this.hook("headers", stream);
  }

  onData(stream: Stream, chunk: Buffer, start: number, end: number, last: boolean): void {
    this.events.push("data");
    this.chunks.push(Buffer.from(chunk.subarray(start, end)));
    this.bytes += end - start;
    if (this.autoConsume) stream.consumed(end - start);
    if (last) this.finish();
    this.hook("data", stream);
  }

  onTrailers(stream: Stream, block: HeaderBlock): void {
    this.events.push("trailers");
    this.trailers = pairsOf(block);
    this.finish();
    this.hook("trailers", stream);
  }

  onReset(stream: Stream, reset: StreamReset): void {
    this.events.push("reset");
    this.reset = reset;
    this.resolveOver();
    this.hook("reset", stream);
  }

  onSent(bytes: number): void {
    this.sent += bytes;
    this.sentHook(bytes);
  }
}

/** Records a connection's events; requests get a Recorder each. */
export class Owner implements ConnectionHandler {
  readonly streams: Stream[] = [];
  readonly requests: Recorder[] = [];
  readonly events: string[] = [];
  closedBecause: string | undefined = undefined;
  ready: Promise<void>;
  closed: Promise<string>;
  private resolveReady: () => void = () => {};
  private resolveClosed: (reason: string) => void = () => {};
  private readonly serve: (stream: Stream, request: Recorder, block: HeaderBlock, end: boolean) => void;
  capacityHook: () => void = () => {};
  autoConsume = true;

  constructor(
    serve: (stream: Stream, request: Recorder, block: HeaderBlock, end: boolean) => void = () => {},
  ) {
    this.serve = serve;
    this.ready = new Promise((resolve) => {
      this.resolveReady = resolve;
    });
    this.closed = new Promise((resolve) => {
      this.resolveClosed = resolve;
    });
  }

  onStream(stream: Stream, block: HeaderBlock, end: boolean): void {
    const request = new Recorder(this.autoConsume);
    stream.handler = request;
    this.streams.push(stream);
    this.requests.push(request);
    request.begin(block, end);
    this.serve(stream, request, block, end);
  }

  onReady(): void {
    this.events.push("ready");
    this.resolveReady();
  }

  onCapacity(): void {
    this.capacityHook();
  }

  onClose(reason: string): void {
    this.events.push("close");
    this.closedBecause = reason;
    this.resolveClosed(reason);
  }
}

/** Answers 200 with the request's body, once it is whole. */
export function echo(stream: Stream, request: Recorder): void {
  void request.over.then(() => {
    if (request.reset !== undefined) return;
    respond(stream, [[":status", "200"]], false);
    const { body } = request;
    stream.sendData(body, 0, body.length, true);
  });
}

export function respond(stream: Stream, fields: Fields, end: boolean): boolean {
  if (!stream.beginHeaders()) return false;
  for (const [name, value] of fields) stream.header(name, value, false);
  stream.endHeaders(end);
  return true;
}

export function trailersOf(...pairs: [string, string][]): ReturnType<typeof field>[] {
  return pairs.map(([name, value]) => field(name, value));
}

/** Opens a request; throws when the connection takes none. */
export function request(
  connection: Connection,
  handler: StreamHandler,
  options: { fields?: Fields; end?: boolean } = {},
): Stream {
  const stream = connection.open(handler);
  if (stream === undefined) throw new Error("the connection takes no stream");
  respond(stream, options.fields ?? REQUEST, options.end ?? false);
  return stream;
}

export type Transport = "tcp" | "memory";
export const TRANSPORTS: readonly Transport[] = ["tcp", "memory"];

/** Both ends of a connected transport: the client's, the server's. */
export async function transport(kind: Transport): Promise<[Duplex, Duplex]> {
  if (kind === "memory") return duplexPair();
  const server = createServer({ allowHalfOpen: true, noDelay: true });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const accepted = new Promise<Socket>((resolve) => server.once("connection", resolve));
  const client = netConnect({
    port: (server.address() as AddressInfo).port,
    host: "127.0.0.1",
    noDelay: true,
  });
  const other = await accepted;
  server.close();
  return [client, other];
}

export interface Pair {
  readonly client: Connection;
  readonly server: Connection;
  readonly clientOwner: Owner;
  readonly serverOwner: Owner;
  close(): Promise<void>;
}

/** Two engines that talk to each other, ready for streams. */
export async function pair(
  kind: Transport,
  serve: ConstructorParameters<typeof Owner>[0] = echo,
  options: { client?: Partial<ConnectionOptions>; server?: Partial<ConnectionOptions> } = {},
): Promise<Pair> {
  const [a, b] = await transport(kind);
  const clientOwner = new Owner();
  const serverOwner = new Owner(serve);
  const client = new Connection(a, { role: "client", ...options.client }, clientOwner);
  const server = new Connection(b, { role: "server", ...options.server }, serverOwner);
  await Promise.all([clientOwner.ready, serverOwner.ready]);
  return {
    client,
    server,
    clientOwner,
    serverOwner,
    async close() {
      client.destroy();
      server.destroy();
      await Promise.all([clientOwner.closed, serverOwner.closed]);
    },
  };
}

/** An engine in server role and a hand-driven client; the hellos are exchanged unless `silent`. */
export async function rawClient(
  serve: ConstructorParameters<typeof Owner>[0] = echo,
  options: Partial<ConnectionOptions> & { kind?: Transport; silent?: boolean; settings?: Buffer } = {},
): Promise<{ peer: RawPeer; server: Connection; owner: Owner; socket: Duplex }> {
  const { kind = "memory", silent = false, settings: own, ...rest } = options;
  const [a, b] = await transport(kind);
  const peer = new RawPeer(a, "client");
  const owner = new Owner(serve);
  const server = new Connection(b, { role: "server", ...rest }, owner);
  if (!silent) {
    peer.send(HELLO, own ?? Buffer.alloc(0));
    await peer.roundTrip();
  }
  return { peer, server, owner, socket: b };
}

/** An engine in client role and a hand-driven server. */
export async function rawServer(
  options: Partial<ConnectionOptions> & { kind?: Transport; settings?: Buffer } = {},
): Promise<{ peer: RawPeer; client: Connection; owner: Owner; socket: Duplex }> {
  const { kind = "memory", settings: own, ...rest } = options;
  const [a, b] = await transport(kind);
  const peer = new RawPeer(b, "server");
  const owner = new Owner();
  const client = new Connection(a, { role: "client", ...rest }, owner);
  peer.send(own ?? settings());
  await owner.ready;
  return { peer, client, owner, socket: a };
}
