// What every OpenAPI document of the hub must pass: a validator of OpenAPI 3.1, and a JSON Schema compiler that takes
// nothing it does not know.
import assert from "node:assert/strict";
import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import { Validator } from "@seriousme/openapi-schema-validator";
import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";
import addFormats from "ajv-formats";

export async function assertValid(document: JsonObject): Promise<void> {
  const validator = new Validator();
  const { valid, errors } = await validator.validate(structuredClone(document));
  assert.ok(valid, JSON.stringify(errors, null, 1)?.slice(0, 3000));
  assert.equal(validator.version, "3.1");
  const schemas = schemasOf(document);
  for (const { place, schema } of schemas) {
    assert.doesNotThrow(() => compile(document, schema), `${place}: ${JSON.stringify(schema)}`);
  }
  const ids = operationsOf(document).map(({ operation }) => operation.operationId);
  assert.equal(new Set(ids).size, ids.length, "operationIds are unique");
}

interface Compiler {
  readonly ajv: Ajv2020;
  readonly compiled: Map<string, ValidateFunction>;
}

const COMPILERS = new WeakMap<JsonObject, Compiler>();

/** Strict: unknown keywords and formats are errors. */
export function compile(document: JsonObject, schema: JsonValue): ValidateFunction {
  let compiler = COMPILERS.get(document);
  if (compiler === undefined) {
    compiler = { ajv: compilerOf(document), compiled: new Map() };
    COMPILERS.set(document, compiler);
  }
  const text = JSON.stringify(schema);
  let judge = compiler.compiled.get(text);
  if (judge === undefined) {
    judge = compiler.ajv.compile(absolute(objectOf(schema)));
    compiler.compiled.set(text, judge);
  }
  return judge;
}

function compilerOf(document: JsonObject): Ajv2020 {
  const ajv = new Ajv2020({ strict: true, strictTypes: false, strictRequired: false, allErrors: true });
  // Its types take the module for its default export.
  addFormats.default(ajv);
  for (const format of ["int32", "int64", "uint64", "float", "double"]) ajv.addFormat(format, true);
  ajv.addKeyword("components");
  return ajv.addSchema(
    absolute({ components: { schemas: at(document, "components", "schemas") } }),
    "document:",
  );
}

/** The document with objects that have no other members than those it names. */
export function closed(document: JsonObject): JsonObject {
  const close = (value: JsonValue): JsonValue => {
    if (Array.isArray(value)) return value.map(close);
    if (!isObject(value)) return value;
    const inner = Object.fromEntries(Object.entries(value).map(([key, one]) => [key, close(one ?? null)]));
    const isClosed = inner.type === "object" && inner.properties !== undefined;
    return isClosed ? { additionalProperties: false, ...inner } : inner;
  };
  return objectOf(close(document));
}

/** References lead to the document, wherever the schema stands. */
function absolute(schema: JsonObject): JsonObject {
  return JSON.parse(JSON.stringify(schema).replaceAll('"#/components/', '"document:#/components/'));
}

export interface Operation {
  readonly path: string;
  /** GET, … */
  readonly method: string;
  readonly operation: JsonObject;
}

export function operationsOf(document: JsonObject): Operation[] {
  return Object.entries(objectOf(document.paths)).flatMap(([path, item]) =>
    Object.entries(objectOf(item)).flatMap(([key, value]) =>
      key === "x-additional-operations"
        ? Object.entries(objectOf(value)).map(([method, one]) => ({ path, method, operation: objectOf(one) }))
        : [{ path, method: key.toUpperCase(), operation: objectOf(value) }],
    ),
  );
}

/** The operation of `GET /v1/books`. */
export function operation(document: JsonObject, request: string): JsonObject {
  const found = operationsOf(document).find(({ method, path }) => `${method} ${path}` === request);
  assert.ok(
    found,
    `${request} is not among ${operationsOf(document)
      .map((o) => `${o.method} ${o.path}`)
      .join("\n")}`,
  );
  return found.operation;
}

export function component(document: JsonObject, name: string): JsonObject {
  return objectOf(at(document, "components", "schemas", name));
}

export function at(value: JsonValue | undefined, ...path: readonly string[]): JsonValue {
  let here: JsonValue | undefined = value;
  for (const step of path) {
    here = Array.isArray(here)
      ? here[Number(step)]
      : isObject(here ?? null)
        ? objectOf(here)[step]
        : undefined;
  }
  return here ?? assert.fail(`nothing at ${path.join(" / ")}`);
}

export function objectOf(value: JsonValue | undefined): JsonObject {
  assert.ok(isObject(value ?? null), `no object: ${JSON.stringify(value)}`);
  return Object(value);
}

function isObject(value: JsonValue): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Every JSON Schema of the document, with where it stands. */
function schemasOf(document: JsonObject): { readonly place: string; readonly schema: JsonValue }[] {
  const found: { place: string; schema: JsonValue }[] = [];
  const visit = (value: JsonValue, place: string): void => {
    if (Array.isArray(value)) for (const [i, item] of value.entries()) visit(item, `${place}/${i}`);
    else if (isObject(value))
      for (const [key, inner] of Object.entries(value)) {
        if (key === "schema") found.push({ place: `${place}/schema`, schema: inner });
        else visit(inner, `${place}/${key}`);
      }
  };
  visit(objectOf(document.paths), "paths");
  for (const [name, schema] of Object.entries(objectOf(at(document, "components", "schemas"))))
    found.push({ place: `components/schemas/${name}`, schema });
  return found;
}
