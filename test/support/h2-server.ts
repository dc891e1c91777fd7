// A small HTTP/2 server on the engine, for h2spec: answers any request, once it is whole, with 200 and a body.
//   node build/test/support/h2-server.js [PORT]     prints where it listens
import { type AddressInfo, createServer } from "node:net";
import { Connection } from "#src/http2/connection.js";
import type { Stream, StreamHandler } from "#src/http2/stream.js";

const BODY = Buffer.from("a body of some length, so that h2spec has DATA to look at\n");

function answer(stream: Stream): void {
  if (!stream.beginHeaders()) return;
  stream.header(":status", "200", false);
  stream.header("content-type", "text/plain", false);
  stream.header("content-length", String(BODY.length), false);
  stream.endHeaders(false);
  stream.sendData(BODY, 0, BODY.length, true);
}

const handler: StreamHandler = {
  onHeaders() {},
  onData(stream, _chunk, start, end, last) {
    stream.consumed(end - start);
    if (last) answer(stream);
  },
  onTrailers: answer,
  onReset() {},
  onSent() {},
};

const server = createServer({ noDelay: true }, (socket) => {
  new Connection(
    socket,
    { role: "server" },
    {
      onStream(stream, _block, end) {
        stream.handler = handler;
        if (end) answer(stream);
      },
      onClose() {},
    },
  );
});
server.listen(Number(process.argv[2] ?? 0), "127.0.0.1", () => {
  console.log(`listening on 127.0.0.1:${(server.address() as AddressInfo).port}`);
});
