// The loads: each drives one port for a while with a real client, and says how many calls succeeded.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fromBinary, toJson } from "@bufbuild/protobuf";
import { Client, credentials } from "@grpc/grpc-js";
import { EchoRequest } from "#generated/bench/v1/echo.js";
import { type Ask, ask, EchoResponse, ListRecordsResponse, Record, sameMeaning } from "./json.js";
import { PROTOSET, SERVICE } from "./peers.js";
import { findProgram, run, SCRATCH } from "./proc.js";
import { LIST, LIST_RECORDS, RECORD, RECORD_NAME } from "./record.js";

/** What the client speaks to the proxy. */
export type Wire = "grpc" | "json";

export interface Load {
  readonly name: string;
  readonly wire: Wire;
  /** What it is made with. */
  readonly tool: string;
  /** What `Done.calls` counts; left out: calls. */
  readonly unit?: "MB";
  /** Drives the port for so long from the given core; resolves with what was done. */
  run(port: number, seconds: number, core: number): Promise<Done>;
}

export interface Done {
  /** Calls that succeeded: with an answer of the right size, where the tool tells sizes only. */
  readonly calls: number;
  readonly failed: number;
  readonly callsPerSecond: number;
}

/** A tool that has not ended so long after its time is killed, and the run fails. */
const GRACE_SECONDS = 20;
const STREAM_SECONDS = 60;
const ECHO_PATH = `/${SERVICE}/Echo`;
/** 100 bytes of text: a usual small request. */
const TEXT = "linchpin ".repeat(12).slice(0, 100);

function grpcFrame(message: Uint8Array): Buffer {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
}

const ECHO_MESSAGE = EchoRequest.encode({ text: TEXT, payload: Buffer.alloc(0) }).finish();

function program(name: string): string {
  const path = findProgram(name);
  if (path === undefined) throw new Error(`${name} is not installed: run make tools`);
  return path;
}

function number(pattern: RegExp, text: string): number {
  const found = pattern.exec(text)?.[1];
  if (found === undefined) throw new Error(`no ${pattern} in what the tool printed:\n${text}`);
  return Number(found);
}

function h2load(connections: number, streams: number): Load {
  const body = grpcFrame(ECHO_MESSAGE);
  const file = join(SCRATCH, "echo.bin");
  return {
    name: `h2load, ${connections} connections × ${streams} streams`,
    wire: "grpc",
    tool: "h2load",
    async run(port, seconds, core) {
      writeFileSync(file, body);
      const output = await run(
        core,
        program("h2load"),
        [
          "-t1",
          `-c${connections}`,
          `-m${streams}`,
          `-D${seconds}`,
          `-d${file}`,
          "-Hcontent-type: application/grpc",
          "-Hte: trailers",
          `http://127.0.0.1:${port}${ECHO_PATH}`,
        ],
        (seconds + GRACE_SECONDS) * 1000,
      );
      const succeeded = number(/(\d+) succeeded/, output);
      // It does not read grpc-status: an answer that is no echo shows by its missing bytes.
      const calls = Math.min(succeeded, Math.floor(number(/\((\d+)\) data$/m, output) / body.length));
      const failed = number(/(\d+) failed/, output) + (succeeded - calls);
      return { calls, failed, callsPerSecond: calls / seconds };
    },
  };
}

const ghz: Load = {
  name: "ghz, 50 workers on 4 connections, metadata changes per call",
  wire: "grpc",
  tool: "ghz",
  async run(port, seconds, core) {
    const output = await run(
      core,
      program("ghz"),
      [
        "--insecure",
        `--protoset=${PROTOSET}`,
        `--call=${SERVICE}.Echo`,
        "--concurrency=50",
        "--connections=4",
        `--duration=${seconds}s`,
        "--duration-stop=wait",
        "--format=json",
        `--data=${JSON.stringify({ text: TEXT })}`,
        '--metadata={"x-request-id":"{{newUUID}}","x-sequence":"{{.RequestNumber}}","authorization":"Bearer {{randomString 24}}"}',
        `127.0.0.1:${port}`,
      ],
      (seconds + GRACE_SECONDS) * 1000,
    );
    const report: unknown = JSON.parse(output);
    const count = numberAt(report, "count");
    const calls = numberAt(report, "statusCodeDistribution", "OK");
    return { calls, failed: count - calls, callsPerSecond: numberAt(report, "rps") };
  },
};

function numberAt(value: unknown, ...path: readonly string[]): number {
  let at: unknown = value;
  for (const key of path) at = typeof at === "object" && at !== null ? Reflect.get(at, key) : undefined;
  return typeof at === "number" ? at : 0;
}

const JSON_TYPE = "application/json";
/** Bytes of text of an echo by JSON. */
const JSON_TEXT = TEXT.slice(0, 64);

/** The calls that are made by JSON, and what must come back, serialized. */
interface JsonCall extends Ask {
  readonly name: string;
  readonly answer: Parameters<typeof sameMeaning>[0];
  readonly expected: Uint8Array;
}

const ECHO: JsonCall = {
  name: "echo of 64 bytes",
  method: "POST",
  path: "/v1/echo",
  body: JSON.stringify({ text: JSON_TEXT }),
  answer: EchoResponse,
  expected: EchoRequest.encode({ text: JSON_TEXT, payload: Buffer.alloc(0) }).finish(),
};
const GET: JsonCall = {
  name: "GET a record of 330 bytes",
  method: "GET",
  path: `/v1/${RECORD_NAME}`,
  answer: Record,
  expected: RECORD,
};
const LIST_ALL: JsonCall = {
  name: "GET a list of 100 KiB",
  method: "GET",
  path: `/v1/records?page_size=${LIST_RECORDS}`,
  answer: ListRecordsResponse,
  expected: LIST,
};
const JSON_CALLS: readonly JsonCall[] = [ECHO, GET, LIST_ALL];

function wrk(request: JsonCall): Load {
  const script = join(SCRATCH, `${JSON_CALLS.indexOf(request)}.lua`);
  return {
    name: `JSON over HTTP/1.1 (wrk, 32 connections): ${request.name}`,
    wire: "json",
    tool: "wrk",
    async run(port, seconds, core) {
      const lines = [`wrk.method = "${request.method}"`];
      if (request.body !== undefined)
        lines.push(`wrk.body = [[${request.body}]]`, `wrk.headers["Content-Type"] = "${JSON_TYPE}"`);
      writeFileSync(script, lines.join("\n"));
      const output = await run(
        core,
        program("wrk"),
        ["-t1", "-c32", `-d${seconds}s`, "-s", script, `http://127.0.0.1:${port}${request.path}`],
        (seconds + GRACE_SECONDS) * 1000,
      );
      const total = number(/(\d+) requests in/, output);
      const failed = Number(/Non-2xx or 3xx responses: (\d+)/.exec(output)?.[1] ?? 0);
      return { calls: total - failed, failed, callsPerSecond: number(/Requests\/sec:\s+([\d.]+)/, output) };
    },
  };
}

function h2loadJson(request: JsonCall): Load {
  const file = join(SCRATCH, `${JSON_CALLS.indexOf(request)}.json`);
  return {
    name: `JSON over HTTP/2 (h2load, 4 connections × 8 streams): ${request.name}`,
    wire: "json",
    tool: "h2load",
    async run(port, seconds, core) {
      const body = request.body === undefined ? [] : [`-d${file}`, `-Hcontent-type: ${JSON_TYPE}`];
      if (request.body !== undefined) writeFileSync(file, request.body);
      const output = await run(
        core,
        program("h2load"),
        ["-t1", "-c4", "-m8", `-D${seconds}`, ...body, `http://127.0.0.1:${port}${request.path}`],
        (seconds + GRACE_SECONDS) * 1000,
      );
      const calls = number(/status codes: (\d+) 2xx/, output);
      const done = number(/(\d+) done/, output);
      return { calls, failed: done - calls, callsPerSecond: calls / seconds };
    },
  };
}

const NDJSON = { accept: "application/x-ndjson" };
/** A line of a stream as short as it can be: MB are counted in these, whatever a proxy wraps around them. */
const LINE_BYTES = JSON.stringify(toJson(Record, fromBinary(Record, RECORD))).length + 1;
const STREAM_RECORDS = Math.ceil((100 * 1024 * 1024) / LINE_BYTES);
const streamPath = (count: number): string => `/v1/records:stream?count=${count}`;

const ndjson: Load = {
  name: "a stream of 100 MiB as NDJSON over HTTP/1.1 (curl)",
  wire: "json",
  tool: "curl",
  unit: "MB",
  async run(port, _seconds, core) {
    const output = await run(
      core,
      program("curl"),
      [
        "--silent",
        "--output",
        "/dev/null",
        "--header",
        `accept: ${NDJSON.accept}`,
        "--write-out",
        "%{http_code} %{size_download} %{time_total}",
        `http://127.0.0.1:${port}${streamPath(STREAM_RECORDS)}`,
      ],
      STREAM_SECONDS * 1000,
    );
    const [status, bytes, seconds] = output.split(" ").map(Number);
    if (status !== 200 || (bytes ?? 0) < LINE_BYTES * STREAM_RECORDS)
      throw new Error(`the stream is not whole: ${output}`);
    const calls = (LINE_BYTES * STREAM_RECORDS) / 1e6;
    return { calls, failed: 0, callsPerSecond: calls / (seconds ?? Number.NaN) };
  },
};

export const LOADS: readonly Load[] = [
  h2load(4, 25),
  h2load(50, 1),
  ghz,
  ...JSON_CALLS.map(wrk),
  ...JSON_CALLS.map(h2loadJson),
  ndjson,
];

/** Makes one call of each kind through the port; rejects unless each answer means the same, so that no wrong answer is measured. */
export async function probe(port: number, wire: Wire): Promise<void> {
  if (wire === "grpc") {
    const answer = await grpcCall(port);
    if (!answer.equals(ECHO_MESSAGE)) throw new Error("the gRPC answer is no echo");
    return;
  }
  for (const version of ["1.1", "2"] as const) {
    for (const call of JSON_CALLS) {
      const text = await ask(port, version, call);
      if (!sameMeaning(call.answer, JSON.parse(text), call.expected))
        throw new Error(`${call.method} ${call.path} over HTTP/${version}: ${text}`);
    }
    const stream = await ask(port, version, { method: "GET", path: streamPath(3), headers: NDJSON });
    const lines = stream.trimEnd().split("\n");
    const whole = lines.every((line) => sameMeaning(Record, unwrapped(JSON.parse(line)), RECORD));
    if (lines.length !== 3 || !whole) throw new Error(`the stream over HTTP/${version}: ${stream}`);
  }
}

/** grpc-gateway puts each message of a stream into an object. */
function unwrapped(line: unknown): unknown {
  return typeof line === "object" && line !== null && "result" in line ? line.result : line;
}

function grpcCall(port: number): Promise<Buffer> {
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
  const same = (bytes: Buffer): Buffer => bytes;
  return new Promise<Buffer>((resolve, reject) => {
    const deadline = new Date(Date.now() + 5_000);
    client.makeUnaryRequest(
      ECHO_PATH,
      same,
      same,
      Buffer.from(ECHO_MESSAGE),
      { deadline },
      (error, answer) => {
        if (error !== null) reject(error);
        else resolve(answer ?? Buffer.alloc(0));
      },
    );
  }).finally(() => client.close());
}
