// Streams over HTTP: messages in as NDJSON or an array, both ways at once, uploads and downloads as they are.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { request as request1 } from "node:http";
import { connect } from "node:http2";
import { connect as connectTcp } from "node:net";
import type { Readable, Writable } from "node:stream";
import { after, describe, test } from "node:test";
import { bytesAt } from "./support/files.js";
import { http, openHttp, VERSIONS, type Version } from "./support/http.js";
import { startHub } from "./support/hub.js";
import { startService } from "./support/service.js";

const scope = { after };
const behavior = await startService(scope, "behavior");
const files = await startService(scope, "files");
const library = await startService(scope, "library");
const hub = await startHub(scope, [
  `behavior=${behavior.address}`,
  `files=${files.address}`,
  `library=${library.address}`,
]);

const CLIENT_STREAM = "/test/v1/client-stream";
const BIDI = "/test/v1/bidi-stream";
const NDJSON = { "content-type": "application/x-ndjson" };
const base64 = (text: string): string => Buffer.from(text).toString("base64");

/** A request whose body is still being written, and its answer. */
interface Exchange {
  readonly body: Writable;
  readonly answer: Promise<{ status: number; contentType: string; body: Readable }>;
  leave(): void;
}

function open(version: Version, path: string, headers: Record<string, string>): Exchange {
  if (version === "2") {
    const session = connect(`http://${hub.address}`);
    const stream = session.request({ ":method": "POST", ":path": path, ...headers });
    const answer = new Promise<Awaited<Exchange["answer"]>>((resolve, reject) => {
      stream.on("error", reject);
      stream.on("response", (head) =>
        resolve({ status: Number(head[":status"]), contentType: String(head["content-type"]), body: stream }),
      );
    });
    stream.on("close", () => session.close());
    return { body: stream, answer, leave: () => session.destroy() };
  }
  const request = request1(`http://${hub.address}${path}`, { method: "POST", headers, agent: false });
  request.flushHeaders();
  const answer = new Promise<Awaited<Exchange["answer"]>>((resolve, reject) => {
    request.on("error", reject);
    request.on("response", (response) =>
      resolve({
        status: response.statusCode ?? 0,
        contentType: String(response.headers["content-type"]),
        body: response,
      }),
    );
  });
  return { body: request, answer, leave: () => request.destroy() };
}

async function* linesOf(body: Readable): AsyncGenerator<unknown> {
  let rest = "";
  for await (const chunk of body) {
    const lines = (rest + String(chunk)).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) yield JSON.parse(line);
  }
}

for (const version of VERSIONS) {
  describe(`HTTP/${version}: a stream of requests`, () => {
    const messages = ["one", "two", "three"].map((text) => ({ payload: base64(text) }));
    const BODIES: readonly [name: string, type: string, body: string][] = [
      ["NDJSON", "application/x-ndjson", messages.map((m) => `${JSON.stringify(m)}\n`).join("")],
      [
        "NDJSON without the last line's end",
        "application/jsonl",
        messages.map((m) => JSON.stringify(m)).join("\n"),
      ],
      ["an array", "application/json", JSON.stringify(messages, undefined, 2)],
      [
        "one after the other",
        "application/json; charset=utf-8",
        messages.map((m) => JSON.stringify(m)).join(" "),
      ],
    ];
    for (const [name, type, body] of BODIES) {
      test(`${name} reaches the service message by message`, async () => {
        const answer = await http(version, hub.address, CLIENT_STREAM, {
          body,
          headers: { "content-type": type },
        });
        assert.equal(answer.status, 200, answer.text);
        const { requestCount, requestBytes } = Object(answer.json());
        assert.deepEqual({ requestCount, requestBytes }, { requestCount: "3", requestBytes: "11" });
      });
    }

    test("an empty stream is one", async () => {
      for (const body of ["", "[]"]) {
        const answer = await http(version, hub.address, CLIENT_STREAM, {
          body,
          headers: { "content-type": "application/json" },
        });
        assert.equal(answer.status, 200, answer.text);
        assert.equal(Object(answer.json()).requestCount, undefined, answer.text);
      }
    });

    const WRONG: readonly [body: string, type: string, status: number, message: RegExp][] = [
      ['{"payload":"b25l"}\n{"payload":1}\n', "application/x-ndjson", 400, /^message 2: \$\.payload: /],
      ['{"payload":"b25l"}\n{"paylode":""}\n', "application/x-ndjson", 400, /^message 2: \$\.paylode: /],
      ['[{"payload":"b25l"},{"payload"}]', "application/json", 400, /^message 2: the body is not valid JSON/],
      ['[{"payload":"b25l"}', "application/json", 400, /^message 2: .*the body ends before the array does$/],
      ["[1]", "application/json", 400, /^message 1: /],
      ['{"payload":"b25l"}', "text/plain", 415, /application\/x-ndjson, application\/json/],
    ];
    for (const [body, type, status, message] of WRONG) {
      test(`${JSON.stringify(body)} as ${type} is refused with ${status}`, async () => {
        const answer = await http(version, hub.address, CLIENT_STREAM, {
          body,
          headers: { "content-type": type },
        });
        assert.equal(answer.status, status, answer.text);
        assert.match(Object(answer.json()).message, message);
      });
    }
  });

  describe(`HTTP/${version}: both ways`, () => {
    test("each answer comes before the next request is sent", async () => {
      const { body, answer } = open(version, BIDI, { ...NDJSON, accept: "application/x-ndjson" });
      body.write(`${JSON.stringify({ payload: base64("0") })}\n`);
      const { status, contentType, body: answers } = await answer;
      assert.equal(status, 200);
      assert.equal(contentType, "application/x-ndjson");
      let count = 0;
      for await (const message of linesOf(answers)) {
        assert.equal(Object(message).payload, base64(String(count)));
        count++;
        if (count === 5) body.end();
        else body.write(`${JSON.stringify({ payload: base64(String(count)) })}\n`);
      }
      assert.equal(count, 5);
    });

    test("a wrong message in the midst ends the answer with the error", async () => {
      const { body, answer } = open(version, BIDI, { ...NDJSON, accept: "application/x-ndjson" });
      body.write(`${JSON.stringify({ payload: base64("0") })}\n`);
      const { body: answers } = await answer;
      const seen: unknown[] = [];
      for await (const message of linesOf(answers)) {
        if (seen.length === 0) body.write('{"payload":7}\n');
        seen.push(message);
      }
      assert.equal(seen.length, 2);
      assert.equal(Object(seen[1]).error.code, 3);
      assert.match(Object(seen[1]).error.message, /^message 2: \$\.payload/);
    });

    test("a client that leaves cancels the call at once", async () => {
      const id = `bidi-${version}`;
      const { body, answer, leave } = open(version, BIDI, { ...NDJSON, "x-call-id": id });
      answer.catch(() => {});
      body.on("error", () => {});
      body.write(`${JSON.stringify({ payload: base64("0") })}\n`);
      await behavior.program.stdout.waitFor(new RegExp(`^began bidiStream ${id}$`));
      leave();
      await behavior.program.stdout.waitFor(new RegExp(`^cancelled bidiStream ${id}$`));
    });
  });

  describe(`HTTP/${version}: bodies as they are`, () => {
    test("an upload comes in pieces, with what the path binds and its content type", async () => {
      const size = 3_000_000;
      const body = Buffer.from(bytesAt(0, size));
      const answer = await http(version, hub.address, "/test/v1/files/photo.png?note=x%20y", {
        body,
        headers: { "content-type": "image/png" },
      });
      assert.equal(answer.status, 200, answer.text);
      const { messageCount, sha256, ...rest } = Object(answer.json());
      assert.deepEqual(rest, {
        name: "photo.png",
        contentType: "image/png",
        note: "x y",
        byteCount: String(size),
      });
      assert.equal(sha256, createHash("sha256").update(body).digest("hex"));
      assert.ok(Number(messageCount) > 10);
    });

    test("an upload that is the whole message, and an empty one", async () => {
      for (const body of ["hello", ""]) {
        const answer = await http(version, hub.address, "/test/v1/bodies", {
          method: "POST",
          body,
          headers: { "content-type": "text/plain" },
        });
        assert.equal(answer.status, 200, answer.text);
        const { contentType, byteCount = "0" } = Object(answer.json());
        assert.deepEqual(
          { contentType, byteCount },
          { contentType: "text/plain", byteCount: String(body.length) },
        );
      }
    });

    test("a download is passed on unchanged, whatever Accept says", async () => {
      const size = 1_000_000;
      const path = `/test/v1/files/x?bytes=${size}&piece_bytes=30000&content_type=image/png`;
      const answer = await http(version, hub.address, path, { headers: { accept: "image/*" } });
      assert.equal(answer.status, 200, answer.text);
      assert.equal(answer.headers["content-type"], "image/png");
      assert.ok(answer.body.equals(bytesAt(0, size)));
    });

    test("a download in one message has its length", async () => {
      const path = "/test/v1/file/x?bytes=1000&content_type=image/png";
      const answer = await http(version, hub.address, path, { headers: { accept: "image/png" } });
      assert.equal(answer.status, 200, answer.text);
      assert.equal(answer.headers["content-length"], "1000");
      assert.ok(answer.body.equals(bytesAt(0, 1000)));
    });

    test("a download that fails before its first byte has a status", async () => {
      const answer = await http(version, hub.address, "/test/v1/files/x?fail.code=5&fail.message=gone");
      assert.equal(answer.status, 404);
      assert.equal(Object(answer.json()).message, "gone");
    });

    test("a download that fails in the midst is broken off", async () => {
      const path = "/test/v1/files/x?bytes=10&fail.code=13&fail.message=broken";
      const { answer } = openHttp(version, hub.address, path);
      await assert.rejects(async () => {
        const { body, status } = await answer;
        assert.equal(status, 200);
        for await (const _ of body);
      }, /aborted|hang up|closed|INTERNAL_ERROR|ECONNRESET/i);
    });
  });
}

test("a download over HTTP/1.0, whose end is that of its connection, is reset when it fails in the midst", async () => {
  const [host = "", port] = hub.address.split(":");
  const socket = connectTcp(Number(port), host);
  let read = "";
  socket.on("data", (chunk) => {
    read += String(chunk);
  });
  const end = new Promise<unknown>((resolve) => {
    socket.on("end", () => resolve("whole"));
    socket.on("error", (error: NodeJS.ErrnoException) => resolve(error.code));
  });
  socket.write("GET /test/v1/files/x?bytes=10&fail.code=13&fail.message=broken HTTP/1.0\r\n\r\n");
  assert.equal(await end, "ECONNRESET", read);
});
