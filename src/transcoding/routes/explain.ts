// Explains why a request matches this route and no other, and which routes are near. For people, never on the path of a
// call.

import { Status } from "../../call/status/status.js";
import { editDistance } from "../../kit/text/nearest.js";
import { placeIn, type Segment, type Template } from "../../kit/text/path-template.js";
import { cut } from "../../kit/text/text.js";
import type { BindingPlan } from "./binding.js";
import { capture } from "./capture.js";
import { ANY_METHOD } from "./matcher.js";
import { type RequestPath, splitPath } from "./path.js";
import type { KeptEscapes } from "./read-options.js";
import type { Routes } from "./routes.js";

const MAX_NEAREST = 3;
/** Segments and literals beyond these are not compared. */
const MAX_SEGMENTS = 32;
const MAX_LITERAL = 64;
/** Of a value that is shown. */
const MAX_VALUE = 200;
/** Less than any other difference. */
const SLASHES_OFF = 0.125;
/** How many segments may be altogether different. */
const MAX_DISTANCE = 1.5;
/** Pairs of letters compared for one path, a millisecond or two: unknown paths must not keep the hub busy. */
const MAX_COMPARED = 100_000;

/** The nearest routes, best first, as in `GET /v1/books`. */
export function nearestRoutes(routes: Routes, httpMethod: string, target: string): string[] {
  return nearestPlans(routes, httpMethod, target).map((plan) => describe(routes, plan));
}

function nearestPlans(routes: Routes, httpMethod: string, target: string): BindingPlan[] {
  const full = target.split("?")[0] ?? "";
  const readings = readingsOf(routes.pathOf(target) ?? full);
  const words = new Words();
  const near: { readonly plan: BindingPlan; readonly distance: number; readonly literals: number }[] = [];
  for (const plan of routes.plans) {
    const methodOff = plan.httpMethod === httpMethod || plan.httpMethod === ANY_METHOD ? 0 : 0.25;
    let best = Number.POSITIVE_INFINITY;
    let literals = 0;
    for (const { segments, verb, off } of readings) {
      const verbOff = verb === plan.template.verb ? 0 : 0.5;
      const distance = pathDistance(plan.template, segments, words, verbOff + methodOff + off);
      if (distance >= best) continue;
      best = distance;
      literals = literalsMet(plan.template, segments);
    }
    if (best <= MAX_DISTANCE) near.push({ plan, distance: best, literals });
  }
  // Of routes with equal distance, the one that has more of the same words is meant.
  near.sort((a, b) => a.distance - b.distance || b.literals - a.literals);
  return near.slice(0, MAX_NEAREST).map(({ plan }) => plan);
}

/** A path that may have been meant. */
interface Reading {
  readonly segments: readonly string[];
  readonly verb: string | undefined;
  /** Its distance from the request's path. */
  readonly off: number;
}

/** The path itself, and without superfluous slashes: one at the end, or two in a row. */
function readingsOf(path: string): Reading[] {
  const single = path.replace(/\/{2,}/g, "/").replace(/(?<=.)\/$/, "");
  const texts = single === path ? [path] : [path, single];
  return texts.flatMap((text, i) => {
    const [head = "", verb] = splitVerb(text);
    const segments = head.slice(1).split("/");
    return segments.length > MAX_SEGMENTS ? [] : [{ segments, verb, off: i * SLASHES_OFF }];
  });
}

/**
 * Which rule matches, which parts of the request go where, and why near rules do not match.
 * @param kept the escapes that values of several segments keep
 * @param bind reads path and query as a call would; a Status describes an error; any other result is ignored
 */
export function explainRoute(
  routes: Routes,
  httpMethod: string,
  target: string,
  bind: (plan: BindingPlan, path: RequestPath, query: string) => unknown,
  kept?: KeptEscapes,
): string[] {
  const path = routes.pathOf(target);
  const lines: string[] = [];
  if (path === undefined) {
    lines.push(
      `no route: the path does not begin with ${routes.prefix === "" ? "'/'" : `the prefix ${routes.prefix}/`}`,
    );
    return lines.concat(near(routes, httpMethod, target, []));
  }
  const split = splitPath(path);
  if (split === undefined) return ["no route: the path is not percent-encoded UTF-8 (400)"];
  const winner = routes.find(httpMethod, path, split);
  const candidates = routes.matcher.candidates(split);
  const auto = routes.auto.get(path);
  if (auto !== undefined) candidates.push(auto);
  if (winner === undefined) {
    const allow = routes.allowed(path, split);
    lines.push(
      allow.length === 0
        ? "no route matches this path (404)"
        : httpMethod === "OPTIONS"
          ? `the hub answers by itself, with Allow: ${allow.join(", ")}, OPTIONS (204)`
          : `the path has no ${httpMethod}; it has ${allow.join(", ")} (405)`,
    );
  } else {
    lines.push(
      `${describe(routes, winner)} answers: ${winner.method.service}/${winner.method.name} (${origin(winner)})`,
    );
    const verb = winner.template.verb;
    const tail = split.tail;
    if (tail !== undefined && verb === undefined) {
      lines.push(
        `  ':${tail.verb}' belongs to the value: no such verb is registered for this path and ${httpMethod}`,
      );
    }
    const question = target.indexOf("?");
    const bound = bind(winner, split, question === -1 ? "" : target.slice(question + 1));
    lines.push(...bindingOf(winner, split, bound, kept));
  }
  for (const plan of candidates) {
    if (plan !== winner) lines.push(`  not ${describe(routes, plan)}: ${whyNot(plan, winner, httpMethod)}`);
  }
  return lines.concat(
    near(routes, httpMethod, target, winner === undefined ? candidates : [winner, ...candidates]),
  );
}

function whyNot(plan: BindingPlan, winner: BindingPlan | undefined, httpMethod: string): string {
  const takes = plan.httpMethod === httpMethod || plan.httpMethod === ANY_METHOD;
  if (!takes && !(httpMethod === "HEAD" && plan.httpMethod === "GET")) return `it takes ${plan.httpMethod}`;
  if (winner === undefined) return "it does not match";
  if (plan.source === "auto") return "an explicit rule beats an auto-mapped path";
  if (plan.template.verb === undefined && winner.template.verb !== undefined)
    return "the other one has the verb";
  const [mine, other] = [plan.template.segments, winner.template.segments];
  if (sameUpToDeep(plan.template, winner.template) && mine.length < other.length)
    return "the other one matches more segments at the end of the path";
  const differs = other.findIndex((segment, i) => mine[i]?.kind !== segment.kind);
  if (differs === -1) return "the other one names the HTTP method";
  const [place, better] = [mine[differs]?.kind, other[differs]?.kind];
  return `segment ${differs + 1} is ${name(place)} here and ${name(better)} there, which is more specific`;
}

/** The two are the same as far as their `**`. */
function sameUpToDeep(a: Template, b: Template): boolean {
  if (a.deepAt === -1 || a.deepAt !== b.deepAt) return false;
  return a.segments.slice(0, a.deepAt).every((segment, i) => segment.kind === b.segments[i]?.kind);
}

function name(kind: Segment["kind"] | undefined): string {
  return kind === undefined ? "nothing" : kind === "literal" ? "a literal" : `'${kind}'`;
}

function near(routes: Routes, httpMethod: string, target: string, listed: readonly BindingPlan[]): string[] {
  return nearestPlans(routes, httpMethod, target)
    .filter((plan) => !listed.includes(plan))
    .map(
      (plan) =>
        `  near: ${describe(routes, plan)} of ${plan.method.service}/${plan.method.name} (${origin(plan)}): ${whyNear(plan, routes, httpMethod, target)}`,
    );
}

/** What a route that does not match requires of this path. */
function whyNear(plan: BindingPlan, routes: Routes, httpMethod: string, target: string): string {
  const path = routes.pathOf(target);
  if (path === undefined) return `its path begins with ${routes.prefix}/`;
  const split = splitPath(path);
  if (split === undefined) return "it does not match";
  const { segments, verb } = plan.template;
  const tail = split.tail;
  const given = [...split.decoded];
  if (verb !== undefined) {
    if (tail?.verb !== verb) return `its path ends with ':${verb}'`;
    given[given.length - 1] = tail.head;
  }
  const { deepAt } = plan.template;
  for (const [i, segment] of segments.entries()) {
    if (segment.kind === "**") continue;
    const at = placeIn(plan.template, i, given.length);
    const text = given[at];
    if (text === undefined || (i > deepAt && at < deepAt)) {
      return `its path has more segments than ${given.length}`;
    }
    if (segment.kind === "literal" && segment.text !== text) {
      return `segment ${at + 1} is '${segment.text}' there and '${cut(text, MAX_LITERAL)}' here`;
    }
    if (segment.kind === "*" && text === "")
      return `segment ${at + 1} is empty here, and '*' takes no empty one`;
  }
  const more = deepAt === -1 ? given.length - segments.length : 0;
  if (more === 1 && given.at(-1) === "") return "the path ends with a slash here, and a slash counts";
  if (more > 0) return `its path has ${segments.length} segments, this one ${given.length}`;
  return whyNot(plan, undefined, httpMethod);
}

/** Where the parts of the request go. */
function bindingOf(
  plan: BindingPlan,
  path: RequestPath,
  bound: unknown,
  kept: KeptEscapes | undefined,
): string[] {
  const lines = plan.variables.map((variable) => {
    const text = capture(plan, variable, path, kept) ?? "";
    return `  path: ${variable.target.key} = ${JSON.stringify(cut(text, MAX_VALUE))}`;
  });
  if (plan.body === "all") lines.push("  body: the whole request message; the query sets nothing");
  else if (plan.body === "none") lines.push("  body: none; the query sets the other fields");
  else lines.push(`  body: the field ${plan.body.name}; the query sets the others`);
  if (bound instanceof Status) lines.push(`  refused (${bound.http}): ${bound.message}`);
  return lines;
}

function origin(plan: BindingPlan): string {
  if (plan.source === "auto") return "auto-mapped";
  return plan.source === "config" ? "by a rule in the config" : "by its google.api.http option";
}

function describe(routes: Routes, plan: BindingPlan): string {
  return `${plan.httpMethod} ${routes.prefix}${plan.text}`;
}

function splitVerb(path: string): [head: string, verb: string | undefined] {
  const colon = path.lastIndexOf(":");
  return colon > path.lastIndexOf("/") ? [path.slice(0, colon), path.slice(colon + 1)] : [path, undefined];
}

/** How many segments of the path are literals of the template. */
function literalsMet(template: Template, path: readonly string[]): number {
  return template.segments.filter((segment, i) => {
    return segment.kind === "literal" && segment.text === path[placeIn(template, i, path.length)];
  }).length;
}

/** `distance`, and 1 for each segment that is missing, superfluous or entirely different, less for a misspelled one. */
function pathDistance(template: Template, path: readonly string[], words: Words, distance: number): number {
  const { segments, deepAt } = template;
  for (const [i, segment] of segments.entries()) {
    if (segment.kind === "**") continue;
    const at = placeIn(template, i, path.length);
    const text = i > deepAt && at < deepAt ? undefined : path[at];
    if (text === undefined) distance += 1;
    else if (segment.kind === "literal" && segment.text !== text) {
      distance += words.difference(segment.text, text);
    } else if (text === "") distance += 0.5;
    if (distance > MAX_DISTANCE) return distance;
  }
  return deepAt === -1 ? distance + Math.max(0, path.length - segments.length) : distance;
}

/** The distance between words of routes and of one path; each pair is compared once, and all within a budget. */
class Words {
  readonly #known = new Map<string, number>();
  #left = MAX_COMPARED;

  /** 0 for the same word, 1 for another one: half the letters wrong is another word. */
  difference(literal: string, text: string): number {
    const longest = Math.max(literal.length, text.length);
    if (longest > MAX_LITERAL || 2 * Math.abs(literal.length - text.length) >= longest) return 1;
    const pair = `${literal}/${text}`;
    let difference = this.#known.get(pair);
    if (difference === undefined) {
      if (this.#left < 0) return 1;
      this.#left -= literal.length * text.length;
      difference = Math.min(1, (2 * editDistance(literal, text)) / longest);
      this.#known.set(pair, difference);
    }
    return difference;
  }
}
