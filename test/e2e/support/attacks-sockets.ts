// Attacks by the end of a socket: a client that asks for something the hub answers on the bare socket, and resets the
// connection at once, so that the answer fails. What node:http hands over without listeners must not end the hub.
import type { Socket } from "node:net";
import { connect as tlsConnect } from "node:tls";
import { HELLO } from "../../support/frames.js";
import { until } from "../../support/until.js";
import type { Attack, Target } from "./attacks.js";

/** Connections of each: some twelve were enough to end the process. */
const RESETS = 40;
/** At once. */
const BATCH = 4;
const PATIENCE_MS = 30_000;

const STREAM_PATH = "/test/v1/server-stream";
const CONNECT = "CONNECT a:443 HTTP/1.1\r\nhost: a\r\n\r\n";
const get = (path: string, more = ""): string => `GET ${path} HTTP/1.1\r\nhost: test\r\n${more}\r\n`;
const KEY = "dGhlIHNhbXBsZSBub25jZQ==";
const upgrade = (path: string, fields: readonly string[]): string =>
  get(path, fields.map((field) => `${field}\r\n`).join(""));
const WEB_SOCKET = [
  "connection: upgrade",
  "upgrade: websocket",
  "sec-websocket-version: 13",
  `sec-websocket-key: ${KEY}`,
];

/** What is sent, and then the connection is reset. */
const SENT: readonly (readonly [what: string, bytes: string | Buffer])[] = [
  ["CONNECT", CONNECT],
  ["CONNECT behind a request", `${get("/healthz")}${CONNECT}`],
  ["an upgrade to HTTP/2", upgrade("/healthz", ["connection: upgrade", "upgrade: h2c"])],
  ["a WebSocket that is refused", upgrade("/nowhere", WEB_SOCKET)],
  [
    "a WebSocket from a page of another site",
    upgrade(STREAM_PATH, [...WEB_SOCKET, "origin: https://evil.example"]),
  ],
  ["a WebSocket", upgrade(STREAM_PATH, WEB_SOCKET)],
  ["no request", "\x01\x02 nothing \r\n\r\n"],
  ["a wrong request", "GET / HTTP/1.1\r\nhost: a\r\ncontent-length: 1, 2\r\n\r\n"],
  ["half a request", "GET /healthz HTTP/1.1\r\nho"],
  ["a request", get("/healthz")],
  ["an expectation", get("/healthz", "expect: 100-continue\r\ncontent-length: 5\r\n")],
  ["a preface of HTTP/2", HELLO],
];

/** The socket to write to once it is connected, and the one below it, to be reset. */
async function connected(target: Target): Promise<readonly [socket: Socket, below: Socket]> {
  const below = target.socket();
  if (target.name === "clear text") {
    await new Promise((resolve) => below.once("connect", resolve));
    return [below, below];
  }
  const socket = tlsConnect({ socket: below, rejectUnauthorized: false, ALPNProtocols: ["http/1.1"] });
  socket.on("error", () => {});
  await new Promise((resolve) => socket.once("secureConnect", resolve));
  return [socket, below];
}

async function sendAndReset(target: Target, bytes: string | Buffer): Promise<void> {
  const [socket, below] = await connected(target);
  await new Promise((resolve) => socket.write(bytes, resolve));
  below.resetAndDestroy();
}

function resetAfter([what, bytes]: readonly [what: string, bytes: string | Buffer]): Attack {
  return {
    name: `${what}, then a reset at once`,
    limits: [],
    async run(target) {
      for (let sent = 0; sent < RESETS; sent += BATCH)
        await Promise.all(Array.from({ length: BATCH }, () => sendAndReset(target, bytes)));
      return `${RESETS} connections, none ended more than itself`;
    },
  };
}

export const SOCKET_ATTACKS: readonly Attack[] = [
  ...SENT.map(resetAfter),
  {
    name: "bytes without TLS, or half a handshake, then a reset at once",
    limits: [],
    async run(target) {
      for (const bytes of [get("/healthz"), Buffer.from([22, 3, 1, 2, 0, 1, 0])]) {
        for (let sent = 0; sent < RESETS; sent += BATCH) {
          const one = async (): Promise<void> => {
            const socket = target.socket();
            await new Promise((resolve) => socket.write(bytes, resolve));
            socket.resetAndDestroy();
          };
          await Promise.all(Array.from({ length: BATCH }, one));
        }
      }
      return "none ended more than itself";
    },
  },
  {
    name: "CONNECT behind a response under way",
    limits: [],
    async run(target) {
      const [socket] = await connected(target);
      let said = "";
      let over = false;
      socket.on("data", (chunk: Buffer) => {
        said += chunk.toString("latin1");
      });
      socket.on("close", () => {
        over = true;
      });
      // Expect takes the connection to node:http, where the answer is still being written when CONNECT is read.
      socket.write(
        get(`${STREAM_PATH}?behavior.responseCount=1000&behavior.interval=0.02s`, "expect: 100-continue\r\n"),
      );
      await until(() => said.includes("[{"), "the beginning of the response", PATIENCE_MS);
      socket.write(CONNECT);
      await until(() => over, "the end of the connection", PATIENCE_MS);
      if (/ 405 |no proxy/.test(said)) throw new Error("405 was written into the response");
      return "closed, nothing written into the response";
    },
  },
];
