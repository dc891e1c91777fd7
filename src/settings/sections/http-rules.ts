// `http.rules`: HTTP rules laid over those of the services, as google.api.HttpRule writes them.
import type { Kit } from "../../config/kit.js";
import { HTTP_RULE_SELECTOR } from "../../config/names.js";
import { parseTemplate } from "../../kit/text/path-template.js";

const MAX_RULES = 10_000;
const MAX_BINDINGS = 100;

const VERBS = ["get", "put", "post", "delete", "patch", "custom"] as const;

const template = ({ z }: Kit) =>
  z
    .string({ error: "must be a path template, as in /v1/{name=books/*}" })
    .regex(/^\//, { error: "must be a path template that starts with /, as in /v1/{name=books/*}" })
    .superRefine((text, context) => {
      const read = parseTemplate(text);
      if (text.startsWith("/") && "error" in read) {
        const message = `is no path template: character ${read.column}: ${read.error}`;
        context.addIssue({ code: "custom", message });
      }
    });

// One field, by its name or its JSON name (which may be nearly any text): google.api.HttpRule has no paths into a field
// here.
const FIELD_OR_ALL = /^[^\s./{}]*$/;
const REQUEST_FIELD = "must be the name of a field of the request itself, or *";
const RESPONSE_FIELD = "must be the name of a field of the response itself, or *";

function verbs(kit: Kit) {
  const { z } = kit;
  return {
    get: template(kit).optional(),
    put: template(kit).optional(),
    post: template(kit).optional(),
    delete: template(kit).optional(),
    patch: template(kit).optional(),
    custom: z
      .strictObject({
        kind: z
          .string()
          .regex(/^(\*|[A-Z][A-Z-]{0,31})$/, { error: "must be an HTTP method in capitals, or *" })
          .describe("The HTTP method; * stands for every one."),
        path: template(kit),
      })
      .optional()
      .describe("Any other HTTP method."),
    body: z
      .string({ error: REQUEST_FIELD })
      .regex(FIELD_OR_ALL, { error: REQUEST_FIELD })
      .optional()
      .describe("The request field that the HTTP body fills; * for the whole message; left out: no body."),
    response_body: z
      .string({ error: RESPONSE_FIELD })
      .regex(FIELD_OR_ALL, { error: RESPONSE_FIELD })
      .optional()
      .describe("The response field that becomes the HTTP body; left out: the whole message."),
    responseBody: z
      .string({ error: RESPONSE_FIELD })
      .regex(FIELD_OR_ALL, { error: RESPONSE_FIELD })
      .optional()
      .describe("Another spelling of response_body."),
  };
}

function oneVerb(value: object): boolean {
  return VERBS.filter((verb) => Reflect.get(value, verb) !== undefined).length === 1;
}
function spelledOnce(one: string, other: string): (value: object) => boolean {
  return (value) => Reflect.get(value, one) === undefined || Reflect.get(value, other) === undefined;
}
export function httpRules(kit: Kit) {
  const { z, isMapping } = kit;
  const keys = verbs(kit);
  const oneVerbOnly = { error: `must have exactly one of ${VERBS.join(", ")}`, when: isMapping };

  const binding = z
    .strictObject(keys)
    .refine(oneVerb, oneVerbOnly)
    .refine(spelledOnce("response_body", "responseBody"), {
      error: "must not have both response_body and responseBody",
      when: isMapping,
    });
  const bindings = z.array(binding).max(MAX_BINDINGS).optional();

  const rule = z
    .strictObject({
      selector: z
        .string({ error: HTTP_RULE_SELECTOR.expected })
        .regex(HTTP_RULE_SELECTOR.pattern, { error: HTTP_RULE_SELECTOR.expected })
        .describe("The method, as pkg.Service.Method."),
      ...keys,
      additional_bindings: bindings.describe("More routes of the same method."),
      additionalBindings: bindings.describe("Another spelling of additional_bindings."),
    })
    .refine(oneVerb, oneVerbOnly)
    .refine(spelledOnce("response_body", "responseBody"), {
      error: "must not have both response_body and responseBody",
      when: isMapping,
    })
    .refine(spelledOnce("additional_bindings", "additionalBindings"), {
      error: "must not have both additional_bindings and additionalBindings",
      when: isMapping,
    });
  return z
    .array(rule)
    .max(MAX_RULES)
    .prefault([])
    .describe("HTTP rules laid over those of the services, as google.api.HttpRule writes them.")
    .meta({ examples: [[{ selector: "library.v1.LibraryService.GetBook", get: "/v1/{name=books/*}" }]] });
}
