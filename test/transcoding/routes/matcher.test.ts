import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { parseTemplate, shapeOf, type Template } from "#src/kit/text/path-template.js";
import { Matcher, TOO_MANY_CANDIDATES } from "#src/transcoding/routes/matcher.js";
import { type RequestPath, splitPath } from "#src/transcoding/routes/path.js";
import { path as anyPath, template as anyTemplate } from "../support/templates.js";

function read(text: string): Template {
  const result = parseTemplate(text);
  if ("error" in result) assert.fail(`${text}: ${result.error}`);
  return result;
}

function split(path: string): RequestPath {
  return splitPath(path) ?? assert.fail(path);
}

/** Routes are written as in `GET /v1/books`, and are their own names. */
function matcherOf(...routes: string[]): Matcher<string> {
  const matcher = new Matcher<string>();
  for (const route of routes) {
    const [method = "", template = ""] = route.split(" ");
    assert.equal(matcher.add(method, read(template), route), undefined);
  }
  return matcher;
}

describe("the matcher", () => {
  const cases: [what: string, routes: string[], request: string, answer: string | undefined][] = [
    ["a literal comes before a wildcard", ["GET /v1/*", "GET /v1/a"], "GET /v1/a", "GET /v1/a"],
    ["a wildcard comes before the rest", ["GET /v1/**", "GET /v1/*"], "GET /v1/b", "GET /v1/*"],
    ["a dead literal branch is left again", ["GET /a/b/c", "GET /*/b/d"], "GET /a/b/d", "GET /*/b/d"],
    ["two dead branches are left again", ["GET /a/*/c", "GET /a/b/*/e", "GET /**"], "GET /a/b/d", "GET /**"],
    [
      "a literal under another method hides no wildcard",
      ["POST /v1/a", "GET /v1/*"],
      "GET /v1/a",
      "GET /v1/*",
    ],
    ["nor a wildcard the rest", ["POST /v1/*", "GET /v1/**"], "GET /v1/a", "GET /v1/**"],
    ["the left decides first", ["GET /*/b", "GET /a/*"], "GET /a/b", "GET /a/*"],
    ["the exact method comes before any", ["* /v1/a", "GET /v1/a"], "GET /v1/a", "GET /v1/a"],
    ["any method takes the others", ["* /v1/a", "GET /v1/a"], "PURGE /v1/a", "* /v1/a"],
    [
      "a more specific path comes before a more specific method",
      ["* /v1/a", "GET /v1/*"],
      "GET /v1/a",
      "* /v1/a",
    ],
    ["GET answers HEAD", ["GET /v1/a"], "HEAD /v1/a", "GET /v1/a"],
    ["a route of its own answers HEAD first", ["GET /v1/a", "HEAD /v1/a"], "HEAD /v1/a", "HEAD /v1/a"],
    ["methods are case-sensitive", ["GET /v1/a"], "get /v1/a", undefined],
    ["a registered verb splits", ["GET /v1/*", "GET /v1/*:read"], "GET /v1/a:read", "GET /v1/*:read"],
    ["an unknown verb belongs to the value", ["GET /v1/*", "GET /v1/*:read"], "GET /v1/a:b", "GET /v1/*"],
    ["only the last colon splits", ["GET /v1/*:read"], "GET /v1/a:b:read", "GET /v1/*:read"],
    [
      "a verb of another shape does not split",
      ["GET /v1/*", "GET /v2/*:read"],
      "GET /v1/a:read",
      "GET /v1/*",
    ],
    ["a colon before the last slash is none", ["GET /v1/*/b"], "GET /v1/a:read/b", "GET /v1/*/b"],
    ["an escaped colon is no verb", ["GET /v1/*", "GET /v1/*:read"], "GET /v1/a%3Aread", "GET /v1/*"],
    [
      "a verb follows a literal",
      ["GET /v1/books:search", "GET /v1/*"],
      "GET /v1/books:search",
      "GET /v1/books:search",
    ],
    ["a verb follows the rest", ["GET /v1/**:raw", "GET /v1/**"], "GET /v1/a/b:raw", "GET /v1/**:raw"],
    ["a verb follows an empty rest", ["GET /v1/**:raw"], "GET /v1:raw", "GET /v1/**:raw"],
    ["a verb needs something before it", ["GET /v1/*:read"], "GET /v1/:read", undefined],
    ["a colon at the end is a value", ["GET /v1/a", "GET /v1/*"], "GET /v1/a:", "GET /v1/*"],
    ["a verb route does not match without it", ["GET /v1/*:read"], "GET /v1/a", undefined],
    ["the rest can be nothing", ["GET /v1/**"], "GET /v1", "GET /v1/**"],
    ["the rest can be empty segments", ["GET /v1/**"], "GET /v1//", "GET /v1/**"],
    ["a wildcard takes no empty segment", ["GET /v1/*"], "GET /v1/", undefined],
    ["a trailing slash counts", ["GET /v1/a"], "GET /v1/a/", undefined],
    ["a double slash counts", ["GET /v1/a"], "GET /v1//a", undefined],
    ["dot segments are not resolved", ["GET /v1/a", "GET /v1/*/*"], "GET /v1/b/..", "GET /v1/*/*"],
    ["escaped literals are the same", ["GET /v1/books"], "GET /v1/b%6Fok%73", "GET /v1/books"],
    ["an escaped slash is no slash", ["GET /v1/a/b", "GET /v1/*"], "GET /v1/a%2Fb", "GET /v1/*"],
    ["literals are case-sensitive", ["GET /v1/Books"], "GET /v1/books", undefined],
    ["segments may follow the rest", ["GET /v1/**/x"], "GET /v1/a/b/x", "GET /v1/**/x"],
    ["which can be nothing then too", ["GET /v1/**/x"], "GET /v1/x", "GET /v1/**/x"],
    ["but they have to be there", ["GET /v1/**/x", "GET /**"], "GET /v1/x/a", "GET /**"],
    ["and in a path that is long enough for both ends", ["GET /a/**/a"], "GET /a", undefined],
    [
      "one that says more of the end comes first",
      ["GET /v1/**", "GET /v1/**/x"],
      "GET /v1/a/x",
      "GET /v1/**/x",
    ],
    ["though with a wildcard", ["GET /v1/**/*/x", "GET /v1/**/x"], "GET /v1/a/x", "GET /v1/**/*/x"],
    ["and is left again", ["GET /v1/**/a/x", "GET /v1/**/x"], "GET /v1/b/x", "GET /v1/**/x"],
    ["also under another method", ["POST /v1/**/x", "GET /v1/**"], "GET /v1/a/x", "GET /v1/**"],
    ["literals come first behind it too", ["GET /**/*/y", "GET /**/x/*"], "GET /a/x/y", "GET /**/x/*"],
    ["a wildcard before it comes before the rest", ["GET /v1/*", "GET /v1/**/x"], "GET /v1/x", "GET /v1/*"],
    ["a verb follows what follows it", ["GET /**/x:y", "GET /**/x", "GET /**"], "GET /a/x:y", "GET /**/x:y"],
    ["an unknown verb belongs to its last value", ["GET /**/x", "GET /a/**/*"], "GET /a/x:y", "GET /a/**/*"],
    ["an empty segment is no wildcard behind it", ["GET /v1/**/*"], "GET /v1/a/", undefined],
    [
      "Firestore's list is told from what has no collection",
      [
        "GET /v1/{parent=projects/*/databases/*/documents/*/**}/{collection_id}",
        "GET /v1/{parent=projects/*/databases/*/documents}/{collection_id}",
        "GET /v1/{name=projects/*/databases/*}",
      ],
      "GET /v1/projects/p/databases/d/documents/c/d/e",
      "GET /v1/{parent=projects/*/databases/*/documents/*/**}/{collection_id}",
    ],
    ["the root is a path", ["GET /"], "GET /", "GET /"],
    [
      "a route of variables is its shape",
      ["GET /v1/{name=books/*}"],
      "GET /v1/books/1",
      "GET /v1/{name=books/*}",
    ],
  ];
  for (const [what, routes, request, answer] of cases) {
    it(`${what}: ${request}`, () => {
      const [method = "", path = ""] = request.split(" ");
      assert.equal(matcherOf(...routes).find(method, split(path)), answer);
      assert.equal(
        matcherOf(...routes.toReversed()).find(method, split(path)),
        answer,
        "in the other order too",
      );
    });
  }

  it("names every method that a path knows", () => {
    const matcher = matcherOf("GET /v1/*", "DELETE /v1/a", "POST /v1/**", "PUT /v2/a", "POST /v1/a:x");
    assert.deepEqual(matcher.allowed(split("/v1/a")), ["DELETE", "GET", "HEAD", "POST"]);
    assert.deepEqual(matcher.allowed(split("/v3")), []);
  });

  it("returns the route that a second one of the same shape and method collides with", () => {
    const matcher = matcherOf("GET /v1/{name=books/*}");
    assert.equal(matcher.add("GET", read("/v1/books/{id}"), "second"), "GET /v1/{name=books/*}");
    assert.equal(matcher.find("GET", split("/v1/books/1")), "GET /v1/{name=books/*}");
    assert.equal(matcher.add("PUT", read("/v1/books/{id}"), "third"), undefined);
    assert.equal(matcher.add("GET", read("/v1/books/{id}:x"), "fourth"), undefined);
  });

  describe("takes few steps", () => {
    /** How many nodes a search enters: each looks at its own segment once. */
    const steps = (matcher: Matcher<string>, request: string): number => {
      const [method = "", path = ""] = request.split(" ");
      const real = split(path);
      let count = 0;
      const decoded = new Proxy(real.decoded, {
        get: (target, key) => {
          if (typeof key === "string" && /^\d+$/.test(key)) count++;
          return Reflect.get(target, key);
        },
      });
      matcher.find(method, { ...real, decoded });
      return count;
    };
    const collections = (count: number) =>
      matcherOf(
        ...Array.from({ length: count }, (_, i) => [
          `GET /v1/{parent=shelves/*}/kind${i}`,
          `GET /v1/{name=shelves/*/kind${i}/*}`,
          `POST /v1/{name=shelves/*/kind${i}/*}:publish`,
        ]).flat(),
      );
    const requests = [
      "GET /v1/shelves/1/kind1/2",
      "POST /v1/shelves/1/kind1/2:publish",
      "GET /v1/shelves/1/nothing/2",
      "GET /v1/shelves/1/kind1/2/3/4/5",
      `GET ${"/a".repeat(30_000)}`,
    ];
    for (const request of requests) {
      it(`as many among 10,000 routes as among 10: ${request.slice(0, 60)}`, () => {
        const few = steps(collections(4), request);
        assert.equal(steps(collections(3334), request), few);
        assert.ok(few <= 8, String(few));
      });
    }

    it("never more than there are nodes, though each segment could be either", () => {
      // Every mix of literals and wildcards, eleven deep, and a path that fits none of them at its very end.
      const depth = 11;
      const routes: string[] = [];
      for (let mix = 0; mix < 2 ** depth; mix++) {
        const segments = Array.from({ length: depth }, (_, i) => ((mix >> i) & 1 ? "a" : "*"));
        routes.push(`GET /${segments.join("/")}/end`);
      }
      const matcher = matcherOf(...routes);
      const nodes = 2 ** (depth + 1) - 1 + 2 ** depth;
      for (const path of [
        "/a".repeat(depth + 1),
        "/a".repeat(depth),
        "/a".repeat(10_000),
        `${"/a".repeat(depth)}/end`,
      ]) {
        assert.ok(steps(matcher, `GET ${path}`) <= nodes, path.slice(0, 40));
      }
    });

    it("and those of a few wild templates are few, however long the path is", () => {
      const matcher = matcherOf(
        "GET /**/b/c",
        "GET /*/**/*/*/b",
        "GET /a/**/a/a/a/b",
        "POST /**/a/a/a/a/a",
        "GET /**",
        "GET /*/**",
        "GET /a/**",
        "GET /*/a/**:x",
        "GET /a/*/a/*/a/*/b",
        "GET /*/*/*/*/*/*/c",
      );
      for (const path of ["/a".repeat(20_000), `${"/a".repeat(20_000)}:y`, "/".repeat(20_000)]) {
        assert.ok(steps(matcher, `GET ${path}`) <= 32, path.slice(0, 40));
      }
    });

    it("whatever rules a service has: those with which it would take more are not added", () => {
      for (const [one, other] of [
        ["a", "*"],
        ["*", "a"],
      ] as const) {
        const matcher = matcherOf("GET /b/*", "GET /**/z");
        let crowded = 0;
        for (let bits = 0; bits < 2 ** 14; bits++) {
          const parts = Array.from({ length: 14 }, (_, i) => (((bits >> i) & 1) === 0 ? one : other));
          const text = `/${parts.join("/")}/x`;
          const added = matcher.add("GET", read(text), text);
          if (added === TOO_MANY_CANDIDATES) crowded++;
          assert.equal(matcher.get("GET", read(text)), added === TOO_MANY_CANDIDATES ? undefined : text);
        }
        assert.ok(crowded > 0);
        assert.ok(steps(matcher, `GET ${"/a".repeat(14)}/y`) <= 10_000);
        assert.equal(matcher.find("GET", split("/b/1")), "GET /b/*");
        assert.equal(matcher.find("GET", split("/q/z")), "GET /**/z");
        // What stands beside them is no matter of theirs.
        assert.equal(matcher.add("GET", read("/b/c/d"), "later"), undefined);
        assert.equal(matcher.add("PUT", read("/**/z"), "another method"), undefined);
        assert.equal(matcher.find("GET", split("/b/c/d")), "later");
      }
    });

    it("also where rules go on behind a `**`", () => {
      const matcher = new Matcher<string>();
      let crowded = 0;
      for (let before = 0; before < 60; before++)
        for (let behind = 1; behind + before < 60; behind++) {
          const text = `${"/a".repeat(before)}/**${"/a".repeat(behind)}/${before}`;
          if (matcher.add("GET", read(text), text) === TOO_MANY_CANDIDATES) crowded++;
          else assert.equal(matcher.get("GET", read(text)), text);
        }
      assert.ok(crowded > 0);
      assert.ok(steps(matcher, `GET ${"/a".repeat(150)}`) <= 10_000);
    });
  });

  it("knows what it was given, by its shape", () => {
    fc.assert(
      fc.property(fc.array(anyTemplate, { minLength: 1, maxLength: 10 }), (texts) => {
        const matcher = new Matcher<string>();
        const first = new Map<string, string>();
        for (const text of texts) {
          const shape = shapeOf(read(text));
          assert.equal(matcher.get("GET", read(text)), first.get(shape));
          assert.equal(matcher.add("GET", read(text), text), first.get(shape));
          if (!first.has(shape)) first.set(shape, text);
          assert.equal(matcher.get("GET", read(text)), first.get(shape));
        }
      }),
    );
  });

  it("agrees with trying every route one by one", () => {
    const method = fc.constantFrom("GET", "POST", "*");
    const routes = fc.array(fc.tuple(method, anyTemplate), { minLength: 1, maxLength: 14 });
    fc.assert(
      fc.property(routes, fc.constantFrom("GET", "POST", "HEAD", "PUT"), anyPath, (list, verb, path) => {
        const matcher = new Matcher<Route>();
        const kept: Route[] = [];
        for (const [m, text] of list) {
          const route = { method: m, template: read(text), text };
          if (matcher.add(m, route.template, route) === undefined) kept.push(route);
        }
        assert.equal(matcher.find(verb, split(path))?.text, bestByHand(kept, verb, path)?.text);
      }),
      { numRuns: 3000 },
    );
  });
});

interface Route {
  readonly method: string;
  readonly template: Template;
  readonly text: string;
}

/** The slow matcher: every route that fits, ranked segment by segment. */
function bestByHand(routes: readonly Route[], verb: string, path: string): Route | undefined {
  const fitting = routes.flatMap((route) => {
    const methods = verb === "HEAD" ? ["HEAD", "GET", "*"] : [verb, "*"];
    const methodRank = methods.indexOf(route.method);
    const rank = rankByHand(route.template, path);
    return methodRank === -1 || rank === undefined ? [] : [{ route, rank: [...rank, methodRank] }];
  });
  fitting.sort((a, b) => {
    for (let i = 0; ; i++) {
      const [x, y] = [a.rank[i], b.rank[i]];
      if (x === undefined || y === undefined) return (a.rank.length - b.rank.length) * -1;
      if (x !== y) return x - y;
    }
  });
  return fitting[0]?.route;
}

function rankByHand(template: Template, path: string): number[] | undefined {
  const segments = path.slice(1).split("/");
  let verbRank = 1;
  if (template.verb !== undefined) {
    const last = segments.pop() ?? "";
    if (!last.endsWith(`:${template.verb}`)) return undefined;
    segments.push(last.slice(0, -template.verb.length - 1));
    verbRank = 0;
  }
  const rank: number[] = [];
  const { deepAt } = template;
  const missing = template.segments.length - segments.length;
  for (const [i, part] of template.segments.entries()) {
    if (part.kind === "**") {
      const tail = template.segments.length - i - 1;
      if (tail === 0 && i === segments.length) return [...rank, verbRank, 1];
      if (tail === 0) return [...rank, 2, 0, verbRank];
      if (missing > 1) return undefined;
      rank.push(2, -tail);
      continue;
    }
    const segment = segments[deepAt === -1 || i < deepAt ? i : i - missing];
    if (segment === undefined) return undefined;
    if (part.kind === "*" && segment === "") return undefined;
    if (part.kind === "literal" && decodeURIComponent(segment) !== part.text) return undefined;
    rank.push(part.kind === "literal" ? 0 : 1);
  }
  return deepAt !== -1 || missing === 0 ? [...rank, verbRank, 0] : undefined;
}
