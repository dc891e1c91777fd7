// What real clients and a real hub say to each other, byte by byte: the material that the fuzzer makes wrong.
import { Agent, request as httpRequest } from "node:http";
import { connect as connectHttp2 } from "node:http2";
import { type AddressInfo, connect, createServer } from "node:net";
import {
  behaviorClient,
  callBidiStream,
  callClientStream,
  callServerStream,
  callUnary,
} from "../e2e/support/grpc.js";

export interface Conversation {
  readonly name: string;
  /** From the client, and from the hub. */
  readonly client: Buffer;
  readonly hub: Buffer;
}

/** A conversation through a proxy that keeps what goes by. */
async function recorded(
  name: string,
  hubAddress: string,
  talk: (address: string) => Promise<void>,
): Promise<Conversation> {
  const client: Buffer[] = [];
  const hub: Buffer[] = [];
  let open = 0;
  let connections = 0;
  let closed: () => void = () => {};
  const server = createServer((socket) => {
    open++;
    connections++;
    const [host = "", port = "0"] = hubAddress.split(":");
    const upstream = connect(Number(port), host);
    socket.on("data", (chunk: Buffer) => client.push(chunk)).pipe(upstream);
    upstream.on("data", (chunk: Buffer) => hub.push(chunk)).pipe(socket);
    const end = (): void => {
      socket.destroy();
      upstream.destroy();
    };
    socket.on("error", end).on("close", () => {
      end();
      open--;
      if (open === 0) closed();
    });
    upstream.on("error", end).on("close", end);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  await talk(`127.0.0.1:${(server.address() as AddressInfo).port}`);
  if (open > 0) {
    await new Promise<void>((resolve) => {
      closed = resolve;
    });
  }
  server.close();
  if (connections !== 1) throw new Error(`${name}: ${connections} connections in the place of one`);
  return { name, client: Buffer.concat(client), hub: Buffer.concat(hub) };
}

const PATHS = ["/test/v1/unary", "/test/v1/server-stream", "/nowhere/%41?a=b%20c&a=1"] as const;
const BODY = JSON.stringify({ payload: "aGVsbG8=", behavior: { responseCount: 2, delay: "0.001s" } });

/** Each ends its connection when it is done. */
const TALKS: Readonly<Record<string, (address: string) => Promise<void>>> = {
  "grpc-js: unary": async (address) => {
    const endings: (() => Promise<void>)[] = [];
    const client = behaviorClient({ after: (ending) => void endings.push(ending) }, address);
    await callUnary(client, { payload: Buffer.from("hello") });
    await callUnary(client, { payload: Buffer.alloc(300, 1) }, { options: { deadline: Date.now() + 5000 } });
    for (const ending of endings) await ending();
  },
  "grpc-js: streams": async (address) => {
    const endings: (() => Promise<void>)[] = [];
    const client = behaviorClient({ after: (ending) => void endings.push(ending) }, address);
    await Promise.all([
      callServerStream(client, { behavior: { responseCount: 3, responseBytes: 100 } }),
      callClientStream(client, [{ payload: Buffer.from("a") }, { payload: Buffer.from("b") }]),
      callBidiStream(client, [{ payload: Buffer.from("c") }, { payload: Buffer.from("d") }]),
    ]);
    for (const ending of endings) await ending();
  },
  "node:http2: JSON": async (address) => {
    const session = connectHttp2(`http://${address}`);
    const ask = (path: string, body?: string): Promise<void> =>
      new Promise((resolve, reject) => {
        const stream = session.request({
          ":method": body === undefined ? "GET" : "POST",
          ":path": path,
          ...(body === undefined ? {} : { "content-type": "application/json" }),
        });
        stream.on("error", reject).on("close", resolve).resume();
        stream.end(body);
      });
    await Promise.all([...PATHS.map((path) => ask(path, BODY)), ask(PATHS[0])]);
    await new Promise<void>((resolve) => session.close(() => resolve()));
  },
  "node:http: JSON": async (address) => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const ask = (path: string, body: string | undefined, chunked: boolean): Promise<void> =>
      new Promise((resolve, reject) => {
        const length = body === undefined || chunked ? {} : { "content-length": String(body.length) };
        const request = httpRequest(`http://${address}${path}`, {
          agent,
          method: body === undefined ? "GET" : "POST",
          headers: { ...length, "content-type": "application/json" },
        });
        request.on("error", reject).on("response", (response) => response.on("end", resolve).resume());
        request.end(body);
      });
    await ask(PATHS[0], BODY, false);
    await ask(PATHS[1], BODY, true);
    // Without a body: one that nobody reads would end the connection.
    await ask(PATHS[2], undefined, false);
    await ask(PATHS[0], undefined, false);
    agent.destroy();
  },
  "curl: GET, and POST with Expect": (address) =>
    new Promise((resolve) => {
      const [host = "", port = "0"] = address.split(":");
      const socket = connect(Number(port), host);
      const head = `Host: ${address}\r\nUser-Agent: curl/8.5.0\r\nAccept: */*\r\n`;
      socket.write(`GET ${PATHS[0]}?payload=YWJj HTTP/1.1\r\n${head}\r\n`);
      socket.write(
        `POST ${PATHS[0]} HTTP/1.1\r\n${head}Content-Length: 20\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n`,
      );
      socket.write(`{"payload": "YWJj"}\n`);
      socket.on("close", () => resolve()).resume();
    }),
};

/** Records every kind of client, in front of a hub of the behavior service. */
export async function conversations(hubAddress: string): Promise<Conversation[]> {
  const all: Conversation[] = [];
  for (const [name, talk] of Object.entries(TALKS)) all.push(await recorded(name, hubAddress, talk));
  for (const { name, client, hub } of all) {
    if (client.length < 100 || hub.length < 100) throw new Error(`${name}: nothing was recorded`);
  }
  return all;
}
