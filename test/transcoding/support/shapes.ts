// Requests of every shape that a binding can have: what of a message comes from where.
import { compileProtos } from "./schema.js";

export const shapes = compileProtos({
  "shapes/v1/shapes.proto": `syntax = "proto3"; package shapes.v1;
    import "google/api/annotations.proto"; import "google/api/httpbody.proto";
    import "google/protobuf/any.proto"; import "google/protobuf/empty.proto"; import "google/protobuf/field_mask.proto";
    import "google/protobuf/struct.proto"; import "google/protobuf/timestamp.proto"; import "google/protobuf/wrappers.proto";

    enum Colour { COLOUR_UNSPECIFIED = 0; RED = 1; }
    message Part { string part_name = 1; int32 size = 2; repeated string tags = 3; Part inner = 4; }
    message Thing {
      string name = 1; string display_name = 2; Part part = 3; repeated Part parts = 4; map<string, Part> by_key = 5;
      google.protobuf.Struct info = 6; google.protobuf.Value any_json = 7; google.protobuf.Any any = 8;
      google.protobuf.Timestamp made = 9; google.protobuf.StringValue note = 10; bytes icon = 11; Colour colour = 12;
      oneof owner { string person = 13; Part team = 14; } optional int64 count_2 = 15; repeated string tags = 16;
      map<string, string> labels = 17; google.api.HttpBody photo = 18; repeated bytes scans = 19;
      repeated google.api.HttpBody pages = 20;
    }
    message Update { Thing thing = 1; google.protobuf.FieldMask update_mask = 2; string why = 3; }
    message Odd {
      string address_line_1 = 1; string addressLine2 = 2; string _hidden = 3; string twice__ = 4; string own_name = 5 [json_name = "ownName1"];
      Odd inner_1 = 6; repeated Odd inner_2s = 7; map<string, Odd> by_key_1 = 8; map<string, string> labels = 9;
      google.protobuf.Struct info = 10; google.protobuf.Timestamp made = 11; string title = 12;
    }
    message UpdateOdd { Odd odd = 1; google.protobuf.FieldMask update_mask = 2; google.protobuf.FieldMask read_mask = 3; }
    message OddNames {
      string dotted = 1 [json_name = "a.b"]; string listed = 2 [json_name = "x[]"]; string dollar = 3 [json_name = "$top"];
      map<string, string> tagged = 4 [json_name = "t[a]g"]; OddNames inner = 5 [json_name = "in.ner"]; string system = 6 [json_name = "$alt"];
      OddNames a = 7; string b = 8; repeated int32 many = 9 [json_name = "m&n=o %"]; map<string, string> plain = 10;
    }
    message TwoMasks { Thing thing = 1; google.protobuf.FieldMask update_mask = 2; google.protobuf.FieldMask read_mask = 3; }
    message Bodies {
      string id = 1; Thing thing = 2; string text = 3; int64 number = 4; bool flag = 5; bytes data = 6; Colour colour = 7;
      repeated Thing things = 8; repeated string texts = 9; map<string, int32> counts = 10; map<string, Thing> by_name = 11;
      google.protobuf.Timestamp at = 12; google.protobuf.Value value = 13; google.protobuf.Struct struct = 14;
      google.protobuf.StringValue wrapped = 15; google.protobuf.Any any = 16; repeated Colour colours = 17;
      oneof choice { string left = 20; Thing right = 21; google.api.HttpBody file = 22; }
    }
    message Keyed {
      string name = 1; int32 i32 = 2; int64 i64 = 3; uint64 u64 = 4; bool flag = 5; bytes data = 6; Colour colour = 7;
      double d = 8; float f = 9; google.protobuf.Timestamp at = 10; google.protobuf.StringValue s = 11;
      google.protobuf.BoolValue b = 12; google.protobuf.FieldMask mask = 13; Part part = 14; sint64 zig = 15;
      map<string, string> ms = 16; map<int32, string> mi32 = 17; map<int64, string> mi64 = 18; map<uint32, string> mu32 = 19;
      map<uint64, string> mu64 = 20; map<sint32, string> msi32 = 21; map<sint64, string> msi64 = 22;
      map<fixed32, string> mf32 = 23; map<fixed64, string> mf64 = 24; map<sfixed32, string> msf32 = 25;
      map<sfixed64, string> msf64 = 26; map<bool, string> mb = 27;
    }

    service Shapes {
      rpc UpdateThing(Update) returns (Thing) { option (google.api.http) = { patch: "/v1/{thing.name=things/*}" body: "thing"
        additional_bindings { patch: "/v1/whole" body: "*" } additional_bindings { put: "/v1/{thing.name=things/*}" body: "thing" }
        additional_bindings { patch: "/v1/masked/{update_mask}" body: "thing" } }; }
      rpc ChangeOdd(UpdateOdd) returns (UpdateOdd) { option (google.api.http) = { patch: "/v1/odd" body: "odd"
        additional_bindings { post: "/v1/odd" body: "*" } additional_bindings { get: "/v1/odd" } additional_bindings { get: "/v1/odd/{update_mask}" } }; }
      rpc Odd(OddNames) returns (OddNames) { option (google.api.http) = { get: "/v1/names" }; }
      rpc UpdateTwo(TwoMasks) returns (Thing) { option (google.api.http) = { patch: "/v1/two" body: "thing" }; }
      rpc Put(Bodies) returns (Thing) { option (google.api.http) = { post: "/v1/b/{id}/thing" body: "thing"
        additional_bindings { post: "/v1/b/{id}/text" body: "text" } additional_bindings { post: "/v1/b/{id}/number" body: "number" }
        additional_bindings { post: "/v1/b/{id}/flag" body: "flag" } additional_bindings { post: "/v1/b/{id}/data" body: "data" }
        additional_bindings { post: "/v1/b/{id}/colour" body: "colour" } additional_bindings { post: "/v1/b/{id}/things" body: "things" }
        additional_bindings { post: "/v1/b/{id}/texts" body: "texts" } additional_bindings { post: "/v1/b/{id}/counts" body: "counts" }
        additional_bindings { post: "/v1/b/{id}/by_name" body: "by_name" } additional_bindings { post: "/v1/b/{id}/at" body: "at" }
        additional_bindings { post: "/v1/b/{id}/value" body: "value" } additional_bindings { post: "/v1/b/{id}/struct" body: "struct" }
        additional_bindings { post: "/v1/b/{id}/wrapped" body: "wrapped" } additional_bindings { post: "/v1/b/{id}/any" body: "any" }
        additional_bindings { post: "/v1/b/{id}/colours" body: "colours" } additional_bindings { post: "/v1/b/{id}/left" body: "left" }
        additional_bindings { post: "/v1/b/{id}/right" body: "right" } additional_bindings { post: "/v1/b/{id}/file" body: "file" }
        additional_bindings { post: "/v1/b/{id}/all" body: "*" } additional_bindings { post: "/v1/b/{id}/none" }
        additional_bindings { post: "/v1/b/{id}/in/{thing.part.part_name}" body: "thing" }
        additional_bindings { post: "/v1/b/{id}/deep/{thing.part.part_name}" body: "*" } }; }
      rpc Keys(Keyed) returns (Keyed) { option (google.api.http) = { get: "/v1/keys"
        additional_bindings { get: "/v1/keys/i64/{i64}" } additional_bindings { get: "/v1/keys/data/{data}" }
        additional_bindings { get: "/v1/keys/colour/{colour}" } additional_bindings { get: "/v1/keys/flag/{flag}" }
        additional_bindings { get: "/v1/keys/at/{at}" } additional_bindings { get: "/v1/keys/s/{s}" }
        additional_bindings { get: "/v1/keys/b/{b}" } additional_bindings { get: "/v1/keys/d/{d}" }
        additional_bindings { get: "/v1/keys/mask/{mask}" }
        additional_bindings { post: "/v1/keys/i64/{i64}" body: "*" } additional_bindings { post: "/v1/keys/data/{data}" body: "*" }
        additional_bindings { post: "/v1/keys/colour/{colour}" body: "*" } additional_bindings { post: "/v1/keys/at/{at}" body: "*" }
        additional_bindings { post: "/v1/keys/d/{d}" body: "*" } additional_bindings { post: "/v1/keys/s/{s}" body: "*" }
        additional_bindings { post: "/v1/keys/name/{name}" body: "*" } }; }
      rpc Wrapped(google.protobuf.StringValue) returns (Thing) { option (google.api.http) = { get: "/v1/w/{value}"
        additional_bindings { get: "/v1/w" } additional_bindings { post: "/v1/w" body: "*" }
        additional_bindings { post: "/v1/w/{value}" body: "*" } additional_bindings { put: "/v1/w" body: "value" } }; }
      rpc Free(google.protobuf.Struct) returns (Thing) { option (google.api.http) = { get: "/v1/free" additional_bindings { post: "/v1/free" body: "*" } }; }
      rpc FreeValue(google.protobuf.Value) returns (Thing) { option (google.api.http) = { get: "/v1/value" additional_bindings { post: "/v1/value" body: "*" } }; }
      rpc When(google.protobuf.Timestamp) returns (Thing) { option (google.api.http) = { get: "/v1/when" additional_bindings { post: "/v1/when" body: "*" } }; }
      rpc Nothing(google.protobuf.Empty) returns (Thing) { option (google.api.http) = { get: "/v1/nothing" additional_bindings { post: "/v1/nothing" body: "*" } }; }
      rpc Raw(google.api.HttpBody) returns (Thing) { option (google.api.http) = { post: "/v1/raw" body: "*" }; }
      rpc List(Bodies) returns (Bodies) { option (google.api.http) = { get: "/v1/list" additional_bindings { get: "/v1/list/things" response_body: "things" }
        additional_bindings { get: "/v1/list/text" response_body: "text" } additional_bindings { get: "/v1/list/file" response_body: "file" } }; }
      rpc GivesTimestamp(Bodies) returns (google.protobuf.Timestamp);
      rpc GivesMask(Bodies) returns (google.protobuf.FieldMask);
      rpc GivesString(Bodies) returns (google.protobuf.StringValue);
      rpc GivesStruct(Bodies) returns (google.protobuf.Struct);
      rpc GivesValue(Bodies) returns (google.protobuf.Value);
      rpc GivesAny(Bodies) returns (google.protobuf.Any);
    }`,
});
