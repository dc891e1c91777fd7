// The engine beside another implementation, Node's own: as its server, as its client, in clear text and over TLS.
import assert from "node:assert/strict";
import { once } from "node:events";
import {
  type ClientHttp2Session,
  constants,
  createServer as createHttp2Server,
  connect as http2Connect,
  type IncomingHttpHeaders,
} from "node:http2";
import { type AddressInfo, createServer, connect as netConnect, type Server } from "node:net";
import { describe, test } from "node:test";
import { createServer as createTlsServer, connect as tlsConnect } from "node:tls";
import { Connection } from "#src/http2/connection.js";
import { TEST_CERTIFICATE, TEST_KEY } from "../support/certificate.js";
import { echo, Owner, Recorder, request, respond, trailersOf } from "../support/wire.js";

const portOf = (server: { address(): AddressInfo | string | null }): number => {
  const address = server.address();
  assert.ok(address !== null && typeof address === "object");
  return address.port;
};

async function engineServer(
  serve: ConstructorParameters<typeof Owner>[0],
): Promise<{ server: Server; owners: Owner[] }> {
  const owners: Owner[] = [];
  const server = createServer({ noDelay: true }, (socket) => {
    const owner = new Owner(serve);
    owners.push(owner);
    new Connection(socket, { role: "server" }, owner);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return { server, owners };
}

async function fetch(
  session: ClientHttp2Session,
  body: Buffer,
): Promise<{ headers: IncomingHttpHeaders; trailers: IncomingHttpHeaders | undefined; body: Buffer }> {
  const stream = session.request({ ":method": "POST", ":path": "/s/m", "x-a": "1" });
  let trailers: IncomingHttpHeaders | undefined;
  stream.on("trailers", (fields: IncomingHttpHeaders) => {
    trailers = fields;
  });
  stream.end(body);
  const [headers]: IncomingHttpHeaders[] = await once(stream, "response");
  assert.ok(headers);
  const chunks: Buffer[] = [];
  for await (const chunk of stream) if (Buffer.isBuffer(chunk)) chunks.push(chunk);
  return { headers, trailers, body: Buffer.concat(chunks) };
}

const SIZES = [0, 1, 16_384, 3_000_000];

describe("Node's client", () => {
  test("is served: bodies of any size, trailers, many calls at once", async () => {
    const { server } = await engineServer((stream, req) => {
      void req.over.then(() => {
        respond(
          stream,
          [
            [":status", "200"],
            ["x-b", "2"],
          ],
          false,
        );
        stream.sendData(req.body, 0, req.bytes, false);
        stream.sendTrailers(trailersOf(["grpc-status", "0"]));
      });
    });
    const session = http2Connect(`http://127.0.0.1:${portOf(server)}`);
    const bodies = [...SIZES, ...Array.from({ length: 50 }, (_, i) => i)].map((n) => Buffer.alloc(n, n));
    const answers = await Promise.all(bodies.map((body) => fetch(session, body)));
    answers.forEach((answer, i) => {
      assert.equal(answer.headers[":status"], 200);
      assert.equal(answer.headers["x-b"], "2");
      assert.equal(answer.trailers?.["grpc-status"], "0");
      assert.ok(answer.body.equals(bodies[i] ?? Buffer.alloc(0)));
    });
    session.close();
    server.close();
    await once(server, "close");
  });

  for (const headerTableSize of [0, 100, 65_536]) {
    test(`may offer a header table of ${headerTableSize} bytes`, async () => {
      const { server } = await engineServer((stream, req) => {
        respond(
          stream,
          [
            [":status", "200"],
            ["x-long", "v".repeat(60)],
            ...(req.headers?.filter(([n]) => n === "x-a") ?? []),
          ],
          true,
        );
      });
      const session = http2Connect(`http://127.0.0.1:${portOf(server)}`, { settings: { headerTableSize } });
      for (let i = 0; i < 5; i++) {
        const { headers } = await fetch(session, Buffer.alloc(0));
        assert.equal(headers["x-a"], "1");
        assert.equal(headers["x-long"], "v".repeat(60));
        if (i === 2) session.settings({ headerTableSize: 0 });
      }
      session.close();
      server.close();
      await once(server, "close");
    });
  }

  test("follows a drain: it ends its calls and opens no more", async () => {
    const { server, owners } = await engineServer(echo);
    const session = http2Connect(`http://127.0.0.1:${portOf(server)}`);
    await fetch(session, Buffer.from("first"));
    const stream = session.request({ ":method": "POST", ":path": "/" });
    stream.write("half ");
    while (owners[0]?.streams.length !== 2) await new Promise((resolve) => setImmediate(resolve));
    owners[0]?.streams[1]?.connection.drain();
    await once(session, "goaway");
    stream.end("done");
    const chunks: Buffer[] = [];
    for await (const chunk of stream) if (Buffer.isBuffer(chunk)) chunks.push(chunk);
    assert.equal(Buffer.concat(chunks).toString(), "half done");
    assert.equal(await owners[0]?.closed, "the connection was drained");
    server.close();
    await once(server, "close");
  });

  test("that cancels is understood", async () => {
    const { server, owners } = await engineServer(() => {});
    const session = http2Connect(`http://127.0.0.1:${portOf(server)}`);
    const stream = session.request({ ":method": "POST", ":path": "/" });
    while (owners[0]?.streams.length !== 1) await new Promise((resolve) => setImmediate(resolve));
    stream.close(constants.NGHTTP2_CANCEL);
    await owners[0]?.requests[0]?.over;
    assert.equal(owners[0]?.requests[0]?.reset?.code, constants.NGHTTP2_CANCEL);
    session.destroy();
    server.close();
  });
});

describe("Node's server", () => {
  async function nodeServer(): Promise<{ port: number; close: () => void }> {
    const server = createHttp2Server({ settings: { initialWindowSize: 1000 } });
    server.on("stream", (stream, headers) => {
      if (headers[":path"] === "/refuse") {
        stream.on("error", () => {});
        stream.close(constants.NGHTTP2_REFUSED_STREAM);
        return;
      }
      stream.respond({ ":status": 200, "x-b": "2" }, { waitForTrailers: true });
      stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
      stream.pipe(stream);
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return { port: portOf(server), close: () => server.close() };
  }

  test("serves us: bodies of any size through a small window, trailers, many calls at once", async () => {
    const { port, close } = await nodeServer();
    const owner = new Owner();
    const client = new Connection(netConnect({ port, host: "127.0.0.1" }), { role: "client" }, owner);
    await owner.ready;
    const calls = [...SIZES, ...Array.from({ length: 50 }, (_, i) => i)].map((n) => {
      const answer = new Recorder();
      const body = Buffer.alloc(n, n);
      request(client, answer).sendData(body, 0, n, true);
      return { answer, body };
    });
    for (const { answer, body } of calls) {
      await answer.over;
      assert.equal(answer.reset, undefined);
      assert.ok(answer.body.equals(body));
      assert.deepEqual(answer.trailers, [["grpc-status", "0"]]);
    }
    client.drain();
    assert.equal(await owner.closed, "the connection was drained");
    close();
  });

  test("may refuse us", async () => {
    const { port, close } = await nodeServer();
    const owner = new Owner();
    const client = new Connection(netConnect({ port, host: "127.0.0.1" }), { role: "client" }, owner);
    await owner.ready;
    const answer = new Recorder();
    request(client, answer, {
      fields: [
        [":method", "POST"],
        [":scheme", "http"],
        [":path", "/refuse"],
        [":authority", "x"],
      ],
    });
    await answer.over;
    assert.equal(answer.reset?.sent, "refused");
    client.destroy();
    close();
  });
});

describe("over TLS", () => {
  test("pooled buffers come back only when they have been encrypted: nothing is mixed up", async () => {
    const server = createTlsServer(
      { key: TEST_KEY, cert: TEST_CERTIFICATE, ALPNProtocols: ["h2"] },
      (socket) => {
        new Connection(socket, { role: "server" }, new Owner(echo));
      },
    );
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const owner = new Owner();
    const socket = tlsConnect({
      port: portOf(server),
      host: "127.0.0.1",
      ALPNProtocols: ["h2"],
      ca: TEST_CERTIFICATE,
      servername: "localhost",
    });
    const client = new Connection(socket, { role: "client" }, owner);
    await owner.ready;
    for (let round = 0; round < 5; round++) {
      const calls = Array.from({ length: 60 }, (_, i) => {
        const answer = new Recorder();
        const body = Buffer.alloc(i * 97 + round, i + round);
        request(client, answer).sendData(body, 0, body.length, true);
        return { answer, body };
      });
      for (const { answer, body } of calls) {
        await answer.over;
        assert.ok(answer.body.equals(body));
      }
    }
    client.destroy();
    server.close();
    await once(server, "close");
  });
});
