// A client on the engine, for h2specd: asks for a URL, and stays until the server is done with the connection.
//   node build/test/support/h2-client.js http://HOST:PORT/
import { connect } from "node:net";
import { Connection } from "#src/http2/connection.js";
import type { StreamHandler } from "#src/http2/stream.js";

/** More than h2specd's own, which takes the end of the connection for an answer. */
const PATIENCE_MS = 2000;

const handler: StreamHandler = {
  onHeaders() {},
  onData(stream, _chunk, start, end) {
    stream.consumed(end - start);
  },
  onTrailers() {},
  onReset() {},
  onSent() {},
};

const url = new URL(process.argv[2] ?? "");
const socket = connect(Number(url.port), url.hostname);
const connection: Connection = new Connection(
  socket,
  { role: "client" },
  {
    onStream() {},
    onReady() {
      const stream = connection.open(handler);
      if (stream === undefined || !stream.beginHeaders()) return;
      stream.header(":method", "GET", false);
      stream.header(":scheme", "http", false);
      stream.header(":path", url.pathname, false);
      stream.header(":authority", url.host, false);
      stream.endHeaders(true);
    },
    onClose() {
      clearTimeout(timer);
      // The server takes a second to close its side: what we had to say is said by then.
      if (socket.writableFinished) socket.destroy();
      else socket.once("finish", () => socket.destroy());
    },
  },
);
const timer = setTimeout(() => connection.destroy(), PATIENCE_MS);
