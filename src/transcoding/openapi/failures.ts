// The failures that an operation can answer with: google.rpc.Status by HTTP status, with the reasons that the hub has.
import type { JsonObject } from "@bufbuild/protobuf";
import { ERROR_DOMAIN, REASONS, type Reason, type ReasonRow } from "../../core/reasons.js";
import { Code, codeName, httpStatusOf } from "../../core/status.js";

/** Refusals of requests that are no call of an operation. */
const OF_NO_OPERATION: ReadonlySet<Reason> = new Set<Reason>([
  "METHOD_NOT_ALLOWED",
  "INVALID_GRPC_REQUEST",
  "INVALID_GRPC_PATH",
  "UNKNOWN_SERVICE",
]);

/** What of an operation decides which failures it has. */
export interface FailureScope {
  readonly body: boolean;
  readonly credentials: boolean;
  readonly roles: boolean;
}

/** google.rpc.Status as answers carry it. */
export const STATUS_SCHEMA: JsonObject = {
  type: "object",
  description: "A failure: the hub's own, or the service's.",
  properties: {
    code: { type: "integer", format: "int32", description: "The gRPC code (google.rpc.Code)." },
    message: { type: "string", description: "For people; says what to change." },
    details: {
      type: "array",
      description: `For programs. What the hub refuses itself has a \`google.rpc.ErrorInfo\` with a \`reason\` and the domain \`${ERROR_DOMAIN}\`.`,
      items: {
        type: "object",
        properties: { "@type": { type: "string", examples: ["type.googleapis.com/google.rpc.ErrorInfo"] } },
        required: ["@type"],
        additionalProperties: true,
      },
    },
  },
  required: ["code", "message"],
};

export const STATUS = "Status";

/** `components/responses`: one for each HTTP status, and one for all others. */
export function failureResponses(): JsonObject {
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
      content: CONTENT,
    };
  }
  responses.failure = { description: "Any other failure of the service.", content: CONTENT };
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

const CONTENT: JsonObject = { "application/json": { schema: { $ref: `#/components/schemas/${STATUS}` } } };

function headersOf(http: string): JsonObject {
  if (http === "401") {
    return {
      headers: { "WWW-Authenticate": { description: "How to say who calls.", schema: { type: "string" } } },
    };
  }
  if (http !== "429" && http !== "503") return {};
  const schema = { type: "integer", minimum: 0 };
  return { headers: { "Retry-After": { description: "Seconds to wait, where the hub knows.", schema } } };
}

interface Row {
  readonly codes: string[];
  readonly reasons: [reason: Reason, when: string][];
}

/** HTTP status → gRPC codes that it stands for, and the hub's reasons. */
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
