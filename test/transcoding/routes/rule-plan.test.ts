// HTTP rules over a method whose messages can be outlined, and over the same method with full descriptors: whether a rule
// fits, why not, and what it binds are the same.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type DescMethod, type FileRegistry, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import {
  type DescriptorProtoSchema,
  FieldDescriptorProto_Label,
  FileDescriptorProtoSchema,
} from "@bufbuild/protobuf/wkt";
import { parseTemplate } from "#src/kit/text/path-template.js";
import { isOutlined, KnownOutlines } from "#src/schema/tables/outline.js";
import { schemaFromFiles } from "#src/schema/types/schema.js";
import type { BindingPlan } from "#src/transcoding/routes/binding.js";
import type { HttpRule } from "#src/transcoding/routes/http-rule.js";
import { fitsSurely } from "#src/transcoding/routes/rule-fit.js";
import { planBinding } from "#src/transcoding/routes/rule-plan.js";
import { planSource } from "#src/transcoding/threads/job.js";
import { filesOf, messageField, method, stringField } from "../../schema/support/files.js";
import { compileProtos, methodsOf } from "../support/schema.js";

type MessageInit = MessageInitShape<typeof DescriptorProtoSchema>;

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
        if (!("error" in template) && fitsSurely(lazy, rule, template, new KnownOutlines())) sure++;
      }
      assert.equal(sure, SURE[name]);
    });
});

/** How many of the rules need no descriptor. */
const SURE: Readonly<Record<string, number>> = { OfAll: 95, OfOdd: 0, OfWithin: 0, OfBody: 0, OfTime: 0 };

describe("what a compiler would not write", () => {
  const LABEL = 4;
  const TYPE = 5;
  const INNER = { name: "Inner", field: [stringField("b", 1)] };
  const varint = (no: number, value: number) => ({ no, wireType: 0, data: Uint8Array.of(value) });

  /** A rule that binds `variable` of a message with these fields. */
  function planned(variable: string, ...field: NonNullable<MessageInit["field"]>): unknown {
    const files = filesOf({
      name: "odd.proto",
      package: "odd",
      messageType: [{ name: "Msg", field }, INNER],
      service: [{ name: "Echo", method: [method("Say", ".odd.Msg")] }],
    });
    const [{ descriptor } = {}] = methodsOf(schemaFromFiles(files).registry);
    const rule = { httpMethod: "GET", additionalBindings: [], body: "", responseBody: "" };
    return told(descriptor ?? assert.fail(), { ...rule, template: `/v1/{${variable}}` });
  }

  it("an invalid label after a valid one", () => {
    const $unknown = [varint(LABEL, 7)];
    const twice = { ...stringField("a", 1), label: FieldDescriptorProto_Label.REPEATED, $unknown };
    assert.match(String(planned("a", twice)), /'a' is repeated/);
  });

  it("an invalid type after a valid one", () => {
    const twice = { ...messageField("a", 1, ".odd.Inner"), $unknown: [varint(TYPE, 99)] };
    assert.match(String(planned("a", twice)), /'a' is a message/);
  });

  it("a name with a dot in it", () => {
    const dotted = { ...stringField("a.b", 2), label: FieldDescriptorProto_Label.REPEATED };
    assert.match(String(planned("a.b", messageField("a", 1, ".odd.Inner"), dotted)), /'a.b' is repeated/);
  });
});

it("a message is outlined once, however many rules look at it", () => {
  const descriptor = methodsOf(outlined).find(({ name }) => name === "OfAll")?.descriptor;
  if (descriptor === undefined || !isOutlined(descriptor)) assert.fail();
  const asked: string[] = [];
  const { outlines } = descriptor;
  const counting = {
    outline(typeName: string) {
      asked.push(typeName);
      return outlines.outline(typeName);
    },
  };
  const counted: typeof descriptor = Object.create(descriptor, { outlines: { value: counting } });
  const known = new KnownOutlines();
  for (const rule of rules()) {
    const template = parseTemplate(rule.template);
    if (!("error" in template)) fitsSurely(counted, rule, template, known);
  }
  assert.deepEqual(asked.sort(), [
    "rules.All",
    "rules.All.Group",
    "rules.Inner",
    "rules.Odd",
    "rules.Outer.Within",
  ]);
});

it("what goes to a thread for a rule is the rule, of which nothing is worked out for that", (context) => {
  const method = methodsOf(outlined).find(({ name }) => name === "OfAll") ?? assert.fail();
  const { descriptor = assert.fail() } = method;
  const fail = () => assert.fail("a message was made");
  const made = { get: fail, configurable: true };
  Object.defineProperties(descriptor, { input: made, output: made });
  context.after(() => {
    for (const name of ["input", "output"]) Reflect.deleteProperty(descriptor, name);
  });
  const rule = {
    httpMethod: "POST",
    template: "/v1/{text}",
    body: "inner",
    responseBody: "odd",
    additionalBindings: [],
  };
  const plan = planBinding(method, descriptor, rule, "option");
  if (typeof plan === "string") assert.fail(plan);
  assert.deepEqual(planSource(plan), {
    service: "rules.S",
    method: "OfAll",
    httpMethod: "POST",
    template: "/v1/{text}",
    body: "inner",
    responseBody: "odd",
    source: "option",
    forms: false,
  });
});
