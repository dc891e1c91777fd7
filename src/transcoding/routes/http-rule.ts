// Parses google.api.HttpRule from a method's options and from the config, without checking whether it makes sense.
import type { DescMethod } from "@bufbuild/protobuf";
import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";

export interface HttpRule {
  /** `GET`, …, or the kind of a custom pattern; undefined when the rule has no pattern. */
  readonly httpMethod: string | undefined;
  /** Path template. */
  readonly template: string;
  /** `*`, the name of a field, or "" for none. */
  readonly body: string;
  /** The name of a field, or "" for the whole message. */
  readonly responseBody: string;
  readonly additionalBindings: readonly HttpRule[];
}

/** google/api/annotations.proto: `extend google.protobuf.MethodOptions { HttpRule http = 72295728; }`. */
const HTTP_EXTENSION = 72295728;

/** Rules nest one level deep; more is read only to be rejected with its path. */
const MAX_NESTING = 4;

/**
 * The rule in a method's options; undefined if there is none. It is among the unknown fields, since no generated code
 * of google.api is linked. A repeated message field is merged (protobuf encoding, "Last One Wins"). Throws if the
 * option's bytes are malformed.
 */
export function readHttpRule(method: DescMethod): HttpRule | undefined {
  const parts: Uint8Array[] = [];
  for (const field of method.proto.options?.$unknown ?? []) {
    if (field.no === HTTP_EXTENSION && field.wireType === WireType.LengthDelimited) {
      parts.push(new BinaryReader(field.data).bytes());
    }
  }
  return parts.length === 0 ? undefined : decodeRule(Buffer.concat(parts), 0);
}

function decodeRule(bytes: Uint8Array, depth: number): HttpRule {
  const r = new BinaryReader(bytes);
  let httpMethod: string | undefined;
  let template = "";
  let body = "";
  let responseBody = "";
  const additionalBindings: HttpRule[] = [];
  while (r.pos < r.len) {
    const [no, wire] = r.tag();
    const simple = METHOD_OF_FIELD[no];
    if (wire !== WireType.LengthDelimited) r.skip(wire, no);
    else if (simple !== undefined) {
      httpMethod = simple;
      template = r.string();
    } else if (no === 7) body = r.string();
    else if (no === 8) [httpMethod, template] = decodeCustom(r.bytes());
    else if (no === 11 && depth < MAX_NESTING) additionalBindings.push(decodeRule(r.bytes(), depth + 1));
    else if (no === 12) responseBody = r.string();
    else r.skip(wire, no);
  }
  return { httpMethod, template, body, responseBody, additionalBindings };
}

const METHOD_OF_FIELD: Readonly<Record<number, string>> = {
  2: "GET",
  3: "PUT",
  4: "POST",
  5: "DELETE",
  6: "PATCH",
};

function decodeCustom(bytes: Uint8Array): [kind: string, path: string] {
  const r = new BinaryReader(bytes);
  let kind = "";
  let path = "";
  while (r.pos < r.len) {
    const [no, wire] = r.tag();
    if (no === 1) kind = r.string();
    else if (no === 2) path = r.string();
    else r.skip(wire, no);
  }
  return [kind, path];
}

/** Parses a rule in its JSON form, names in either spelling; a string describes the error. */
export function httpRuleFromJson(json: unknown, depth = 0): HttpRule | string {
  if (!isRecord(json)) return "an HTTP rule must be a mapping, as in { get: /v1/books }";
  if (depth > MAX_NESTING) return "additional bindings nest one level deep";
  let httpMethod: string | undefined;
  let template = "";
  let body = "";
  let responseBody = "";
  const additionalBindings: HttpRule[] = [];
  for (const [key, value] of Object.entries(json)) {
    const simple = METHOD_OF_KEY.get(key);
    if (simple !== undefined || key === "custom") {
      if (httpMethod !== undefined)
        return `the rule has two patterns; put '${key}' under additional_bindings`;
      if (simple !== undefined) {
        if (typeof value !== "string") return `'${key}' must be a path template`;
        httpMethod = simple;
        template = value;
      } else {
        if (!isRecord(value) || typeof value.kind !== "string" || typeof value.path !== "string") {
          return "'custom' needs a kind (the HTTP method) and a path";
        }
        httpMethod = value.kind;
        template = value.path;
      }
    } else if (key === "body" || key === "response_body" || key === "responseBody") {
      if (typeof value !== "string") return `'${key}' must be the name of a field`;
      if (key === "body") body = value;
      else responseBody = value;
    } else if (key === "additional_bindings" || key === "additionalBindings") {
      if (!Array.isArray(value)) return `'${key}' must be a list of rules`;
      for (const item of value) {
        const rule = httpRuleFromJson(item, depth + 1);
        if (typeof rule === "string") return rule;
        additionalBindings.push(rule);
      }
    } else if (key !== "selector") {
      return `unknown key '${key}'; a rule has get, put, post, delete, patch or custom, and body, response_body, additional_bindings`;
    }
  }
  return { httpMethod, template, body, responseBody, additionalBindings };
}

const METHOD_OF_KEY: ReadonlyMap<string, string> = new Map(
  Object.entries({
    get: "GET",
    put: "PUT",
    post: "POST",
    delete: "DELETE",
    patch: "PATCH",
  }),
);

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
