// test.v1.KindsService, from its descriptor alone: what came goes back in ProtoJSON as @bufbuild/protobuf prints it,
// so that a test sees what reached the service with eyes that are not the hub's.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import {
  createFileRegistry,
  type DescMethod,
  type DescService,
  fromBinary,
  toJsonString,
} from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import {
  type handleBidiStreamingCall,
  type handleUnaryCall,
  Metadata,
  type ServiceDefinition,
  status,
  type UntypedServiceImplementation,
} from "@grpc/grpc-js";
import { Status } from "#generated/google/rpc/status.js";
import { FailRequest, TakeResponse } from "#generated/test/v1/kinds.js";
import type { SampleService } from "#src/samples/common/serve.js";
import { ROOT } from "./program.js";

const SERVICE = "test.v1.KindsService";

const identity = (bytes: Buffer): Buffer => bytes;

function definitionOf(service: DescService): ServiceDefinition {
  return Object.fromEntries(
    service.methods.map((method) => [
      method.name,
      {
        path: `/${service.typeName}/${method.name}`,
        requestStream: method.methodKind !== "unary",
        responseStream: method.methodKind !== "unary",
        requestSerialize: identity,
        requestDeserialize: identity,
        responseSerialize: identity,
        responseDeserialize: identity,
      },
    ]),
  );
}

export function kinds(): SampleService {
  const image = fromBinary(FileDescriptorSetSchema, readFileSync(join(ROOT, "generated/image.binpb")));
  const registry = createFileRegistry(image);
  const service = registry.getService(SERVICE);
  if (service === undefined) throw new Error(`${SERVICE} is not in the image`);

  /** Every response of the service that tells has `got` as its first field, so that one encoder serves all. */
  const told = (method: DescMethod, request: Buffer, metadata = new Metadata()): Buffer => {
    const got = toJsonString(method.input, fromBinary(method.input, request), { registry });
    const seen = method.name === "Take" ? seenIn(metadata) : {};
    return Buffer.from(TakeResponse.encode({ got, metadata: seen }).finish());
  };

  const implementation: UntypedServiceImplementation = {};
  for (const method of service.methods) {
    const tell: handleUnaryCall<Buffer, Buffer> = ({ request, metadata }, callback) =>
      callback(null, told(method, request, metadata));
    implementation[method.name] = tell;
  }
  const giveBack: handleUnaryCall<Buffer, Buffer> = ({ request }, callback) => callback(null, request);
  for (const name of ["Give", "Copy", "Clear"]) implementation[name] = giveBack;
  const fail: handleUnaryCall<Buffer, Buffer> = ({ request }, callback) => {
    const { code, message, details } = FailRequest.decode(request);
    const metadata = new Metadata();
    const wire = Status.encode({ code, message, details }).finish();
    if (details.length > 0) metadata.set("grpc-status-details-bin", Buffer.from(wire));
    callback({ code, details: message, metadata });
  };
  implementation.Fail = fail;
  for (const method of service.methods.filter(({ methodKind }) => methodKind === "bidi_streaming")) {
    const converse: handleBidiStreamingCall<Buffer, Buffer> = (call) => {
      call.on("data", (request: Buffer) => call.write(told(method, request)));
      call.on("end", () => call.end());
      call.on("error", (error) => call.destroy(Object.assign(error, { code: status.CANCELLED })));
    };
    implementation[method.name] = converse;
  }
  return { name: SERVICE, definition: definitionOf(service), implementation };
}

function seenIn(metadata: Metadata): Record<string, string> {
  const names = Object.keys(metadata.getMap());
  return Object.fromEntries(
    names.map((name) => [
      name,
      metadata
        .get(name)
        .map((value) => (typeof value === "string" ? value : value.toString("base64")))
        .join(","),
    ]),
  );
}
