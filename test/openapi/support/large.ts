// A large schema, generated: so many methods, each with a request and an answer of its own, with comments.
import { FieldDescriptorProto_Type } from "@bufbuild/protobuf/wkt";
import { type FileInit, httpGet, method, protosetOf, stringField } from "../../schema/support/files.js";

const FIELDS = 10;

/** Serialized FileDescriptorSet of `large.v1.Large` and more services, with GET /v1/things/NUMBER for each method of it. */
export function largeProtoset(methods: number, moreServices = 0): Uint8Array {
  const numbers = Array.from({ length: methods }, (_, i) => i);
  const file: FileInit = {
    name: "large.proto",
    package: "large.v1",
    messageType: numbers.map((i) => ({
      name: `Thing${i}`,
      field: Array.from({ length: FIELDS }, (_, n) =>
        n > 0
          ? stringField(`field_${n}`, n + 1)
          : {
              ...stringField(`field_${n}`, n + 1),
              type: FieldDescriptorProto_Type.MESSAGE,
              typeName: `.large.v1.Thing${(i + n) % methods}`,
            },
      ),
    })),
    service: [
      {
        name: "Large",
        method: numbers.map((i) =>
          method(`Get${i}`, `.large.v1.Thing${i}`, { options: httpGet(`/v1/things/${i}`) }),
        ),
      },
      ...Array.from({ length: moreServices }, (_, i) => ({
        name: `Other${i}`,
        method: [method("Get", ".large.v1.Thing0")],
      })),
    ],
    sourceCodeInfo: {
      location: numbers.map((i) => ({ path: [4, i], span: [i, 0, 1], leadingComments: `The thing ${i}.` })),
    },
  };
  return protosetOf(file);
}
