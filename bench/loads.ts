// The loads: each drives one port for a while with a real client, and says how many calls succeeded.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { Client, credentials } from "@grpc/grpc-js";
import { EchoRequest, Record } from "#generated/bench/v1/echo.js";
import { PROTOSET, SERVICE } from "./peers.js";
import { findProgram, run, SCRATCH } from "./proc.js";
import { RECORD, RECORD_NAME } from "./record.js";

/** What the client speaks to the proxy. */
export type Wire = "grpc" | "json";

export interface Load {
  readonly name: string;
  readonly wire: Wire;
  /** What it is made with. */
  readonly tool: string;
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

function wrk(name: string, request: { method: string; path: string; body?: string }): Load {
  const script = join(SCRATCH, `${request.method}.lua`);
  return {
    name: `wrk, 32 connections of HTTP/1.1, ${name}`,
    wire: "json",
    tool: "wrk",
    async run(port, seconds, core) {
      const lines = [`wrk.method = "${request.method}"`];
      if (request.body !== undefined)
        lines.push(`wrk.body = [[${request.body}]]`, 'wrk.headers["Content-Type"] = "application/json"');
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

export const LOADS: readonly Load[] = [
  h2load(4, 25),
  h2load(50, 1),
  ghz,
  wrk("POST and get back a text", { method: "POST", path: "/v1/echo", body: JSON.stringify({ text: TEXT }) }),
  wrk("GET a record", { method: "GET", path: `/v1/${RECORD_NAME}` }),
];

/** Makes one call of each kind through the port; rejects unless the answer is the right one, so that no wrong answer is measured. */
export async function probe(port: number, wire: Wire): Promise<void> {
  if (wire === "grpc") {
    const answer = await grpcCall(port);
    if (!answer.equals(ECHO_MESSAGE)) throw new Error("the gRPC answer is no echo");
    return;
  }
  const base = `http://127.0.0.1:${port}/v1`;
  const echo = await fetch(`${base}/echo`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ text: TEXT }),
  });
  const echoed = await echo.text();
  if (echo.status !== 200 || !echoed.includes(TEXT))
    throw new Error(`POST /v1/echo: ${echo.status} ${echoed}`);
  const get = await fetch(`${base}/${RECORD_NAME}`);
  const record = await get.text();
  if (get.status !== 200 || !record.includes(Record.decode(RECORD).summary))
    throw new Error(`GET /v1/${RECORD_NAME}: ${get.status} ${record}`);
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
