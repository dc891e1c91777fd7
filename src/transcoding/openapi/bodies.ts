// Bodies of requests and of answers: JSON, streams of it, and raw bytes.
import type { DescField, JsonObject } from "@bufbuild/protobuf";
import { FeatureSet_FieldPresence as Presence } from "@bufbuild/protobuf/wkt";
import type { BindingPlan } from "../binding.js";
import { isHttpBody } from "../fields.js";
import { commentOf } from "./comments.js";
import { STATUS } from "./failures.js";
import type { Schemas } from "./schemas.js";

const RAW: JsonObject = { "*/*": {} };
const FAILED: JsonObject = {
  type: "object",
  description: "The last element, where the call failed after its first message.",
  properties: { error: { $ref: `#/components/schemas/${STATUS}` } },
  required: ["error"],
};

/** undefined: the operation takes no body. */
export function requestBody(plan: BindingPlan, schemas: Schemas): JsonObject | undefined {
  const { body, descriptor } = plan;
  if (body === "none") return undefined;
  const streams = descriptor.methodKind === "client_streaming" || descriptor.methodKind === "bidi_streaming";
  const whole = body === "all";
  if (isHttpBody(descriptor.input) && whole) return { content: RAW, description: "Raw bytes of any type." };
  if (!whole && body.fieldKind === "message" && isHttpBody(body.message)) {
    return { content: RAW, description: commentOf(body) || "Raw bytes of any type." };
  }
  const schema = whole ? wholeBody(plan, schemas) : fieldBody(plan, body, schemas);
  if (streams) return { content: streamIn(schema), required: true };
  const required = hasRequired(schema) || (!whole && schemas.isRequired(body));
  const description = whole ? "" : commentOf(body);
  return {
    content: { "application/json": { schema } },
    ...(description === "" ? {} : { description }),
    ...(required ? { required } : {}),
  };
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
  const { description: _, readOnly: __, writeOnly: ___, ...schema } = schemas.field(body);
  return schema;
}

function hasRequired(schema: JsonObject): boolean {
  return Array.isArray(schema.required) && schema.required.length > 0;
}

function streamIn(item: JsonObject): JsonObject {
  return {
    "application/json": { schema: { type: "array", items: item } },
    "application/x-ndjson": { schema: { ...item, description: "Each line is such a value." } },
  };
}

/** The answer of a call that went well. */
export function successResponse(plan: BindingPlan, schemas: Schemas): JsonObject {
  const { descriptor, responseField } = plan;
  const { methodKind, output } = descriptor;
  const description = commentOf(output).split(/\n\s*\n/, 1)[0] || "OK";
  const raw =
    responseField === undefined
      ? isHttpBody(output)
      : responseField.message !== undefined &&
        responseField.fieldKind === "message" &&
        isHttpBody(responseField.message);
  if (raw) return { description: "Raw bytes; Content-Type says of which type.", content: RAW };
  const schema = responseField === undefined ? schemas.message(output) : fieldAnswer(responseField, schemas);
  if (methodKind === "unary" || methodKind === "client_streaming") {
    return { description, content: { "application/json": { schema } } };
  }
  const item = { anyOf: [schema, FAILED] };
  return {
    description: `${description}\n\nA stream of such values, in the form that Accept asks for. Where it fails after its first message, its end says so.`,
    content: {
      "application/json": { schema: { type: "array", items: item } },
      "application/x-ndjson": { schema: { ...item, description: "Each line is such a value." } },
      "text/event-stream": {
        schema: {
          anyOf: [schema, { $ref: `#/components/schemas/${STATUS}` }],
          description: "The data of each event; that of an event `error`, which is the last, is a Status.",
        },
      },
    },
  };
}

/** A field alone is always one JSON value: null where it is not set and knows it. */
function fieldAnswer(field: DescField, schemas: Schemas): JsonObject {
  const { description: _, readOnly: __, writeOnly: ___, ...schema } = schemas.field(field);
  if (field.fieldKind === "list" || field.fieldKind === "map" || field.presence === Presence.IMPLICIT)
    return schema;
  return { anyOf: [schema, { type: "null" }] };
}
