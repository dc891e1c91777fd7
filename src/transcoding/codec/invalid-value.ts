// Invalid values of a JSON body, with position and reason: made by from-tree.ts, used for the response to the client.
import type { DescEnum, DescMessage } from "@bufbuild/protobuf";
import { cut } from "../../kit/text/text.js";
import { fieldsOf, nearestName } from "../messages/fields.js";
import { ExactNumber, type Json, MaskText } from "../messages/json.js";

/** The position of a value that does not fit its message, and the reason. */
export interface InvalidValue {
  /** Path from the value that was read, e.g. `author.tags[2]`; "" for the value itself. */
  readonly path: string;
  readonly problem: string;
}

/** Ends the reading; never leaves the codec. */
export class Refusal extends Error {}

/** Longest list of allowed values in a message. */
const MAX_LISTED = 20;
/** Longest path in a message, in steps: its middle is left out. */
const MAX_PRINTED_STEPS = 20;

/** A path as in `author.tags[2].labels["a b"]`. */
export function formatPath(steps: readonly (string | number)[]): string {
  let path = "";
  const half = MAX_PRINTED_STEPS / 2;
  for (const [i, full] of steps.entries()) {
    if (steps.length > MAX_PRINTED_STEPS && i >= half && i < steps.length - half) {
      if (i === half) path += "…";
      continue;
    }
    const step = typeof full === "number" ? full : clip(full);
    if (typeof step === "number") path += `[${step}]`;
    else if (/^[A-Za-z_$@][\w$]*$/.test(step)) path += path === "" ? step : `.${step}`;
    else path += `[${JSON.stringify(step)}]`;
  }
  return path;
}

export function unknownField(desc: DescMessage, name: string): Refusal {
  const guess = nearestName(name, fieldsOf(desc).keys());
  const hint = guess === undefined ? "" : `; did you mean '${guess}'?`;
  return new Refusal(`${desc.typeName} has no field '${clip(name)}'${hint}`);
}

export function expected(what: string, json: Json): Refusal {
  return new Refusal(notAs(what, json));
}

/** The error of a value that the enum does not have. */
export function unknownEnumValue({ values }: DescEnum, json: Json): string {
  const names = values.slice(0, MAX_LISTED).map(({ name }) => name);
  return notAs(`one of ${names.join(", ")}${values.length > MAX_LISTED ? ", …" : ""}, or its number`, json);
}

function notAs(what: string, json: Json): string {
  return `expected ${what}, got ${describe(json)}`;
}

function describe(json: Json): string {
  if (json instanceof ExactNumber || json instanceof MaskText) return clip(json.text);
  if (Array.isArray(json)) return "a list";
  if (typeof json === "object" && json !== null) return "an object";
  return typeof json === "string" ? JSON.stringify(clip(json)) : String(json);
}

export function clip(text: string): string {
  return cut(text, 60, "…");
}
