// Small file descriptors for the schema tests.
import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { BinaryWriter } from "@bufbuild/protobuf/wire";
import {
  FieldDescriptorProto_Label,
  FieldDescriptorProto_Type,
  FileDescriptorProtoSchema,
  FileDescriptorSetSchema,
  type MethodDescriptorProtoSchema,
  type MethodOptions,
  MethodOptionsSchema,
} from "@bufbuild/protobuf/wkt";

export type FileInit = Omit<MessageInitShape<typeof FileDescriptorProtoSchema>, "$typeName"> & {
  name: string;
};
type MethodInit = MessageInitShape<typeof MethodDescriptorProtoSchema>;

/** The bytes of one FileDescriptorProto; proto3 unless told otherwise. */
export function fileBytes(init: FileInit): Uint8Array {
  return toBinary(
    FileDescriptorProtoSchema,
    create(FileDescriptorProtoSchema, { syntax: "proto3", ...init }),
  );
}

/** The bytes by name, as a source learns them. */
export function filesOf(...inits: FileInit[]): Map<string, Uint8Array> {
  return new Map(inits.map((init) => [init.name, fileBytes(init)]));
}

export function protosetOf(...inits: FileInit[]): Uint8Array {
  const file = inits.map((init) => create(FileDescriptorProtoSchema, { syntax: "proto3", ...init }));
  return toBinary(FileDescriptorSetSchema, create(FileDescriptorSetSchema, { file }));
}

export function messageField(name: string, number: number, typeName: string) {
  return {
    name,
    number,
    typeName,
    type: FieldDescriptorProto_Type.MESSAGE,
    label: FieldDescriptorProto_Label.OPTIONAL,
  };
}

export function stringField(name: string, number: number) {
  return { name, number, type: FieldDescriptorProto_Type.STRING, label: FieldDescriptorProto_Label.OPTIONAL };
}

/** A method from `.NAME` to `.NAME`. */
export function method(name: string, type: string, more: MethodInit = {}): MethodInit {
  return { name, inputType: type, outputType: type, ...more };
}

/** MethodOptions that carry `google.api.http = { get: PATH }`, as unknown field bytes. */
export function httpGet(path: string): MethodOptions {
  const data = new BinaryWriter().fork().uint32(18).string(path).join().finish();
  const options = create(MethodOptionsSchema);
  options.$unknown = [{ no: 72295728, wireType: 2, data }];
  return options;
}

/** A file with one message and one service, `PACKAGE.Echo/Say`. */
export function echoFile(pkg: string, more: Partial<FileInit> = {}): FileInit {
  return {
    name: `${pkg.replaceAll(".", "/")}/echo.proto`,
    package: pkg,
    messageType: [{ name: "Text", field: [stringField("some_text", 1)] }],
    service: [{ name: "Echo", method: [method("Say", `.${pkg}.Text`)] }],
    ...more,
  };
}
