// The descriptors of the services that the peers transcode, without the rules that one of them refuses to start with:
//   node image.mjs > FILE
import { readFileSync, writeSync } from "node:fs";
import { createFileRegistry, fromBinary, getExtension, setExtension, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";

const image = fromBinary(
  FileDescriptorSetSchema,
  readFileSync(new URL("../../../generated/image.binpb", import.meta.url)),
);
const http = createFileRegistry(image).getExtension("google.api.http");
if (http === undefined) throw new Error("generated/image.binpb has no google.api.http");

/** Methods by the binding that they must be without: its path. */
const REFUSED = new Map([
  // grpc-gateway and Envoy: `**` has to be the last.
  ["test.v1.KindsService.Match", "/match/broken/{name=**}/**"],
  // grpc-gateway: a path variable of a request stream.
  ["test.v1.KindsService.Converse", "/kinds/converse/{name}"],
  ["test.v1.FileService.UploadFile", "/test/v1/files/{name}"],
]);
for (const file of image.file)
  for (const service of file.service)
    for (const method of service.method) {
      const path = REFUSED.get(`${file.package}.${service.name}.${method.name}`);
      if (path === undefined || method.options === undefined) continue;
      const rule = getExtension(method.options, http);
      if (rule.pattern.value === path) method.options = undefined;
      else {
        rule.additionalBindings = rule.additionalBindings.filter((binding) => binding.pattern.value !== path);
        setExtension(method.options, http, rule);
      }
    }
const bytes = toBinary(FileDescriptorSetSchema, image);
for (let at = 0; at < bytes.length; ) at += writeSync(1, bytes, at);
