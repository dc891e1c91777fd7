// Schemas as they are in the world, small, one oddity each. Whatever is done with schemas is run over all of them.
import type { FileInit } from "./files.js";
import { messageField, method, stringField } from "./files.js";
import type { ServerHabits } from "./reflection-server.js";

export interface OddSchema {
  readonly name: string;
  /** Declares odd.Echo/Say, from odd.Msg to odd.Msg, unless `only` says otherwise. */
  readonly files: readonly FileInit[];
  readonly habits?: ServerHabits;
  /** A descriptor set of them is refused with these words; left out: it is taken. */
  readonly refusedAsSet?: RegExp;
  /** By reflection its service is for gRPC alone, and a warning has these words. */
  readonly grpcOnly?: RegExp;
  /** Another warning than that. */
  readonly warns?: RegExp;
  /** JSON of the message, sent and received. */
  readonly json?: object;
  /** Other JSON that means the same, and what it comes back as. */
  readonly reads?: readonly (readonly [json: object, as: object])[];
  /** JSON that is refused. */
  readonly refuses?: object;
  /** The method, where it is not odd.Echo/Say. */
  readonly path?: string;
}

const ECHO = [{ name: "Echo", method: [method("Say", ".odd.Msg")] }];
const MSG = ".odd.Msg";

function odd(more: Partial<FileInit>): FileInit {
  return {
    name: "odd.proto",
    package: "odd",
    messageType: [{ name: "Msg", field: [stringField("text", 1)] }],
    service: ECHO,
    ...more,
  };
}

/** Fields of a proto2 message. */
const proto2 = { syntax: "proto2" } as const;
const MONEY = { name: "Money", field: [stringField("amount", 1)] };
const MONEY_FIELD = messageField("money", 1, ".money.Money");

/** A name in a name, so many times. */
function nested(depth: number): NonNullable<FileInit["messageType"]>[number] {
  let message: NonNullable<FileInit["messageType"]>[number] = { name: "M" };
  for (let i = 0; i < depth; i++) message = { name: "M", nestedType: [message] };
  return message;
}

export const ODD_SCHEMAS: readonly OddSchema[] = [
  { name: "nothing odd", files: [odd({})], json: { text: "x" } },
  {
    name: "files that import each other, as @grpc/proto-loader makes them",
    files: [
      odd({
        name: "odd.proto",
        dependency: ["money.proto"],
        messageType: [{ name: "Msg", field: [MONEY_FIELD] }],
      }),
      {
        name: "money.proto",
        package: "money",
        dependency: ["odd.proto"],
        messageType: [MONEY, { name: "Back", field: [messageField("m", 1, MSG)] }],
      },
    ],
    refusedAsSet: /files import each other: odd.proto → money.proto → odd.proto/,
    json: { money: { amount: "1" } },
  },
  {
    name: "a file that is imported by another name than it has",
    files: [
      odd({
        dependency: ["github.com/acme/types/money.proto"],
        messageType: [{ name: "Msg", field: [MONEY_FIELD] }],
      }),
      { name: "money.proto", package: "money", messageType: [MONEY] },
    ],
    refusedAsSet: /imports "github.com\/acme\/types\/money.proto", which is missing/,
    json: { money: { amount: "1" } },
  },
  {
    name: "imports that were dropped",
    files: [
      odd({
        messageType: [
          { name: "Msg", field: [MONEY_FIELD, messageField("at", 2, ".google.protobuf.Timestamp")] },
        ],
      }),
      { name: "money.proto", package: "money", messageType: [MONEY] },
    ],
    json: { money: { amount: "1" }, at: "2024-05-01T10:00:00Z" },
  },
  {
    name: "an import that nobody has and nothing uses",
    files: [odd({ dependency: ["gone.proto"] })],
    refusedAsSet: /imports "gone.proto", which is missing/,
    json: { text: "x" },
  },
  {
    name: "the same declaration in two files",
    files: [
      odd({
        dependency: ["a/money.proto", "b/money.proto"],
        messageType: [{ name: "Msg", field: [MONEY_FIELD] }],
      }),
      { name: "a/money.proto", package: "money", messageType: [MONEY] },
      { name: "b/money.proto", package: "money", messageType: [MONEY] },
    ],
    json: { money: { amount: "1" } },
  },
  {
    name: "two declarations of one name that differ",
    files: [
      odd({
        dependency: ["a/money.proto", "b/money.proto"],
        messageType: [{ name: "Msg", field: [MONEY_FIELD] }],
      }),
      { name: "a/money.proto", package: "money", messageType: [MONEY] },
      {
        name: "b/money.proto",
        package: "money",
        messageType: [{ name: "Money", field: [stringField("sum", 1)] }],
      },
    ],
    refusedAsSet:
      /money.Money is declared in "a\/money.proto" and in "b\/money.proto", with different content/,
    warns: /"b\/money.proto" is left out: money.Money is declared/,
    json: { money: { amount: "1" } },
  },
  {
    name: "an own copy of google/protobuf/empty.proto, and an old one of google/api",
    files: [
      odd({
        dependency: [
          "google/protobuf/empty.proto",
          "own/empty.proto",
          "google/api/http.proto",
          "own/http.proto",
        ],
        messageType: [
          {
            name: "Msg",
            field: [
              messageField("none", 1, ".google.protobuf.Empty"),
              messageField("rule", 2, ".google.api.HttpRule"),
            ],
          },
        ],
      }),
      { name: "own/empty.proto", package: "google.protobuf", messageType: [{ name: "Empty" }] },
      {
        name: "google/api/http.proto",
        package: "google.api",
        messageType: [
          { name: "HttpRule", field: [stringField("selector", 1), stringField("response_body", 12)] },
        ],
      },
      {
        name: "own/http.proto",
        package: "google.api",
        messageType: [{ name: "HttpRule", field: [stringField("selector", 1)] }],
      },
    ],
    json: { none: {}, rule: { selector: "s", responseBody: "b" } },
  },
  {
    name: "a json_name that is another field's proto name",
    files: [
      odd({
        messageType: [
          {
            name: "Msg",
            field: [
              { ...stringField("id", 1), jsonName: "legacyId" },
              { ...stringField("new_id", 2), jsonName: "id" },
            ],
          },
        ],
      }),
    ],
    json: { legacyId: "old", id: "new" },
    reads: [
      [
        { id: "new", legacyId: "old" },
        { legacyId: "old", id: "new" },
      ],
      [{ new_id: "n" }, { id: "n" }],
    ],
  },
  {
    name: "the same, declared the other way round",
    files: [
      odd({
        messageType: [
          {
            name: "Msg",
            field: [
              { ...stringField("new_id", 2), jsonName: "id" },
              { ...stringField("id", 1), jsonName: "legacyId" },
            ],
          },
        ],
      }),
    ],
    json: { legacyId: "old", id: "new" },
  },
  ...["toString", "constructor", "valueOf", "hasOwnProperty", "__proto__"].map(
    (name): OddSchema => ({
      name: `a message called ${name}, in no package`,
      files: [
        {
          name: "odd.proto",
          messageType: [{ name, field: [stringField("text", 1), messageField("more", 2, `.${name}`)] }],
          service: [{ name: "Echo", method: [method("Say", `.${name}`)] }],
        },
      ],
      path: "/Echo/Say",
      json: { text: "x", more: { text: "y" } },
    }),
  ),
  {
    name: "fields called as what every object has",
    files: [
      odd({
        messageType: [
          {
            name: "Msg",
            field: ["toString", "constructor", "valueOf", "__proto__"].map((name, i) => ({
              ...stringField(name, i + 1),
              jsonName: name,
            })),
          },
        ],
      }),
    ],
    json: JSON.parse('{"toString":"a","constructor":"b","valueOf":"c","__proto__":"d"}'),
  },
  {
    name: "relative names, kinds that are left out, and no JSON names",
    files: [
      odd({
        messageType: [
          {
            name: "Msg",
            field: [
              { name: "some_inner", number: 1, label: 1, typeName: "Inner" },
              { name: "its_kind", number: 2, label: 1, typeName: "odd.Kind" },
            ],
            nestedType: [{ name: "Inner", field: [messageField("outer", 1, "Msg")] }],
          },
        ],
        enumType: [
          {
            name: "Kind",
            value: [
              { name: "NONE", number: 0 },
              { name: "SOME", number: 1 },
            ],
          },
        ],
        service: [{ name: "Echo", method: [method("Say", "Msg")] }],
      }),
    ],
    json: { someInner: { outer: { itsKind: "SOME" } }, itsKind: "SOME" },
  },
  {
    name: "proto2: groups, required fields, extensions, defaults of every sort",
    files: [
      odd({
        ...proto2,
        messageType: [
          {
            name: "Msg",
            field: [
              { ...stringField("must", 1), label: 2 },
              { ...messageField("grp", 2, ".odd.Msg.Grp"), type: 10 },
              { ...stringField("text", 3), defaultValue: 'with "quotes"' },
              { ...stringField("n", 4), type: 3, defaultValue: "9223372036854775807" },
              { ...stringField("f", 5), type: 1, defaultValue: "nan" },
              { ...stringField("e", 6), type: 14, typeName: ".odd.E", defaultValue: "TWO" },
            ],
            nestedType: [{ name: "Grp", field: [stringField("x", 1)] }],
            extensionRange: [{ start: 100, end: 200 }],
          },
        ],
        enumType: [
          {
            name: "E",
            value: [
              { name: "ONE", number: 1 },
              { name: "TWO", number: 2 },
            ],
          },
        ],
        extension: [{ ...stringField("more", 100), extendee: ".odd.Msg" }],
      }),
    ],
    json: { must: "x", grp: { x: "y" }, n: "9223372036854775807", f: "NaN", e: "ONE", "[odd.more]": "z" },
    refuses: { text: "the required field is missing" },
  },
  {
    name: "edition 2023 with delimited messages and closed enums",
    files: [
      odd({
        syntax: "editions",
        edition: 1000,
        options: { features: { messageEncoding: 2, enumType: 2, fieldPresence: 2 } },
        messageType: [
          {
            name: "Msg",
            field: [messageField("inner", 1, MSG), { ...stringField("e", 2), type: 14, typeName: ".odd.E" }],
          },
        ],
        enumType: [
          {
            name: "E",
            value: [
              { name: "NONE", number: 0 },
              { name: "ONE", number: 1 },
            ],
          },
        ],
      }),
    ],
    json: { inner: { inner: {}, e: "ONE" } },
    refuses: { e: 7 },
  },
  {
    name: "messages of two files in each other, and maps of them",
    files: [
      odd({
        dependency: ["money.proto"],
        messageType: [
          {
            name: "Msg",
            field: [{ ...messageField("by_name", 1, ".odd.Msg.ByNameEntry"), label: 3 }, MONEY_FIELD].map(
              (field, i) => ({ ...field, number: i + 1 }),
            ),
            nestedType: [
              {
                name: "ByNameEntry",
                field: [stringField("key", 1), messageField("value", 2, ".money.Money")],
                options: { mapEntry: true },
              },
            ],
          },
        ],
      }),
      { name: "money.proto", package: "money", messageType: [MONEY] },
    ],
    json: { byName: { a: { amount: "1" } }, money: { amount: "2" } },
  },
  {
    name: "the largest field number, and two names for one value",
    files: [
      odd({
        messageType: [
          {
            name: "Msg",
            field: [
              stringField("last", 536_870_911),
              { ...stringField("e", 2), type: 14, typeName: ".odd.E" },
            ],
          },
        ],
        enumType: [
          {
            name: "E",
            value: [
              { name: "NONE", number: 0 },
              { name: "ONE", number: 1 },
              { name: "EINS", number: 1 },
            ],
            options: { allowAlias: true },
          },
        ],
      }),
    ],
    json: { last: "x", e: "ONE" },
    reads: [[{ e: "EINS" }, { e: "ONE" }]],
  },
  {
    name: "a weak import that is not there",
    files: [odd({ dependency: ["gone.proto"], weakDependency: [0] })],
    json: { text: "x" },
  },
  {
    name: "a type that nobody has",
    files: [odd({ messageType: [{ name: "Msg", field: [messageField("gone", 1, ".gone.Type")] }] })],
    refusedAsSet: /field odd.Msg.gone in "odd.proto" has the type "gone.Type", which no file declares/,
    grpcOnly: /odd.Echo is for gRPC clients only: field odd.Msg.gone .*--proto DIR/,
  },
  {
    name: "a service that is listed and not described",
    files: [odd({})],
    habits: { hides: ["odd.proto"] },
    grpcOnly: /odd.Echo is for gRPC clients only: NOT_FOUND.*--proto DIR/,
  },
  {
    name: "a package of 4,000 names",
    files: [
      odd({ package: "p.".repeat(3999).concat("odd"), service: [], messageType: [{ name: "Deep" }] }),
      odd({ name: "odd2.proto" }),
    ],
    refusedAsSet: /"odd.proto" has the name "p\.p\..*: the limits are 512 characters and 64 parts/,
    habits: { services: ["odd.Echo"] },
    json: { text: "x" },
  },
  {
    name: "messages 80 deep",
    files: [odd({ messageType: [{ name: "Msg", field: [stringField("text", 1)] }, nested(80)] })],
    refusedAsSet: /"odd.proto" nests deeper than the limit of 64 messages/,
    grpcOnly: /odd.Echo is for gRPC clients only/,
    warns: /"odd.proto" is left out: "odd.proto" nests deeper/,
  },
  {
    name: "an enum that does not have the default of its field",
    files: [
      odd({
        ...proto2,
        messageType: [
          {
            name: "Msg",
            field: [{ ...stringField("e", 1), type: 14, typeName: ".odd.E", defaultValue: "NO" }],
          },
        ],
        enumType: [{ name: "E", value: [{ name: "ONE", number: 1 }] }],
      }),
    ],
    refusedAsSet: /are inconsistent: field odd.Msg.e in "odd.proto" has the default "NO"/,
    grpcOnly: /odd.Echo is for gRPC clients only: field odd.Msg.e/,
  },
];
