// Attacks by work: requests within every limit, and those that would come to more than they are, each of the shape that
// takes longest. What counts is the longest block of the event loop, which `make attacks` prints beside each.
import { brotliCompressSync, gzipSync } from "node:zlib";
import { until } from "../../support/until.js";
import type { Attack, Target } from "./attacks.js";

const KIB = 1024;
const MIB = 1024 * KIB;
const PATIENCE_MS = 60_000;
interface Sent {
  readonly path: string;
  readonly type?: string;
  readonly body?: Buffer;
  readonly fields?: string;
}

/** One request on a connection of its own: the status of the answer, and how many bytes came. */
async function ask(target: Target, { path, type, body, fields = "" }: Sent): Promise<string> {
  const socket = target.connect("http/1.1");
  let head = "";
  let bytes = 0;
  socket.on("data", (chunk: Buffer) => {
    if (head.length < 20) head += chunk.toString("latin1", 0, 20);
    bytes += chunk.length;
  });
  const method = body === undefined ? "GET" : "POST";
  const length = body === undefined ? "" : `content-length: ${body.length}\r\n`;
  const content = type === undefined ? "" : `content-type: ${type}\r\n`;
  const more = `${length}${content}${fields}connection: close\r\n`;
  socket.write(`${method} ${path} HTTP/1.1\r\nhost: test\r\n${more}\r\n`);
  if (body !== undefined) socket.write(body);
  await until(() => socket.closed, `the answer to ${path}`, PATIENCE_MS);
  const status = /^HTTP\/1\.1 (\d{3})/.exec(head)?.[1] ?? "none";
  return `${status}${bytes > MIB ? `, ${Math.round(bytes / MIB)} MiB` : ""}`;
}

function work(name: string, sent: Sent, expected: RegExp): Attack {
  return {
    name,
    limits: [],
    async run(target) {
      const answer = await ask(target, sent);
      if (!expected.test(answer)) throw new Error(`answered ${answer}, not ${expected}`);
      return answer;
    },
  };
}

const UNARY = "/test/v1/unary";
const STREAM = "/test/v1/client-stream";
const ONE = 63 * KIB;

const repeated = (open: string, unit: string, close: string, bytes: number): Buffer =>
  Buffer.from(open + unit.repeat(Math.floor((bytes - open.length - close.length) / unit.length)) + close);

const any = '{"@type":"type.googleapis.com/google.protobuf.Duration","value":"1s"},';
// What is wrong stands at the end: the service is not to send all that back.
const details = (bytes: number): Buffer =>
  repeated('{"behavior":{"refuse":{"code":3,"details":[', any, `${any.slice(0, -1)}]}},"x":1}`, bytes);
const numbers = (bytes: number): Buffer => repeated('{"x":[', "1,", "1]", bytes);
const entries = (bytes: number): Buffer =>
  repeated("<UnaryRequest>", "<payload>QQ==</payload>", "</UnaryRequest>", bytes);

const JSON_TYPE = "application/json";
const NDJSON = "application/x-ndjson";
/** One that a service takes its time for would only measure the service. */
const MESSAGE = `{"payload":"${"A".repeat(1000)}"}\n`;
const GZIP = "content-encoding: gzip\r\n";

export const BLOCK_ATTACKS: readonly Attack[] = [
  work(
    "JSON of small numbers that ends too soon, 63 KiB",
    { path: UNARY, type: JSON_TYPE, body: numbers(ONE) },
    /^400$/,
  ),
  work(
    "JSON of small numbers that ends too soon, 1 MiB",
    { path: UNARY, type: JSON_TYPE, body: numbers(MIB - 1) },
    /^(?:400|504)$/,
  ),
  work("JSON of many Any, 63 KiB", { path: UNARY, type: JSON_TYPE, body: details(ONE) }, /^(?:400|504)$/),
  work("JSON of many Any, 1 MiB", { path: UNARY, type: JSON_TYPE, body: details(MIB) }, /^(?:400|504)$/),
  work(
    "XML of many elements, 15 KiB",
    { path: UNARY, type: "application/xml", body: entries(15 * KIB) },
    /^[24]/,
  ),
  work(
    "XML of many elements, 256 KiB",
    { path: UNARY, type: "application/xml", body: entries(256 * KIB) },
    /^(?:[24]|504)/,
  ),
  work(
    "blank lines packed 1000:1",
    { path: STREAM, type: NDJSON, fields: GZIP, body: gzipSync(Buffer.alloc(64 * MIB, "\n")) },
    /^400$/,
  ),
  work(
    "a stream of messages packed 1000:1",
    { path: STREAM, type: NDJSON, fields: GZIP, body: gzipSync(Buffer.alloc(64 * MIB, MESSAGE)) },
    /^(?:413|504)$/,
  ),
  work(
    "the same in brotli",
    {
      path: STREAM,
      type: NDJSON,
      fields: "content-encoding: br\r\n",
      body: brotliCompressSync(Buffer.alloc(16 * MIB, MESSAGE)),
    },
    /^(?:413|504)$/,
  ),
  work(
    "small messages, 20,000 in a read",
    { path: STREAM, type: NDJSON, body: Buffer.alloc(255 * KIB, "{}\n") },
    /^(?:200|504)$/,
  ),
  work(
    "an answer of 50,000 small messages",
    { path: "/test/v1/server-stream?behavior.response_count=50000" },
    /^200/,
  ),
  work(
    "an answer in XML, 768 KiB",
    { path: `${UNARY}?behavior.response_bytes=${768 * KIB}`, fields: "accept: application/xml\r\n" },
    /^200/,
  ),
  work(
    "an answer packed anew each time, 3 MiB",
    { path: `${UNARY}?behavior.response_bytes=${3 * MIB}`, fields: "accept-encoding: br\r\n" },
    /^(?:200|504)/,
  ),
];
