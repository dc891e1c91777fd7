// JSON calls that check a peer before it is measured: any way to write the same message is right.
import { readFileSync } from "node:fs";
import { connect } from "node:http2";
import {
  createFileRegistry,
  type DescMessage,
  equals,
  fromBinary,
  fromJson,
  type JsonValue,
} from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { PROTOSET, SERVICE } from "./peers.js";

const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, readFileSync(PROTOSET)));

function messageOf(method: string): DescMessage {
  const found = registry.getService(SERVICE)?.methods.find(({ name }) => name === method);
  if (found === undefined) throw new Error(`${PROTOSET} has no ${SERVICE}.${method}`);
  return found.output;
}

export const EchoResponse = messageOf("Echo");
export const Record = messageOf("GetRecord");
export const ListRecordsResponse = messageOf("ListRecords");

/** Whether the JSON stands for this serialized message. */
export function sameMeaning(type: DescMessage, json: unknown, expected: Uint8Array): boolean {
  return equals(type, fromJson(type, json as JsonValue, { registry }), fromBinary(type, expected));
}

export interface Ask {
  readonly method: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as application/json. */
  readonly body?: string;
}

/** The body of the answer; rejects unless it is 200. */
export async function ask(port: number, version: "1.1" | "2", request: Ask): Promise<string> {
  const { status, text } = await (version === "2" ? ask2(port, request) : ask1(port, request));
  if (status !== 200)
    throw new Error(`${request.method} ${request.path} over HTTP/${version}: ${status} ${text}`);
  return text;
}

interface Answer {
  readonly status: number;
  readonly text: string;
}

function headersOf({ headers, body }: Ask): Record<string, string> {
  return body === undefined ? { ...headers } : { "content-type": "application/json", ...headers };
}

async function ask1(port: number, request: Ask): Promise<Answer> {
  const { method, path, body } = request;
  const init = body === undefined ? { method } : { method, body };
  const answer = await fetch(`http://127.0.0.1:${port}${path}`, { ...init, headers: headersOf(request) });
  return { status: answer.status, text: await answer.text() };
}

function ask2(port: number, request: Ask): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const session = connect(`http://127.0.0.1:${port}`);
    session.on("error", reject);
    const stream = session.request({
      ":method": request.method,
      ":path": request.path,
      ...headersOf(request),
    });
    let status = 0;
    let text = "";
    stream.setEncoding("utf8");
    stream.on("response", (head) => {
      status = Number(head[":status"]);
    });
    stream.on("data", (chunk: string) => {
      text += chunk;
    });
    stream.on("error", reject);
    stream.on("close", () => {
      session.close();
      resolve({ status, text });
    });
    stream.end(request.body);
  });
}
