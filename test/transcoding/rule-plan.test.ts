// HTTP rules over a method whose messages can be outlined, and over the same method with full descriptors: whether a rule
// fits, why not, and what it binds are the same.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type DescMethod, type FileRegistry, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { parseTemplate } from "#src/core/path-template.js";
import { schemaFromFiles } from "#src/schema/schema.js";
import type { BindingPlan } from "#src/transcoding/binding.js";
import type { HttpRule } from "#src/transcoding/http-rule.js";
import { fitsSurely } from "#src/transcoding/rule-fit.js";
import { planBinding } from "#src/transcoding/rule-plan.js";
import { compileProtos, methodsOf } from "./support/schema.js";

const full = compileProtos({
  "rules.proto": `syntax = "proto2"; package rules;
    import "google/api/httpbody.proto"; import "google/protobuf/timestamp.proto";
    import "google/protobuf/wrappers.proto"; import "google/protobuf/struct.proto";
    enum Kind { NONE = 0; }
    message Inner { optional string name = 1; optional Inner inner = 2; optional Kind kind = 3; repeated string names = 4; }
    message Outer { message Within { optional string name = 1; } }
    message Odd { optional string name = 1; optional Inner inner = 2 [json_name = "a.b"]; }
    message All {
      optional string text = 1; required int64 whole = 2; optional Kind kind = 3; optional Inner inner = 4;
      repeated string texts = 5; map<string, string> pairs = 6; optional google.protobuf.Timestamp at = 7;
      optional google.protobuf.StringValue wrapped = 8; optional google.api.HttpBody raw = 9;
      optional Outer.Within within = 10; oneof one { string either = 11; Inner or = 12; }
      repeated Inner inners = 13; optional google.protobuf.Struct struct = 14; optional Odd odd = 15;
      optional group Group = 16 { optional string name = 1; } optional string other_name = 17 [json_name = "alias"];
    }
    service S {
      rpc OfAll(All) returns (All); rpc OfOdd(Odd) returns (Odd); rpc OfWithin(Outer.Within) returns (Outer.Within);
      rpc OfBody(google.api.HttpBody) returns (google.api.HttpBody);
      rpc OfTime(google.protobuf.Timestamp) returns (google.protobuf.StringValue);
    }`,
});
const outlined: FileRegistry = schemaFromFiles(
  new Map(
    [...full.files].map((file) => [`${file.name}.proto`, toBinary(FileDescriptorProtoSchema, file.proto)]),
  ),
).registry;

const FIELDS = [
  ..."text whole kind inner texts pairs at wrapped raw within either or inners struct odd group other_name".split(
    " ",
  ),
  ..."alias otherName Text none name value data seconds".split(" "),
  ..."inner.name inner.kind inner.names inner.inner.name inner.none within.name odd.name odd.inner odd.a.b".split(
    " ",
  ),
  ..."or.name inners.name pairs.key at.seconds wrapped.value raw.data group.name text.name struct.fields".split(
    " ",
  ),
  ...[8, 9, 32, 33].map((steps) => `${"inner.".repeat(steps - 1)}name`),
];
const BODIES = [
  "",
  "*",
  "text",
  "inner",
  "texts",
  "raw",
  "within",
  "wrapped",
  "alias",
  "none",
  "inner.name",
  "either",
];

function* rules(): Generator<HttpRule> {
  const more = { httpMethod: "PATCH", additionalBindings: [] };
  for (const field of FIELDS)
    for (const body of BODIES) yield { ...more, template: `/v1/{${field}}/x`, body, responseBody: "" };
  for (const field of FIELDS) {
    yield { ...more, template: `/v1/{inner.name}/{${field}}`, body: "", responseBody: "" };
    yield { ...more, template: "/v1/x", body: "", responseBody: field };
  }
  yield { ...more, template: "/v1/x", body: "*", responseBody: "*" };
}

/** All that a plan says, or why there is none. */
function told(descriptor: DescMethod, rule: HttpRule): unknown {
  const { name, parent, methodKind: kind } = descriptor;
  const path = `/${parent.typeName}/${name}`;
  const method = { service: parent.typeName, name, path, kind, idempotent: false, descriptor };
  const plan = planBinding(method, descriptor, rule, "option");
  return typeof plan === "string" ? plan : tellPlan(plan);
}

function tellPlan(plan: BindingPlan): unknown {
  return {
    variables: plan.variables.map(({ target, inBody, multi }) => [target.key, target.form, inBody, multi]),
    pathMessage: plan.pathMessage?.map(({ tag }) => tag),
    body: typeof plan.body === "string" ? plan.body : plan.body.name,
    httpBody: plan.httpBody?.desc.typeName,
    updateMask: plan.updateMask?.name,
    wrapped: plan.wrapped?.name,
    ownJson: plan.ownJson,
    responseField: plan.responseField?.name,
  };
}

describe("a rule over outlines says what it says over descriptors", () => {
  const ofOutlines = new Map(methodsOf(outlined).map(({ name, descriptor }) => [name, descriptor]));
  for (const { name, descriptor } of methodsOf(full))
    it(name, () => {
      let sure = 0;
      for (const rule of rules()) {
        const lazy = ofOutlines.get(name);
        assert.ok(descriptor !== undefined && lazy !== undefined);
        assert.deepEqual(told(lazy, rule), told(descriptor, rule), JSON.stringify(rule));
        const template = parseTemplate(rule.template);
        if (!("error" in template) && fitsSurely(lazy, rule, template)) sure++;
      }
      assert.equal(sure, SURE[name]);
    });
});

/** How many of the rules need no descriptor. */
const SURE: Readonly<Record<string, number>> = { OfAll: 95, OfOdd: 0, OfWithin: 0, OfBody: 0, OfTime: 0 };
