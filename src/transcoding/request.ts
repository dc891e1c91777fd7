// A matched request → one protobuf message in bytes: the body first, then the query, then what the path binds.
import { isUtf8 } from "node:buffer";
import { type DescField, type DescMessage, toBinary } from "@bufbuild/protobuf";
import { type ReflectMessage, reflect } from "@bufbuild/protobuf/reflect";
import { refusal } from "../core/reasons.js";
import { Status } from "../core/status.js";
import { badRequest } from "../core/status-details.js";
import type { BindingPlan, Variable } from "./binding.js";
import { isJsonType, SUPPORTED_TYPES } from "./content-type.js";
import { isHttpBody } from "./fields.js";
import { parseJson } from "./json.js";
import type { JsonReader, Misfit } from "./json-reader.js";
import { decodeKeepingSlash, type RequestPath } from "./path.js";
import { type BoundField, readQuery } from "./query.js";
import { setSame, textToJson } from "./set-field.js";

export interface RequestOptions {
  readonly reader: JsonReader;
  readonly unknownQuery: "reject" | "ignore";
  readonly ignoredQuery: ReadonlySet<string>;
}

export function encodeRequest(
  plan: BindingPlan,
  path: RequestPath,
  query: string,
  body: Uint8Array,
  contentType: string | undefined,
  options: RequestOptions,
): Uint8Array | Status {
  const input = plan.descriptor.input;
  const message = readBody(plan, body, contentType, options.reader);
  if (message instanceof Status) return message;

  const bound: BoundField[] = [];
  for (const variable of plan.variables) {
    const text = capture(plan, variable, path);
    if (text === undefined)
      return invalid(variable.target.key, "the path is not percent-encoded UTF-8", "path");
    bound.push({ target: variable.target, text });
  }
  if (query !== "") {
    const rules = { input, body: plan.body, unknown: options.unknownQuery, ignored: options.ignoredQuery };
    const problem = readQuery(query, rules, bound, options.reader, message);
    if (problem !== undefined) return invalid(problem.parameter, problem.problem, "query");
  }
  for (const { target, text } of bound) {
    const value = textToJson(target.leaf, text);
    const problem = "problem" in value ? value.problem : setSame(options.reader, message, target, value.json);
    if (problem !== undefined) return invalid(target.key, problem, "path");
  }
  try {
    return toBinary(input, message.message);
  } catch (e) {
    // What is left: a required field (proto2) that nothing has set.
    return invalidMessage(e instanceof Error ? e.message : String(e), "");
  }
}

/** The text that a variable binds, decoded. */
function capture(plan: BindingPlan, variable: Variable, path: RequestPath): string | undefined {
  const last = path.raw.length - 1;
  const tail = plan.template.verb === undefined ? undefined : path.tail;
  if (!variable.multi) {
    return variable.from === last && tail !== undefined ? tail.head : path.decoded[variable.from];
  }
  const parts: string[] = [];
  const to = variable.deep ? path.raw.length : variable.to;
  for (let i = variable.from; i < to; i++) {
    const raw = i === last && tail !== undefined ? tail.rawHead : path.raw[i];
    const part = decodeKeepingSlash(raw ?? "");
    if (part === undefined) return undefined;
    parts.push(part);
  }
  return parts.join("/");
}

function readBody(
  plan: BindingPlan,
  body: Uint8Array,
  contentType: string | undefined,
  reader: JsonReader,
): ReflectMessage | Status {
  const input = plan.descriptor.input;
  // A page of another site may post without a preflight as long as it names no JSON: for paths that nobody wrote a
  // rule for, even an empty body must say what it is.
  if (plan.source === "auto" && !isJsonType(contentType)) return unsupported(contentType);
  if (body.length === 0) return reflect(input);
  if (plan.body === "none") {
    return refusal(
      "INVALID_REQUEST",
      `${plan.httpMethod} ${plan.text} takes no body: send its fields in the query`,
      { details: [badRequest([{ field: "", description: "this route takes no body" }])] },
    );
  }
  const httpBody = httpBodyOf(input, plan.body);
  if (httpBody !== undefined) return rawBody(input, httpBody, body, contentType);
  if (!isJsonType(contentType)) return unsupported(contentType);
  if (!isUtf8(body)) return invalidMessage("the body is not UTF-8", "");
  const parsed = parseJson(Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString("utf8"));
  if (!("value" in parsed)) {
    return invalidMessage(
      `the body is not valid JSON: line ${parsed.line}, column ${parsed.column}: ${parsed.problem}`,
      "",
    );
  }
  if (plan.body === "all") {
    const result = reader.read(input, parsed.value);
    return "message" in result ? reflect(input, result.message) : misfitStatus(result, "");
  }
  const message = reflect(input);
  const misfit = reader.merge(input, message.message, plan.body, parsed.value);
  return misfit === undefined ? message : misfitStatus(misfit, plan.body.name);
}

type HttpBodyPlace = { readonly desc: DescMessage; readonly field: DescField | undefined };

/** The google.api.HttpBody that takes the body as it is; undefined where the body is JSON. */
function httpBodyOf(input: DescMessage, body: "all" | DescField): HttpBodyPlace | undefined {
  if (body === "all") return isHttpBody(input) ? { desc: input, field: undefined } : undefined;
  return body.fieldKind === "message" && isHttpBody(body.message)
    ? { desc: body.message, field: body }
    : undefined;
}

function rawBody(
  input: DescMessage,
  place: HttpBodyPlace,
  body: Uint8Array,
  contentType: string | undefined,
): ReflectMessage {
  const message = reflect(input);
  const target = place.field === undefined ? message : reflect(place.desc);
  const [type, data] = [target.findNumber(1), target.findNumber(2)];
  if (type !== undefined && contentType !== undefined) target.set(type, contentType);
  if (data !== undefined) target.set(data, Uint8Array.from(body));
  if (place.field !== undefined) message.set(place.field, target);
  return message;
}

/** The refusal of one field of a path or a query. */
function invalid(field: string, problem: string, where: "path" | "query"): Status {
  const what = where === "path" ? "path parameter" : "query parameter";
  return refusal("INVALID_REQUEST", `${what} '${field.slice(0, 100)}': ${problem}`, {
    details: [badRequest([{ field: field.slice(0, 100), description: problem }])],
  });
}

/** The refusal of a place in the body; `$` is the body's own JSON. */
function misfitStatus(misfit: Misfit, bodyField: string): Status {
  const dot = misfit.path === "" || misfit.path.startsWith("[") ? "" : ".";
  const field = bodyField === "" ? misfit.path : `${bodyField}${dot}${misfit.path}`;
  return invalidMessage(`$${dot}${misfit.path}: ${misfit.problem}`, field, misfit.problem);
}

function invalidMessage(message: string, field: string, description = message): Status {
  return refusal("INVALID_REQUEST", message, { details: [badRequest([{ field, description }])] });
}

function unsupported(contentType: string | undefined): Status {
  const got = contentType === undefined ? "there is none" : `got '${contentType.slice(0, 100)}'`;
  const supported = SUPPORTED_TYPES.join(", ");
  const message = `this route takes Content-Type ${supported} (charset utf-8), ${got}`;
  return refusal("UNSUPPORTED_MEDIA_TYPE", message, { info: { supported } });
}
