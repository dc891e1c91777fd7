// What a query asks of the answer's form.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Status } from "#src/call/status/status.js";
import { Codecs } from "#src/transcoding/codec/codecs.js";
import type { FieldsMask } from "#src/transcoding/messages/fields-mask.js";
import { splitPath } from "#src/transcoding/routes/path.js";
import { planBinding } from "#src/transcoding/routes/rule-plan.js";
import { bindRequest, encodeRequest, type RequestOptions } from "#src/transcoding/translate/request.js";
import { NO_SYSTEM_PARAMETERS, type SystemParameters } from "#src/transcoding/translate/system-parameters.js";
import { methodsOf } from "../support/schema.js";
import { shapes } from "../support/shapes.js";

const OPTIONS: RequestOptions = {
  codecs: new Codecs(shapes),
  unknownQuery: "reject",
  unknownFields: "reject",
  ignoredQuery: new Set(["$key"]),
  bareSystemParameters: false,
  read: {},
};

/** What the query of `GET /x` asks for; the refusal's message. */
function asked(
  query: string,
  options: Partial<RequestOptions> = {},
  responseBody = "",
  name = "List",
): SystemParameters | string {
  const method = methodsOf(shapes).find((m) => m.name === name) ?? assert.fail();
  const descriptor = method.descriptor ?? assert.fail();
  const rule = { httpMethod: "GET", template: "/x", body: "", responseBody, additionalBindings: [] };
  const plan = planBinding(method, descriptor, rule, "config");
  if (typeof plan === "string") assert.fail(plan);
  const all = { ...OPTIONS, ...options };
  const request = bindRequest(plan, splitPath("/x") ?? assert.fail(), query, all);
  if (request instanceof Status) return request.message;
  assert.ok(encodeRequest(request, undefined, all) instanceof Uint8Array);
  return request.system;
}

const mask = (numbers: Record<number, unknown>): FieldsMask =>
  new Map(
    Object.entries(numbers).map(([no, sub]) => [
      Number(no),
      sub === "whole" ? "whole" : mask(sub as Record<number, unknown>),
    ]),
  );

describe("system parameters", () => {
  const bare = { bareSystemParameters: true };
  const cases: [
    query: string,
    expected: Partial<SystemParameters> | RegExp,
    options?: Partial<RequestOptions>,
    responseBody?: string,
  ][] = [
    ["", {}],
    ["text=a", {}],
    ["$alt=json", { alt: "json" }],
    ["$alt=xml;enum-encoding=int&text=a", { alt: "xml", enumAsNumbers: true }],
    ["%24alt=proto", { alt: "proto" }],
    ["$alt=json;enum-encoding=int", { alt: "json", enumAsNumbers: true }],
    ["$alt=json%3Benum-encoding=string", { alt: "json", enumAsNumbers: false }],
    ["$prettyPrint=true", { pretty: true }],
    ["$prettyPrint", { pretty: true }],
    ["$prettyPrint=false", { pretty: false }],
    ["$fields=id,thing/name", { fields: mask({ 1: "whole", 2: { 1: "whole" } }) }],
    ["$fields=name", { fields: mask({ 8: { 1: "whole" } }) }, {}, "things"],
    ["$key=x", {}],
    ["alt=json&prettyPrint=true", { alt: "json", pretty: true }, bare],
    ["fields=id", { fields: mask({ 1: "whole" }) }, bare],
    ["$alt=json", { alt: "json" }, bare],
    ["$alt=xls", /'\$alt': expected json, xml or proto, /],
    ["$alt", /'\$alt': expected json, xml or proto, /],
    ["$alt=sse", /'\$alt': expected json, xml or proto, /],
    ["$alt=ndjson", /'\$alt': expected json, xml or proto, /],
    ["$alt=proto", /'\$alt': expected json or xml, /, {}, "things"],
    ["$alt=json", /'\$alt': this response is raw bytes/, {}, "file"],
    ["$alt=proto;enum-encoding=int", /always has enums as numbers/],
    ["$alt=json&$alt=json", /'\$alt': given twice/],
    ["$alt=json&alt=json", /'alt': given twice/, bare],
    ["$prettyPrint=1", /'\$prettyPrint': expected true or false/],
    ["$fields=id,nope", /'\$fields': column 4: shapes.v1.Bodies has no field 'nope'/],
    ["$fields=x", /no fields to choose from/, {}, "text"],
    ["$fields=data", /no fields to choose from/, {}, "file"],
    ["$.xgafv=2", /'\$\.xgafv': unknown system parameter; supported are \$alt, \$prettyPrint, \$fields/],
    ["$=1", /unknown system parameter/],
    ["$ALT=json", /unknown/],
    ["$.xgafv=2", {}, { unknownQuery: "ignore" }],
    ["$top=2&$alt=json", { alt: "json" }, { unknownQuery: "ignore" }],
    ["$alt=xls", /'\$alt': expected json, xml or proto, /, { unknownQuery: "ignore" }],
    ["alt=json", /'alt': shapes.v1.Bodies has no field 'alt'/],
    ["$$alt=json", /unknown/, bare],
  ];
  for (const [query, expected, options, responseBody] of cases) {
    it(`${query}${options === bare ? " (bare names)" : ""}${responseBody === undefined ? "" : ` of ${responseBody}`}`, () => {
      const result = asked(query, options, responseBody);
      if (expected instanceof RegExp)
        assert.match(typeof result === "string" ? result : JSON.stringify(result), expected);
      else assert.deepEqual(result, { ...NO_SYSTEM_PARAMETERS, ...expected });
    });
  }

  const ownForms: [name: string, fields: string][] = [
    ["GivesTimestamp", "nanos"],
    ["GivesMask", "paths"],
    ["GivesString", "value"],
    ["GivesStruct", "fields"],
    ["GivesValue", "string_value"],
    ["GivesAny", "value"],
    ["GivesAny", "*"],
  ];
  for (const [name, fields] of ownForms) {
    it(`$fields=${fields}: ${name} has a JSON form of its own, and no fields to choose from`, () => {
      assert.match(String(asked(`$fields=${fields}`, {}, "", name)), /no fields to choose from/);
    });
  }

  it("cost nothing where there are none: all requests share one value", () => {
    assert.equal(asked("text=a&id=b"), NO_SYSTEM_PARAMETERS);
    assert.equal(asked(""), NO_SYSTEM_PARAMETERS);
  });
});
