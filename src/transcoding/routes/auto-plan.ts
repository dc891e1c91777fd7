// The default route of every method: POST to its gRPC path, with the message as body. Of thousands of methods few are
// called, so their messages are looked up on demand.
import type { DescField, DescMethod } from "@bufbuild/protobuf";
import type { Method } from "../../call/call.js";
import { parseTemplate, type Template } from "../../kit/text/path-template.js";
import { hasOwnJson, isHttpBody, isWrapper } from "../messages/fields.js";
import type { BindingPlan, HttpBodyField } from "./binding.js";

const RULE = { body: "*", responseBody: "" };

export class AutoPlan implements BindingPlan {
  readonly method: Method;
  readonly descriptor: DescMethod;
  readonly httpMethod = "POST";
  readonly template: Template;
  readonly text: string;
  readonly source = "auto";
  readonly rule = RULE;
  readonly variables = [];
  readonly pathMessage = undefined;
  readonly body = "all";
  readonly updateMask = undefined;
  readonly forms = false;
  readonly responseField = undefined;

  private constructor(method: Method, descriptor: DescMethod, template: Template) {
    this.method = method;
    this.descriptor = descriptor;
    this.template = template;
    this.text = method.path;
  }

  /** undefined: the path is not a valid template, since the method's names are not valid in a .proto file. */
  static of(method: Method, descriptor: DescMethod): AutoPlan | undefined {
    const template = parseTemplate(method.path);
    return "error" in template || template.variables.length > 0
      ? undefined
      : new AutoPlan(method, descriptor, template);
  }

  get httpBody(): HttpBodyField | undefined {
    const { input } = this.descriptor;
    return isHttpBody(input) ? { desc: input, field: undefined } : undefined;
  }

  get wrapped(): DescField | undefined {
    const { input } = this.descriptor;
    return isWrapper(input) ? input.fields[0] : undefined;
  }

  get ownJson(): boolean {
    return hasOwnJson(this.descriptor.input);
  }
}
