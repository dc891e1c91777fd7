// Addresses for what is to listen later, or again: a port that the system hands out (port 0) may be handed to another
// test in between.
import { randomInt } from "node:crypto";
import { createServer } from "node:net";

/** Below the ports that systems hand out (Linux 32768 to 60999, gVisor from 16000), above those of well-known servers. */
const FIRST = 10_000;
const END = 16_000;

/** A port of 127.0.0.1 where nobody listens, nor will but by the same choice. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(FIRST, END);
    if (await canListen(port)) return port;
  }
}

/** `127.0.0.1:PORT` with such a port. */
export async function freeAddress(): Promise<string> {
  return `127.0.0.1:${await freePort()}`;
}

function canListen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}
