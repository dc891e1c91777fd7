// The messages of grpc.reflection.v1 (those of v1alpha are the same on the wire), as far as learning needs them.
import { BinaryReader, BinaryWriter } from "@bufbuild/protobuf/wire";

export type ReflectionQuery =
  | { readonly kind: "services" }
  | { readonly kind: "symbol"; readonly name: string }
  | { readonly kind: "file"; readonly name: string };

export type ReflectionResponse =
  /** `names`: the first ones, one more than requested; `count`: of all in the response. */
  | { readonly kind: "services"; readonly names: readonly string[]; readonly count: number }
  /** FileDescriptorProto bytes. */
  | { readonly kind: "files"; readonly files: readonly Uint8Array[] }
  | { readonly kind: "error"; readonly code: number; readonly message: string };

// Field numbers of ServerReflectionRequest.message_request.
const REQUEST_FIELD = { file: 3, symbol: 4, services: 7 } as const;

/** A ServerReflectionRequest. */
export function encodeQuery(query: ReflectionQuery): Uint8Array {
  // The argument of list_services has no meaning, but servers recognize the query by the field's presence.
  const argument = query.kind === "services" ? "*" : query.name;
  return new BinaryWriter()
    .uint32((REQUEST_FIELD[query.kind] << 3) | 2)
    .string(argument)
    .finish();
}

export interface ReflectionResponseLimits {
  /** Names of services that are read; the others are counted. */
  readonly maxNames: number;
  /** Files that are read; the others are skipped. */
  readonly maxFiles: number;
}

/** Bytes of an error's text that are read: a server may send megabytes for each of thousands of services. */
const MAX_ERROR_BYTES = 1000;
/** Length of a service's name: nobody could call a longer one. */
const MAX_NAME_BYTES = 1000;

/**
 * Parses a ServerReflectionResponse; undefined if the bytes are malformed or respond to something else. Files are views
 * of the bytes.
 */
export function decodeReflectionResponse(
  bytes: Uint8Array,
  limits: ReflectionResponseLimits,
): ReflectionResponse | undefined {
  try {
    let answer: ReflectionResponse | undefined;
    for (const [no, reader] of fields(bytes)) {
      if (no === 4) answer = { kind: "files", files: filesIn(reader.bytes(), limits.maxFiles) };
      else if (no === 6) answer = serviceNamesIn(reader.bytes(), limits.maxNames);
      else if (no === 7) answer = errorIn(reader.bytes());
      else reader.bytes();
    }
    return answer;
  } catch {
    return undefined;
  }
}

// FileDescriptorResponse { repeated bytes file_descriptor_proto = 1; }
function filesIn(bytes: Uint8Array, max: number): Uint8Array[] {
  const files: Uint8Array[] = [];
  for (const [no, reader] of fields(bytes)) {
    const value = reader.bytes();
    if (no === 1 && files.length < max) files.push(value);
  }
  return files;
}

// ListServiceResponse { repeated ServiceResponse service = 1; }  ServiceResponse { string name = 1; }
function serviceNamesIn(bytes: Uint8Array, max: number): ReflectionResponse {
  const names: string[] = [];
  let count = 0;
  for (const [no, reader] of fields(bytes)) {
    const service = reader.bytes();
    if (no !== 1) continue;
    count++;
    if (names.length > max) continue;
    let name = "";
    for (const [field, inner] of fields(service)) {
      const value = inner.bytes();
      if (field === 1) name = new TextDecoder().decode(value.subarray(0, MAX_NAME_BYTES));
    }
    names.push(name);
  }
  return { kind: "services", names, count };
}

// ErrorResponse { int32 error_code = 1; string error_message = 2; }
function errorIn(bytes: Uint8Array): ReflectionResponse {
  const reader = new BinaryReader(bytes);
  let code = 0;
  let message = "";
  while (reader.pos < reader.len) {
    const [no, wire] = reader.tag();
    if (no === 1 && wire === 0) code = reader.int32();
    else if (no === 2 && wire === 2)
      message = new TextDecoder().decode(reader.bytes().subarray(0, MAX_ERROR_BYTES));
    else reader.skip(wire, no);
  }
  return { kind: "error", code, message };
}

/** Stops at each length-delimited field, which the caller must read; skips the others. */
function* fields(bytes: Uint8Array): Generator<readonly [number, BinaryReader]> {
  const reader = new BinaryReader(bytes);
  while (reader.pos < reader.len) {
    const [no, wire] = reader.tag();
    if (wire === 2) yield [no, reader];
    else reader.skip(wire, no);
  }
}
