import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, describe, it } from "node:test";
import fc from "fast-check";
import { HeadReader } from "#src/downstream/carriers/http1/head-reader.js";
import { duplexPair } from "#src/kit/net/duplex-pair.js";
import { turns } from "../../../support/until.js";
import { ODD_REQUESTS } from "./support/odd-requests.js";

interface Read {
  readonly method: string;
  readonly target: string;
  /** Names and values in turn, names in small letters. */
  readonly fields: readonly string[];
  readonly body: string;
}

/** What we read of these bytes, request after request, up to the first that is odd or not whole. */
function readHere(bytes: Buffer, reader = new HeadReader()): { requests: Read[]; rest: "more" | "odd" } {
  const requests: Read[] = [];
  let at = 0;
  for (;;) {
    const found = reader.read(bytes, at);
    if (found !== "head") return { requests, rest: found };
    const { method, target, end, block } = reader;
    if (end + block.length > bytes.length) return { requests, rest: "more" };
    const fields = block.fields.flatMap(({ name, value }) => [name, value]);
    at = end + block.length;
    requests.push({ method, target, fields, body: bytes.toString("latin1", end, at) });
  }
}

const server = createServer({ keepAliveTimeout: 0, headersTimeout: 0, requestTimeout: 0 });
after(() => server.close());

/** What node:http reads of them. */
function readByNode(bytes: Buffer): Promise<Read[]> {
  return new Promise((resolve) => {
    const [near, far] = duplexPair();
    const requests: Read[] = [];
    const done = (): void => {
      server.removeAllListeners("request");
      server.removeAllListeners("clientError");
      near.destroy();
      far.destroy();
      resolve(requests);
    };
    server.on("request", (request, response) => {
      let body = "";
      request.setEncoding("latin1");
      request.on("data", (chunk: string) => {
        body += chunk;
      });
      request.on("end", () => {
        const { method = "", url = "", rawHeaders } = request;
        const fields = rawHeaders.map((text, i) => (i % 2 === 0 ? text.toLowerCase() : text));
        requests.push({ method, target: url, fields, body });
        response.end();
      });
      request.on("error", () => {});
    });
    // The requests before what is wrong are told of some turns later; how many differs between lines of Node.
    server.on("clientError", () => void turns(20).then(done));
    near.on("error", () => {});
    far.on("error", () => {});
    far.on("end", done);
    far.on("close", done);
    far.resume();
    server.emit("connection", near);
    far.write(bytes);
    far.end();
  });
}

const inner = fc.string({ unit: fc.constantFrom(...'abcxyz019 ;=,\t"é'), maxLength: 12 });
const name = fc.constantFrom(
  "x",
  "X-Some",
  "accept",
  "Content-Type",
  "grpc-timeout",
  "cookie",
  "a!#$%&'*+-.^_`|~",
);
const field = fc.tuple(
  name,
  fc.constantFrom(":", ": ", ":\t ", ":  "),
  inner,
  fc.constantFrom("", " ", "\t"),
);
const plain = fc
  .record({
    method: fc.constantFrom("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"),
    target: fc.string({ unit: fc.constantFrom(..."ab/?&=%20-._~!$'()*+,;:@[]"), maxLength: 20 }),
    before: fc.array(field, { maxLength: 3 }),
    after: fc.array(field, { maxLength: 3 }),
    host: fc.constantFrom("Host: a", "host:b.example:8080", "HOST: [::1]:80 "),
    connection: fc.constantFrom("", "Connection: keep-alive", "connection:Close"),
    body: fc.option(fc.string({ unit: fc.constantFrom(...'x{}"\r\n0GET /:'), maxLength: 20 })),
  })
  .map(({ method, target, before, after, host, connection, body }) => {
    const lines = [`${method} /${target} HTTP/1.1`, ...before.map((f) => f.join("")), host];
    // What closes the connection ends node's reading: only what is last may say so, below.
    if (!/close/i.test(connection) && connection !== "") lines.push(connection);
    if (body !== null) lines.push(`Content-Length: ${body.length}`);
    lines.push(...after.map((f) => f.join("")));
    return `${lines.join("\r\n")}\r\n\r\n${body ?? ""}`;
  });

const bytesOf = (requests: readonly string[]): Buffer => Buffer.from(requests.join(""), "latin1");

describe("everything read here is read the same by node:http", () => {
  it("of plain requests, one after the other: all of them are taken", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(plain, { minLength: 1, maxLength: 4 }), async (requests) => {
        const bytes = bytesOf(requests);
        const here = readHere(bytes);
        assert.equal(here.requests.length, requests.length);
        assert.deepEqual(here.requests, await readByNode(bytes));
      }),
      { numRuns: 300 },
    );
  });

  it("of requests with bytes changed, left out and put in: whatever is taken is the same, and ends where it does", async () => {
    const byte = fc.constantFrom(...'\r\n\t :;,/0159+-xGHPTchunked\0\x0b\x7f\x80\xff#[]()<>@"\\');
    const change = fc.record({
      at: fc.nat(400),
      kind: fc.constantFrom("set", "insert", "delete"),
      byte,
      where: fc.option(fc.constantFrom("\r\n", ":", " ", "Content-Length", "Host", "HTTP/1.1")),
    });
    const changes = fc.array(change, { minLength: 1, maxLength: 3 });
    let taken = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(plain, { minLength: 1, maxLength: 3 }), changes, async (requests, list) => {
        let text = requests.join("");
        for (const { at, kind, byte, where } of list) {
          // Near what matters as often as anywhere.
          const near = where === null ? -1 : text.indexOf(where);
          const i = near === -1 ? at % (text.length + 1) : near + (at % ((where?.length ?? 0) + 1));
          text =
            text.slice(0, i) + (kind === "delete" ? "" : byte) + text.slice(kind === "insert" ? i : i + 1);
        }
        const bytes = Buffer.from(`${text}GET /sentinel HTTP/1.1\r\nHost: s\r\n\r\n`, "latin1");
        const here = readHere(bytes);
        const node = await readByNode(bytes);
        assert.deepEqual(here.requests, node.slice(0, here.requests.length));
        taken += here.requests.length;
      }),
      { numRuns: 1500 },
    );
    // That it is not all refused: 525 to 707 in twelve runs.
    assert.ok(taken > 300, `${taken} changed requests were taken`);
  });

  it("however often a connection brings the same fields, or others", () => {
    const reader = new HeadReader();
    fc.assert(
      fc.property(fc.array(plain, { minLength: 1, maxLength: 4 }), (requests) => {
        const bytes = bytesOf(requests);
        assert.deepEqual(readHere(bytes, reader), readHere(bytes));
        assert.deepEqual(readHere(bytes, reader), readHere(bytes));
      }),
      { numRuns: 200 },
    );
  });

  it("a repeated block of fields is the same array", () => {
    const reader = new HeadReader();
    const bytes = bytesOf([
      "GET /a HTTP/1.1\r\nhost: a\r\nx: y\r\n\r\n",
      "POST /b HTTP/1.1\r\nhost: a\r\nx: y\r\n\r\n",
    ]);
    assert.equal(reader.read(bytes, 0), "head");
    const { fields } = reader.block;
    assert.equal(reader.read(bytes, reader.end), "head");
    assert.equal(reader.method, "POST");
    assert.equal(reader.target, "/b");
    assert.equal(reader.block.fields, fields);
  });
});

it("a repeated line in another block is the same field; one that differs by a byte is not", () => {
  const reader = new HeadReader();
  const block = (lines: readonly string[]): Buffer =>
    bytesOf([`GET / HTTP/1.1\r\n${lines.map((line) => `${line}\r\n`).join("")}\r\n`]);
  const read = (lines: readonly string[]) => {
    assert.equal(reader.read(block(lines), 0), "head");
    return { ...reader.block };
  };
  const first = read(["Host: a", "Content-Length: 10", "x: 1", "y: 1"]);
  const second = read(["Host: a", "Content-Length: 20", "x: 1", "y: 2"]);
  assert.equal(second.length, 20);
  assert.equal(second.host, "a");
  assert.equal(second.fields[0], first.fields[0]);
  assert.equal(second.fields[2], first.fields[2]);
  assert.deepEqual(
    second.fields.map(({ value }) => value),
    ["a", "20", "1", "2"],
  );
  // What is known of a line holds for it alone: two known lines can still contradict each other.
  assert.equal(reader.read(block(["Host: a", "Content-Length: 20", "x: 1", "Host: a"]), 0), "odd");
  assert.equal(reader.read(block(["Host: a", "Content-Length: 20", "Content-Length: 20"]), 0), "odd");
  assert.equal(reader.read(block(["x: 1", "Content-Length: 20"]), 0), "odd");
});

describe("left to node:http, wherever its bytes are cut", () => {
  for (const [what, text] of ODD_REQUESTS) {
    it(what, () => {
      const bytes = Buffer.from(text, "latin1");
      assert.equal(new HeadReader().read(bytes, 0), "odd");
      // A first part of it is never taken for a request.
      const cuts = Math.min(bytes.length, 600);
      for (let end = 0; end < cuts; end++) {
        const found = new HeadReader().read(bytes.subarray(0, end), 0);
        assert.notEqual(found, "head", `the first ${end} bytes`);
      }
    });
  }

  it("a head that is not whole yet is waited for, at every byte of it", () => {
    const bytes = bytesOf(["POST /a?b=c HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nX: y \r\n\r\n"]);
    for (let end = 0; end < bytes.length; end++)
      assert.equal(new HeadReader().read(bytes.subarray(0, end), 0), "more", `${end} bytes`);
    assert.equal(new HeadReader().read(bytes, 0), "head");
  });
});
