// The torturing schema, and besides what only generators of clients stumble over.
import { compileProtos } from "../../transcoding/support/schema.js";
import { TORTURE_FILES } from "./torture.js";

/** Rules and defaults of which generators of clients make code that does not compile, or that reads other values. */
const GENERATED = `syntax = "proto2"; package torture.generated;
  import "google/api/annotations.proto"; import "buf/validate/validate.proto"; import "google/protobuf/struct.proto";
  import "google/protobuf/timestamp.proto"; import "google/protobuf/wrappers.proto";
  enum Size { SIZE_UNSPECIFIED = 0; SIZE_SMALL = 1; SIZE_BIG = 2; }
  message Formats {
    optional string uuid = 1 [(buf.validate.field).string = { uuid: true, min_len: 36 }];
    optional string uri = 2 [(buf.validate.field).string = { uri: true, min_len: 3, max_len: 100 }];
    optional string host = 3 [(buf.validate.field).string.hostname = true, (buf.validate.field).required = true];
    optional bool flag = 4 [(buf.validate.field).bool.const = true];
    optional int32 level = 5 [(buf.validate.field).int32 = { in: [1, 2] }];
    optional int64 long = 6 [(buf.validate.field).int64 = { in: [1, 9007199254740993] }];
    optional Size size = 7 [(buf.validate.field).enum.const = 1];
    optional google.protobuf.Timestamp at = 8 [(buf.validate.field).required = true];
    repeated google.protobuf.Timestamp times = 9 [(buf.validate.field).repeated.min_items = 1];
    map<string, google.protobuf.Timestamp> named = 10;
    optional google.protobuf.StringValue word = 11 [(buf.validate.field).string = { min_len: 2, in: ["yes", "no"] }];
    optional bytes key = 12 [(buf.validate.field).required = true];
    repeated google.protobuf.NullValue nothings = 13;
    map<string, google.protobuf.NullValue> nothing_by_name = 14;
    optional double choice = 15 [(buf.validate.field).double = { in: [0.5, 2] }];
    optional double other = 16 [(buf.validate.field).double = { not_in: [1, 2] }];
    optional double odd = 17 [(buf.validate.field).double = { in: [inf, 3] }];
  }
  // A default each.
  message Presets {
    optional string text = 1 [default = "a\\"b\\\\c $d e\\n"]; optional bytes bits = 2 [default = "\\xff\\0"]; optional double half = 3 [default = -1.5];
    optional double most = 4 [default = inf]; optional float least = 5 [default = -inf]; optional double none = 6 [default = nan];
    optional float tenth = 7 [default = 0.1]; optional double whole = 8 [default = 2]; optional uint64 max = 9 [default = 18446744073709551615];
    optional int64 min = 10 [default = -9223372036854775808]; optional uint32 wide = 11 [default = 4294967295]; optional int32 low = 12 [default = -2147483648];
    optional bool no = 13 [default = false]; optional Size kind = 14 [default = SIZE_BIG];
    required double must = 15 [default = 0.5]; required bool sure = 16 [default = true]; required string word = 17 [default = "class"];
  }
  service Clients {
    rpc Format(Formats) returns (Formats) { option (google.api.http) = { post: "/v3/formats" body: "*" additional_bindings { get: "/v3/formats" }
      additional_bindings { get: "/v3/formats/{uuid}/{uri}/{host}/{flag}/{level}/{long}/{size}/{at}/{word}/{key}" } }; }
    rpc Preset(Presets) returns (Presets) { option (google.api.http) = { post: "/v3/presets" body: "*" additional_bindings { get: "/v3/presets" }
      additional_bindings { get: "/v3/presets/{text}/{bits}/{half}/{most}/{max}/{wide}/{no}/{kind}" } }; }
  }`;

export const forGenerators = compileProtos({
  ...TORTURE_FILES,
  "torture/generated/generated.proto": GENERATED,
});
