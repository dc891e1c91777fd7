// Requests made from an OpenAPI document alone, as a client generator would make them.
import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import fc from "fast-check";
import { at, compile, type Operation, objectOf } from "./check.js";

export interface GeneratedRequest {
  readonly method: string;
  readonly target: string;
  readonly contentType: string | undefined;
  readonly body: string | undefined;
}

/** Values that a client knows from elsewhere, by the parameter's name. */
export type Known = Readonly<Record<string, JsonValue>>;

const MAX_DEPTH = 2;

export function requestFor(
  document: JsonObject,
  own: Operation,
  known: Known = {},
): fc.Arbitrary<GeneratedRequest> {
  const parameters = (own.operation.parameters === undefined ? [] : arrayOf(own.operation.parameters)).map(
    objectOf,
  );
  const always = parameters.filter(({ name, required }) => required === true || String(name) in known);
  const others = parameters.filter((parameter) => !always.includes(parameter));
  // Two members of a oneof exclude each other, and parameters cannot say so: one more than those that must be.
  const arbitraries = new Map(
    parameters.map((parameter) => {
      const value = known[String(parameter.name)];
      const made = value === undefined ? valueFor(document, schemaOf(parameter)) : fc.constant(value);
      return [parameter, made.map((one) => ({ parameter, value: one }))];
    }),
  );
  const body = bodyFor(document, own.operation.requestBody);
  const chosen = others.length === 0 ? fc.constant<JsonObject[]>([]) : fc.subarray(others, { maxLength: 1 });
  return chosen
    .chain((more) =>
      fc.tuple(...[...always, ...more].flatMap((parameter) => arbitraries.get(parameter) ?? [])),
    )
    .chain((values) => {
      let path = own.path;
      const query: string[] = [];
      for (const { parameter, value } of values) {
        if (parameter.in === "path") path = path.replace(`{${parameter.name}}`, escaped(parameter, value));
        else query.push(...queryOf(parameter, value));
      }
      const target = query.length === 0 ? path : `${path}?${query.join("&")}`;
      return body.map((made) => ({ method: own.method, target, ...made }));
    });
}

function arrayOf(value: JsonValue | undefined): readonly JsonValue[] {
  return Array.isArray(value) ? value : [];
}

function schemaOf(parameter: JsonObject): JsonValue {
  return parameter.schema ?? at(parameter, "content", "application/json", "schema");
}

function escaped(parameter: JsonObject, value: JsonValue): string {
  const text = String(value);
  const several = String(parameter.description ?? "").includes("May be several segments");
  return several ? text.split("/").map(encodeURIComponent).join("/") : encodeURIComponent(text);
}

function queryOf(parameter: JsonObject, value: JsonValue): string[] {
  const name = String(parameter.name);
  const pair = (key: string, one: JsonValue): string =>
    `${encodeURIComponent(key)}=${encodeURIComponent(String(one))}`;
  if (parameter.content !== undefined) return [pair(name, JSON.stringify(value))];
  if (Array.isArray(value)) return value.map((item) => pair(name, item));
  if (parameter.style !== "deepObject") return [pair(name, value)];
  return Object.entries(objectOf(value)).map(([key, item]) => pair(`${name}[${key}]`, item));
}

function bodyFor(
  document: JsonObject,
  body: JsonValue | undefined,
): fc.Arbitrary<Pick<GeneratedRequest, "contentType" | "body">> {
  if (body === undefined) return fc.constant({ contentType: undefined, body: undefined });
  const content = objectOf(objectOf(body).content);
  const arbitraries = Object.entries(content).map(([contentType, one]) => {
    const { schema } = objectOf(one);
    if (schema === undefined) return fc.string().map((text) => ({ contentType: "text/plain", body: text }));
    if (contentType.endsWith("ndjson")) {
      const lines = fc.array(valueFor(document, schema), { maxLength: 3 });
      return lines.map((all) => ({
        contentType,
        body: all.map((value) => `${JSON.stringify(value)}\n`).join(""),
      }));
    }
    return valueFor(document, schema).map((value) => ({ contentType, body: JSON.stringify(value) }));
  });
  return fc.oneof(...arbitraries);
}

/** Values that the schema takes. */
export function valueFor(document: JsonObject, schema: JsonValue): fc.Arbitrary<JsonValue> {
  const fits = compile(document, objectOf(schema));
  return arbitrary(document, objectOf(schema), 0).filter((value) => fits(value));
}

function arbitrary(document: JsonObject, schema: JsonObject, depth: number): fc.Arbitrary<JsonValue> {
  const { $ref, ...beside } = schema;
  if (typeof $ref === "string") {
    const target = objectOf(at(document, ...$ref.slice(2).split("/")));
    return arbitrary(document, { ...target, ...beside }, depth);
  }
  if (schema.const !== undefined) return fc.constant(schema.const);
  if (Array.isArray(schema.enum)) return fc.constantFrom(...schema.enum);
  if (Array.isArray(schema.examples) && schema.examples.length > 0)
    return fc.constantFrom(...schema.examples);
  if (Array.isArray(schema.anyOf) && schema.properties === undefined) {
    const { anyOf, ...rest } = schema;
    return fc.oneof(...schema.anyOf.map((one) => arbitrary(document, { ...rest, ...objectOf(one) }, depth)));
  }
  switch (schema.type) {
    case "null":
      return fc.constant(null);
    case "boolean":
      return fc.boolean();
    case "integer":
      return integer(schema);
    case "number":
      return schema.format === "float" ? fc.float({ noNaN: true, noDefaultInfinity: true }) : number(schema);
    case "string":
      return text(schema);
    case "array": {
      const length = { minLength: Number(schema.minItems ?? 0), maxLength: Number(schema.maxItems ?? 3) };
      if (depth >= MAX_DEPTH && length.minLength === 0) return fc.constant([]);
      return fc.array(arbitrary(document, objectOf(schema.items), depth + 1), length);
    }
    case "object":
      return schema.properties === undefined
        ? dictionary(document, schema, depth)
        : object(document, schema, depth);
    default:
      return fc.jsonValue({ maxDepth: 2 }).map(plain);
  }
}

function integer({
  minimum,
  exclusiveMinimum,
  maximum,
  exclusiveMaximum,
  format,
}: JsonObject): fc.Arbitrary<JsonValue> {
  const lowest = format === "uint32" ? 0 : -(2 ** 31);
  const highest = format === "uint32" ? 2 ** 32 - 1 : 2 ** 31 - 1;
  const min = Math.max(lowest, Number(minimum ?? lowest), Number(exclusiveMinimum ?? lowest - 1) + 1);
  const max = Math.min(highest, Number(maximum ?? highest), Number(exclusiveMaximum ?? highest + 1) - 1);
  return fc.oneof(
    fc.maxSafeInteger().map((n) => min + (Math.abs(n) % (max - min + 1))),
    fc.constantFrom(min, max),
  );
}

function number({ minimum, exclusiveMaximum }: JsonObject): fc.Arbitrary<JsonValue> {
  const bounds = {
    ...(minimum === undefined ? {} : { min: Number(minimum) }),
    ...(exclusiveMaximum === undefined ? {} : { max: Number(exclusiveMaximum), maxExcluded: true }),
  };
  return fc.double({ noNaN: true, noDefaultInfinity: true, ...bounds }).map(plain);
}

function text(schema: JsonObject): fc.Arbitrary<string> {
  switch (schema.format) {
    case "int64":
      return fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String);
    case "uint64":
      return fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map(String);
    case "date-time":
      return fc
        .date({
          min: new Date("0001-01-01T00:00:00Z"),
          max: new Date("9999-12-31T23:59:59Z"),
          noInvalidDate: true,
        })
        .map((date) => date.toISOString());
    case "uuid":
      return fc.uuid();
    case "email":
      return fc.emailAddress();
    default:
  }
  if (schema.contentEncoding === "base64") {
    return fc.uint8Array({ maxLength: 8 }).map((bytes) => Buffer.from(bytes).toString("base64"));
  }
  if (schema.contentMediaType === "application/json") return fc.constantFrom('{"a":[1]}', "{}");
  if (typeof schema.pattern === "string")
    return fc.stringMatching(new RegExp(schema.pattern, "u"), { maxLength: 20 });
  const parts = arrayFrom(schema.allOf).flatMap((one) =>
    typeof objectOf(one).pattern === "string" ? ["a.b1/z"] : [],
  );
  if (parts.length > 0) return fc.constant(parts[0] ?? "");
  if (arrayFrom(schema.allOf).length > 0) return fc.ipV4();
  const length = { minLength: Number(schema.minLength ?? 0), maxLength: Number(schema.maxLength ?? 12) };
  return fc.string({ unit: "grapheme", ...length });
}

function arrayFrom(value: JsonValue | undefined): readonly JsonValue[] {
  return Array.isArray(value) ? value : [];
}

/** Each member seldom: what excludes others shall not always be there. */
function object(document: JsonObject, schema: JsonObject, depth: number): fc.Arbitrary<JsonValue> {
  const required = new Set(arrayFrom(schema.required).map(String));
  const properties = Object.entries(objectOf(schema.properties)).filter(
    ([name, inner]) => required.has(name) || (depth < MAX_DEPTH && objectOf(inner).readOnly !== true),
  );
  const optional = properties.filter(([name]) => !required.has(name)).map(([name]) => name);
  return fc
    .subarray(optional, { maxLength: Math.min(optional.length, 4) })
    .chain((chosen) =>
      fc.record(
        Object.fromEntries(
          properties
            .filter(([name]) => required.has(name) || chosen.includes(name))
            .map(([name, inner]) => [name, arbitrary(document, objectOf(inner), depth + 1)]),
        ),
        { noNullPrototype: true },
      ),
    );
}

function dictionary(document: JsonObject, schema: JsonObject, depth: number): fc.Arbitrary<JsonValue> {
  const names = schema.propertyNames === undefined ? {} : objectOf(schema.propertyNames);
  const key = Array.isArray(names.enum)
    ? fc.constantFrom(...names.enum.map(String))
    : names.pattern === undefined
      ? fc.string({ unit: "grapheme", maxLength: Number(names.maxLength ?? 6) })
      : fc.nat().map(String);
  if (typeof schema.additionalProperties !== "object")
    return fc.dictionary(key, fc.jsonValue({ maxDepth: 1 }).map(plain));
  if (depth >= MAX_DEPTH) return fc.constant({});
  const value = arbitrary(document, objectOf(schema.additionalProperties), depth + 1);
  return fc.dictionary(key, value, { maxKeys: Number(schema.maxProperties ?? 2), noNullPrototype: true });
}

/** As JSON has it: no -0, no prototypes of null. */
function plain(value: unknown): JsonValue {
  return JSON.parse(JSON.stringify(value));
}
