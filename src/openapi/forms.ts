// Bodies that are HTML forms, for methods that accept them: fields as in a query, files by multipart.
import { type DescField, type DescMessage, type JsonObject, ScalarType } from "@bufbuild/protobuf";
import { hasOwnJson, isHttpBody } from "../transcoding/messages/fields.js";
import type { BindingPlan } from "../transcoding/routes/binding.js";
import { FORM_TYPES } from "../transcoding/translate/content-type.js";
import { type FlatField, flatFields } from "./parameters.js";
import { isObject } from "./schemas/constraints.js";
import type { Schemas } from "./schemas/schemas.js";

const FILE: JsonObject = { type: "string", contentMediaType: "application/octet-stream" };
const [URLENCODED, MULTIPART] = FORM_TYPES;

/** Media types of a body, by name: empty if the route accepts no forms. */
export function formContent(plan: BindingPlan, schemas: Schemas): JsonObject {
  const { body, descriptor, source } = plan;
  if (!plan.forms || source === "auto" || body === "none" || plan.wrapped !== undefined) return {};
  const filled = body === "all" ? descriptor.input : body.fieldKind === "message" ? body.message : undefined;
  if (filled === undefined || hasOwnJson(filled)) return {};
  const prefix = body === "all" ? "" : `${body.name}.`;
  const bound = plan.variables.flatMap(({ target: { key } }) =>
    key.startsWith(prefix) ? [key.slice(prefix.length)] : [],
  );
  const fields = flatFields(filled, schemas, new Set(bound));
  const files = fileFields(filled, schemas);
  return {
    [URLENCODED]: formType(fields, []),
    [MULTIPART]: formType(fields, files),
  };
}

function formType(
  fields: readonly FlatField[],
  files: readonly (readonly [string, JsonObject])[],
): JsonObject {
  const properties: JsonObject = {};
  const encoding: JsonObject = {};
  const required: string[] = [];
  for (const { name, value, required: must } of fields) {
    const { schema, content, style, explode, ...said } = value;
    const json = isObject(content) ? content["application/json"] : undefined;
    const own = isObject(json) ? json.schema : schema;
    properties[name] = { ...said, ...(isObject(own) ? own : {}) };
    if (json !== undefined) encoding[name] = { contentType: "application/json" };
    else if (style !== undefined && explode !== undefined) encoding[name] = { style, explode };
    if (must) required.push(name);
  }
  for (const [name, schema] of files) {
    properties[name] = schema;
    delete encoding[name];
  }
  return {
    schema: { type: "object", properties, ...(required.length === 0 ? {} : { required }) },
    ...(Object.keys(encoding).length === 0 ? {} : { encoding }),
  };
}

/** Fields that a file can fill. */
function fileFields(message: DescMessage, schemas: Schemas): readonly (readonly [string, JsonObject])[] {
  return message.fields.filter(takesFile).map((field) => {
    const { description, ...value } = schemas.value(field);
    const said = description === undefined ? {} : { description };
    const isList = field.fieldKind === "list";
    return [schemas.nameOf(field), isList ? { ...value, ...said, items: FILE } : { ...said, ...FILE }];
  });
}

function takesFile(field: DescField): boolean {
  if (field.fieldKind === "map") return false;
  return field.scalar === ScalarType.BYTES || (field.message !== undefined && isHttpBody(field.message));
}
