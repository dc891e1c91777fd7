// A rule checked against its method: what a request that matches binds where. Made at load, used by every call.
import type { DescField, DescMessage, DescMethod } from "@bufbuild/protobuf";
import type { Method } from "../core/call.js";
import { parseTemplate, type Template } from "../core/path-template.js";
import { fieldsOfRules, hasOwnJson, isHttpBody, isScalarLike, isWrapper } from "./fields.js";
import type { HttpRule } from "./http-rule.js";
import { type PathField, planPathMessage } from "./path-message.js";
import { type FieldTarget, resolveRuleField } from "./set-field.js";
import { updateMaskOf } from "./update-mask.js";

export type BindingSource = "option" | "config" | "auto";

export interface Variable {
  readonly target: FieldTarget;
  /** Places in the template, `to` exclusive. Those behind its `**` go with the path's end (see `placeIn`). */
  readonly from: number;
  readonly to: number;
  /** Binds more than one segment, or any number: an escaped slash in it stays escaped. */
  readonly multi: boolean;
  /** The body may set the field too. */
  readonly inBody: boolean;
}

/** The google.api.HttpBody that takes a body as it comes. */
export interface HttpBodyPlace {
  readonly desc: DescMessage;
  /** undefined: it is the request itself. */
  readonly field: DescField | undefined;
}

export interface BindingPlan {
  readonly method: Method;
  readonly descriptor: DescMethod;
  /** HTTP method, or `*` for any. */
  readonly httpMethod: string;
  readonly template: Template;
  /** The template as written. */
  readonly text: string;
  readonly source: BindingSource;
  readonly variables: readonly Variable[];
  /** How path alone makes the whole message, where there is neither query nor body; undefined: not without JSON. */
  readonly pathMessage: readonly PathField[] | undefined;
  readonly body: "all" | "none" | DescField;
  /** undefined: the body is JSON. */
  readonly httpBody: HttpBodyPlace | undefined;
  /** The field mask that is filled from the body's fields; undefined: none is. */
  readonly updateMask: DescField | undefined;
  /** The one field of a request that is a wrapper (google.protobuf.StringValue, …); undefined for other messages. */
  readonly wrapped: DescField | undefined;
  /** The request is a well-known type whose JSON is no object of its fields. */
  readonly ownJson: boolean;
  /** HTML forms are bodies too. */
  readonly forms: boolean;
  /** Print this field instead of the whole message. */
  readonly responseField: DescField | undefined;
}

/** Checks one rule, without its additional bindings; a string says what is wrong, and where. */
export function planBinding(
  method: Method,
  descriptor: DescMethod,
  rule: HttpRule,
  source: BindingSource,
  forms = false,
): BindingPlan | string {
  if (rule.httpMethod === undefined)
    return "the rule has no pattern: it needs get, put, post, delete, patch or custom";
  // RFC 9110 §5.6.2: a method is a token; `*` is one too, and here means any.
  if (!/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(rule.httpMethod)) {
    return `'${rule.httpMethod}' is no HTTP method`;
  }
  const template = parseTemplate(rule.template);
  if ("error" in template) return `column ${template.column} of '${rule.template}': ${template.error}`;

  const body = planBody(descriptor.input, rule.body);
  if (typeof body === "object" && "problem" in body) return body.problem;
  const httpBody = planHttpBody(descriptor.input, body);
  const variables: Variable[] = [];
  for (const variable of template.variables) {
    const fail = (problem: string) => `column ${variable.column} of '${rule.template}': ${problem}`;
    const target = resolveRuleField(descriptor.input, variable.field);
    if (typeof target === "string") return fail(target);
    const leaf = target.leaf;
    if (leaf.fieldKind === "list" || leaf.fieldKind === "map") {
      return fail(`'${variable.field}' is repeated: a path binds singular fields`);
    }
    if (leaf.fieldKind === "message" && !isScalarLike(leaf.message)) {
      return fail(
        `'${variable.field}' is a message: a path binds scalars, enums and types whose JSON is a string`,
      );
    }
    if (variables.some((v) => v.target.key === target.key)) return fail(`'${variable.field}' is bound twice`);
    if (target.leaf === body && target.parents.length === 0) {
      return fail(`'${variable.field}' is bound by the path and is the body too`);
    }
    const inBody = body === "all" || (body !== "none" && target.parents[0] === body);
    if (inBody && httpBody !== undefined) {
      return fail(`'${variable.field}' is in the google.api.HttpBody that takes the body as it comes`);
    }
    const deep = variable.from <= template.deepAt && template.deepAt < variable.to;
    variables.push({
      target,
      from: variable.from,
      to: variable.to,
      multi: deep || variable.to - variable.from > 1,
      inBody,
    });
  }
  let responseField: DescField | undefined;
  if (rule.responseBody !== "" && rule.responseBody !== "*") {
    responseField = fieldsOfRules(descriptor.output).get(rule.responseBody);
    if (responseField === undefined) {
      return `response_body: ${descriptor.output.typeName} has no field '${rule.responseBody}'`;
    }
  }
  const { httpMethod } = rule;
  return {
    method,
    descriptor,
    httpMethod,
    template,
    text: rule.template,
    source,
    variables,
    pathMessage: body === "none" ? planPathMessage(descriptor.input, variables) : undefined,
    body,
    httpBody,
    updateMask: planUpdateMask(descriptor.input, httpMethod, body, variables),
    wrapped: isWrapper(descriptor.input) ? descriptor.input.fields[0] : undefined,
    ownJson: hasOwnJson(descriptor.input),
    forms,
    responseField,
  };
}

/** A route's answer is a stream of messages. */
export function givesStream({ descriptor: { methodKind } }: Pick<BindingPlan, "descriptor">): boolean {
  return methodKind === "server_streaming" || methodKind === "bidi_streaming";
}

/** A route's answer is an HttpBody. */
export function givesHttpBody({ descriptor, responseField }: BindingPlan): boolean {
  if (responseField === undefined) return isHttpBody(descriptor.output);
  return responseField.fieldKind === "message" && isHttpBody(responseField.message);
}

function planHttpBody(input: DescMessage, body: BindingPlan["body"]): HttpBodyPlace | undefined {
  if (body === "all") return isHttpBody(input) ? { desc: input, field: undefined } : undefined;
  if (body === "none" || body.fieldKind !== "message" || !isHttpBody(body.message)) return undefined;
  return { desc: body.message, field: body };
}

/** Where a mask is filled: PATCH of one message, which is not the whole request. */
function planUpdateMask(
  input: DescMessage,
  httpMethod: string,
  body: BindingPlan["body"],
  variables: readonly Variable[],
): DescField | undefined {
  if (httpMethod !== "PATCH" || typeof body === "string" || body.fieldKind !== "message") return undefined;
  if (hasOwnJson(body.message) || isHttpBody(body.message)) return undefined;
  const mask = updateMaskOf(input);
  return mask === undefined || mask === body || variables.some((v) => v.target.leaf === mask)
    ? undefined
    : mask;
}

function planBody(
  input: DescMessage,
  body: string,
): "all" | "none" | DescField | { readonly problem: string } {
  if (body === "") return "none";
  if (body === "*") return "all";
  const field = fieldsOfRules(input).get(body);
  if (field !== undefined) {
    if (!hasOwnJson(input) || isWrapper(input)) return field;
    return { problem: `body: ${input.typeName} has a JSON form of its own: its body is '*' or none` };
  }
  const hint = body.includes(".") ? "; a body is '*' or a field of the request itself" : "";
  return { problem: `body: ${input.typeName} has no field '${body}'${hint}` };
}
