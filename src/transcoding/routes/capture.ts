// The value of a template variable in a path.
import { placeIn } from "../../kit/text/path-template.js";
import type { BindingPlan, Variable } from "./binding.js";
import { decodeKeepingEscapes, type RequestPath } from "./path.js";
import type { KeptEscapes } from "./read-options.js";

/** The text of a variable, decoded; undefined if its percent-encoding is malformed or not UTF-8. */
export function capture(
  plan: BindingPlan,
  variable: Variable,
  path: RequestPath,
  kept: KeptEscapes = "slash",
): string | undefined {
  const { template } = plan;
  const count = path.raw.length;
  const last = count - 1;
  const tail = template.verb === undefined ? undefined : path.tail;
  const from = placeIn(template, variable.from, count);
  if (!variable.multi) return from === last && tail !== undefined ? tail.head : path.decoded[from];
  const to = placeIn(template, variable.to, count);
  // Nothing is encoded: the segments are used unchanged.
  if (path.raw === path.decoded && (tail === undefined || to <= last)) {
    return path.raw.slice(from, to).join("/");
  }
  const parts: string[] = [];
  for (let i = from; i < to; i++) {
    const raw = i === last && tail !== undefined ? tail.rawHead : path.raw[i];
    const part = decodeKeepingEscapes(raw ?? "", kept);
    if (part === undefined) return undefined;
    parts.push(part);
  }
  return parts.join("/");
}
