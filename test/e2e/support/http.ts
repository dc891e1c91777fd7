// HTTP requests over both versions, read whole or left open.
import { request as request1 } from "node:http";
import { type ClientHttp2Session, connect } from "node:http2";
import type { Readable } from "node:stream";

export const VERSIONS = ["1.1", "2"] as const;
export type Version = (typeof VERSIONS)[number];

export type HttpHeaders = Readonly<Record<string, string | string[] | undefined>>;

export interface HttpInit {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
}

/** An answer whose head has come. */
export interface OpenAnswer {
  readonly status: number;
  readonly headers: HttpHeaders;
  /** Paused until somebody reads. */
  readonly body: Readable;
  /** Known once the body has been read. */
  trailers(): HttpHeaders;
  /** Leaves, as a client that has seen enough. */
  leave(): void;
}

export interface Answer {
  readonly status: number;
  readonly headers: HttpHeaders;
  readonly trailers: HttpHeaders;
  readonly body: Buffer;
  readonly text: string;
  /** The body as JSON. */
  json(): unknown;
}

export interface Pending {
  readonly answer: Promise<OpenAnswer>;
  /** Leaves, answered or not. */
  leave(): void;
}

/** Sends a request on a connection of its own. */
export function openHttp(version: Version, address: string, path: string, init: HttpInit = {}): Pending {
  return version === "2" ? openHttp2(address, path, init) : openHttp1(address, path, init);
}

/** Sends a request on a connection of its own, and reads the answer to its end; rejects when it breaks off. */
export async function http(
  version: Version,
  address: string,
  path: string,
  init: HttpInit = {},
): Promise<Answer> {
  const open = await openHttp(version, address, path, init).answer;
  const chunks: Buffer[] = [];
  for await (const chunk of open.body) chunks.push(chunk);
  const body = Buffer.concat(chunks);
  const text = body.toString("utf8");
  const trailers = open.trailers();
  open.leave();
  return { status: open.status, headers: open.headers, trailers, body, text, json: () => JSON.parse(text) };
}

function defaults({ method, headers, body }: HttpInit): { method: string; headers: Record<string, string> } {
  const type = body === undefined ? {} : { "content-type": "application/json" };
  return { method: method ?? (body === undefined ? "GET" : "POST"), headers: { ...type, ...headers } };
}

function openHttp1(address: string, path: string, init: HttpInit): Pending {
  const { method, headers } = defaults(init);
  const length = init.body === undefined ? {} : { "content-length": String(Buffer.byteLength(init.body)) };
  const [, host = "", port = ""] = /^(.*):(\d+)$/.exec(address) ?? [];
  const request = request1({
    host,
    port,
    // As it is: a URL would be tidied up.
    path,
    method,
    headers: { ...length, ...headers },
    agent: false,
  });
  const answer = new Promise<OpenAnswer>((resolve, reject) => {
    request.on("error", reject);
    request.on("response", (response) =>
      resolve({
        status: response.statusCode ?? 0,
        headers: response.headers,
        body: response,
        trailers: () => response.trailers,
        leave: () => request.destroy(),
      }),
    );
  });
  request.end(init.body);
  return { answer, leave: () => request.destroy() };
}

function openHttp2(address: string, path: string, init: HttpInit): Pending {
  const session = connect(`http://${address}`);
  const leave = (): void => session.destroy();
  const { answer } = requestOn(session, path, init);
  return { answer: answer.then((open) => ({ ...open, leave })), leave };
}

/** A request on a connection that is shared. */
export function requestOn(session: ClientHttp2Session, path: string, init: HttpInit = {}): Pending {
  const { method, headers } = defaults(init);
  const stream = session.request(
    { ":method": method, ":path": path, ...headers },
    { endStream: init.body === undefined },
  );
  if (init.body !== undefined) stream.end(init.body);
  let trailers: HttpHeaders = {};
  stream.on("trailers", (received) => {
    trailers = received;
  });
  const answer = new Promise<OpenAnswer>((resolve, reject) => {
    stream.on("error", reject);
    // A stream that is closed by us ends without an error.
    stream.on("close", () => reject(new Error("closed before the answer")));
    session.once("error", reject);
    stream.on("response", (head) =>
      resolve({
        status: Number(head[":status"]),
        headers: head,
        body: stream,
        trailers: () => trailers,
        leave: () => stream.close(),
      }),
    );
  });
  return { answer, leave: () => stream.close() };
}
