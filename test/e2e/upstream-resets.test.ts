// One client's cancelled calls toward a service that others use as well: services end connections with too many resets.
import { once } from "node:events";
import { createServer, type Http2Session } from "node:http2";
import type { AddressInfo } from "node:net";
import { describe, test } from "node:test";
import { ErrorCode } from "#src/http2/wire/protocol.js";
import { assertRoomUnderStarvation, startNarrowHub } from "./support/attacks-upstream.js";
import type { Scope } from "./support/program.js";
import { assertCalmDuringResets } from "./support/rapid-reset.js";
import { startService } from "./support/service.js";

/** Netty's limit of 200 resets in 30 s: its connection is broken off, with all that is on it. */
const NETTY_RESETS = 200;

/** The bare gRPC of two methods on node:http2, as strict as Netty beside nghttp2's own limit. */
async function startStrict(t: Scope): Promise<string> {
  const server = createServer();
  server.on("sessionError", () => {});
  const resets = new WeakMap<Http2Session, number>();
  server.on("stream", (stream, { ":path": path }) => {
    const { session } = stream;
    stream.on("error", () => {});
    stream.on("aborted", () => {
      if (session === undefined) return;
      const count = (resets.get(session) ?? 0) + 1;
      resets.set(session, count);
      if (count > NETTY_RESETS && !session.destroyed) session.destroy(undefined, ErrorCode.ENHANCE_YOUR_CALM);
    });
    const begin = (): void => {
      if (stream.headersSent) return;
      stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
      stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
    };
    stream.on("data", (chunk: Buffer) => {
      begin();
      if (path?.endsWith("BidiStream") === true) stream.write(chunk);
    });
    stream.on("end", () => {
      if (stream.aborted) return;
      begin();
      stream.end(path?.endsWith("Unary") === true ? Buffer.alloc(5) : undefined);
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(async () => void server.close());
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const SERVICES: Readonly<Record<string, (t: Scope) => Promise<string>>> = {
  "@grpc/grpc-js": async (t) => (await startService(t, "behavior")).address,
  "node:http2, as strict as Netty": startStrict,
};

describe("clients that reset rapidly, each below its own limit", { timeout: 60_000 }, () => {
  for (const [name, start] of Object.entries(SERVICES)) {
    test(`cost other clients of the same service (${name}) no call`, async (t) => {
      await assertCalmDuringResets(t, await start(t));
    });
  }
});

test("a client that keeps calls and cancels others leaves room for one that does not", async (t) => {
  await assertRoomUnderStarvation(t, await startNarrowHub(t));
});
