// What a client's connection says of a server that speaks something else: what a person reads when the hub is set up.
import assert from "node:assert/strict";
import { createServer as createHttp } from "node:http";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { type TestContext, test } from "node:test";
import { createServer as createTls } from "node:tls";
import fc from "fast-check";
import { Connection } from "#src/http2/connection.js";
import { foreignPeer } from "#src/http2/wire/foreign-peer.js";
import { TEST_CERTIFICATE, TEST_KEY } from "../support/certificate.js";

/** Why the engine's connection to the server was over. */
async function whyOver(t: TestContext, server: Server | number): Promise<string> {
  const port = typeof server === "number" ? server : await listening(t, server);
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    t.after(() => socket.destroy());
    new Connection(socket, { role: "client" }, { onStream: () => {}, onClose: resolve });
  });
}

async function listening(t: TestContext, server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => server.close());
  return (server.address() as AddressInfo).port;
}

/** A server that says this once it is spoken to. */
function saying(...chunks: readonly (string | Buffer)[]): Server {
  return createServer((socket: Socket) => {
    socket.on("error", () => {});
    socket.once("data", () => {
      for (const chunk of chunks) socket.write(chunk);
      socket.end();
    });
  });
}

const SILENT = /, before any HTTP\/2 frame arrived: does it expect TLS\?$/;
const SERVERS: readonly (readonly [what: string, server: () => Server, says: RegExp])[] = [
  [
    "node's HTTP/1.1",
    () => createHttp((_, response) => response.end()),
    /^PROTOCOL_ERROR: the server answered HTTP\/1\.1, not HTTP\/2: HTTP\/1\.1 400 Bad Request$/,
  ],
  [
    "HTTP/1.0",
    () => saying("HTTP/1.0 505 No\r\n\r\n"),
    /answered HTTP\/1\.1, not HTTP\/2: HTTP\/1\.0 505 No$/,
  ],
  ["a very long status line", () => saying(`HTTP/1.1 400 ${"x".repeat(500)}\r\n`), /: HTTP\/1\.1 400 x{67}$/],
  [
    "a mail server",
    () => saying("220 mail.example.com ESMTP\r\n"),
    /does not speak HTTP\/2; it sent: 220 mail\.exa/,
  ],
  [
    "node's TLS",
    () => createTls({ cert: TEST_CERTIFICATE, key: TEST_KEY }).on("tlsClientError", () => {}),
    SILENT,
  ],
  [
    "an alert of TLS",
    () => saying(Buffer.from("15030300020246", "hex")),
    /expects TLS: it answered with a TLS alert$/,
  ],
  ["one that closes", () => saying(), SILENT],
  ["one that breaks off", () => createServer((socket) => socket.resetAndDestroy()), SILENT],
  [
    "nonsense",
    () => saying(Buffer.from("fffefdfcfbfaf9f8f7", "hex")),
    /^FRAME_SIZE_ERROR: a frame of 16776957 bytes/,
  ],
];
for (const [what, server, says] of SERVERS)
  test(`the error names ${what}`, async (t) => {
    assert.match(await whyOver(t, server()), says);
  });

test("an HTTP/2 server that disconnects later is not suspected", async (t) => {
  assert.equal(
    await whyOver(t, saying(Buffer.from("000000040000000000", "hex"))),
    "the peer closed the connection",
  );
});

test("a port without a listener is not suspected", async (t) => {
  assert.match(await whyOver(t, 1), /ECONNREFUSED[^,]*$/);
});

test("whatever the server sent, the error is one line of printable text", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      const told = foreignPeer(Buffer.from(bytes));
      assert.ok(told === undefined || /^[ -~]{1,140}$/.test(told), told);
    }),
  );
});
