// Services.
//   service = "service" ident "{" { option | rpc | ";" } "}"
//   rpc     = "rpc" ident "(" [ "stream" ] type ")" "returns" "(" [ "stream" ] type ")" ( ";" | "{" { option | ";" } "}" )
import { create } from "@bufbuild/protobuf";
import {
  type MethodDescriptorProto,
  MethodDescriptorProtoSchema,
  MethodOptionsSchema,
  type ServiceDescriptorProto,
  ServiceDescriptorProtoSchema,
  ServiceOptionsSchema,
} from "@bufbuild/protobuf/wkt";
import { join } from "../descriptors/file-descriptor.js";
import { optionsOf, parseOptionStatement } from "./parse-options.js";
import type { Path, SourceReader } from "./source-reader.js";

/** Of ServiceDescriptorProto, in descriptor.proto. */
const METHOD = 2;

/** Stands at `service`. */
export function parseService(reader: SourceReader, outer: string, path: Path): ServiceDescriptorProto {
  const { start } = reader.lexer;
  reader.expect("service");
  const at = reader.lexer.start;
  const name = reader.identifier("a service's name");
  const scope = join(outer, name);
  reader.declare(scope, "service", at);
  const proto = create(ServiceDescriptorProtoSchema, { name });
  const location = reader.end("{", { path, start });
  const target = optionsOf(proto, ServiceOptionsSchema, scope);
  while (!reader.is("}")) {
    if (reader.is(";")) reader.end(";");
    else if (reader.is("option")) parseOptionStatement(reader, target);
    else if (reader.is("rpc"))
      proto.method.push(parseMethod(reader, scope, [...path, METHOD, proto.method.length]));
    else reader.unexpected('"rpc", "option" or "}"');
  }
  reader.close(location);
  return proto;
}

function parseMethod(reader: SourceReader, service: string, path: Path): MethodDescriptorProto {
  const { start } = reader.lexer;
  reader.expect("rpc");
  const at = reader.lexer.start;
  const name = reader.identifier("a method's name");
  const scope = join(service, name);
  reader.declare(scope, "method", at);
  const proto = create(MethodDescriptorProtoSchema, { name });
  if (parseType(reader, service, scope, proto, "inputType")) proto.clientStreaming = true;
  reader.expect("returns");
  if (parseType(reader, service, scope, proto, "outputType")) proto.serverStreaming = true;
  if (reader.is(";")) {
    reader.end(";", { path, start });
    return proto;
  }
  if (!reader.is("{")) reader.unexpected('";" or "{"');
  const location = reader.end("{", { path, start });
  const target = optionsOf(proto, MethodOptionsSchema, scope);
  while (!reader.is("}")) {
    if (reader.is(";")) reader.end(";");
    else if (reader.is("option")) parseOptionStatement(reader, target);
    else reader.unexpected('"option" or "}"');
  }
  // A block without options still has an effect.
  proto.options ??= create(MethodOptionsSchema);
  reader.close(location);
  return proto;
}

/** @returns whether it is a stream */
function parseType(
  reader: SourceReader,
  service: string,
  method: string,
  target: MethodDescriptorProto,
  key: "inputType" | "outputType",
): boolean {
  reader.expect("(");
  const isStream = reader.take("stream");
  const at = reader.lexer.start;
  const name = reader.name("a message's name");
  target[key] = name;
  reader.references.push({
    from: `method ${method}`,
    scope: service,
    name,
    wants: "message",
    at,
    target,
    key,
  });
  reader.expect(")");
  return isStream;
}
