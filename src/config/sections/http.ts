// The config's part about the HTTP/JSON side: rules laid over those of the services, and how strict requests are read.
import * as z from "zod";
import { parseTemplate } from "../../kit/text/path-template.js";
import { DEFAULTS } from "../defaults.js";
import { type HttpAnswersConfig, type HttpReadConfig, KEPT_ESCAPES, presetOf } from "../http-presets.js";
import { HTTP_RULE_SELECTOR } from "../names.js";
import { isMapping } from "../values.js";
import { answersOf, HTTP_ANSWERS } from "./http-answers.js";

export interface HttpRuleConfig {
  /** `pkg.Service.Method`, as in google.api.Http selectors */
  readonly selector: string;
  /** the google.api.HttpRule in its JSON form, selector left out */
  readonly rule: Readonly<Record<string, unknown>>;
}

/** Whether what no field takes is refused or passed over. */
export type Unknown = "reject" | "ignore";

/** How messages print as JSON. All false by default, as ProtoJSON has it. */
export interface HttpPrintConfig {
  /** Fields without presence print even where they have their default. */
  readonly emitDefaults: boolean;
  /** With `emitDefaults`: unset messages, and scalars of proto2, print as null. */
  readonly emitNulls: boolean;
  /** `display_name` instead of `displayName`. */
  readonly protoNames: boolean;
  readonly enumsAsNumbers: boolean;
  /** Loses digits beyond 2^53 in most readers. */
  readonly int64AsNumbers: boolean;
}

export interface HttpConfig extends HttpAnswersConfig {
  /** What every REST path starts with, as in `/api`; "" for nothing. */
  readonly prefix: string;
  readonly rules: readonly HttpRuleConfig[];
  /** Query parameters that name no field. */
  readonly unknownQuery: Unknown;
  /** Query parameters that are always passed over, unless they name fields. */
  readonly ignoredQuery: readonly string[];
  /** Fields of a body that its message does not have. */
  readonly unknownFields: Unknown;
  readonly print: HttpPrintConfig;
  readonly read: HttpReadConfig;
  /** `alt`, `fields` and `prettyPrint` mean what `$alt`, `$fields` and `$prettyPrint` do, where no field has the name. */
  readonly bareSystemParameters: boolean;
  /** Sites whose pages may open WebSockets; undefined: no WebSockets. */
  readonly webSocketOrigins: readonly string[] | undefined;
  /** POST with X-HTTP-Method-Override is a request of that method. */
  readonly methodOverride: boolean;
  /** Path of the OpenAPI document without `.json` and `.yaml`; false: there is none. */
  readonly openapi: string | false;
  /** Path of the API page, which needs the document. */
  readonly docs: string | false;
  /** Path of the hub's health. */
  readonly health: string | false;
}

/** For the schema: what holds without a preset. */
const STRICT = presetOf("strict");

const MAX_RULES = 10_000;
const MAX_BINDINGS = 100;
const MAX_IGNORED = 100;

const PARAMETER = "must be the name of a query parameter";
const UNKNOWN = ["reject", "ignore"] as const;
const unknown = z.enum(UNKNOWN, { error: "must be reject or ignore" });

const print = z
  .strictObject({
    emitDefaults: z
      .boolean()
      .optional()
      .describe(
        "Print fields without presence even where they have their default: 0, false, empty. Default false.",
      )
      .meta({ default: false }),
    emitNulls: z
      .boolean()
      .optional()
      .describe(
        "With emitDefaults: print null for messages that are not set, and proto2's scalars; members of a oneof are left out.",
      )
      .meta({ default: false }),
    protoNames: z.boolean().prefault(false).describe("Print display_name instead of displayName."),
    enumsAsNumbers: z.boolean().prefault(false).describe("Print enums as numbers instead of names."),
    int64AsNumbers: z
      .boolean()
      .prefault(false)
      .describe("Print 64-bit integers as numbers instead of strings: JavaScript loses digits beyond 2^53."),
  })
  .prefault({})
  .describe("How messages print as JSON.");

const read = z
  .strictObject({
    anyContentType: z
      .boolean()
      .optional()
      .describe(
        "Whether a body of an unknown Content-Type, or of none, is read as JSON where a rule was written for its path: pages of other sites can then send it without being asked. Default false: 415.",
      )
      .meta({ default: STRICT.read.anyContentType }),
    anyAccept: z
      .boolean()
      .optional()
      .describe("Whether an Accept that nothing meets is passed over. Default false: 406.")
      .meta({ default: STRICT.read.anyAccept }),
    extraBody: unknown
      .optional()
      .describe("What happens to a body where the rule has none: reject answers 400.")
      .meta({ default: STRICT.read.extraBody }),
    looseValues: z
      .boolean()
      .optional()
      .describe(
        "Whether paths and queries may have 1, t, yes and their like for booleans, and durations such as 1m30s.",
      )
      .meta({ default: STRICT.read.looseValues }),
    anyEnumCase: z
      .boolean()
      .optional()
      .describe("Whether names of enum values may be written in any case, in paths, queries and bodies.")
      .meta({ default: STRICT.read.anyEnumCase }),
    plusAsSpace: z
      .boolean()
      .optional()
      .describe("Whether + in a query is a space, as in HTML forms; false: it stands for itself.")
      .meta({ default: STRICT.read.plusAsSpace }),
    keptEscapes: z
      .enum(KEPT_ESCAPES, { error: `must be ${KEPT_ESCAPES.join(", ")}` })
      .optional()
      .describe(
        "Which escapes stay in the values of path variables of several segments: slash, %2F alone; reserved, those of RFC 6570's reserved characters; none.",
      )
      .meta({ default: STRICT.read.keptEscapes }),
    fillUpdateMask: z
      .boolean()
      .optional()
      .describe("Whether the field mask of a PATCH that names none is filled from the fields of its body.")
      .meta({ default: STRICT.read.fillUpdateMask }),
  })
  .prefault({})
  .describe("How loosely requests are read.");

const ORIGIN = "must be an origin such as https://app.example, or *";
const webSocket = z.strictObject({
  origins: z
    .array(
      z.string({ error: ORIGIN }).regex(/^(?:\*|https?:\/\/[a-z0-9.-]+(?::\d{1,5})?)$/, { error: ORIGIN }),
    )
    .max(100)
    .prefault([])
    .describe("Sites whose pages may open WebSockets, besides the hub's own; * stands for all.")
    .meta({ examples: [["https://app.example"]] }),
});

const VERBS = ["get", "put", "post", "delete", "patch", "custom"] as const;

const template = z
  .string({ error: "must be a path template, as in /v1/{name=books/*}" })
  .regex(/^\//, { error: "must be a path template that starts with /, as in /v1/{name=books/*}" })
  .superRefine((text, context) => {
    const read = parseTemplate(text);
    if (text.startsWith("/") && "error" in read) {
      const message = `is no path template: character ${read.column}: ${read.error}`;
      context.addIssue({ code: "custom", message });
    }
  });

// One field, by its name or its JSON name (which may be nearly any text): google.api.HttpRule takes no path into a field.
const FIELD_OR_ALL = /^[^\s./{}]*$/;
const REQUEST_FIELD = "must be the name of a field of the request itself, or *";
const RESPONSE_FIELD = "must be the name of a field of the response itself, or *";

const BINDING = {
  get: template.optional(),
  put: template.optional(),
  post: template.optional(),
  delete: template.optional(),
  patch: template.optional(),
  custom: z
    .strictObject({
      kind: z
        .string()
        .regex(/^(\*|[A-Z][A-Z-]{0,31})$/, { error: "must be an HTTP method in capitals, or *" })
        .describe("The HTTP method; * stands for every one."),
      path: template,
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

function oneVerb(value: object): boolean {
  return VERBS.filter((verb) => Reflect.get(value, verb) !== undefined).length === 1;
}
function spelledOnce(one: string, other: string): (value: object) => boolean {
  return (value) => Reflect.get(value, one) === undefined || Reflect.get(value, other) === undefined;
}
const ONE_VERB = { error: `must have exactly one of ${VERBS.join(", ")}`, when: isMapping };

const binding = z
  .strictObject(BINDING)
  .refine(oneVerb, ONE_VERB)
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
    ...BINDING,
    additional_bindings: bindings.describe("More routes of the same method."),
    additionalBindings: bindings.describe("Another spelling of additional_bindings."),
  })
  .refine(oneVerb, ONE_VERB)
  .refine(spelledOnce("response_body", "responseBody"), {
    error: "must not have both response_body and responseBody",
    when: isMapping,
  })
  .refine(spelledOnce("additional_bindings", "additionalBindings"), {
    error: "must not have both additional_bindings and additionalBindings",
    when: isMapping,
  });

const PAGE = "must be a path such as /docs, or false";
const page = z.union(
  [z.literal(false), z.string({ error: PAGE }).regex(/^(?:\/[A-Za-z0-9._~-]+)+$/, { error: PAGE })],
  { error: PAGE },
);

export const httpSection = z
  .strictObject({
    prefix: z
      .string({ error: "must be a path such as /api" })
      .regex(/^(?:(?:\/[A-Za-z0-9._~-]+)+)?$/, {
        error: "must be a path such as /api, without a slash at its end",
      })
      .prefault(DEFAULTS.httpPrefix)
      .describe("What every REST path of the services starts with.")
      .meta({ examples: ["/api"] }),
    rules: z
      .array(rule)
      .max(MAX_RULES)
      .prefault([])
      .describe("HTTP rules laid over those of the services, as google.api.HttpRule writes them.")
      .meta({ examples: [[{ selector: "library.v1.LibraryService.GetBook", get: "/v1/{name=books/*}" }]] }),
    unknownQuery: unknown
      .optional()
      .describe("What happens to query parameters that name no field: reject answers 400.")
      .meta({ default: DEFAULTS.unknownQuery }),
    ignoredQuery: z
      .array(z.string({ error: PARAMETER }).min(1, { error: PARAMETER }).max(128, { error: PARAMETER }))
      .max(MAX_IGNORED)
      .prefault([])
      .describe(
        "Query parameters that are passed over even with unknownQuery: reject, unless they name fields.",
      )
      .meta({ examples: [["utm_source", "utm_campaign"]] }),
    unknownFields: unknown
      .optional()
      .describe(
        "What happens to fields of a JSON body that its message does not have: reject answers 400. Default reject.",
      )
      .meta({ default: DEFAULTS.unknownFields }),
    print,
    read,
    bareSystemParameters: z
      .boolean()
      .prefault(DEFAULTS.bareSystemParameters)
      .describe(
        "Whether alt, fields and prettyPrint in a query mean $alt, $fields and $prettyPrint, where the request has no field of that name.",
      ),
    webSocket: z
      .union([z.literal(false), webSocket], { error: "must be false, or have origins" })
      .prefault({})
      .describe("WebSockets for streaming methods; false switches them off."),
    methodOverride: z
      .boolean()
      .optional()
      .describe("Whether POST with X-HTTP-Method-Override counts as a request of the method named there.")
      .meta({ default: DEFAULTS.methodOverride }),
    openapi: page
      .prefault(DEFAULTS.httpOpenapi)
      .describe(
        "Where the OpenAPI document of the routes is, with .json and .yaml behind it; false: nowhere.",
      ),
    docs: page
      .prefault(DEFAULTS.httpDocs)
      .describe("Where the API page is; false, or without the OpenAPI document: nowhere."),
    health: page
      .prefault(DEFAULTS.httpHealth)
      .describe("Where the hub tells its health to HTTP clients, as 200 or 503; false: nowhere."),
    ...HTTP_ANSWERS,
  })
  .superRefine(({ docs, health }, ctx) => {
    if (docs !== false && docs === health) {
      ctx.addIssue({ code: "custom", message: "must not be the path of http.docs", path: ["health"] });
    }
  })
  .prefault({})
  .describe("The HTTP/JSON side of the services.");

export function httpOf(file: z.output<typeof httpSection>): HttpConfig {
  const { webSocket } = file;
  const preset = presetOf(file.preset);
  const { emitDefaults = preset.emitDefaults, emitNulls = preset.emitNulls, ...print } = file.print;
  return {
    prefix: file.prefix,
    rules: file.rules.map(({ selector, ...rule }) => ({ selector, rule })),
    unknownQuery: file.unknownQuery ?? preset.unknownQuery,
    ignoredQuery: file.ignoredQuery,
    unknownFields: file.unknownFields ?? preset.unknownFields,
    print: { ...print, emitDefaults, emitNulls },
    read: readOf(file.read, preset.read),
    bareSystemParameters: file.bareSystemParameters,
    methodOverride: file.methodOverride ?? preset.methodOverride,
    openapi: file.openapi,
    docs: file.docs,
    health: file.health,
    webSocketOrigins: webSocket === false ? undefined : webSocket.origins,
    ...answersOf(file),
  };
}

function readOf(file: z.output<typeof read>, preset: HttpReadConfig): HttpReadConfig {
  return {
    anyContentType: file.anyContentType ?? preset.anyContentType,
    anyAccept: file.anyAccept ?? preset.anyAccept,
    extraBody: file.extraBody ?? preset.extraBody,
    looseValues: file.looseValues ?? preset.looseValues,
    anyEnumCase: file.anyEnumCase ?? preset.anyEnumCase,
    plusAsSpace: file.plusAsSpace ?? preset.plusAsSpace,
    keptEscapes: file.keptEscapes ?? preset.keptEscapes,
    fillUpdateMask: file.fillUpdateMask ?? preset.fillUpdateMask,
  };
}
