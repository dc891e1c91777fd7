import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import {
  parseTemplate,
  placeIn,
  printTemplate,
  shapeOf,
  type Template,
} from "#src/kit/text/path-template.js";
import { template as anyTemplate } from "../../transcoding/support/templates.js";

function parsed(text: string): Template {
  const result = parseTemplate(text);
  if ("error" in result) assert.fail(`${text}: ${result.error}`);
  return result;
}

describe("path templates", () => {
  const good: [text: string, shape: string, variables: string][] = [
    ["/", "/", ""],
    ["/v1/books", "/v1/books", ""],
    ["/v1/books/*", "/v1/books/*", ""],
    ["/v1/**", "/v1/**", ""],
    ["/v1/{name=books/*}", "/v1/books/*", "name 1-3"],
    ["/v1/{name=shelves/*/books/*}:read", "/v1/shelves/*/books/*:read", "name 1-5"],
    ["/v1/{book.name=books/*}/{field}", "/v1/books/*/*", "book.name 1-3, field 3-4"],
    ["/v1/{path=**}", "/v1/**", "path 1-2"],
    ["/v1/{path=files/**}:download", "/v1/files/**:download", "path 1-3"],
    ["/v1/**/books", "/v1/**/books", ""],
    ["/v1/{a=**}/{b}", "/v1/**/*", "a 1-2, b 2-3"],
    ["/v1/{name=keys/**}/summary:get", "/v1/keys/**/summary:get", "name 1-3"],
    ["/v1/{a=x/**/y}/{b=z/*}", "/v1/x/**/y/z/*", "a 1-4, b 4-6"],
    [
      "/v1/{parent=projects/*/databases/*/documents/*/**}/{collection_id}",
      "/v1/projects/*/databases/*/documents/*/**/*",
      "parent 1-8, collection_id 8-9",
    ],
    ["/v1/b%20c", "/v1/b%20c", ""],
    ["/v1/a%3Ab", "/v1/a%3Ab", ""],
    ["/v1/books:search", "/v1/books:search", ""],
    ["/pkg.v1.Service/Method", "/pkg.v1.Service/Method", ""],
    ["/v1/{_x1=a=b}", "/v1/a%3Db", "_x1 1-2"],
  ];
  for (const [text, shape, variables] of good) {
    it(`reads ${text}`, () => {
      const template = parsed(text);
      assert.equal(shapeOf(template), shape);
      assert.equal(template.variables.map((v) => `${v.field} ${v.from}-${v.to}`).join(", "), variables);
    });
  }

  const bad: [text: string, column: number, says: RegExp][] = [
    ["", 1, /empty/],
    ["v1/books", 1, /must begin with '\/'/],
    ["/v1/", 5, /expected a segment/],
    ["//v1", 2, /expected a segment/],
    ["/v1/a*b", 6, /unexpected '\*'/],
    ["/v1/***", 7, /unexpected '\*'/],
    ["/v1/**/**", 8, /at most one '\*\*'/],
    ["/v1/{a=**}/b/{c=d/**}", 19, /at most one '\*\*'/],
    ["/v1/{a={b}}", 8, /cannot be nested/],
    ["/v1/{}", 6, /field path/],
    ["/v1/{1a}", 6, /field path/],
    ["/v1/{a.}", 7, /'}'/],
    ["/v1/{a", 7, /'}'/],
    ["/v1/{a=}", 8, /expected a segment/],
    ["/v1/{a}/{a}", 10, /bound twice/],
    ["/v1/{a}x", 8, /unexpected 'x'/],
    ["/v1/books:", 11, /expected a verb/],
    ["/v1:x/books", 6, /%3A/],
    ["/v1/a b", 6, /unexpected ' '/],
    ["/v1/é", 5, /expected a segment/],
    ["/v1/%zz", 5, /expected a segment/],
    ["/v1/%ff", 5, /percent-encoded UTF-8/],
    ["/v1/a?b=c", 6, /unexpected '\?'/],
    ["/v1/{a=**", 10, /'}'/],
    ["/v1/{a.b.}", 9, /'}'/],
    ["/v1/{a}{b}", 8, /unexpected '\{'/],
    ["/v1/:x", 5, /expected a segment/],
    ["/v1/a:b:c", 8, /unexpected ':'/],
    ["/v1/{a=*:x}", 9, /'}'/],
    [`${"/a".repeat(64)}/b`, 130, /at most 64 segments/],
    [`/v1/{a=${"*/".repeat(63)}*}`, 134, /at most 64 segments/],
  ];
  for (const [text, column, says] of bad) {
    it(`refuses '${text}' at column ${column}`, () => {
      const result = parseTemplate(text);
      assert.ok("error" in result);
      assert.match(result.error, says);
      assert.equal(result.column, column);
    });
  }

  it("says where a segment stands in a path, from whichever end it is counted", () => {
    const places = (text: string, count: number) => {
      const template = parsed(text);
      return template.segments.map((_, at) => placeIn(template, at, count)).join(" ");
    };
    assert.equal(places("/a/b/c", 3), "0 1 2");
    assert.equal(places("/a/**", 9), "0 1");
    assert.equal(places("/a/**/b/c", 4), "0 1 2 3");
    assert.equal(places("/a/**/b/c", 9), "0 1 7 8");
    assert.equal(places("/a/**/b/c", 3), "0 1 1 2");
  });

  it("prints what it read, whatever the template", () => {
    fc.assert(
      fc.property(anyTemplate, (text) => {
        const first = parsed(text);
        const again = parsed(printTemplate(first));
        const strip = (t: Template) => ({ ...t, variables: t.variables.map((v) => ({ ...v, column: 0 })) });
        assert.deepEqual(strip(again), strip(first));
      }),
    );
  });

  it("never throws, and points into the text", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.stringMatching(/^\/[a{}*=:./%]*$/)), (text) => {
        const result = parseTemplate(text);
        if ("error" in result) assert.ok(result.column >= 1 && result.column <= text.length + 1);
      }),
    );
  });
});
