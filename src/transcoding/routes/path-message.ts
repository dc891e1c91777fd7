// Requests whose path alone makes the message, as for most GETs: strings of the message itself are encoded directly,
// while everything else becomes JSON first (request.ts). Decided at load, by the rule's bindings.
import { type DescField, type DescMessage, ScalarType } from "@bufbuild/protobuf";
import { BytesOut } from "../codec/bytes-out.js";
import { hasOwnJson } from "../messages/fields.js";
import type { BindingPlan, Variable } from "./binding.js";
import { capture } from "./capture.js";
import type { RequestPath } from "./path.js";
import type { KeptEscapes } from "./read-options.js";

/** FeatureSet.FieldPresence in descriptor.proto. */
const LEGACY_REQUIRED = 3;
const LENGTH_DELIMITED = 2;

/** A message is written completely in one turn, so one buffer serves all. */
const OUT = new BytesOut();

/** One field of the message, in the order in which they are written. */
export interface PathField {
  readonly variable: Variable;
  /** Field number and wire type. */
  readonly tag: number;
}

/** How the path alone makes the message; undefined if a field needs JSON. */
export function planPathMessage(
  input: DescMessage,
  variables: readonly Variable[],
): readonly PathField[] | undefined {
  if (hasOwnJson(input) || input.fields.some((field) => field.presence === LEGACY_REQUIRED)) return undefined;
  if (!variables.every(({ target }) => target.parents.length === 0 && isString(target.leaf)))
    return undefined;
  return variables
    .map((variable) => ({ variable, tag: variable.target.leaf.number * 8 + LENGTH_DELIMITED }))
    .sort((a, b) => a.tag - b.tag);
}

/** Members of a oneof may conflict, which is checked elsewhere. */
function isString(field: DescField): boolean {
  return field.fieldKind === "scalar" && field.scalar === ScalarType.STRING && field.oneof === undefined;
}

/** The message in bytes; undefined: it needs the general path. */
export function encodePathMessage(
  fields: readonly PathField[],
  plan: BindingPlan,
  path: RequestPath,
  kept?: KeptEscapes,
): Uint8Array | undefined {
  OUT.pos = 0;
  for (const { variable, tag } of fields) {
    const text = capture(plan, variable, path, kept);
    // An empty value may be an unset field.
    if (text === undefined || text === "") return undefined;
    OUT.varint32(tag);
    OUT.string(text);
  }
  return OUT.take();
}
