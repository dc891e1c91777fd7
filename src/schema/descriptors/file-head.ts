// The first things to know of a FileDescriptorProto, without reading what is in its declarations.
import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import { join } from "./file-descriptor.js";

export interface FileHead {
  /** "" where it has none. */
  readonly name: string;
  readonly imports: readonly string[];
  /** Full names. */
  readonly services: readonly string[];
}

/** Throws what the reader throws where the bytes are none. */
export function fileHead(bytes: Uint8Array): FileHead {
  const reader = new BinaryReader(bytes);
  let name = "";
  let pkg = "";
  const imports: string[] = [];
  const services: string[] = [];
  while (reader.pos < reader.len) {
    const [no, wire] = reader.tag();
    if (wire !== WireType.LengthDelimited) reader.skip(wire, no);
    else if (no === 1) name = reader.string();
    else if (no === 2) pkg = reader.string();
    else if (no === 3) imports.push(reader.string());
    else if (no === 6) services.push(nameIn(reader.bytes()));
    else reader.skip(wire, no);
  }
  return { name, imports, services: services.map((service) => join(pkg, service)) };
}

/** The `name` of a ServiceDescriptorProto. */
function nameIn(bytes: Uint8Array): string {
  const reader = new BinaryReader(bytes);
  let name = "";
  while (reader.pos < reader.len) {
    const [no, wire] = reader.tag();
    if (no === 1 && wire === WireType.LengthDelimited) name = reader.string();
    else reader.skip(wire, no);
  }
  return name;
}
