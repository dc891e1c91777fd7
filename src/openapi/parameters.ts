// The parts of a request outside its body: path parameters, and the fields that a query can set.
import { type DescField, type DescMessage, type JsonObject, ScalarType } from "@bufbuild/protobuf";
import { placeIn } from "../kit/text/path-template.js";
import { isHttpBody, isJsonText, isScalarLike, oddNamesOf } from "../transcoding/messages/fields.js";
import type { BindingPlan } from "../transcoding/routes/binding.js";
import { findTarget } from "../transcoding/translate/query.js";
import { systemParameterOf } from "../transcoding/translate/system-parameters.js";
import { exampleOfField, examplesInComment } from "./examples.js";
import type { OpenApiPath, PathParameter } from "./paths.js";
import { commentOf } from "./schemas/comments.js";
import { fieldBehaviors } from "./schemas/field-behavior.js";
import { joinParagraphs, type Schemas } from "./schemas/schemas.js";

/** Nesting of fields: deeper ones are not listed, though the hub accepts them. */
const MAX_DEPTH = 8;
/** Nobody uses a page with more. */
const MAX_QUERY_PARAMETERS = 500;

export function pathParameters(plan: BindingPlan, path: OpenApiPath, schemas: Schemas): JsonObject[] {
  return path.parameters.map((parameter) => ({
    name: parameter.name,
    in: "path",
    required: true,
    ...pathParameter(plan, parameter, path, schemas),
    ...pathExample(plan, parameter, schemas),
  }));
}

/** A segment from an example of the field's comment, or made from the parameter's name. */
function pathExample(plan: BindingPlan, parameter: PathParameter, schemas: Schemas): JsonObject {
  const { variable, place, deep, name } = parameter;
  if (variable === undefined) return { example: deep ? "a/b" : "text" };
  const { segments, deepAt } = plan.template;
  const own = { segments: segments.slice(variable.from, variable.to), deepAt: deepAt - variable.from };
  const leaf = variable.target.leaf;
  const isText = leaf.scalar === ScalarType.STRING;
  if (!isText) {
    const value = exampleOfField(leaf, schemas);
    return value === undefined ? {} : { example: value };
  }
  for (const said of examplesInComment(leaf)) {
    const parts = said.split("/");
    if (own.deepAt >= 0 ? parts.length < own.segments.length : parts.length !== own.segments.length) continue;
    const fits = own.segments.every((segment, i) => {
      return segment.kind !== "literal" || parts[placeIn(own, i, parts.length)] === segment.text;
    });
    if (!fits) continue;
    const from = placeIn(own, place - variable.from, parts.length);
    const to = deep ? placeIn(own, place - variable.from + 1, parts.length) : from + 1;
    return { example: parts.slice(from, to).join("/") };
  }
  return { example: `${name.slice(name.lastIndexOf(".") + 1)}-1` };
}

function pathParameter(
  plan: BindingPlan,
  parameter: PathParameter,
  path: OpenApiPath,
  schemas: Schemas,
): JsonObject {
  const { variable, whole, deep } = parameter;
  const slashes = "May have several segments; the slashes between them are not escaped.";
  if (variable === undefined) {
    if (deep) return { schema: { type: "string" }, description: slashes };
    return { schema: { type: "string", minLength: 1 } };
  }
  const field = variable.target.leaf;
  const comment = commentOf(field);
  if (whole) {
    const { description: _, readOnly: __, ...schema } = schemas.needed(field);
    const renamed = parameter.name === variable.target.key ? [] : [`This is \`${variable.target.key}\`.`];
    const description = joinParagraphs(comment, [...renamed, ...(deep ? [slashes] : [])]);
    // A time is never empty, and in generated clients it is not text with a length.
    const isText = schema.type === "string" && schema.format !== "date-time";
    const nonEmpty = isText && !deep && schema.minLength === undefined ? { minLength: 1 } : {};
    return { schema: { ...nonEmpty, ...schema }, ...(description === "" ? {} : { description }) };
  }
  const { segments } = plan.template;
  // With names, as in the path: the end of a comment, which a template with a `*` before a slash contains, breaks the
  // code that openapi-generator makes.
  const parts = segments.slice(variable.from, variable.to).map((segment, i) => {
    if (segment.kind === "literal") return encodeURIComponent(segment.text);
    const own = path.parameters.filter(({ place }) => place === variable.from + i);
    return own.map(({ name }) => `{${name}}`).join("/");
  });
  const template = parts.join("/");
  const notes = [
    `A part of \`${variable.target.key}\`, which is \`${template}\`.`,
    ...(deep ? [slashes] : []),
  ];
  return {
    schema: deep ? { type: "string" } : { type: "string", pattern: "^[^/]+$" },
    description: joinParagraphs(comment, notes),
  };
}

/** The fields that neither path nor body carries. */
export function queryParameters(plan: BindingPlan, schemas: Schemas): JsonObject[] {
  if (plan.body === "all") return [];
  const skipped = new Set(plan.variables.map(({ target }) => target.key));
  if (plan.body !== "none") skipped.add(plan.body.name);
  return flatFields(plan.descriptor.input, schemas, skipped).map(({ name, field, required, value }) => ({
    name,
    in: "query",
    ...(required ? { required } : {}),
    ...(field === plan.updateMask ? withNote(value, FILLED_MASK) : value),
    ...(required ? queryExample(field, schemas) : {}),
  }));
}

/** Only for required ones: a page would fill in, and send, the others too. */
function queryExample(field: DescField, schemas: Schemas): JsonObject {
  const example = exampleOfField(field, schemas);
  return example === undefined || (field.message !== undefined && isJsonText(field.message))
    ? {}
    : { example };
}

const FILLED_MASK = "Default: the fields present in the body, including those that are null.";

function withNote(value: JsonObject, note: string): JsonObject {
  const { description, ...rest } = value;
  return { description: joinParagraphs(typeof description === "string" ? description : "", [note]), ...rest };
}

/** A field of a query or a form, possibly in a nested message. */
export interface FlatField {
  /** `author.displayName` */
  readonly name: string;
  readonly field: DescField;
  readonly required: boolean;
  /** A parameter in OpenAPI, without its name and place. */
  readonly value: JsonObject;
}

/**
 * The fields of a message with their names in a query and a form.
 * @param skipped dotted proto names
 */
export function flatFields(
  input: DescMessage,
  schemas: Schemas,
  skipped: ReadonlySet<string>,
): readonly FlatField[] {
  const found: FlatField[] = [];
  const visit = (message: DescMessage, key: string, name: string, above: readonly DescMessage[]): void => {
    for (const field of message.fields) {
      const ownKey = key === "" ? field.name : `${key}.${field.name}`;
      const printedName = name === "" ? schemas.nameOf(field) : `${name}.${schemas.nameOf(field)}`;
      if (skipped.has(ownKey) || fieldBehaviors(field).has("OUTPUT_ONLY")) continue;
      if (found.length >= MAX_QUERY_PARAMETERS) return;
      const odd = oddNamesOf(message).any || above.some((outer) => oddNamesOf(outer).any);
      const ownName = odd ? settableName(input, printedName, ownKey) : printedName;
      if (ownName === undefined) continue;
      if (isFlattened(field)) {
        const inner = field.message;
        // A type inside itself has no end.
        if (inner === message || above.includes(inner) || above.length >= MAX_DEPTH) continue;
        visit(inner, ownKey, ownName, [...above, message]);
        continue;
      }
      const value = queryParameter(field, schemas);
      if (value === undefined) continue;
      found.push({
        name: ownName,
        field,
        required: above.length === 0 && schemas.isRequired(field),
        value,
      });
    }
  };
  visit(input, "", "", []);
  return found;
}

/** The name by which a query sets exactly this field: a `json_name` may be another field's, or a system parameter. */
function settableName(input: DescMessage, printedName: string, key: string): string | undefined {
  return [printedName, key].find((name) => {
    if (systemParameterOf(name, false) !== undefined) return false;
    const found = findTarget(input, name, false);
    return typeof found !== "string" && found.target.key === key && found.mapKey === undefined;
  });
}

type Flattened = DescField & { readonly fieldKind: "message" };

function isFlattened(field: DescField): field is Flattened {
  return (
    field.fieldKind === "message" &&
    !isScalarLike(field.message) &&
    !isJsonText(field.message) &&
    !isOpaque(field.message)
  );
}

/** Their fields are bytes of other messages: nobody writes them into a query. */
function isOpaque(message: DescMessage): boolean {
  return message.typeName === "google.protobuf.Any" || isHttpBody(message);
}

function queryParameter(field: DescField, schemas: Schemas): JsonObject | undefined {
  const { description, deprecated, writeOnly: _, ...schema } = schemas.value(field);
  const said = {
    ...(description === undefined ? {} : { description }),
    ...(deprecated === true ? { deprecated } : {}),
  };
  const message = field.message;
  // It has only one value, which is also its default.
  if (field.enum?.typeName === "google.protobuf.NullValue") return undefined;
  if (message !== undefined && isJsonText(message)) {
    if (field.fieldKind === "message") return { ...said, content: { "application/json": { schema } } };
    const text = { type: "string", contentMediaType: "application/json" };
    if (field.fieldKind === "list") return { ...said, ...REPEATED, schema: { type: "array", items: text } };
    return { ...said, ...MAP, schema: { type: "object", additionalProperties: text } };
  }
  if (message !== undefined && !isScalarLike(message)) return undefined;
  if (field.fieldKind === "list") return { ...said, ...REPEATED, schema };
  if (field.fieldKind === "map") return { ...said, ...MAP, schema };
  return { ...said, schema };
}

/** `tag=a&tag=b` */
const REPEATED: JsonObject = { style: "form", explode: true };
/** `labels[key]=value` */
const MAP: JsonObject = { style: "deepObject", explode: true };
