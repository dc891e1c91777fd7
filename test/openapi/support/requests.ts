// Requests made from an OpenAPI document alone, as a client generator would make them.
import { brotliCompressSync, deflateSync, gzipSync } from "node:zlib";
import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import fc from "fast-check";
import { at, compile, type Operation, objectOf } from "./check.js";

export interface GeneratedRequest {
  readonly method: string;
  readonly target: string;
  readonly contentType: string | undefined;
  readonly body: string | Buffer | undefined;
  /** But for Content-Type. */
  readonly headers: Readonly<Record<string, string>>;
}

/** Values that a client knows from elsewhere, by the parameter's name. */
export type Known = Readonly<Record<string, JsonValue>>;

const MAX_DEPTH = 2;

export function requestFor(
  document: JsonObject,
  own: Operation,
  known: Known = {},
): fc.Arbitrary<GeneratedRequest> {
  const parameters = parametersOf(document, own.operation);
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
      const headers: Record<string, string> = {};
      for (const { parameter, value } of values) {
        if (parameter.in === "path") path = path.replace(`{${parameter.name}}`, escaped(parameter, value));
        else if (parameter.in === "header") headers[String(parameter.name).toLowerCase()] = String(value);
        else query.push(...queryOf(parameter, value));
      }
      const target = query.length === 0 ? path : `${path}?${query.join("&")}`;
      return body.map((made) => ({ method: own.method, target, headers, ...packed(made, headers) }));
    });
}

const PACKERS: Readonly<Record<string, (body: string | Buffer) => Buffer>> = {
  gzip: gzipSync,
  deflate: deflateSync,
  br: brotliCompressSync,
};

/** The body as Content-Encoding says. */
function packed(made: Body, headers: Readonly<Record<string, string>>): Body {
  const pack = PACKERS[headers["content-encoding"] ?? ""];
  return pack === undefined || made.body === undefined ? made : { ...made, body: pack(made.body) };
}

/** With what is referred to. */
export function parametersOf(document: JsonObject, operation: JsonObject): JsonObject[] {
  return arrayOf(operation.parameters).map((one) => resolved(document, objectOf(one)));
}

/** What a reference leads to; what is none is itself. */
export function resolved(document: JsonObject, value: JsonObject): JsonObject {
  return typeof value.$ref === "string" ? objectOf(at(document, ...value.$ref.slice(2).split("/"))) : value;
}

function arrayOf(value: JsonValue | undefined): readonly JsonValue[] {
  return Array.isArray(value) ? value : [];
}

function schemaOf(parameter: JsonObject): JsonValue {
  return parameter.schema ?? at(parameter, "content", "application/json", "schema");
}

function escaped(parameter: JsonObject, value: JsonValue): string {
  const text = String(value);
  const several = String(parameter.description ?? "").includes("May have several segments");
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

type Body = Pick<GeneratedRequest, "contentType" | "body">;

/** @param contentType of which the body is; undefined: of any that there is */
export function bodyFor(
  document: JsonObject,
  body: JsonValue | undefined,
  contentType?: string,
): fc.Arbitrary<Body> {
  if (body === undefined) return fc.constant({ contentType: undefined, body: undefined });
  const content = Object.entries(objectOf(objectOf(body).content));
  const chosen = content.filter(([type]) => contentType === undefined || type === contentType);
  return fc.oneof(...chosen.map(([type, media]) => bodyOf(document, type, objectOf(media))));
}

function bodyOf(document: JsonObject, contentType: string, media: JsonObject): fc.Arbitrary<Body> {
  const { schema } = media;
  // A message without fields, in binary.
  if (media["x-protobuf-message"] !== undefined) return fc.constant({ contentType, body: Buffer.alloc(0) });
  if (schema === undefined || objectOf(schema).format === "binary") {
    const type = contentType === "*/*" ? "text/plain" : contentType;
    return fc.string().map((text) => ({ contentType: type, body: text }));
  }
  if (media.example !== undefined) return fc.constant({ contentType, body: String(media.example) });
  if (contentType.endsWith("ndjson")) {
    const lines = fc.array(valueFor(document, schema), { maxLength: 3 });
    return lines.map((all) => ({
      contentType,
      body: all.map((value) => `${JSON.stringify(value)}\n`).join(""),
    }));
  }
  if (contentType === "application/x-www-form-urlencoded") {
    return formFor(document, objectOf(schema)).map((value) => ({
      contentType,
      body: formPairs(media, value)
        .map((pair) => pair.map(encodeURIComponent).join("="))
        .join("&"),
    }));
  }
  if (contentType === "multipart/form-data") {
    return formFor(document, objectOf(schema)).map((value) => multipart(media, value));
  }
  return valueFor(document, schema).map((value) => ({ contentType, body: JSON.stringify(value) }));
}

/** What must be there and one field more: two of a oneof exclude each other, and a form's schema does not say so. */
function formFor(document: JsonObject, schema: JsonObject): fc.Arbitrary<JsonObject> {
  const properties = objectOf(schema.properties);
  const required = arrayFrom(schema.required).map(String);
  const names = Object.keys(properties).filter((name) => !required.includes(name));
  const more = names.length === 0 ? fc.constant([]) : fc.subarray(names, { maxLength: 1 });
  return more.chain((one) =>
    fc.record(
      Object.fromEntries(
        [...required, ...one].map((name) => [name, valueFor(document, objectOf(properties[name]))]),
      ),
      { noNullPrototype: true },
    ),
  );
}

function formPairs(media: JsonObject, value: JsonObject): [name: string, text: string][] {
  const encoding = media.encoding === undefined ? {} : objectOf(media.encoding);
  return Object.entries(value).flatMap(([name, one = null]): [string, string][] => {
    const { contentType, style } = encoding[name] === undefined ? {} : objectOf(encoding[name]);
    if (contentType === "application/json") return [[name, JSON.stringify(one)]];
    if (Array.isArray(one)) return one.map((item) => [name, String(item)]);
    if (style !== "deepObject") return [[name, String(one)]];
    return Object.entries(objectOf(one)).map(([key, item]) => [`${name}[${key}]`, String(item)]);
  });
}

/** Files are what OpenAPI says is bytes; quotes in names as HTML §4.10.22.8 has them. */
function multipart(media: JsonObject, value: JsonObject): Body {
  const properties = objectOf(at(media, "schema", "properties"));
  const parts = formPairs(media, value).map(([name, text]) => {
    const schema = properties[name] === undefined ? {} : objectOf(properties[name]);
    const { contentMediaType } = schema.items === undefined ? schema : objectOf(schema.items);
    const file = contentMediaType === "application/octet-stream" ? '; filename="x"' : "";
    const type = file === "" ? "" : "Content-Type: application/octet-stream\r\n";
    const quoted = name.replaceAll('"', "%22").replaceAll("\r", "%0D").replaceAll("\n", "%0A");
    return `--X\r\nContent-Disposition: form-data; name="${quoted}"${file}\r\n${type}\r\n${text}\r\n`;
  });
  return { contentType: "multipart/form-data; boundary=X", body: `${parts.join("")}--X--\r\n` };
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
  if (Array.isArray(schema.type)) {
    return fc.oneof(...schema.type.map((type) => arbitrary(document, { ...schema, type }, depth)));
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
  const lowest = format === "int64" ? Number.MIN_SAFE_INTEGER : -(2 ** 31);
  const highest = format === "int64" ? Number.MAX_SAFE_INTEGER : 2 ** 31 - 1;
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
