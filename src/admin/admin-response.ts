// Responses of the admin listener: JSON for programs, text for people.
import { inSlices } from "../kit/in-slices.js";
import { jsonPieces } from "../kit/text/json-pieces.js";
import { printable } from "../kit/text/text.js";
import type { AdminRequest, AdminResponse } from "./admin-server.js";
import type { PageResponse } from "./pages/page.js";

export function respond(
  request: AdminRequest,
  response: AdminResponse,
  page: PageResponse,
  bytes: Buffer,
): void {
  const type = isText(request, page) ? "text/plain; charset=utf-8" : "application/json";
  response.writeHead(page.status, {
    "content-type": page.raw?.contentType ?? type,
    "content-length": String(bytes.length),
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "content-security-policy": "default-src 'none'",
    vary: "accept",
    ...page.headers,
  });
  response.end(request.method === "HEAD" ? Buffer.alloc(0) : bytes);
}

function isText(request: AdminRequest, { text }: PageResponse): boolean {
  return text !== undefined && prefersText(request.headers.accept);
}

/** The bytes for `respond`; made in slices, since they may be large. */
export function bytesOf(request: AdminRequest, page: PageResponse): Promise<Buffer> {
  const { raw, text, body } = page;
  if (raw !== undefined) return inSlices(gathering(raw.pieces));
  const shown = text !== undefined && isText(request, page) ? text() : jsonPieces(body);
  return inSlices(gathering(printables(typeof shown === "string" ? [shown] : shown)));
}

function* gathering(pieces: Iterable<string>): Generator<void, Buffer> {
  const all: Buffer[] = [];
  for (const piece of pieces) {
    all.push(Buffer.from(piece));
    yield;
  }
  return Buffer.concat(all);
}

function* printables(pieces: Iterable<string>): Generator<string> {
  for (const piece of pieces) yield printable(piece);
  yield "\n";
}

/** Text only if Accept names it: scripts send no Accept, or any, and expect JSON. */
function prefersText(accept: string | undefined): boolean {
  if (accept === undefined) return false;
  const types = accept.split(",").map((part) => part.split(";", 1)[0]?.trim().toLowerCase());
  return types.includes("text/plain") && !types.includes("application/json");
}
