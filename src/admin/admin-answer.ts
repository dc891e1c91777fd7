// An answer of the admin listener: in JSON for programs, in text for people.
import { inSlices } from "../kit/in-slices.js";
import { printable } from "../kit/text/text.js";
import { makingTextTable } from "../kit/text-table.js";
import type { RouteRow } from "../view/hub-view.js";
import type { AdminRequest, AdminResponse } from "./admin-server.js";
import type { Answer } from "./pages/page.js";

export function respond(request: AdminRequest, response: AdminResponse, answer: Answer, bytes: Buffer): void {
  const type = isText(request, answer) ? "text/plain; charset=utf-8" : "application/json";
  response.writeHead(answer.status, {
    "content-type": answer.raw?.contentType ?? type,
    "content-length": String(bytes.length),
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "content-security-policy": "default-src 'none'",
    vary: "accept",
    ...answer.headers,
  });
  response.end(request.method === "HEAD" ? Buffer.alloc(0) : bytes);
}

function isText(request: AdminRequest, { text, routes }: Answer): boolean {
  return (text !== undefined || routes !== undefined) && prefersText(request.headers.accept);
}

/** What `respond` sends; made in slices where it is much. */
export async function bytesOf(request: AdminRequest, answer: Answer): Promise<Buffer> {
  const { raw, routes, text, body } = answer;
  if (raw !== undefined) return Buffer.from(raw.text);
  const asText = isText(request, answer);
  if (routes !== undefined) return inSlices(asText ? routesText(routes) : routesJson(routes));
  return Buffer.from(printable(`${asText && text !== undefined ? text() : JSON.stringify(body, null, 2)}\n`));
}

/** Routes in one step of a slice: a fraction of a millisecond. */
const ROUTES_PER_STEP = 100;

/** `{"routes":[…]}`, as JSON.stringify prints it with two spaces. */
function* routesJson(all: readonly RouteRow[]): Generator<void, Buffer> {
  if (all.length === 0) return Buffer.from('{\n  "routes": []\n}\n');
  const parts = [Buffer.from('{\n  "routes": [')];
  for (let from = 0; from < all.length; from += ROUTES_PER_STEP) {
    const step = JSON.stringify({ routes: all.slice(from, from + ROUTES_PER_STEP) }, null, 2);
    const rows = step.slice(step.indexOf("[") + 1, step.lastIndexOf("\n  ]"));
    parts.push(Buffer.from(printable(from === 0 ? rows : `,${rows}`)));
    yield;
  }
  parts.push(Buffer.from("\n  ]\n}\n"));
  return Buffer.concat(parts);
}

function* routesText(all: readonly RouteRow[]): Generator<void, Buffer> {
  const cells = all.map(({ verb, path, method, upstream }) => [verb, path, method, upstream]);
  const lines = yield* makingTextTable(cells);
  const parts: Buffer[] = [];
  for (let from = 0; from < lines.length; from += ROUTES_PER_STEP) {
    parts.push(Buffer.from(`${lines.slice(from, from + ROUTES_PER_STEP).join("\n")}\n`));
    yield;
  }
  return Buffer.concat(parts);
}

/** Text only for who names it: scripts send no Accept, or any, and read JSON. */
function prefersText(accept: string | undefined): boolean {
  if (accept === undefined) return false;
  const types = accept.split(",").map((part) => part.split(";", 1)[0]?.trim().toLowerCase());
  return types.includes("text/plain") && !types.includes("application/json");
}
