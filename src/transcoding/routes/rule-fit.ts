// Whether an HTTP rule fits its method, by the outlines of its messages: at a fraction of the cost of their
// descriptors. Only a yes is certain; all other rules are checked with descriptors (rule-plan.ts).
import type { DescMethod } from "@bufbuild/protobuf";
import type { Template } from "../../kit/text/path-template.js";
import { isOutlined, type KnownOutlines, type Outline, type Outlines } from "../../schema/tables/outline.js";
import type { HttpRule } from "./http-rule.js";

export function fitsSurely(
  method: DescMethod,
  rule: HttpRule,
  template: Template,
  known: KnownOutlines,
): boolean {
  if (!isOutlined(method) || hasSpecialJson(method.inputName)) return false;
  const { outlines } = method;
  const input = known.of(outlines, method.inputName);
  if (input === undefined || !bodyFits(input, rule.body)) return false;
  const bound = new Set<string>();
  for (const { field } of template.variables) {
    if (bound.has(field) || field === rule.body) return false;
    if (!bindsScalar(input, field.split("."), known, outlines)) return false;
    bound.add(field);
  }
  const { responseBody } = rule;
  return (
    responseBody === "" ||
    responseBody === "*" ||
    known.of(outlines, method.outputName)?.has(responseBody) === true
  );
}

function bodyFits(input: Outline, body: string): boolean {
  if (body === "" || body === "*") return true;
  const field = input.get(body);
  return field !== undefined && !hasSpecialJson(field.message ?? "");
}

/** Few rules name fields any deeper. */
const MAX_STEPS = 8;

/** The steps lead through singular messages to a singular scalar or enum. */
function bindsScalar(
  input: Outline,
  steps: readonly string[],
  known: KnownOutlines,
  outlines: Outlines,
): boolean {
  if (steps.length > MAX_STEPS) return false;
  let message: Outline | undefined = input;
  for (const [i, step] of steps.entries()) {
    const field: ReturnType<Outline["get"]> = message?.get(step);
    if (field === undefined || field.repeated) return false;
    if (i === steps.length - 1) return field.message === undefined;
    if (field.message === undefined || hasSpecialJson(field.message)) return false;
    message = known.of(outlines, field.message);
  }
  return false;
}

/** The well-known types and google.api.HttpBody have their own rules. */
function hasSpecialJson(message: string): boolean {
  return message.startsWith("google.protobuf.") || message === "google.api.HttpBody";
}
