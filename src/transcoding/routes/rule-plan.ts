// The route of an HTTP rule. A large schema has thousands of rules, and few are ever called: bindings are resolved on
// demand, if the rule is known to fit without them (rule-fit.ts).
import type { DescField, DescMessage, DescMethod } from "@bufbuild/protobuf";
import type { Method } from "../../call/call.js";
import { parseTemplate, type Template } from "../../kit/text/path-template.js";
import { KnownOutlines } from "../../schema/tables/outline.js";
import { fieldsOfRules, hasOwnJson, isHttpBody, isScalarLike, isWrapper } from "../messages/fields.js";
import { updateMaskOf } from "../messages/update-mask.js";
import type { BindingPlan, BindingSource, HttpBodyField, Variable } from "./binding.js";
import type { HttpRule } from "./http-rule.js";
import { type PathField, planPathMessage } from "./path-message.js";
import { fitsSurely } from "./rule-fit.js";
import { resolveRuleField } from "./set-field.js";

/** The combination of a rule and the fields of its method's messages. */
type Bound = Pick<
  BindingPlan,
  "variables" | "pathMessage" | "body" | "httpBody" | "updateMask" | "wrapped" | "ownJson" | "responseField"
>;

/**
 * Checks one rule, without its additional bindings; a string describes the error.
 * @param known shared by all rules of one planning
 */
export function planBinding(
  method: Method,
  descriptor: DescMethod,
  rule: HttpRule,
  source: BindingSource,
  forms = false,
  known = new KnownOutlines(),
): BindingPlan | string {
  const { httpMethod } = rule;
  if (httpMethod === undefined)
    return "the rule has no pattern: it needs get, put, post, delete, patch or custom";
  // RFC 9110 §5.6.2: a method is a token; `*` is one too, and here means any method.
  if (!/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(httpMethod)) return `'${httpMethod}' is no HTTP method`;
  const template = parseTemplate(rule.template);
  if ("error" in template) return `column ${template.column} of '${rule.template}': ${template.error}`;
  const plan = new RulePlan({ method, descriptor, httpMethod, template, source, forms }, rule);
  return fitsSurely(descriptor, rule, template, known) ? plan : (plan.problem ?? plan);
}

class RulePlan implements BindingPlan {
  readonly method: Method;
  readonly descriptor: DescMethod;
  readonly httpMethod: string;
  readonly template: Template;
  readonly text: string;
  readonly source: BindingSource;
  readonly forms: boolean;
  readonly rule: HttpRule;
  #bound: Bound | string | undefined;

  constructor(
    parts: Pick<BindingPlan, "method" | "descriptor" | "httpMethod" | "template" | "source" | "forms">,
    rule: HttpRule,
  ) {
    this.method = parts.method;
    this.descriptor = parts.descriptor;
    this.httpMethod = parts.httpMethod;
    this.template = parts.template;
    this.text = rule.template;
    this.source = parts.source;
    this.forms = parts.forms;
    this.rule = rule;
  }

  /** Why the rule does not fit its method. */
  get problem(): string | undefined {
    this.#bound ??= bind(this, this.rule);
    return typeof this.#bound === "string" ? this.#bound : undefined;
  }

  get variables(): readonly Variable[] {
    return this.#parts.variables;
  }

  get pathMessage(): readonly PathField[] | undefined {
    return this.#parts.pathMessage;
  }

  get body(): BindingPlan["body"] {
    return this.#parts.body;
  }

  get httpBody(): HttpBodyField | undefined {
    return this.#parts.httpBody;
  }

  get updateMask(): DescField | undefined {
    return this.#parts.updateMask;
  }

  get wrapped(): DescField | undefined {
    return this.#parts.wrapped;
  }

  get ownJson(): boolean {
    return this.#parts.ownJson;
  }

  get responseField(): DescField | undefined {
    return this.#parts.responseField;
  }

  get #parts(): Bound {
    this.#bound ??= bind(this, this.rule);
    // planBinding returns no plan that does not fit.
    if (typeof this.#bound === "string") throw new Error(`${this.method.path}: ${this.#bound}`);
    return this.#bound;
  }
}

/** A string describes the error of the rule. */
function bind({ descriptor, httpMethod, template }: BindingPlan, rule: HttpRule): Bound | string {
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
      return fail(`'${variable.field}' is repeated: a path binds only singular fields`);
    }
    if (leaf.fieldKind === "message" && !isScalarLike(leaf.message)) {
      return fail(
        `'${variable.field}' is a message: a path binds only scalars, enums and types whose JSON is a string`,
      );
    }
    if (variables.some((v) => v.target.key === target.key)) return fail(`'${variable.field}' is bound twice`);
    if (target.leaf === body && target.parents.length === 0) {
      return fail(`'${variable.field}' is bound by the path and also by the body`);
    }
    const inBody = body === "all" || (body !== "none" && target.parents[0] === body);
    if (inBody && httpBody !== undefined) {
      return fail(`'${variable.field}' is in the google.api.HttpBody that receives the raw body`);
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
  return {
    variables,
    pathMessage: body === "none" ? planPathMessage(descriptor.input, variables) : undefined,
    body,
    httpBody,
    updateMask: planUpdateMask(descriptor.input, httpMethod, body, variables),
    wrapped: isWrapper(descriptor.input) ? descriptor.input.fields[0] : undefined,
    ownJson: hasOwnJson(descriptor.input),
    responseField,
  };
}

function planHttpBody(input: DescMessage, body: BindingPlan["body"]): HttpBodyField | undefined {
  if (body === "all") return isHttpBody(input) ? { desc: input, field: undefined } : undefined;
  if (body === "none" || body.fieldKind !== "message" || !isHttpBody(body.message)) return undefined;
  return { desc: body.message, field: body };
}

/** When a mask is filled: PATCH of one message, which is not the whole request. */
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
    return { problem: `body: ${input.typeName} has its own JSON format: its body must be '*' or absent` };
  }
  const hint = body.includes(".") ? "; a body must be '*' or a top-level field of the request" : "";
  return { problem: `body: ${input.typeName} has no field '${body}'${hint}` };
}
