// Schemas and headers of the hub's own that many operations share.
import type { JsonObject } from "@bufbuild/protobuf";
import { ERROR_DOMAIN } from "../../call/status/reasons.js";

/** Names under `components/schemas`; those of messages are their full names. */
export const STATUS = "Status";
export const PROBLEM = "Problem";
export const FAILED = "Failed";
export const XML = "Xml";
const BINARY = "Protobuf";

export function refTo(schema: string): JsonObject {
  return { $ref: `#/components/schemas/${schema}` };
}

export function headerRef(name: keyof typeof HEADERS): JsonObject {
  return { $ref: `#/components/headers/${name}` };
}

/** The media type of one message of that type in protobuf's binary format. */
export function binaryType(typeName: string): JsonObject {
  return { schema: refTo(BINARY), "x-protobuf-message": typeName };
}

const DETAILS: JsonObject = {
  type: "array",
  description: `For programs. Errors of the hub itself have a \`google.rpc.ErrorInfo\` with a \`reason\` and the domain \`${ERROR_DOMAIN}\`.`,
  items: {
    type: "object",
    properties: { "@type": { type: "string", examples: ["type.googleapis.com/google.rpc.ErrorInfo"] } },
    additionalProperties: true,
  },
};
const CODE: JsonObject = {
  type: "integer",
  format: "int32",
  description: "The gRPC code (google.rpc.Code).",
};

export const SCHEMAS: JsonObject = {
  // google.rpc.Status as in responses.
  [STATUS]: {
    type: "object",
    description: "An error of the hub or of the service.",
    properties: {
      code: CODE,
      message: { type: "string", description: "For people: says what to change." },
      details: DETAILS,
    },
    required: ["code", "message"],
  },
  [PROBLEM]: {
    type: "object",
    description: "An error as problem details (RFC 9457).",
    properties: {
      type: { type: "string", format: "uri-reference", const: "about:blank" },
      title: { type: "string", description: "The reason phrase of the HTTP status." },
      status: { type: "integer", format: "int32", description: "The HTTP status." },
      detail: { type: "string", description: "For people: says what to change." },
      instance: { type: "string", format: "uri-reference", description: "The path of the request." },
      code: CODE,
      details: DETAILS,
    },
    required: ["type", "title", "status", "detail", "code"],
  },
  [FAILED]: {
    type: "object",
    description: "The last element of a stream that failed after its first message.",
    properties: { error: refTo(STATUS) },
    required: ["error"],
  },
  [XML]: {
    type: "string",
    description:
      "The message in XML, as `text/xml` too: an element for each field under its JSON name, repeated for a repeated field, `<entry><key/><value/></entry>` for each entry of a map. A stream is `<stream>` with an element for each message; a failure is `<Status>`, one that ends a stream `<error>`.",
  },
  [BINARY]: {
    type: "string",
    contentMediaType: "application/x-protobuf",
    description:
      "The message in protobuf's binary formatat. A stream is one google.rpc.StreamBody: `repeated bytes messages = 1; google.rpc.Status status = 2; repeated bytes noop = 15;`.",
  },
};

export const HEADERS = {
  etag: {
    description: "Changes when the response changes; for If-None-Match.",
    schema: { type: "string" },
  },
  location: {
    description: "The URL of the created resource.",
    schema: { type: "string", format: "uri-reference" },
  },
  retryAfter: {
    description: "Seconds to wait before a retry, if known.",
    schema: { type: "integer", minimum: 0 },
  },
  wwwAuthenticate: { description: "The authentication schemes to use.", schema: { type: "string" } },
} as const;
