// .proto files as they are in the world, small, one oddity each. They are compiled together: by the hub, by buf, and by
// protoc (make test-all), and must come out the same. `look` and `is` hold the right values on a bare machine.
import type { FileDescriptorProto } from "@bufbuild/protobuf/wkt";

export interface OddProto {
  readonly name: string;
  readonly source: string;
  /** What is to be seen in the descriptor. */
  readonly look: (file: FileDescriptorProto) => unknown;
  readonly is: unknown;
  /** Why buf says otherwise, or refuses it; protoc decides. */
  readonly notBuf?: string;
}

const defaults = (file: FileDescriptorProto): unknown =>
  file.messageType[0]?.field.map(({ defaultValue }) => defaultValue);
const fields = (file: FileDescriptorProto): unknown =>
  file.messageType[0]?.field.map(({ name, type, typeName }) => [name, type, typeName]);
/** Hexadecimal, of the unknown fields of the file's options. */
const customs = (file: FileDescriptorProto): unknown =>
  file.options?.$unknown?.map(({ no, data }) => [no, Buffer.from(data).toString("hex")]);

/** Custom options of files, for the cases below. */
const OPTIONS = `syntax = "proto2";
package odd.options;
import "google/protobuf/any.proto";
import "google/protobuf/descriptor.proto";
enum Kind { NONE = 0; SOME = 1; LESS = -1; }
message All {
  optional string s = 1; optional bytes b = 2; optional sint32 i = 3; optional fixed64 u = 4; optional float f = 5;
  optional double d = 6; optional bool y = 7; optional Kind k = 8; repeated int32 r = 9; optional All m = 10;
  repeated All ms = 11; optional group Grp = 12 { optional string g = 1; } map<string, int32> p = 13;
  optional google.protobuf.Any any = 14; repeated int32 packed = 15 [packed = true]; oneof one { int32 x = 16; int32 z = 17; }
  optional string hidden = 18 [retention = RETENTION_SOURCE];
  extensions 100 to 199;
}
extend All { optional string more = 100; optional All deep = 101; }
extend google.protobuf.FileOptions {
  optional All all = 50001; optional string text = 50002; repeated int32 list = 50003; optional bytes raw = 50004;
  optional double real = 50005; optional Kind kind = 50006; optional int64 big = 50007; repeated All alls = 50008;
}
extend google.protobuf.FieldOptions { optional string gone = 50001 [retention = RETENTION_SOURCE]; }
message Scope { extend google.protobuf.FileOptions { optional uint64 inner = 50020; } }
`;

const withOptions = (options: string, head = 'syntax = "proto3";'): string =>
  `${head}\npackage odd.OWN;\nimport "OPTIONS";\n${options}\n`;

const ODD: readonly OddProto[] = [
  { name: "options", source: OPTIONS, look: ({ extension }) => extension.length, is: 11 },
  {
    name: "integer-defaults",
    source: `syntax = "proto2"; package odd.OWN; message M {
      optional int64 a = 1 [default = 9223372036854775807]; optional int64 b = 2 [default = -9223372036854775808];
      optional int64 c = 3 [default = 9007199254740993]; optional uint64 d = 4 [default = 18446744073709551615];
      optional sint32 e = 5 [default = -0x80000000]; optional fixed32 f = 6 [default = 0xFFFFFFFF];
      optional int32 g = 7 [default = 017]; optional sfixed64 h = 8 [default = -0]; optional uint32 i = 9 [default = 0]; }`,
    look: defaults,
    is: [
      "9223372036854775807",
      "-9223372036854775808",
      "9007199254740993",
      "18446744073709551615",
      "-2147483648",
      "4294967295",
      "15",
      "0",
      "0",
    ],
  },
  {
    name: "float-defaults",
    source: `syntax = "proto2"; package odd.OWN; message M {
      optional double a = 1 [default = 0.1]; optional double b = 2 [default = 1e23]; optional double c = 3 [default = .5];
      optional double d = 4 [default = -inf]; optional double e = 5 [default = nan]; optional double f = 6 [default = 1.];
      optional double g = 7 [default = 123456789012345678]; optional double h = 8 [default = 1E-7]; optional double i = 9 [default = -0.0];
      optional float j = 10 [default = 0.1]; optional float k = 11 [default = 16777217]; optional float l = 12 [default = 1e300];
      optional float m = 13 [default = 3.4028235e38]; optional float n = 14 [default = 1.5e0]; optional double o = 15 [default = 2.2250738585072014e-308];
      optional double p = 16 [default = -0x10]; optional float q = 17 [default = 100000]; optional float r = 18 [default = 1234567]; }`,
    look: defaults,
    is: [
      "0.1",
      "1e+23",
      "0.5",
      "-inf",
      "nan",
      "1",
      "1.2345678901234568e+17",
      "1e-07",
      "-0",
      "0.1",
      "16777216",
      "inf",
      "3.40282347e+38",
      "1.5",
      "2.2250738585072014e-308",
      "-16",
      "100000",
      "1234567",
    ],
    notBuf: "it prints floats in another way",
  },
  {
    name: "string-defaults",
    source: String.raw`syntax = "proto2"; package odd.OWN; message M {
      optional string a = 1 [default = "a\"b"]; optional string b = 2 [default = 'it\'s "q"']; optional string c = 3 [default = "\u00e9\U0001F600"];
      optional string d = 4 [default = "\303\251 \xC3\xa9"]; optional string e = 5 [default = "one " 'two' "\tthree"]; optional string f = 6 [default = ""];
      optional bytes g = 7 [default = "\xff\0\1\12\x7fé\\\"'\?"]; optional bytes h = 8 [default = "\a\b\f\n\r\t\v"]; optional string i = 9 [default = "// no /* comment */"]; }`,
    look: defaults,
    is: [
      'a"b',
      `it's "q"`,
      "é😀",
      "é é",
      "one two\tthree",
      "",
      String.raw`\377\000\001\n\177\303\251\\\"\'?`,
      String.raw`\007\010\014\n\r\t\013`,
      "// no /* comment */",
    ],
  },
  {
    name: "enum-defaults",
    source: `package odd.OWN; import "OPTIONS"; message M { optional odd.options.Kind a = 1 [default = LESS]; optional E b = 2 [default = B]; enum E { A = 5; B = -1; } }`,
    look: defaults,
    is: ["LESS", "B"],
  },
  {
    name: "groups",
    source: `syntax = "proto2"; package odd.OWN;
      message M { optional group First = 1 { optional int32 a = 1; } oneof o { group Second = 2 { optional string b = 1; } int32 c = 3; }
        repeated group Third = 4 [deprecated = true] { optional group Inner = 1 { } } extensions 100 to 110;
        extend M { optional group Within = 101 { } } }
      extend M { repeated group Outside = 100 { optional string s = 1; } }`,
    look: (file) => [
      fields(file),
      file.messageType[0]?.nestedType.map(({ name }) => name),
      file.messageType.map(({ name }) => name),
      file.messageType[0]?.field[1]?.oneofIndex,
      file.extension.map(({ type, typeName }) => [type, typeName]),
    ],
    is: [
      [
        ["first", 10, ".odd.groups.M.First"],
        ["second", 10, ".odd.groups.M.Second"],
        ["c", 5, ""],
        ["third", 10, ".odd.groups.M.Third"],
      ],
      ["First", "Second", "Third", "Within"],
      ["M", "Outside"],
      0,
      [[10, ".odd.groups.Outside"]],
    ],
  },
  {
    name: "edition-2023",
    source: `edition = "2023"; package odd.OWN; option features.field_presence = IMPLICIT; option features.enum_type = CLOSED;
      message M { string s = 1; repeated int32 r = 2 [features.repeated_field_encoding = EXPANDED]; M m = 3 [features.message_encoding = DELIMITED];
        map<string, string> p = 4 [features.utf8_validation = NONE]; int32 q = 5 [features.field_presence = LEGACY_REQUIRED]; reserved foo, bar; }
      enum E { option features.enum_type = OPEN; A = 0; }`,
    look: ({ syntax, edition, messageType }) => [syntax, edition, messageType[0]?.reservedName],
    is: ["editions", 1000, ["foo", "bar"]],
  },
  {
    name: "edition-2024",
    source: `edition = "2024"; package odd.OWN; import option "OPTIONS"; option (odd.options.text) = "x"; option features.enforce_naming_style = STYLE_LEGACY;
      export message M { local message Inner {} Inner i = 1; export enum E { A = 0; } } local enum F { B = 0; } message Plain {}`,
    look: ({ edition, optionDependency, dependency, messageType, enumType }) => [
      edition,
      optionDependency,
      dependency,
      messageType.map(({ visibility }) => visibility),
      messageType[0]?.nestedType[0]?.visibility,
      enumType[0]?.visibility,
    ],
    is: [1001, ["odd/options.proto"], [], [2, 0], 1, 1],
    notBuf: "it does not know this edition",
  },
  {
    name: "proto3-optional",
    source: `syntax = "proto3"; package odd.OWN; message M { optional int32 a = 1; optional string _b = 2; oneof o { int32 _a = 3; int32 d = 4; } optional M X_a = 5; message _d {} optional int32 d2 = 6; }`,
    look: ({ messageType }) => messageType[0]?.oneofDecl.map(({ name }) => name),
    is: ["o", "XX_a", "X_b", "_X_a", "_d2"],
  },
  {
    name: "maps",
    source: `syntax = "proto3"; package odd.OWN; message M { map<int32, M> a__b = 1; map<string, E> _x1y = 2; map<bool, bytes> Cap = 3 [json_name = "other", deprecated = true]; enum E { A = 0; } }`,
    look: ({ messageType }) => messageType[0]?.nestedType.map(({ name, field }) => [name, field[1]?.type]),
    is: [
      ["ABEntry", 11],
      ["X1yEntry", 14],
      ["CapEntry", 12],
    ],
  },
  {
    name: "ranges",
    source: `syntax = "proto2"; package odd.OWN; message M { extensions 4 to 10, 20, 1000 to max; reserved 11 to 13, 15; reserved "foo", 'bar' "baz"; }
      message S { option message_set_wire_format = true; extensions 4 to max; } message R { reserved 5 to max; }
      message V { extensions 1 to 5, 7 [verification = UNVERIFIED]; }
      enum E { A = 1; reserved -5 to -1, 7, 100 to max; reserved "B"; } extend S { optional M big = 2147483646; }`,
    look: ({ messageType, enumType }) => [
      messageType.map(({ extensionRange, reservedRange }) =>
        [...extensionRange, ...reservedRange].map(({ start, end }) => [start, end]),
      ),
      messageType[0]?.reservedName,
      enumType[0]?.reservedRange.map(({ start, end }) => [start, end]),
    ],
    is: [
      [
        [
          [4, 11],
          [20, 21],
          [1000, 536870912],
          [11, 14],
          [15, 16],
        ],
        [[4, 2147483647]],
        [[5, 536870912]],
        [
          [1, 6],
          [7, 8],
        ],
      ],
      ["foo", "barbaz"],
      [
        [-5, -1],
        [7, 7],
        [100, 2147483647],
      ],
    ],
    notBuf: "an image of it keeps what is for the source",
  },
  {
    name: "words",
    source: `syntax = "proto3"; package odd.OWN.message.rpc;
      message stream { string message = 1; string option = 2; int32 oneof = 3; bool map = 4; repeated string repeated = 5; string reserved = 6; stream stream = 7; to to = 8; string package = 9; double inf = 10; int32 max = 11; }
      message to {} message map { to map = 1; } enum syntax { message = 0; enum = 1; value = 2; }
      service service { rpc rpc(stream to) returns (.odd.words.message.rpc.to); rpc stream(stream OWN.message.rpc.stream) returns (stream .odd.OWN.message.rpc.stream); rpc returns(map) returns (map); }`,
    look: (file) => [
      fields(file),
      file.service[0]?.method.map(({ inputType, clientStreaming, outputType, serverStreaming }) => [
        inputType,
        clientStreaming,
        outputType,
        serverStreaming,
      ]),
    ],
    is: [
      [
        ["message", 9, ""],
        ["option", 9, ""],
        ["oneof", 5, ""],
        ["map", 8, ""],
        ["repeated", 9, ""],
        ["reserved", 9, ""],
        ["stream", 11, ".odd.words.message.rpc.stream"],
        ["to", 11, ".odd.words.message.rpc.to"],
        ["package", 9, ""],
        ["inf", 1, ""],
        ["max", 5, ""],
      ],
      [
        [".odd.words.message.rpc.to", true, ".odd.words.message.rpc.to", false],
        [".odd.words.message.rpc.stream", true, ".odd.words.message.rpc.stream", true],
        [".odd.words.message.rpc.map", false, ".odd.words.message.rpc.map", false],
      ],
    ],
    notBuf: "it takes some of these names for keywords",
  },
  {
    name: "relative",
    source: `syntax = "proto3"; package odd.OWN; import "OPTIONS";
      message A { message B { message A { B b = 1; A a = 2; odd.OWN.A o = 3; OWN.A r = 4; } A a = 1; options.All all = 2; .odd.OWN.B top = 3; } B b = 1; } message B {}`,
    look: ({ messageType }) => {
      const b = messageType[0]?.nestedType[0];
      return [b, b?.nestedType[0]].map((message) => message?.field.map(({ typeName }) => typeName));
    },
    is: [
      [".odd.relative.A.B.A", ".odd.options.All", ".odd.relative.B"],
      [".odd.relative.A.B", ".odd.relative.A.B.A", ".odd.relative.A", ".odd.relative.A"],
    ],
  },
  {
    name: "json-names",
    source: `syntax = "proto3"; package odd.OWN; message M { int32 a_1 = 1; int32 _ = 2; int32 FooBar = 3; int32 __a__b_ = 4; int32 a_B = 5; int32 x = 6 [json_name = "@type \\u00e9"]; int32 fooBar = 7 [json_name="f"]; }`,
    look: ({ messageType }) => messageType[0]?.field.map(({ jsonName }) => jsonName),
    is: ["a1", "", "FooBar", "AB", "aB", "@type é", "f"],
  },
  {
    name: "enums",
    source: `package odd.OWN; enum E { option allow_alias = true; A = 5; B = 5; C = -0x80000000; D = 0x7fffffff [deprecated = true]; F = 010; }`,
    look: ({ enumType }) => enumType[0]?.value.map(({ number }) => number),
    is: [5, 5, -2147483648, 2147483647, 8],
  },
  {
    name: "statements",
    source: `\uFEFFsyntax = "proto" "3";;\r\npackage odd . OWN;\r\n;message M{;int32 a=1;;oneof o{int32 b=2;}enum E{;A=0;;}}\nservice S{;rpc A(M)returns(M);rpc B(M)returns(M){;};}/* end */;// end`,
    look: ({ service }) => service[0]?.method.map(({ options }) => options !== undefined),
    is: [false, true],
    notBuf: "it refuses some of the empty statements, and leaves an empty block no mark",
  },
  {
    name: "comments",
    source: `// The license.

// Detached.
syntax = "proto3"; // Of the syntax.
package odd.OWN;

// Detached, too.

// Of M,
// in two lines.
message M { // Behind the brace.
  int32 a = 1; // Of a.
  // Of b.
  int32 b = 2;
  // Behind b, far from c.

  /* Of c,
   * as a block. */
  int32 c = 3; /* Of nobody. */ int32 d = 4;
\t/** é */ oneof o { /* In o. */
    // Of e.
    int32 e = 5; } // Behind o.
  // Of nothing.
}
// Of E.
enum E { A = 0; // Of A.
}
/* Of S. */ service S {
  // Of R.
  rpc R(M) returns (M) { // In R.
  }
}`,
    look: ({ sourceCodeInfo }) =>
      sourceCodeInfo?.location.map(({ path, leadingComments, trailingComments }) => [
        path.join(),
        leadingComments,
        trailingComments,
      ]),
    is: [
      ["4,0", " Of M,\n in two lines.\n", " Behind the brace.\n"],
      ["4,0,2,0", "", " Of a.\n"],
      ["4,0,2,1", " Of b.\n", " Behind b, far from c.\n"],
      ["4,0,2,2", " Of c,\n as a block. ", ""],
      ["4,0,8,0", "* é ", " In o. "],
      ["4,0,2,4", " Of e.\n", ""],
      ["5,0", " Of E.\n", ""],
      ["5,0,2,0", "", " Of A.\n"],
      ["6,0", " Of S. ", ""],
      ["6,0,2,0", " Of R.\n", " In R.\n"],
    ],
  },
  {
    name: "option-escapes",
    source: withOptions(
      String.raw`option (options.text) = "a\"b\u00e9" 'c'; option (options.raw) = "\xff\0\377"; option java_package = "x\\y";`,
    ),
    look: (file) => [file.options?.javaPackage, customs(file)],
    is: [
      String.raw`x\y`,
      [
        [50002, "06612262c3a963"],
        [50004, "03ff00ff"],
      ],
    ],
  },
  {
    name: "option-parts",
    source:
      withOptions(`option (options.kind) = LESS; option (options.all).s = "x"; option (.odd.options.all).m.m.i = -7; option (options.all).(options.deep).y = true;
      option (options.all).(options.more) = "m"; option (options.all).r = 1; option (options.all).r = 2; option (options.list) = 9; option (options.list) = 8;
      option (options.Scope.inner) = 18446744073709551615; option (options.big) = -9223372036854775808; option (options.real) = -inf;`),
    look: customs,
    is: [
      [50001, "160a01784801480252045202180da206016daa06023801"],
      [50003, "09"],
      [50003, "08"],
      [50005, "000000000000f0ff"],
      [50006, "ffffffffffffffffff01"],
      [50007, "80808080808080808001"],
      [50020, "ffffffffffffffffff01"],
    ],
    notBuf: "it keeps the order in which options are written",
  },
  {
    name: "option-text",
    source:
      withOptions(`option (odd.options.all) = { f: inf, d: -1.5e3; y: t b: "\\x00" "z" k: SOME r: [1, 2,3] r: 0x10 packed: [1, 2] m { m: < s: 'n' > }
      ms: [{ i: 1 }, { i: -2 }] ms < u: 1 > Grp { g: "g" } p { key: "k" value: 1 } p: [{ key: "l" }] [odd.options.more]: "more" [odd.options.deep] { x: 1 }
      any { [type.googleapis.com/odd.options.All] { s: "in" } } z: 5 hidden: "h" };`),
    look: (file) => (file.options?.$unknown ?? []).map(({ no, data }) => [no, data.length]),
    is: [[50001, 142]],
    notBuf: "it keeps the order in which fields are written",
  },
  {
    name: "option-retention",
    source: withOptions(
      `message M { optional string a = 1 [(odd.options.gone) = "x"]; optional string b = 2 [(odd.options.gone) = "x", deprecated = true]; }`,
      'syntax = "proto2";',
    ),
    look: ({ messageType }) => messageType[0]?.field.map(({ options }) => options?.deprecated),
    is: [undefined, true],
    notBuf: "an image of it keeps what is for the source",
  },
  {
    name: "before-the-package",
    source: `syntax = "proto3"; option (options.text) = "early"; import public "OPTIONS"; package odd.OWN; message M {}`,
    look: (file) => [customs(file), file.publicDependency],
    is: [[[50002, "056561726c79"]], [0]],
  },
  {
    name: "through-public",
    source: `syntax = "proto3"; package odd.OWN; import "odd/before-the-package.proto"; message M { options.Kind2 k = 1; } message options { message Kind2 {} }`,
    look: fields,
    is: [["k", 11, ".odd.through_public.options.Kind2"]],
  },
  {
    name: "a-service",
    source: `syntax = "proto3"; package odd.OWN; message M {} service S { rpc Do(M) returns (M) {} }`,
    look: ({ service }) => service.length,
    is: 1,
  },
];

/** Each in a file and a package of its own. */
export const ODD_PROTOS: readonly (OddProto & { readonly file: string })[] = ODD.map((odd) => ({
  ...odd,
  file: `odd/${odd.name}.proto`,
  source: odd.source
    .replaceAll("OWN", odd.name.replaceAll("-", "_"))
    .replaceAll("OPTIONS", "odd/options.proto"),
}));
