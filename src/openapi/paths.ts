// Path templates of google.api.http → those of OpenAPI, in which every parameter is one whole segment.

import type { Segment } from "../kit/text/path-template.js";
import type { BindingPlan, Variable } from "../transcoding/routes/binding.js";

export interface PathParameter {
  readonly name: string;
  /** The variable that it is part of; undefined: it is bound to nothing. */
  readonly variable: Variable | undefined;
  /** The whole value of the variable, or only a part of it. */
  readonly whole: boolean;
  /** Represents a `**`. */
  readonly deep: boolean;
  /** Of its segment in the template. */
  readonly place: number;
}

export interface OpenApiPath {
  /** Segments as OpenAPI writes them; those of parameters are undefined, in the order of `parameters`. */
  readonly segments: readonly (string | undefined)[];
  readonly verb: string;
  readonly parameters: readonly PathParameter[];
}

// `/v1/{name=shelves/*/books/*}` is `/v1/shelves/{shelf}/books/{book}`. A `**` is one parameter; with `spread` it has
// this many segments before it, to distinguish it from a `*` at the same place, which matches first.
export function openApiPath(plan: BindingPlan, spread: number): OpenApiPath {
  const { segments, verb } = plan.template;
  const written: (string | undefined)[] = [];
  const parameters: PathParameter[] = [];
  const add = (segment: Segment, at: number): void => {
    if (segment.kind === "literal") {
      written.push(encodeURIComponent(segment.text));
      return;
    }
    const variable = plan.variables.find(({ from, to }) => from <= at && at < to);
    const deep = segment.kind === "**";
    const before = segments[at - 1];
    const literal = before?.kind === "literal" ? before.text : undefined;
    const extra = deep ? spread : 0;
    const whole = variable !== undefined && variable.to - variable.from === 1 && extra === 0;
    const base = nameOf(
      variable,
      whole || (deep && variable?.to === (variable?.from ?? 0) + 1),
      deep,
      literal,
    );
    for (let i = 0; i <= extra; i++) {
      const name = uniqueName(i < extra ? `${base}_${i + 1}` : base, parameters);
      parameters.push({ name, variable, whole, deep: deep && i === extra, place: at });
      written.push(undefined);
    }
  };
  for (const [at, segment] of segments.entries()) add(segment, at);
  return { segments: written, verb: verb === undefined ? "" : `:${encodeURIComponent(verb)}`, parameters };
}

/** The common part of two paths that OpenAPI cannot distinguish: `/v1/{a}` and `/v1/{b}`. */
export function shapeOf(path: OpenApiPath): string {
  return `/${path.segments.map((text) => text ?? "{}").join("/")}${path.verb}`;
}

export function printPath(path: OpenApiPath): string {
  let next = 0;
  const segments = path.segments.map((text) => text ?? `{${path.parameters[next++]?.name}}`);
  return `/${segments.join("/")}${path.verb}`;
}

function nameOf(
  variable: Variable | undefined,
  whole: boolean,
  deep: boolean,
  literal: string | undefined,
): string {
  if (variable === undefined) return deep ? "path" : "segment";
  if (whole) return variable.target.key;
  const one = literal === undefined ? undefined : singular(literal);
  return one ?? `${variable.target.leaf.name}_${deep ? "path" : "part"}`;
}

/** `shelves` → `shelf`, as AIP-122 names the variables of resource names; undefined if it is not a plain word. */
function singular(collection: string): string | undefined {
  if (!/^[a-zA-Z][a-zA-Z0-9_-]*$/.test(collection)) return undefined;
  const irregular: Readonly<Record<string, string>> = {
    shelves: "shelf",
    people: "person",
    children: "child",
  };
  const known = Object.hasOwn(irregular, collection) ? irregular[collection] : undefined;
  if (known !== undefined) return known;
  if (/[^aeiou]ies$/.test(collection)) return collection.replace(/ies$/, "y");
  if (/(?:ss|x|ch|sh)es$/.test(collection)) return collection.replace(/es$/, "");
  return /[^s]s$/.test(collection) ? collection.replace(/s$/, "") : collection;
}

function uniqueName(name: string, taken: readonly PathParameter[]): string {
  for (let i = 1; ; i++) {
    const candidate = i === 1 ? name : `${name}_${i}`;
    if (!taken.some((other) => other.name === candidate)) return candidate;
  }
}
