// The failures of an operation: google.rpc.Status by HTTP status, with the reasons of the hub.
import type { JsonObject } from "@bufbuild/protobuf";
import { REASONS, type Reason, type ReasonRow } from "../call/status/reasons.js";
import { Code, codeName, httpStatusOf } from "../call/status/status.js";
import { PROBLEM_TYPE } from "../transcoding/bodies/framing.js";
import { PROTO_TYPE } from "../transcoding/translate/content-type.js";
import { binaryType, headerRef, PROBLEM, refTo, STATUS, XML } from "./schemas/components.js";

/** Default format of failures if Accept does not decide. */
export type ErrorForm = "status" | "problem" | "empty";

/** Errors of requests that call no operation. */
const OF_NO_OPERATION: ReadonlySet<Reason> = new Set<Reason>([
  "METHOD_NOT_ALLOWED",
  "INVALID_GRPC_REQUEST",
  "INVALID_GRPC_PATH",
  "UNKNOWN_SERVICE",
]);

/** The properties of an operation that determine its failures. */
export interface FailureScope {
  readonly body: boolean;
  readonly credentials: boolean;
  readonly roles: boolean;
}

/** `components/responses`: one for each HTTP status, and one for all others. */
export function failureResponses(form: ErrorForm): JsonObject {
  const content = contentOf(form);
  const responses: JsonObject = {};
  for (const [http, { codes, reasons }] of byHttpStatus()) {
    const lines = reasons.map(([reason, when]) => `- \`${reason}\`: ${when}`);
    const head = codes.length === 0 ? "Refused by the hub" : codes.join(", ");
    responses[http] = {
      description:
        lines.length === 0
          ? `${head}, of the service.`
          : `${head}. The hub's reasons:\n\n${lines.join("\n")}`,
      ...headersOf(http),
      ...content,
    };
  }
  responses.failure = { description: "Any other failure of the service.", ...content };
  return responses;
}

/** The failures of one operation. */
export function failuresOf(scope: FailureScope): JsonObject {
  const responses: JsonObject = {};
  for (const http of byHttpStatus().keys()) {
    if (!scope.credentials && http === "401") continue;
    if (!scope.roles && !scope.credentials && http === "403") continue;
    if (!scope.body && (http === "408" || http === "413" || http === "415" || http === "417")) continue;
    responses[http] = { $ref: `#/components/responses/${http}` };
  }
  responses.default = { $ref: "#/components/responses/failure" };
  return responses;
}

/** As configured, and as Accept may request. */
function contentOf(form: ErrorForm): JsonObject {
  const problem = { [PROBLEM_TYPE]: { schema: refTo(PROBLEM) } };
  if (form === "empty") return {};
  if (form === "problem") return { content: problem };
  const status = { "application/json": { schema: refTo(STATUS) }, ...problem };
  return {
    content: {
      ...status,
      "application/xml": { schema: refTo(XML) },
      [PROTO_TYPE]: binaryType("google.rpc.Status"),
    },
  };
}

function headersOf(http: string): JsonObject {
  if (http === "401") return { headers: { "WWW-Authenticate": headerRef("wwwAuthenticate") } };
  return http === "429" || http === "503" ? { headers: { "Retry-After": headerRef("retryAfter") } } : {};
}

interface Row {
  readonly codes: string[];
  readonly reasons: [reason: Reason, when: string][];
}

/** HTTP status → its gRPC codes, and the hub's reasons. */
function byHttpStatus(): ReadonlyMap<string, Row> {
  const rows = new Map<string, Row>();
  const row = (http: number): Row => {
    const key = String(http);
    let found = rows.get(key);
    if (found === undefined) {
      found = { codes: [], reasons: [] };
      rows.set(key, found);
    }
    return found;
  };
  for (const code of Object.values(Code)) {
    if (code !== Code.OK) row(httpStatusOf(code)).codes.push(codeName(code));
  }
  for (const [name, { code, http, when }] of Object.entries<ReasonRow>(REASONS)) {
    if (isReason(name) && !OF_NO_OPERATION.has(name))
      row(http ?? httpStatusOf(Code[code])).reasons.push([name, when]);
  }
  return new Map([...rows].sort(([a], [b]) => Number(a) - Number(b)));
}

function isReason(name: string): name is Reason {
  return Object.hasOwn(REASONS, name);
}
