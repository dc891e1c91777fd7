// Finds the route for a method and a path: a trie over segments, searched from the most specific branch on. Every JSON
// call passes here, so the cost depends on the path's length and not on the number of routes.

import type { Template } from "../../kit/text/path-template.js";
import type { RequestPath } from "./path.js";

/** The HTTP method of a route for any method (`custom: { kind: "*" }`). */
export const ANY_METHOD = "*";

/** The routes of a node: verb ("" for none) → HTTP method → route. */
type Ends<T> = Map<string, Map<string, T>>;

/** Result of `add` for a route with which one request could visit too many nodes. */
export const TOO_MANY_CANDIDATES = Symbol("crowded");

/**
 * Nodes that one request may visit: some milliseconds. If rules combine literals and `*` at the same places, the number
 * doubles with each segment; with all of Google's APIs together it is 27.
 */
const MAX_WALK = 10_000;

interface Node<T> {
  /**
   * Nodes that a search from here may visit, this one included: those below one of the literals, and below everything
   * else.
   */
  walk: number;
  /** The longest of those from its literals. */
  widest: number;
  readonly literals: Map<string, Node<T>>;
  star: Node<T> | undefined;
  /** Routes whose last segment is this node. */
  ends: Ends<T> | undefined;
  /** Routes that end with `**`. */
  deep: Ends<T> | undefined;
  /** Routes that continue after a `**`, by their number of segments: the longest first. */
  tails: Tail<T>[] | undefined;
}

/** The part after a `**`: this many segments, at the path's end. */
interface Tail<T> {
  readonly length: number;
  readonly root: Node<T>;
}

/**
 * Precedence, segment by segment from the left: literal, then `*`, then `**`; a verb before none. Of two that are equal
 * up to their `**`, the one with more segments after it comes first, since it is more specific. A branch without a
 * route for the HTTP method is left again, so a literal under another method does not hide a wildcard. Within one
 * template the exact method comes before `*`, and GET also serves HEAD.
 */
export class Matcher<T> {
  readonly #root: Node<T> = newNode();

  /** Adds a route; returns the existing one with this pattern and method, and then adds nothing. */
  add(httpMethod: string, template: Template, route: T): T | typeof TOO_MANY_CANDIDATES | undefined {
    const existing = this.get(httpMethod, template);
    if (existing !== undefined) return existing;
    let node = this.#root;
    let deep = false;
    const { segments } = template;
    const way = [node];
    /** Removes the new nodes. */
    let undo: (() => void) | undefined;
    for (const [i, segment] of segments.entries()) {
      const parent = node;
      if (segment.kind === "**") {
        const length = segments.length - i - 1;
        if (length === 0) {
          deep = true;
          continue;
        }
        const known = tailOf(parent, length);
        const root = known ?? addTail(parent, length);
        if (known === undefined)
          undo ??= () => {
            parent.tails = parent.tails?.filter((tail) => tail.root !== root);
          };
        node = root;
      } else if (segment.kind === "*") {
        if (parent.star === undefined)
          undo ??= () => {
            parent.star = undefined;
          };
        parent.star ??= newNode();
        node = parent.star;
      } else {
        const { text } = segment;
        let next = parent.literals.get(text);
        if (next === undefined) {
          next = newNode();
          parent.literals.set(text, next);
          undo ??= () => parent.literals.delete(text);
        }
        node = next;
      }
      way.push(node);
    }
    if (undo !== undefined && !grow(way)) {
      undo();
      return TOO_MANY_CANDIDATES;
    }
    let ends = deep ? node.deep : node.ends;
    if (ends === undefined) {
      ends = new Map();
      if (deep) node.deep = ends;
      else node.ends = ends;
    }
    const verb = template.verb ?? "";
    let methods = ends.get(verb);
    if (methods === undefined) {
      methods = new Map();
      ends.set(verb, methods);
    }
    methods.set(httpMethod, route);
    return undefined;
  }

  /** The route with exactly this pattern and method, whatever its variables are named. */
  get(httpMethod: string, template: Template): T | undefined {
    let node: Node<T> | undefined = this.#root;
    const { segments } = template;
    for (const [i, segment] of segments.entries()) {
      if (segment.kind === "**") {
        const length = segments.length - i - 1;
        if (length === 0) return node.deep?.get(template.verb ?? "")?.get(httpMethod);
        node = tailOf(node, length);
      } else node = segment.kind === "*" ? node.star : node.literals.get(segment.text);
      if (node === undefined) return undefined;
    }
    return node.ends?.get(template.verb ?? "")?.get(httpMethod);
  }

  /** The most specific route for this method and path. */
  find(httpMethod: string, path: RequestPath): T | undefined {
    return walk(this.#root, 0, path, httpMethod, pick);
  }

  /** The methods that have a route for this path, sorted; HEAD wherever GET is. */
  allowed(path: RequestPath): string[] {
    const found = new Set<string>();
    walk(this.#root, 0, path, found, collect);
    if (found.has("GET")) found.add("HEAD");
    return [...found].sort();
  }

  /** Every route that matches the path under any method, most specific first. For explanations. */
  candidates(path: RequestPath): T[] {
    const found: T[] = [];
    walk(this.#root, 0, path, found, gather);
    return found;
  }
}

function newNode<T>(): Node<T> {
  return {
    walk: 1,
    widest: 0,
    literals: new Map(),
    star: undefined,
    ends: undefined,
    deep: undefined,
    tails: undefined,
  };
}

/** Counts the searches again along the path to a new node. Returns false, without a change, if they are too long. */
function grow<T>(way: readonly Node<T>[]): boolean {
  const before = way.map(({ walk, widest }) => ({ walk, widest }));
  for (let i = way.length - 1; i >= 0; i--) {
    const node = way[i];
    const child = way[i + 1];
    if (node === undefined) continue;
    const { star, tails } = node;
    const isOther = child === undefined || child === star || tails?.some(({ root }) => root === child);
    if (!isOther) node.widest = Math.max(node.widest, child.walk);
    let walk = 1 + node.widest + (star?.walk ?? 0);
    for (const { root } of tails ?? []) walk += root.walk;
    node.walk = walk;
  }
  if ((way[0]?.walk ?? 0) <= MAX_WALK) return true;
  for (const [i, node] of way.entries()) Object.assign(node, before[i]);
  return false;
}

function tailOf<T>({ tails }: Node<T>, length: number): Node<T> | undefined {
  return tails?.find((tail) => tail.length === length)?.root;
}

function addTail<T>(node: Node<T>, length: number): Node<T> {
  const root = newNode<T>();
  node.tails ??= [];
  node.tails.push({ length, root });
  node.tails.sort((a, b) => b.length - a.length);
  return root;
}

/** Visits the routes of one template; a result ends the search. */
type Visit<T, C> = (methods: ReadonlyMap<string, T>, context: C) => T | undefined;

function pick<T>(methods: ReadonlyMap<string, T>, httpMethod: string): T | undefined {
  return (
    methods.get(httpMethod) ??
    (httpMethod === "HEAD" ? methods.get("GET") : undefined) ??
    methods.get(ANY_METHOD)
  );
}

function collect<T>(methods: ReadonlyMap<string, T>, found: Set<string>): undefined {
  for (const method of methods.keys()) found.add(method);
}

function gather<T>(methods: ReadonlyMap<string, T>, found: T[]): undefined {
  found.push(...methods.values());
}

// Depth is bounded by the trie's, which the templates set (MAX_SEGMENTS), not by the request. Each node has one
// position in the path (after a `**` it is counted from the path's end), so it is entered at most once: a search never
// visits more nodes than the trie has, even with backtracking.
function walk<T, C>(
  node: Node<T>,
  at: number,
  path: RequestPath,
  context: C,
  visit: Visit<T, C>,
): T | undefined {
  const segment = path.decoded[at];
  if (segment === undefined) return end(node, "", context, visit);

  const tail = at === path.decoded.length - 1 ? path.tail : undefined;
  const literals = node.literals;
  let found: T | undefined;
  if (literals.size > 0) {
    if (tail !== undefined) {
      const next = literals.get(tail.head);
      if (next !== undefined) found = end(next, tail.verb, context, visit);
      if (found !== undefined) return found;
    }
    const next = literals.get(segment);
    if (next !== undefined) found = walk(next, at + 1, path, context, visit);
    if (found !== undefined) return found;
  }
  const star = node.star;
  if (star !== undefined) {
    // `*` does not match an empty segment: `DELETE /v1/books/` must not become a call with an empty name.
    if (tail !== undefined && tail.head !== "") found = end(star, tail.verb, context, visit);
    if (found === undefined && segment !== "") found = walk(star, at + 1, path, context, visit);
    if (found !== undefined) return found;
  }
  if (node.tails !== undefined) {
    for (const { length, root } of node.tails) {
      const from = path.decoded.length - length;
      // `**` matches zero segments too.
      if (from >= at) found = walk(root, from, path, context, visit);
      if (found !== undefined) return found;
    }
  }
  if (node.deep === undefined) return undefined;
  if (path.tail !== undefined) found = visitVerb(node.deep, path.tail.verb, context, visit);
  return found ?? visitVerb(node.deep, "", context, visit);
}

/** The path ends here, except for this verb ("" for none); `**` matches zero segments too. */
function end<T, C>(node: Node<T>, verb: string, context: C, visit: Visit<T, C>): T | undefined {
  return visitVerb(node.ends, verb, context, visit) ?? visitVerb(node.deep, verb, context, visit);
}

function visitVerb<T, C>(
  ends: Ends<T> | undefined,
  verb: string,
  context: C,
  visit: Visit<T, C>,
): T | undefined {
  const methods = ends?.get(verb);
  return methods === undefined ? undefined : visit(methods, context);
}
