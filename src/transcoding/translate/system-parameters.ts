// System parameters of a query, which control the response's format: $alt, $prettyPrint, $fields.
import type { DescMessage } from "@bufbuild/protobuf";
import { hasOwnJson, isHttpBody } from "../messages/fields.js";
import { type FieldsMask, maskOfField, messageIn, parseFieldsMask } from "../messages/fields-mask.js";
import { type BindingPlan, givesHttpBody, givesStream } from "../routes/binding.js";
import { PROTO_TYPE } from "./content-type.js";

/** The Accept value of each `$alt`. */
export const ALT_TYPES = {
  json: "application/json",
  ndjson: "application/x-ndjson",
  sse: "text/event-stream",
  xml: "application/xml",
  proto: PROTO_TYPE,
} as const;
export type Alt = keyof typeof ALT_TYPES;
const ALTS: readonly Alt[] = ["json", "ndjson", "sse", "xml", "proto"];

/** Those that apply to a route's response: none if it is the bytes of an HttpBody. */
export function altsOf(plan: BindingPlan): readonly Alt[] {
  if (givesHttpBody(plan)) return [];
  const streams = givesStream(plan);
  return ALTS.filter((alt) => {
    if (alt === "proto") return plan.responseField === undefined;
    return streams || (alt !== "ndjson" && alt !== "sse");
  });
}

export interface SystemParameters {
  /** undefined: as Accept has it. */
  readonly alt: Alt | undefined;
  /** undefined: as configured. */
  readonly enumAsNumbers: boolean | undefined;
  readonly pretty: boolean;
  /** Over the whole response message, even if `response_body` prints one field of it. undefined: everything. */
  readonly fields: FieldsMask | undefined;
}

/** The message whose fields `$fields` selects; undefined: the response is not a message, or has its own format. */
export function chosenFrom({ responseField, descriptor }: BindingPlan): DescMessage | undefined {
  const desc = responseField === undefined ? descriptor.output : messageIn(responseField);
  return desc === undefined || hasOwnJson(desc) || isHttpBody(desc) ? undefined : desc;
}

/** No system parameter was given. */
export const NO_SYSTEM_PARAMETERS: SystemParameters = {
  alt: undefined,
  enumAsNumbers: undefined,
  pretty: false,
  fields: undefined,
};

const NAMES = ["$alt", "$prettyPrint", "$fields"] as const;
type Name = (typeof NAMES)[number];

/** The system parameter of a query name; undefined if it is unknown. */
export function systemParameterOf(name: string, bareNames: boolean): Name | undefined {
  const full = bareNames && !name.startsWith("$") ? `$${name}` : name;
  return NAMES.find((known) => known === full);
}

/** The error for an unknown name that begins with `$`. */
export const UNKNOWN_SYSTEM_PARAMETER = `unknown system parameter; supported are ${NAMES.join(", ")}`;

/** Collects the system parameters of one request. */
export class SystemParameterReader {
  readonly #plan: BindingPlan;
  readonly #seen = new Set<Name>();
  #result: SystemParameters = NO_SYSTEM_PARAMETERS;

  constructor(plan: BindingPlan) {
    this.#plan = plan;
  }

  get result(): SystemParameters {
    return this.#result;
  }

  /** A string says why it is rejected. */
  take(name: Name, text: string): string | undefined {
    if (this.#seen.has(name)) return "given twice, but it takes one value";
    this.#seen.add(name);
    switch (name) {
      case "$alt":
        return this.#alt(text);
      case "$prettyPrint":
        if (text !== "true" && text !== "false" && text !== "") return "expected true or false";
        this.#result = { ...this.#result, pretty: text !== "false" };
        return undefined;
      case "$fields":
        return this.#fields(text);
    }
  }

  #alt(text: string): string | undefined {
    const alts = altsOf(this.#plan);
    if (alts.length === 0) return "this response is raw bytes: it has no other format";
    const parts = /^([a-z]+)(?:;enum-encoding=(int|string))?$/.exec(text);
    const alt = alts.find((known) => known === parts?.[1]);
    if (alt === undefined) {
      return `expected ${orList(alts)}, optionally with ;enum-encoding=int for enums as numbers`;
    }
    const encoding = parts?.[2];
    if (encoding !== undefined && alt === "proto") return "proto always has enums as numbers";
    const enumAsNumbers = encoding === undefined ? undefined : encoding === "int";
    this.#result = { ...this.#result, alt, enumAsNumbers };
    return undefined;
  }

  #fields(text: string): string | undefined {
    const { responseField } = this.#plan;
    const desc = chosenFrom(this.#plan);
    if (desc === undefined) return "this response has no fields to choose from";
    const mask = parseFieldsMask(desc, text);
    if ("error" in mask) return `column ${mask.column}: ${mask.error}`;
    const fields = responseField === undefined ? mask : maskOfField(responseField, mask);
    this.#result = { ...this.#result, fields };
    return undefined;
  }
}

/** `json, xml or proto` */
function orList(words: readonly string[]): string {
  return words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} or ${words.at(-1)}`;
}
