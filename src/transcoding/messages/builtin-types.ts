// Types that print as JSON even if a service's schema lacks them: the well-known types, and the messages of
// google/rpc/error_details.proto, declared here from the published field numbers.
import {
  createFileRegistry,
  createRegistry,
  type DescMessage,
  fromJson,
  type JsonObject,
  type JsonValue,
  type Registry,
} from "@bufbuild/protobuf";
import {
  FileDescriptorSetSchema,
  file_google_protobuf_any,
  file_google_protobuf_duration,
  file_google_protobuf_empty,
  file_google_protobuf_field_mask,
  file_google_protobuf_struct,
  file_google_protobuf_timestamp,
  file_google_protobuf_wrappers,
} from "@bufbuild/protobuf/wkt";

/** Message → its fields in the order of their numbers, from 1: `*` repeated, `?` optional, `%` map of strings, else a type. */
const ERROR_DETAILS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  ErrorInfo: { reason: "string", domain: "string", metadata: "%" },
  RetryInfo: { retry_delay: ".google.protobuf.Duration" },
  DebugInfo: { stack_entries: "*string", detail: "string" },
  QuotaFailure: { violations: "*.google.rpc.QuotaFailure.Violation" },
  "QuotaFailure.Violation": {
    subject: "string",
    description: "string",
    api_service: "string",
    quota_metric: "string",
    quota_id: "string",
    quota_dimensions: "%",
    quota_value: "int64",
    future_quota_value: "?int64",
  },
  PreconditionFailure: { violations: "*.google.rpc.PreconditionFailure.Violation" },
  "PreconditionFailure.Violation": { type: "string", subject: "string", description: "string" },
  BadRequest: { field_violations: "*.google.rpc.BadRequest.FieldViolation" },
  "BadRequest.FieldViolation": {
    field: "string",
    description: "string",
    reason: "string",
    localized_message: ".google.rpc.LocalizedMessage",
  },
  RequestInfo: { request_id: "string", serving_data: "string" },
  ResourceInfo: { resource_type: "string", resource_name: "string", owner: "string", description: "string" },
  Help: { links: "*.google.rpc.Help.Link" },
  "Help.Link": { description: "string", url: "string" },
  LocalizedMessage: { locale: "string", message: "string" },
};

const BUILTIN: Registry = createRegistry(
  file_google_protobuf_any,
  file_google_protobuf_duration,
  file_google_protobuf_empty,
  file_google_protobuf_field_mask,
  file_google_protobuf_struct,
  file_google_protobuf_timestamp,
  file_google_protobuf_wrappers,
  ...errorDetails(),
);

/** The registry, and behind it the built-in types. */
export function withBuiltinTypes(registry: Registry): Registry {
  return layered(registry, (name) => registry.getMessage(name) ?? BUILTIN.getMessage(name));
}

/** A registry that looks messages up in another way. */
function layered(registry: Registry, getMessage: (typeName: string) => DescMessage | undefined): Registry {
  return {
    kind: "registry",
    [Symbol.iterator]: () => registry[Symbol.iterator](),
    get: (name) => registry.get(name) ?? getMessage(name),
    getMessage,
    getEnum: (name) => registry.getEnum(name),
    getExtension: (name) => registry.getExtension(name),
    getExtensionFor: (extendee, no) => registry.getExtensionFor(extendee, no),
    getService: (name) => registry.getService(name),
  };
}

function errorDetails(): DescMessage[] {
  const names = Object.keys(ERROR_DETAILS);
  const file = {
    name: "linchpin/error_details.proto",
    package: "google.rpc",
    syntax: "proto3",
    dependency: [file_google_protobuf_duration.proto.name],
    messageType: names.filter((name) => !name.includes(".")).map(messageJson),
  };
  const set = fromJson(FileDescriptorSetSchema, { file: [file] });
  set.file.unshift(file_google_protobuf_duration.proto);
  return [...createFileRegistry(set)].filter(
    (type): type is DescMessage => type.kind === "message" && type.typeName.startsWith("google.rpc."),
  );
}

/** A DescriptorProto in its JSON form. */
function messageJson(name: string): JsonValue {
  const fields = Object.entries(ERROR_DETAILS[name] ?? {});
  const inner = Object.keys(ERROR_DETAILS).filter((other) => other.startsWith(`${name}.`));
  const entries = fields.flatMap(([field, type]) => (type === "%" ? [entryJson(field)] : []));
  const optional = fields.filter(([, type]) => type.startsWith("?"));
  return {
    name: name.slice(name.lastIndexOf(".") + 1),
    field: fields.map(([field, type], i) => {
      if (type === "%") return fieldJson(field, `*.google.rpc.${name}.${entryName(field)}`, i + 1);
      if (!type.startsWith("?")) return fieldJson(field, type, i + 1);
      const oneofIndex = optional.findIndex(([other]) => other === field);
      return { ...fieldJson(field, type.slice(1), i + 1), proto3Optional: true, oneofIndex };
    }),
    oneofDecl: optional.map(([field]) => ({ name: `_${field}` })),
    nestedType: [...inner.map(messageJson), ...entries],
  };
}

function entryName(field: string): string {
  const camel = camelCase(field);
  return `${camel.charAt(0).toUpperCase()}${camel.slice(1)}Entry`;
}

function entryJson(field: string): JsonValue {
  return {
    name: entryName(field),
    field: [fieldJson("key", "string", 1), fieldJson("value", "string", 2)],
    options: { mapEntry: true },
  };
}

function fieldJson(name: string, type: string, number: number): JsonObject {
  const label = type.startsWith("*") ? "LABEL_REPEATED" : "LABEL_OPTIONAL";
  const element = type.replace("*", "");
  const jsonName = camelCase(name);
  if (element === "string") return { name, jsonName, number, label, type: "TYPE_STRING" };
  if (element === "int64") return { name, jsonName, number, label, type: "TYPE_INT64" };
  return { name, jsonName, number, label, type: "TYPE_MESSAGE", typeName: element };
}

function camelCase(name: string): string {
  return name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
}
