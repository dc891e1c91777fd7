// A matched request → protobuf messages in bytes. Path and query are parsed once; for each message of the request they
// are combined with the body in one JSON value, and encoded once.
import { isUtf8 } from "node:buffer";
import type { DescField, DescMessage } from "@bufbuild/protobuf";
import { BinaryWriter } from "@bufbuild/protobuf/wire";
import { refusal } from "../../call/status/reasons.js";
import { Status } from "../../call/status/status.js";
import { badRequest } from "../../call/status/status-details.js";
import { cut } from "../../kit/text/text.js";
import type { Codecs, InvalidValue, JsonProblem } from "../codec/codecs.js";
import { formatPath } from "../codec/invalid-value.js";
import { isJsonObject, type Json, type JsonObject, parseJson } from "../messages/json.js";
import { enumName, looseText } from "../messages/loose-text.js";
import { encodeUpdateMask, MAX_MASK_CHARACTERS, pathsOf } from "../messages/update-mask.js";
import type { BindingPlan } from "../routes/binding.js";
import { capture } from "../routes/capture.js";
import type { RequestPath } from "../routes/path.js";
import { encodePathMessage } from "../routes/path-message.js";
import type { ReadOptions } from "../routes/read-options.js";
import {
  encodeSingleField,
  type FieldTarget,
  memberOf,
  oneofClash,
  setMember,
  setSame,
  textToJson,
} from "../routes/set-field.js";
import { readXmlBody } from "../xml/body.js";
import {
  FORM_TYPES,
  formTypeOf,
  isJsonType,
  isXmlType,
  PROTO_TYPE,
  SUPPORTED_TYPES,
  XML_TYPES,
} from "./content-type.js";
import { readForm, readMultipart } from "./forms.js";
import {
  type BoundField,
  eachParameter,
  findParameter,
  parameterJson,
  type QueryRules,
  setParameter,
} from "./query.js";
import {
  type Alt,
  NO_SYSTEM_PARAMETERS,
  SystemParameterReader,
  type SystemParameters,
  systemParameterOf,
  UNKNOWN_SYSTEM_PARAMETER,
} from "./system-parameters.js";

export interface RequestOptions {
  readonly codecs: Codecs;
  readonly unknownQuery: "reject" | "ignore";
  readonly ignoredQuery: ReadonlySet<string>;
  /** For bodies: the codecs check JSON, forms are checked here. */
  readonly unknownFields: "reject" | "ignore";
  /** `alt`, `prettyPrint` and `fields` are system parameters too, unless a field has the name. */
  readonly bareSystemParameters: boolean;
  readonly read: ReadOptions;
}

/** The values of path and query of a request: the same for each of its messages. */
export interface BoundRequest {
  readonly plan: BindingPlan;
  readonly path: RequestPath;
  readonly query: string;
  readonly system: SystemParameters;
  /** JSON of the fields that no body sets. Shared by all messages: not to be changed. */
  readonly beside: JsonObject;
  /** What the path binds if a body may contain it too. */
  readonly inBody: readonly BoundField[];
  /** The message, if the path alone makes it: `beside` is then empty. */
  readonly message?: Uint8Array;
}

/** A request that has found its route. */
export interface MatchedRequest {
  readonly plan: BindingPlan;
  readonly options: RequestOptions;
  /** It was sent as POST, with another method in X-HTTP-Method-Override. */
  readonly overridden?: boolean;
  /** Read on demand: callers who may not call the method do not get its errors. */
  bound(): BoundRequest | Status;
}

/** A message's part of the body. */
export type MessageBody =
  /** JSON in UTF-8, not parsed. */
  | { readonly kind: "text"; readonly text: Uint8Array }
  /** JSON that was read; it is used up. */
  | { readonly kind: "json"; readonly json: Json }
  /** For a google.api.HttpBody: the raw bytes, and their type. */
  | { readonly kind: "raw"; readonly data: Uint8Array; readonly contentType: string | undefined };

const EMPTY = new Uint8Array(0);
const NO_FIELDS: readonly BoundField[] = [];

/** Parses path and query (without "?"). A Status describes an invalid parameter. */
export function bindRequest(
  plan: BindingPlan,
  path: RequestPath,
  query: string,
  options: RequestOptions,
): BoundRequest | Status {
  const beside: JsonObject = {};
  if (query === "" && plan.pathMessage !== undefined) {
    const message = encodePathMessage(plan.pathMessage, plan, path, options.read.keptEscapes);
    if (message !== undefined) {
      return { plan, path, query, system: NO_SYSTEM_PARAMETERS, beside, inBody: NO_FIELDS, message };
    }
  }
  if (plan.variables.length === 0 && query === "") {
    return { plan, path, query, system: NO_SYSTEM_PARAMETERS, beside, inBody: NO_FIELDS };
  }
  const bound: BoundField[] = [];
  const inBody: BoundField[] = [];
  for (const variable of plan.variables) {
    const { target } = variable;
    const captured = capture(plan, variable, path, options.read.keptEscapes);
    if (captured === undefined) return invalid(target.key, "the path is not percent-encoded UTF-8", "path");
    const field = { target, text: textOf(target, captured, options) };
    bound.push(field);
    if (variable.inBody) inBody.push(field);
    else {
      const problem = bindVariable(field, options.codecs, beside);
      if (problem !== undefined) return problem;
    }
  }
  if (query === "") return { plan, path, query, system: NO_SYSTEM_PARAMETERS, beside, inBody };

  const rules = queryRules(plan, options);
  let system: SystemParameterReader | undefined;
  const take = (name: string, text: string): string | undefined => {
    const dollar = name.startsWith("$");
    const known = dollar ? systemParameterOf(name, false) : undefined;
    if (known !== undefined) {
      system ??= new SystemParameterReader(plan);
      return system.take(known, text);
    }
    const parameter = findParameter(name, rules);
    if (parameter === undefined || typeof parameter === "string") {
      if (dollar) return parameter === undefined ? undefined : UNKNOWN_SYSTEM_PARAMETER;
      // A field of that name has priority: `fields` and `alt` are ordinary words.
      const bare = options.bareSystemParameters ? systemParameterOf(name, true) : undefined;
      if (bare === undefined || isField(plan.descriptor.input, name)) return parameter;
      system ??= new SystemParameterReader(plan);
      return system.take(bare, text);
    }
    return setParameter(parameter, textOf(parameter.target, text, options), bound, options.codecs, beside);
  };
  const problem = eachParameter(query, take, options.read.plusAsSpace);
  if (problem !== undefined) return invalid(problem.parameter, problem.problem, "query");
  return { plan, path, query, system: system?.result ?? NO_SYSTEM_PARAMETERS, beside, inBody };
}

/** `$alt` of an invalid query: the error is sent in the format that it asks for. */
export function altOf(plan: BindingPlan, query: string, options: RequestOptions): Alt | undefined {
  const system = new SystemParameterReader(plan);
  const take = (name: string, text: string): undefined => {
    const bare = options.bareSystemParameters && !isField(plan.descriptor.input, name);
    if (systemParameterOf(name, bare) === "$alt") system.take("$alt", text);
  };
  for (const one of query.split("&")) eachParameter(one, take, options.read.plusAsSpace);
  return system.result.alt;
}

function isField(input: DescMessage, name: string): boolean {
  return input.fields.some((field) => field.name === name || field.jsonName === name);
}

/** The whole body of a unary request → its message's part; undefined: there is none. */
export function readBody(
  plan: BindingPlan,
  body: Uint8Array,
  contentType: string | undefined,
  options: RequestOptions,
): MessageBody | Status | undefined {
  // A page of another site may post without a preflight unless it declares JSON: for paths without a rule, even an
  // empty body must have its type.
  if (plan.source === "auto" && !isJsonType(contentType)) return unsupported(plan, contentType);
  if (plan.httpBody !== undefined) {
    if (body.length === 0 && contentType === undefined) return undefined;
    return { kind: "raw", data: body, contentType };
  }
  if (body.length === 0) return undefined;
  if (plan.body === "none") {
    if (options.read.extraBody === "ignore") return undefined;
    return refusal(
      "INVALID_REQUEST",
      `${plan.httpMethod} ${plan.text} takes no body: send its fields in the query`,
      { details: [badRequest([{ field: "", description: "this route takes no body" }])] },
    );
  }
  if (isJsonType(contentType)) return { kind: "text", text: body };
  if (plan.source !== "auto" && isXmlType(contentType)) {
    return readXmlPart(plan.body === "all" ? plan.descriptor.input : plan.body, body, options);
  }
  const form = formTypeOf(contentType);
  const filled = form === undefined ? undefined : formBody(plan);
  if (filled === undefined) {
    if (options.read.anyContentType === true && plan.source !== "auto") return { kind: "text", text: body };
    return unsupported(plan, contentType);
  }
  const rules: QueryRules = {
    input: filled,
    body: "none",
    unknown: options.unknownFields,
    ignored: NO_NAMES,
  };
  const result =
    form === "multipart/form-data"
      ? readMultipart(body, contentType ?? "", rules, options.codecs)
      : readForm(body, rules, options.codecs);
  return "json" in result
    ? { kind: "json", json: result.json }
    : invalid(result.parameter, result.problem, "form");
}

/** The JSON of an XML body; `desc`: the part of the request that it is. */
function readXmlPart(
  desc: DescMessage | DescField,
  body: Uint8Array,
  { codecs, unknownFields }: RequestOptions,
): MessageBody | Status {
  const read = readXmlBody(desc, body, codecs, unknownFields);
  if (read instanceof Status) return read;
  if ("json" in read) return { kind: "json", json: read.json };
  const { path, problem } = read;
  const dot = path === "" || path.startsWith("[") ? "" : ".";
  const field = desc.kind === "message" ? path : desc.name + dot + path;
  return invalidMessage(`$${dot}${path}: ${problem}`, field, problem);
}

const NO_NAMES: ReadonlySet<string> = new Set();

/**
 * One message of the request in bytes; `body`: its part of the message, undefined: none. A Status describes what is
 * invalid and where.
 */
export function encodeRequest(
  request: BoundRequest,
  body: MessageBody | undefined,
  options: RequestOptions,
): Uint8Array | Status {
  const { plan, beside, inBody, message } = request;
  if (message !== undefined && body === undefined) return message;
  const codec = options.codecs.of(plan.descriptor.input);
  if (body === undefined && inBody.length === 0) {
    return outcome(request, encodeTree(plan, beside, options.codecs), options);
  }
  if (body?.kind === "raw") return encodeRaw(request, body, options);
  if (body?.kind === "text" && plan.body === "all" && inBody.length === 0 && plan.wrapped === undefined) {
    return outcome(request, codec.encodeText(body.text), options);
  }

  const json = body === undefined ? NOTHING : jsonOf(body);
  if ("problem" in json) return notJson(json);
  if (typeof plan.body === "object" && json.value !== undefined) {
    const clash = oneofClash(beside, plan.body);
    if (clash !== undefined) return invalidMessage(`$: ${clash}`, plan.body.name, clash);
  }
  const root = assemble(plan, beside, json.value);
  if (!isJsonObject(root)) return outcome(request, codec.encode(root), options);
  // Before the path's values are put among the body's.
  const mask = options.read.fillUpdateMask === false ? undefined : encodedMask(request, json.value);
  if (mask instanceof Status) return mask;
  for (const field of inBody) {
    const problem = bindVariable(field, options.codecs, root);
    if (problem !== undefined) return problem;
  }
  const bytes =
    plan.body === "all" && plan.wrapped === undefined
      ? codec.encode(root)
      : encodeTree(plan, root, options.codecs);
  const encoded = outcome(request, bytes, options);
  return mask === undefined || encoded instanceof Status ? encoded : Buffer.concat([encoded, mask]);
}

const NOTHING = { value: undefined };

/** The JSON of the whole message, combined from the body and the rest. */
function assemble(plan: BindingPlan, beside: JsonObject, value: Json | undefined): Json {
  if (plan.body !== "all") {
    const tree = { ...beside };
    if (value !== undefined && typeof plan.body === "object") setMember(tree, plan.body, value);
    return tree;
  }
  if (plan.wrapped === undefined) return value ?? (value === undefined ? {} : null);
  const tree: JsonObject = {};
  if (value !== undefined) setMember(tree, plan.wrapped, value);
  return tree;
}

/** A message of which the members are known. */
function encodeTree(plan: BindingPlan, tree: JsonObject, codecs: Codecs): Uint8Array | InvalidValue {
  const codec = codecs.of(plan.descriptor.input);
  if (plan.wrapped !== undefined) {
    const value = memberOf(tree, plan.wrapped);
    return value === undefined || value === null ? EMPTY : codec.encode(value);
  }
  // `{}` is an empty Struct as a Value, and no Timestamp.
  return plan.ownJson ? EMPTY : codec.encode(tree);
}

/** The missing mask of an update. */
function encodedMask(
  { plan, beside }: BoundRequest,
  value: Json | undefined,
): Uint8Array | Status | undefined {
  const { updateMask, body } = plan;
  if (updateMask === undefined || value === undefined || typeof body === "string") return undefined;
  if (body.message === undefined || memberOf(beside, updateMask) !== undefined) return undefined;
  const paths = pathsOf(body.message, value);
  if (paths === undefined) {
    const problem = `the body sets too many fields for a field mask (${MAX_MASK_CHARACTERS} characters): set it in the query`;
    return invalidMessage(`${updateMask.name}: ${problem}`, updateMask.name, problem);
  }
  return paths.length === 0 ? undefined : encodeUpdateMask(updateMask, paths);
}

/** The body is in its HttpBody unchanged; the rest is encoded, and appending merges the two. */
function encodeRaw(
  request: BoundRequest,
  body: MessageBody & { readonly kind: "raw" },
  options: RequestOptions,
): Uint8Array | Status {
  const { plan, beside } = request;
  const place = plan.httpBody;
  if (place === undefined) throw new Error(`${plan.text} does not take a raw body`);
  const { field } = place;
  const raw = encodeHttpBody(field, body.data, body.contentType);
  if (field === undefined) return raw;
  const clash = oneofClash(beside, field);
  if (clash !== undefined) return invalidMessage(`$: ${clash}`, field.name, clash);
  const rest = outcome(request, encodeTree(plan, beside, options.codecs), options);
  return rest instanceof Status ? rest : Buffer.concat([rest, raw]);
}

/** google/api/httpbody.proto: string content_type = 1; bytes data = 2. */
function encodeHttpBody(
  field: DescField | undefined,
  data: Uint8Array,
  contentType: string | undefined,
): Uint8Array {
  const out = new BinaryWriter();
  if (field !== undefined) out.uint32(field.number * 8 + 2).fork();
  if (contentType !== undefined && contentType !== "") out.uint32(1 * 8 + 2).string(contentType);
  if (data.length > 0) out.uint32(2 * 8 + 2).bytes(data);
  if (field !== undefined) out.join();
  return out.finish();
}

/** Values of a path or a query, in the form that `textToJson` parses. */
function textOf({ leaf }: FieldTarget, text: string, { read }: RequestOptions): string {
  if (leaf.enum !== undefined) return read.anyEnumCase === true ? enumName(leaf, text) : text;
  return read.looseValues === true ? looseText(leaf, text) : text;
}

function bindVariable({ target, text }: BoundField, codecs: Codecs, root: JsonObject): Status | undefined {
  const value = textToJson(target, text);
  const problem = "problem" in value ? value.problem : setSame(codecs, root, target, value.json);
  return problem === undefined ? undefined : invalid(target.key, problem, "path");
}

function jsonOf(
  body: MessageBody & { readonly kind: "text" | "json" },
): { readonly value: Json } | JsonProblem {
  if (body.kind === "json") return { value: body.json };
  const { text } = body;
  if (!isUtf8(text)) return { problem: "the text is not UTF-8", line: 1, column: 1 };
  return parseJson(Buffer.from(text.buffer, text.byteOffset, text.byteLength).toString("utf8"));
}

function queryRules(plan: BindingPlan, options: RequestOptions): QueryRules {
  return {
    input: plan.descriptor.input,
    body: plan.body,
    unknown: options.unknownQuery,
    ignored: options.ignoredQuery,
  };
}

/** The codec's error, as the response for the client: in terms of the path, the query or the body. */
function outcome(
  request: BoundRequest,
  result: Uint8Array | InvalidValue | JsonProblem,
  options: RequestOptions,
): Uint8Array | Status {
  if (result instanceof Uint8Array) return result;
  if ("line" in result) return notJson(result);
  return blame(request, options) ?? invalidValueStatus(request.plan, result);
}

/** The parameter that does not fit its field: each is tried separately. Only after an error. */
function blame(request: BoundRequest, options: RequestOptions): Status | undefined {
  const { plan, path, query } = request;
  const { codecs } = options;
  const problemOf = (target: FieldTarget, json: Json): string | undefined => {
    const result = encodeSingleField(codecs, target.leaf, json);
    return result instanceof Uint8Array ? undefined : result.problem;
  };
  for (const variable of plan.variables) {
    const captured = capture(plan, variable, path, options.read.keptEscapes) ?? "";
    const value = textToJson(variable.target, textOf(variable.target, captured, options));
    const problem = "json" in value ? problemOf(variable.target, value.json) : value.problem;
    if (problem !== undefined) return invalid(variable.target.key, problem, "path");
  }
  const rules = queryRules(plan, options);
  const tried = (name: string, text: string): string | undefined => {
    const parameter = findParameter(name, rules);
    if (parameter === undefined || typeof parameter === "string") return undefined;
    const value = textToJson(parameter.target, textOf(parameter.target, text, options));
    return "json" in value ? problemOf(parameter.target, parameterJson(parameter, value.json)) : undefined;
  };
  const found = eachParameter(query, tried, options.read.plusAsSpace);
  return found === undefined ? undefined : invalid(found.parameter, found.problem, "query");
}

/** The error of one field of a path, a query or a form. */
function invalid(field: string, problem: string, where: "path" | "query" | "form"): Status {
  const what = where === "form" ? "form field" : `${where} parameter`;
  const message =
    field === "" && where === "form" ? `the form: ${problem}` : `${what} '${cut(field, 100)}': ${problem}`;
  return refusal("INVALID_REQUEST", message, {
    details: [badRequest([{ field: cut(field, 100), description: problem }])],
  });
}

/** The error at a path in the body; `$` is the body's own JSON. */
function invalidValueStatus(plan: BindingPlan, { path, problem }: InvalidValue): Status {
  // The body's own JSON may be one field of the message.
  const within =
    plan.wrapped === undefined && typeof plan.body === "object" ? formatPath([plan.body.jsonName]) : "";
  const inBody = plan.body !== "none" && path.startsWith(within);
  const place = inBody ? path.slice(within.length) : path;
  const dot = place === "" || place.startsWith("[") || place.startsWith(".") ? "" : ".";
  const field = inBody && typeof plan.body === "object" ? plan.body.name + dot + place : place;
  const text = inBody ? `$${dot}${place}: ${problem}` : problem;
  return invalidMessage(text, field, problem);
}

function notJson({ problem, line, column }: JsonProblem): Status {
  return invalidMessage(`the body is not valid JSON: line ${line}, column ${column}: ${problem}`, "");
}

function invalidMessage(message: string, field: string, description = message): Status {
  return refusal("INVALID_REQUEST", message, { details: [badRequest([{ field, description }])] });
}

/**
 * The message of a binary body; undefined if the body is not a message, or not a field of the request, and for paths
 * without a rule, which accept only JSON.
 */
export function binaryBody({ body, descriptor, httpBody, source }: BindingPlan): DescMessage | undefined {
  if (source === "auto" || httpBody !== undefined || body === "none") return undefined;
  if (body === "all") return descriptor.input;
  return body.fieldKind === "message" ? body.message : undefined;
}

/** The message that the fields of a form fill; undefined if there is none, or forms are not allowed. */
function formBody({ forms, body, descriptor, source, wrapped }: BindingPlan): DescMessage | undefined {
  if (!forms || source === "auto" || body === "none" || wrapped !== undefined) return undefined;
  if (body === "all") return descriptor.input;
  return body.fieldKind === "message" ? body.message : undefined;
}

function unsupported(plan: BindingPlan, contentType: string | undefined): Status {
  const got = contentType === undefined ? "there is none" : `got '${cut(contentType, 100)}'`;
  const xml = plan.source === "auto" ? [] : XML_TYPES;
  const forms = formBody(plan) === undefined ? [] : FORM_TYPES;
  const binary = binaryBody(plan) === undefined ? [] : [PROTO_TYPE];
  const types = [...SUPPORTED_TYPES, ...xml, ...forms, ...binary];
  const supported = types.join(", ");
  const message = `this route takes Content-Type ${supported} (charset utf-8), ${got}`;
  return refusal("UNSUPPORTED_MEDIA_TYPE", message, { info: { supported } });
}
