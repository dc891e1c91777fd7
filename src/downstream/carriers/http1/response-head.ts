// The head of an HTTP/1.1 response as text, with the fields that the connection adds: Date, the body's framing,
// Connection.
import { STATUS_CODES } from "node:http";
import type { Field } from "../../../kit/headers.js";

/** How the end of the body is marked (RFC 9112 §6): there is none, or a length in the fields, or chunks. */
export type BodyFraming = "none" | "length" | "chunked";

export interface FormattedHead {
  /** ISO-8859-1, with the empty line at its end. */
  readonly text: string;
  readonly framing: BodyFraming;
}

/** RFC 9110 §5.1, §5.5. Services and programs choose names and values: none may contain a line break. */
const NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

/** `end`: nothing follows the head. Fields that no header can carry are left out. */
export function formatHead(
  status: number,
  fields: readonly Field[],
  end: boolean,
  isHead: boolean,
  connection: string,
): FormattedHead {
  let text = statusLine(status);
  let length = false;
  let dated = false;
  for (const { name, value } of fields) {
    if (!NAME.test(name) || !VALUE.test(value)) continue;
    if (name === "content-length") length = true;
    else if (name === "date") dated = true;
    text += `${name}: ${value}\r\n`;
  }
  if (!dated) text += dateLine();
  text += connection;
  // Neither has a body, whatever its fields say (RFC 9112 §6.3).
  const bodyless = isHead || status === 204 || status === 304;
  if (bodyless || length) return { text: `${text}\r\n`, framing: bodyless || end ? "none" : "length" };
  if (end) return { text: `${text}content-length: 0\r\n\r\n`, framing: "none" };
  return { text: `${text}transfer-encoding: chunked\r\n\r\n`, framing: "chunked" };
}

const statusLines = new Map(
  Object.entries(STATUS_CODES).map(([code, name]) => [Number(code), `HTTP/1.1 ${code} ${name ?? ""}\r\n`]),
);

function statusLine(status: number): string {
  const line = statusLines.get(status);
  return line ?? `HTTP/1.1 ${status} Unknown\r\n`;
}

let dateSecond = 0;
let date = "";

/** One text per second. */
function dateLine(): string {
  const second = Math.floor(Date.now() / 1000);
  if (second !== dateSecond) {
    dateSecond = second;
    date = `date: ${new Date(second * 1000).toUTCString()}\r\n`;
  }
  return date;
}

/** Chunked coding (RFC 9112 §7.1). */
export function chunkHead(bytes: number): string {
  return `${bytes.toString(16)}\r\n`;
}

export function lastChunk(trailers: readonly Field[]): string {
  let text = "0\r\n";
  for (const { name, value } of trailers)
    if (NAME.test(name) && VALUE.test(value)) text += `${name}: ${value}\r\n`;
  return `${text}\r\n`;
}
