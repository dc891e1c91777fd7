// Bodies of requests and responses: JSON, streams of it, XML, protobuf's binary format, forms, and raw bytes.
import type { DescField, JsonObject, JsonValue } from "@bufbuild/protobuf";
import { FeatureSet_FieldPresence as Presence } from "@bufbuild/protobuf/wkt";
import type { StreamFormat } from "../transcoding/bodies/framing.js";
import { hasOwnJson } from "../transcoding/messages/fields.js";
import { type BindingPlan, givesHttpBody, givesStream } from "../transcoding/routes/binding.js";
import { PROTO_TYPE } from "../transcoding/translate/content-type.js";
import { binaryBody } from "../transcoding/translate/request.js";
import { type Success, successStatus } from "../transcoding/translate/success.js";
import { rootName } from "../transcoding/xml/names.js";
import type { OpenApiHttp } from "./document.js";
import { exampleOf, exampleOfField } from "./examples.js";
import { formContent } from "./forms.js";
import { commentOf } from "./schemas/comments.js";
import { binaryType, FAILED, headerRef, refTo, STATUS, XML } from "./schemas/components.js";
import type { Schemas } from "./schemas/schemas.js";

const JSON_TYPE = "application/json";
const NDJSON_TYPE = "application/x-ndjson";
const SSE_TYPE = "text/event-stream";
const XML_TYPE = "application/xml";
/** The form of bytes for client generators, and of a file for the API page. */
const BYTES: JsonObject = { schema: { type: "string", format: "binary" } };
const RAW: JsonObject = { "*/*": BYTES };
/** For clients that must name one type. */
const RAW_IN: JsonObject = { "application/octet-stream": BYTES, ...RAW };

/** undefined: the operation has no body. */
export function requestBody(plan: BindingPlan, schemas: Schemas): JsonObject | undefined {
  const { body, descriptor } = plan;
  if (body === "none") return undefined;
  const whole = body === "all";
  if (plan.httpBody !== undefined) {
    const description = (!whole && commentOf(body)) || "Raw bytes of any type.";
    return { content: plan.source === "auto" ? { [JSON_TYPE]: { schema: {} } } : RAW_IN, description };
  }
  const schema = whole ? wholeBody(plan, schemas) : fieldBody(plan, body, schemas);
  const example = bodyExample(plan, body, schemas);
  if (takesStream(plan)) return { content: streamIn(schema, example), required: true };
  const required = hasRequired(schema) || (!whole && schemas.isRequired(body));
  const description = whole ? "" : commentOf(body);
  const binary = binaryBody(plan);
  const content: JsonObject = {
    [JSON_TYPE]: { schema, ...named(example) },
    ...(plan.source === "auto"
      ? {}
      : { [XML_TYPE]: { schema: refTo(XML), example: `<${rootName(whole ? descriptor.input : body)}/>` } }),
    ...(binary === undefined ? {} : { [PROTO_TYPE]: binaryType(binary.typeName) }),
    ...formContent(plan, schemas),
  };
  return {
    content,
    ...(description === "" ? {} : { description }),
    ...(required ? { required } : {}),
  };
}

function takesStream({ descriptor: { methodKind } }: BindingPlan): boolean {
  return methodKind === "client_streaming" || methodKind === "bidi_streaming";
}

/** A body that the hub accepts: pages fill it in, and readers look at it first. */
function named(value: JsonValue | undefined): JsonObject {
  return value === undefined ? {} : { examples: { minimal: { value } } };
}

function bodyExample(plan: BindingPlan, body: "all" | DescField, schemas: Schemas): JsonValue | undefined {
  const { descriptor, variables, httpMethod } = plan;
  const keys = variables.map(({ target }) => target.key);
  if (body === "all") return exampleOf(descriptor.input, schemas, { without: new Set(keys) });
  if (body.fieldKind !== "message" || hasOwnJson(body.message)) return exampleOfField(body, schemas);
  const prefix = `${body.name}.`;
  const inside = keys.flatMap((key) => (key.startsWith(prefix) ? [key.slice(prefix.length)] : []));
  return exampleOf(body.message, schemas, { without: new Set(inside), partial: httpMethod === "PATCH" });
}

function wholeBody(plan: BindingPlan, schemas: Schemas): JsonObject {
  const { input } = plan.descriptor;
  const without = new Set(plan.variables.map(({ target }) => target.key));
  return without.size === 0 ? schemas.message(input) : schemas.object(input, { without });
}

function fieldBody(plan: BindingPlan, body: DescField, schemas: Schemas): JsonObject {
  const prefix = `${body.name}.`;
  const without = new Set(
    plan.variables.flatMap(({ target }) =>
      target.key.startsWith(prefix) ? [target.key.slice(prefix.length)] : [],
    ),
  );
  const partial = plan.httpMethod === "PATCH";
  if (
    body.fieldKind === "message" &&
    (without.size > 0 || partial) &&
    "$ref" in schemas.message(body.message)
  ) {
    return schemas.object(body.message, { without, partial });
  }
  const { description: _, readOnly: __, writeOnly: ___, ...schema } = schemas.value(body);
  return schema;
}

function hasRequired(schema: JsonObject): boolean {
  return Array.isArray(schema.required) && schema.required.length > 0;
}

function streamIn(item: JsonObject, example: JsonValue | undefined): JsonObject {
  const line = example === undefined ? undefined : `${JSON.stringify(example)}\n`;
  return {
    [JSON_TYPE]: {
      schema: { type: "array", items: item },
      ...named(example === undefined ? undefined : [example]),
    },
    [NDJSON_TYPE]: { schema: { ...item, description: "Each line is such a value." }, ...named(line) },
  };
}

/** The success responses of a call, by HTTP status. */
export function successResponses(
  plan: BindingPlan,
  schemas: Schemas,
  http: OpenApiHttp,
  own: Success | undefined,
  tagged: boolean,
): JsonObject {
  const status = successStatus(plan, own, http.emptyAs204);
  const headers: JsonObject = {
    ...(own?.location === undefined ? {} : { Location: headerRef("location") }),
    ...(tagged ? { ETag: headerRef("etag") } : {}),
  };
  const { description, content } = success(plan, schemas, http);
  const answer: JsonObject = {
    description,
    ...(Object.keys(headers).length === 0 ? {} : { headers }),
    ...(status === 204 ? {} : { content }),
  };
  return { [status]: answer, ...(tagged ? { "304": { $ref: "#/components/responses/304" } } : {}) };
}

/** Unary responses to GET have an ETag. */
export function hasEtag(
  plan: BindingPlan,
  httpMethod: string,
  http: OpenApiHttp,
  own: Success | undefined,
): boolean {
  if (!http.etag || (httpMethod !== "GET" && httpMethod !== "HEAD") || givesStream(plan)) return false;
  return successStatus(plan, own, http.emptyAs204) === 200;
}

export const NOT_MODIFIED: JsonObject = {
  description: "The response still has the ETag given in If-None-Match.",
  headers: { ETag: headerRef("etag") },
};

function success(
  plan: BindingPlan,
  schemas: Schemas,
  http: OpenApiHttp,
): { readonly description: string; readonly content: JsonObject } {
  const { output } = plan.descriptor;
  if (givesHttpBody(plan)) {
    return { description: "Raw bytes; Content-Type names their media type.", content: RAW };
  }
  const schema = responseSchema(plan, schemas);
  // The well-known types' own comments are for authors of schemas.
  const comment = output.typeName.startsWith("google.protobuf.") ? "" : commentOf(output);
  const description = comment.split(/\n\s*\n/, 1)[0] || "OK";
  if (!givesStream(plan)) {
    const binary = plan.responseField === undefined ? { [PROTO_TYPE]: binaryType(output.typeName) } : {};
    const content = { [JSON_TYPE]: { schema }, [XML_TYPE]: { schema: refTo(XML) }, ...binary };
    return { description, content };
  }
  const first = DEFAULT_TYPES[http.streamFormat];
  const types = streamOut(plan, schema, http.streamFormat);
  return {
    description: `${description}\n\nA stream of such values, in the format that Accept asks for, else \`${first}\`. If it fails after its first message, the end of the stream has the error.`,
    content: { [first]: types[first] ?? {}, ...types },
  };
}

const DEFAULT_TYPES: Readonly<Record<StreamFormat, string>> = {
  array: JSON_TYPE,
  "grpc-gateway": JSON_TYPE,
  "json-lines": JSON_TYPE,
  ndjson: NDJSON_TYPE,
  sse: SSE_TYPE,
};

function streamOut(plan: BindingPlan, schema: JsonObject, format: StreamFormat): JsonObject {
  // The failure comes first: clients that use the first schema that fits would take it for a message without fields.
  const item = { anyOf: [refTo(FAILED), schema] };
  const lines = (value: JsonObject): JsonObject => ({ ...value, description: "Each line is such a value." });
  const result = { type: "object", properties: { result: schema }, required: ["result"] };
  const json = (): JsonObject => {
    if (format === "grpc-gateway") return lines({ anyOf: [refTo(FAILED), result] });
    return format === "json-lines" ? lines(item) : { type: "array", items: item };
  };
  return {
    [JSON_TYPE]: { schema: json() },
    [NDJSON_TYPE]: { schema: lines(item) },
    [SSE_TYPE]: {
      schema: {
        anyOf: [refTo(STATUS), schema, NO_DATA],
        description:
          "The data of each event. The last one is an event `end`, whose data is `{}`, or `failed`, whose data is a Status.",
      },
    },
    [XML_TYPE]: { schema: refTo(XML) },
    ...(plan.responseField === undefined
      ? {
          [PROTO_TYPE]: {
            ...binaryType("google.rpc.StreamBody"),
            "x-protobuf-element": plan.descriptor.output.typeName,
          },
        }
      : {}),
  };
}

const NO_DATA: JsonObject = { type: "object", maxProperties: 0 };

function responseSchema({ descriptor, responseField }: BindingPlan, schemas: Schemas): JsonObject {
  return responseField === undefined
    ? schemas.message(descriptor.output)
    : fieldResponseSchema(responseField, schemas);
}

/** A single field is always one JSON value: null if it is not set and has presence. */
function fieldResponseSchema(field: DescField, schemas: Schemas): JsonObject {
  const { description: _, readOnly: __, writeOnly: ___, ...schema } = schemas.value(field);
  if (field.fieldKind === "list" || field.fieldKind === "map" || field.presence === Presence.IMPLICIT)
    return schema;
  return { anyOf: [schema, { type: "null" }] };
}

const HANDSHAKE =
  "A GET of this path with the handshake of a WebSocket (RFC 6455) also calls the method, whatever HTTP method is documented here.";
const FRAMES = "Each text frame is the JSON of one message; an empty one half-closes the request stream.";
const BINARY_FRAMES =
  "Each frame is passed on unchanged, as one message; an empty text frame half-closes the request stream.";
const NO_FRAMES = "The request consists of path and query, so frames are not accepted.";
const BINARY_RESPONSES = "Responses are binary frames.";
const END = "A call that fails closes with 4000 + the gRPC code.";

/** How a method that streams is called by a WebSocket, which OpenAPI has no words for; undefined: it is not. */
export function webSocketNote(
  plan: BindingPlan,
  schemas: Schemas,
  { webSocketOrigins }: OpenApiHttp,
): JsonObject | undefined {
  if (webSocketOrigins === undefined || plan.descriptor.methodKind === "unary") return undefined;
  const { body, httpBody } = plan;
  const sent =
    body === "none" || httpBody !== undefined
      ? undefined
      : body === "all"
        ? wholeBody(plan, schemas)
        : fieldBody(plan, body, schemas);
  const received = givesHttpBody(plan)
    ? undefined
    : { anyOf: [refTo(FAILED), responseSchema(plan, schemas)] };
  const frames = body === "none" ? NO_FRAMES : httpBody === undefined ? FRAMES : BINARY_FRAMES;
  const parts = [HANDSHAKE, frames, END];
  if (received === undefined) parts.push(BINARY_RESPONSES);
  return {
    description: parts.join(" "),
    ...(sent === undefined ? {} : { send: { schema: sent } }),
    ...(received === undefined ? {} : { receive: { schema: received } }),
  };
}
