// A schema with every kind of field, rule and route that an OpenAPI document has to say something of.
import { compileProtos } from "../../transcoding/support/schema.js";

/** The part of buf/validate/validate.proto that the schema uses. */
const VALIDATE = `syntax = "proto2"; package buf.validate;
  import "google/protobuf/descriptor.proto"; import "google/protobuf/duration.proto";
  extend google.protobuf.MessageOptions { optional MessageRules message = 1159; }
  extend google.protobuf.OneofOptions { optional OneofRules oneof = 1159; }
  extend google.protobuf.FieldOptions { optional FieldRules field = 1159; }
  message Rule { optional string id = 1; optional string message = 2; optional string expression = 3; }
  message MessageRules { repeated Rule cel = 3; repeated MessageOneofRule oneof = 4; }
  message MessageOneofRule { repeated string fields = 1; optional bool required = 2; }
  message OneofRules { optional bool required = 1; }
  message FieldRules {
    repeated Rule cel = 23; optional bool required = 25; optional int32 ignore = 27;
    oneof type {
      BoolRules bool = 13; DoubleRules double = 2; Int32Rules int32 = 3; Int64Rules int64 = 4; StringRules string = 14; BytesRules bytes = 15;
      EnumRules enum = 16; RepeatedRules repeated = 18; MapRules map = 19; AnyRules any = 20; DurationRules duration = 21;
    }
  }
  message BoolRules { optional bool const = 1; }
  message DoubleRules { optional double gte = 5; optional double lt = 2; repeated double in = 6; repeated double not_in = 7; optional bool finite = 8; }
  message Int32Rules { optional int32 const = 1; optional int32 lt = 2; optional int32 lte = 3; optional int32 gt = 4;
    optional int32 gte = 5; repeated int32 in = 6; repeated int32 not_in = 7; repeated int32 example = 8; }
  message Int64Rules { optional int64 gte = 5; repeated int64 in = 6; }
  message StringRules { optional uint64 min_len = 2; optional uint64 max_len = 3; optional uint64 max_bytes = 5;
    optional string pattern = 6; optional string prefix = 7; optional string suffix = 8; optional string not_contains = 23;
    repeated string in = 10; repeated string not_in = 11; optional bool email = 12;
    optional bool hostname = 13; optional bool ip = 14; optional bool uri = 17; optional bool uuid = 22; optional bool host_and_port = 32; repeated string example = 34; }
  message BytesRules { optional uint64 min_len = 2; optional uint64 max_len = 3; }
  message EnumRules { optional int32 const = 1; optional bool defined_only = 2; repeated int32 not_in = 4; }
  message RepeatedRules { optional uint64 min_items = 1; optional uint64 max_items = 2; optional bool unique = 3; optional FieldRules items = 4; }
  message MapRules { optional uint64 max_pairs = 2; optional FieldRules keys = 4; optional FieldRules values = 5; }
  message AnyRules { repeated string in = 2; }
  message DurationRules { optional google.protobuf.Duration lte = 4; optional google.protobuf.Duration gt = 5; }`;

const FIELD_BEHAVIOR = `syntax = "proto3"; package google.api;
  import "google/protobuf/descriptor.proto";
  extend google.protobuf.FieldOptions { repeated FieldBehavior field_behavior = 1052 [packed = false]; }
  enum FieldBehavior { FIELD_BEHAVIOR_UNSPECIFIED = 0; OPTIONAL = 1; REQUIRED = 2; OUTPUT_ONLY = 3; INPUT_ONLY = 4; IMMUTABLE = 5; IDENTIFIER = 8; }`;

const KINDS = `syntax = "proto3"; package torture.v1;
  import "google/api/annotations.proto"; import "google/api/httpbody.proto"; import "google/api/field_behavior.proto";
  import "google/protobuf/any.proto"; import "google/protobuf/duration.proto"; import "google/protobuf/empty.proto";
  import "google/protobuf/field_mask.proto"; import "google/protobuf/struct.proto"; import "google/protobuf/timestamp.proto";
  import "google/protobuf/wrappers.proto";

  // How bright it is.
  // (-- Nobody but us needs to know. --)
  enum Colour {
    COLOUR_UNSPECIFIED = 0;
    // As blood.
    COLOUR_RED = 1;
    COLOUR_BLUE = 2 [deprecated = true];
  }

  // Every kind of field.
  message Kinds {
    // A double.
    double a_double = 1; float a_float = 2; int32 an_int32 = 3; int64 an_int64 = 4; uint32 a_uint32 = 5; uint64 a_uint64 = 6;
    sint32 a_sint32 = 7; sint64 a_sint64 = 8; fixed32 a_fixed32 = 9; fixed64 a_fixed64 = 10; sfixed32 an_sfixed32 = 11;
    sfixed64 an_sfixed64 = 12; bool a_bool = 13; string a_string = 14; bytes some_bytes = 15;
    Colour colour = 16; repeated Colour colours = 17; repeated int64 longs = 18; optional string maybe = 19;
    map<string, string> labels = 20; map<int32, Kinds> by_number = 21; map<bool, Colour> by_bool = 22; map<uint64, bytes> by_long = 23;
    Kinds self = 24; repeated Kinds children = 25; Inner inner = 26;
    oneof choice { string one = 27; int32 two = 28; Inner three = 29; }
    google.protobuf.Timestamp at = 30; google.protobuf.Duration period = 31; google.protobuf.FieldMask mask = 32;
    google.protobuf.Struct object = 33; google.protobuf.Value value = 34; google.protobuf.ListValue list = 35;
    google.protobuf.NullValue nothing = 36; google.protobuf.Any any = 37; google.protobuf.Empty empty = 38;
    google.protobuf.DoubleValue w_double = 39; google.protobuf.FloatValue w_float = 40; google.protobuf.Int64Value w_int64 = 41;
    google.protobuf.UInt64Value w_uint64 = 42; google.protobuf.Int32Value w_int32 = 43; google.protobuf.UInt32Value w_uint32 = 44;
    google.protobuf.BoolValue w_bool = 45; google.protobuf.StringValue w_string = 46; google.protobuf.BytesValue w_bytes = 47;
    repeated google.protobuf.Timestamp times = 48; repeated google.protobuf.Struct objects = 49;
    string gone = 50 [deprecated = true]; string named = 51 [json_name = "other"]; google.api.HttpBody raw = 52;
    map<string, google.protobuf.Value> values = 53;
    // What is inside.
    message Inner { string display_name = 1; Deep deep = 2; message Deep { int32 level = 1; } }
  }

  message Thing {
    string name = 1 [(google.api.field_behavior) = IDENTIFIER];
    string title = 2 [(google.api.field_behavior) = REQUIRED];
    string secret = 3 [(google.api.field_behavior) = REQUIRED, (google.api.field_behavior) = INPUT_ONLY];
    string etag = 4 [(google.api.field_behavior) = OUTPUT_ONLY];
  }
  message GetRequest { string name = 1 [(google.api.field_behavior) = REQUIRED]; string view = 2; int32 size = 3; }
  message CreateRequest { Thing thing = 1 [(google.api.field_behavior) = REQUIRED]; string thing_id = 2 [(google.api.field_behavior) = REQUIRED]; }
  message UpdateRequest { Thing thing = 1; google.protobuf.FieldMask update_mask = 2; }
  message Upload { string name = 1; google.api.HttpBody file = 2; }
  message Login { string user = 1; string password = 2 [(google.api.field_behavior) = REQUIRED, (google.api.field_behavior) = INPUT_ONLY]; }
  message Page { repeated Thing things = 1; Thing first = 2; int32 total = 3; optional string note = 4; google.api.HttpBody raw = 5; map<string, int64> counts = 6; }

  // Things of all kinds.
  service Things {
    // Gets a thing. It must be there.
    //
    // NOT_FOUND: it is not.
    // buf:lint:ignore RPC_REQUEST_STANDARD_NAME
    rpc Get(GetRequest) returns (Thing) { option (google.api.http) = { get: "/v1/{name=things/*}"
      additional_bindings { get: "/v1/{name=shelves/*/things/*}" } additional_bindings { get: "/v1/other/{name}:read" } }; }
    rpc Create(CreateRequest) returns (Thing) { option (google.api.http) = { post: "/v1/things" body: "thing" }; }
    rpc Update(UpdateRequest) returns (Thing) { option (google.api.http) = { patch: "/v1/{thing.name=things/*}" body: "thing"
      additional_bindings { put: "/v1/{thing.name=things/*}" body: "thing" } additional_bindings { post: "/v1/{thing.name=things/*}:update" body: "*" } }; }
    rpc File(GetRequest) returns (google.api.HttpBody) { option (google.api.http) = { get: "/v1/files/{name}"
      additional_bindings { get: "/v1/files/{name=**}" } additional_bindings { get: "/v1/tree/{name=roots/*/**}" }
      additional_bindings { get: "/v1/deep/{name=roots/**}/parts/{size}" } }; }
    rpc Put(Upload) returns (google.protobuf.Empty) { option (google.api.http) = { put: "/v1/uploads/{name}" body: "file" }; }
    rpc Echo(Kinds) returns (Kinds) { option (google.api.http) = { get: "/v1/kinds" additional_bindings { post: "/v1/kinds" body: "*" }
      additional_bindings { get: "/v1/longs/{an_int64}" } additional_bindings { get: "/v1/colours/{colour}/times/{at}" }
      additional_bindings { put: "/v1/kinds/{inner.deep.level}" body: "*" } additional_bindings { post: "/v1/kinds:labels" body: "labels" }
      additional_bindings { post: "/v1/kinds:longs" body: "longs" } }; }
    rpc Any(GetRequest) returns (Thing) { option (google.api.http) = { custom { kind: "*" path: "/v1/any/{name}" }
      additional_bindings { get: "/v1/any/{name}" } additional_bindings { custom { kind: "PURGE" path: "/v1/any/{name}" } }
      additional_bindings { custom { kind: "HEAD" path: "/v1/head" } } additional_bindings { get: "/v1/*/loose/**" } additional_bindings { get: "/" } }; }
    rpc Pages(GetRequest) returns (Page) { option (google.api.http) = { get: "/v1/page" response_body: "things"
      additional_bindings { get: "/v1/page/first" response_body: "first" } additional_bindings { get: "/v1/page/total" response_body: "total" }
      additional_bindings { get: "/v1/page/note" response_body: "note" } additional_bindings { get: "/v1/page/raw" response_body: "raw" }
      additional_bindings { get: "/v1/page/counts" response_body: "counts" } }; }
    rpc SignIn(Login) returns (google.protobuf.StringValue) { option (google.api.http) = { post: "/v1/login" body: "*" }; option deprecated = true; }
    rpc Watch(GetRequest) returns (stream Thing) { option (google.api.http) = { get: "/v1/watch" }; }
    rpc Import(stream CreateRequest) returns (Page) { option (google.api.http) = { post: "/v1/things:import" body: "*" }; }
    rpc Talk(stream Login) returns (stream Thing) { option (google.api.http) = { post: "/v1/talk" body: "*" }; }
    rpc Plain(GetRequest) returns (Thing);
    rpc Twice(GetRequest) returns (Thing) { option (google.api.http) = { post: "/torture.v1.Things/Twice" body: "*" }; }
  }`;

const RULES = `syntax = "proto3"; package torture.v2beta1;
  import "google/api/annotations.proto"; import "buf/validate/validate.proto";
  import "google/protobuf/duration.proto"; import "google/protobuf/any.proto"; import "google/protobuf/wrappers.proto";
  enum Size { SIZE_UNSPECIFIED = 0; SIZE_SMALL = 1; SIZE_BIG = 2; }
  message Rules {
    option (buf.validate.message).cel = { id: "sum", message: "low is below high", expression: "this.low < this.high" };
    option (buf.validate.message).oneof = { fields: ["low", "high"], required: true };
    int32 low = 1 [(buf.validate.field).int32 = { gte: 0, lt: 100 }];
    int32 high = 2 [(buf.validate.field).int32 = { gt: 10, lt: 5 }];
    int64 long = 3 [(buf.validate.field).int64.gte = 7];
    double ratio = 4 [(buf.validate.field).double = { gte: 0, lt: 1 }];
    string id = 5 [(buf.validate.field).required = true, (buf.validate.field).string = { min_len: 2, max_len: 8, pattern: "^[a-z]+$" }];
    string email = 6 [(buf.validate.field).string.email = true, (buf.validate.field).ignore = 1];
    string host = 7 [(buf.validate.field).string.host_and_port = true];
    string flags = 8 [(buf.validate.field).string.pattern = "(?i)^x"];
    string part = 9 [(buf.validate.field).string = { prefix: "a.b", suffix: "/z", not_contains: "//" }];
    string word = 10 [(buf.validate.field).string = { in: ["yes", "no"], example: "yes" }];
    bytes key = 11 [(buf.validate.field).bytes = { min_len: 4, max_len: 5 }];
    Size size = 12 [(buf.validate.field).enum = { defined_only: true, not_in: [0] }];
    repeated string tags = 13 [(buf.validate.field).repeated = { min_items: 1, max_items: 3, unique: true, items: { string: { uuid: true } } }];
    map<string, int32> counts = 14 [(buf.validate.field).map = { max_pairs: 2, keys: { string: { max_len: 3 } }, values: { int32: { gte: 1 } } }];
    google.protobuf.Duration wait = 15 [(buf.validate.field).duration = { gt: { seconds: 0 }, lte: { seconds: 10 } }];
    google.protobuf.Any any = 16 [(buf.validate.field).any.in = "type.googleapis.com/torture.v1.Thing"];
    oneof how { option (buf.validate.oneof).required = true; string by_name = 17; string by_id = 18; }
    google.protobuf.Int32Value wrapped = 19 [(buf.validate.field).int32.lte = 5];
    string off = 20 [(buf.validate.field).ignore = 3, (buf.validate.field).string.min_len = 5];
    string ip = 21 [(buf.validate.field).string.ip = true, (buf.validate.field).cel = { id: "x", expression: "this != 'x'" }];
    double finite = 22 [(buf.validate.field).double.finite = true];
    int32 zero = 23 [(buf.validate.field).int32.const = 0];
  }
  service Ruled { rpc Check(Rules) returns (Rules) { option (google.api.http) = { post: "/v2/check" body: "*" additional_bindings { get: "/v2/check" } }; } }`;

const OLD = `syntax = "proto2"; package torture.old;
  message Old {
    required string must = 1; optional int32 count = 2 [default = 7]; optional Kind kind = 3 [default = SECOND];
    optional group Box = 4 { optional bytes data = 1 [default = "ab"]; } optional double far = 5 [default = inf]; optional int64 big = 6 [default = 9];
    optional bool yes = 7 [default = true]; extensions 100 to 200;
    enum Kind { FIRST = 1; SECOND = 2; }
  }
  service Legacy { rpc Call(Old) returns (Old); }`;

export const TORTURE_FILES = {
  "buf/validate/validate.proto": VALIDATE,
  "google/api/field_behavior.proto": FIELD_BEHAVIOR,
  "torture/v1/kinds.proto": KINDS,
  "torture/v2beta1/rules.proto": RULES,
  "torture/old/old.proto": OLD,
};
export const torture = compileProtos(TORTURE_FILES);
