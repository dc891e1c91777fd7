// A service that has every kind of field and rule.
import { compileProtos } from "./schema.js";

export const registry = compileProtos({
  "test/v1/test.proto": `syntax = "proto3"; package test.v1;
    import "google/api/annotations.proto"; import "google/api/httpbody.proto";
    import "google/protobuf/any.proto"; import "google/protobuf/duration.proto";
    import "google/protobuf/empty.proto"; import "google/protobuf/field_mask.proto";
    import "google/protobuf/struct.proto"; import "google/protobuf/timestamp.proto";
    import "google/protobuf/wrappers.proto";

    enum Genre { GENRE_UNSPECIFIED = 0; NOVEL = 1; POETRY = 2; }
    message Author { string name = 1; string display_name = 2; Author teacher = 3; repeated Author pupils = 4; }
    message Book {
      string name = 1; string title = 2; Author author = 3; repeated string tags = 4; int64 pages = 5;
      map<string, string> labels = 6; Genre genre = 7; optional string subtitle = 8;
    }
    message All {
      double d = 1; float f = 2; int32 i32 = 3; int64 i64 = 4; uint32 u32 = 5; uint64 u64 = 6;
      sint32 s32 = 7; sint64 s64 = 8; fixed32 x32 = 9; fixed64 x64 = 10; sfixed32 sx32 = 11; sfixed64 sx64 = 12;
      bool flag = 13; string text = 14; bytes data = 15; Genre genre = 16;
      google.protobuf.Timestamp at = 17; google.protobuf.Duration lasts = 18; google.protobuf.FieldMask mask = 19;
      google.protobuf.Struct struct = 20; google.protobuf.Value value = 21; google.protobuf.ListValue list = 22;
      google.protobuf.Any any = 23; google.protobuf.Empty empty = 24;
      google.protobuf.BoolValue w_bool = 25; google.protobuf.Int64Value w_int64 = 26;
      google.protobuf.StringValue w_string = 27; google.protobuf.BytesValue w_bytes = 28;
      google.protobuf.DoubleValue w_double = 29;
      repeated int32 nums = 30; repeated Genre genres = 31; repeated Author authors = 32; repeated bool flags = 33;
      repeated google.protobuf.Timestamp times = 34; repeated google.protobuf.Value values = 35;
      map<string, string> labels = 40; map<int32, bool> by_number = 41; map<bool, Genre> by_flag = 42;
      map<string, Author> by_name = 43; map<int64, int64> longs = 44; map<string, google.protobuf.Duration> spans = 45;
      oneof choice { string left = 50; int32 right = 51; Author person = 52; Genre kind = 53; }
      optional int32 maybe = 60; Author author = 61; string display_name = 62;
    }
    message UpdateBookRequest { Book book = 1; google.protobuf.FieldMask update_mask = 2; bool allow_missing = 3; }
    message NameRequest { string name = 1; int32 page = 2; Author author = 3; }
    message Choice { oneof by { string id = 1; string isbn = 2; } string note = 3; }
    message TagsRequest { string name = 1; repeated string tags = 2; int64 count = 3; map<string, string> labels = 4; }
    message Upload { string name = 1; google.api.HttpBody file = 2; }
    message Page { repeated Book books = 1; string next = 2; Book first = 3; int64 total = 4; optional string note = 5;
      google.api.HttpBody raw = 6; map<string, string> labels = 7; }

    service Test {
      rpc Query(All) returns (All) { option (google.api.http) = { get: "/v1/all" additional_bindings { post: "/v1/all" body: "*" } }; }
      rpc GetBook(NameRequest) returns (Book) { option (google.api.http) = { get: "/v1/{name=shelves/*/books/*}" }; }
      rpc GetAny(NameRequest) returns (Book) { option (google.api.http) = { get: "/v1/things/{name}" }; }
      rpc ReadAny(NameRequest) returns (Book) { option (google.api.http) = { get: "/v1/things/{name}:read" }; }
      rpc GetFile(NameRequest) returns (google.api.HttpBody) { option (google.api.http) = { get: "/v1/files/{name=**}" }; }
      rpc GetPage(NameRequest) returns (Book) { option (google.api.http) = { get: "/v1/pages/{page}" }; }
      rpc OfAuthor(NameRequest) returns (Book) { option (google.api.http) = { get: "/v1/authors/{author.display_name}" }; }
      rpc PutName(NameRequest) returns (Book) { option (google.api.http) = { put: "/v1/names/{name}" body: "*" }; }
      rpc UpdateBook(UpdateBookRequest) returns (Book) { option (google.api.http) = { patch: "/v1/{book.name=books/*}" body: "book" }; }
      rpc Choose(Choice) returns (Choice) { option (google.api.http) = { post: "/v1/choices/{id}" body: "*"
        additional_bindings { get: "/v1/choices/{id}" } }; }
      rpc SetTags(TagsRequest) returns (Book) { option (google.api.http) = { put: "/v1/tags/{name}" body: "tags"
        additional_bindings { put: "/v1/counts/{name}" body: "count" } additional_bindings { put: "/v1/labels/{name}" body: "labels" } }; }
      rpc Put(Upload) returns (google.protobuf.Empty) { option (google.api.http) = { put: "/v1/uploads/{name}" body: "file" }; }
      rpc Books(NameRequest) returns (Page) { option (google.api.http) = { get: "/v1/page" response_body: "books"
        additional_bindings { get: "/v1/page/first" response_body: "first" }
        additional_bindings { get: "/v1/page/total" response_body: "total" }
        additional_bindings { get: "/v1/page/note" response_body: "note" }
        additional_bindings { get: "/v1/page/raw" response_body: "raw" }
        additional_bindings { get: "/v1/page/labels" response_body: "labels" }
        additional_bindings { custom { kind: "PURGE" path: "/v1/page" } } }; }
      rpc Plain(NameRequest) returns (Book);
      rpc Watch(NameRequest) returns (stream Book) { option (google.api.http) = { get: "/v1/watch" }; }
    }`,
  "grpc/hidden/v1/hidden.proto": `syntax = "proto3"; package grpc.hidden.v1;
    message M {} service Hidden { rpc Call(M) returns (M); }`,
});
