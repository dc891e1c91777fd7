// `linchpin descriptors`: a server's schema by reflection, as an image for `buf generate`.
import { defaultConfig, withOverrides } from "../../settings/from-args.js";
import { readArguments, UsageError } from "../terminal/args.js";
import { COMMANDS } from "../terminal/commands.js";
import type { Io } from "../terminal/io.js";
import type { Learn } from "../terminal/learning.js";
import { createLog } from "../terminal/log.js";
import { writeOutput } from "../terminal/output.js";

export async function run(args: readonly string[], io: Io, learn: Learn): Promise<number> {
  const given = readArguments(COMMANDS.descriptors, args);
  const output = given.value("output");
  if (output === undefined) throw new UsageError("-o FILE is missing");
  const config = withOverrides(defaultConfig(), { targets: given.positionals });
  const learned = await learn(config, createLog("warn", "pretty", io.err));
  await writeOutput(io, output, fileDescriptorSet(learned.files));
  io.err(
    `${output === "-" ? "" : `${output}: `}${learned.files.length} files, services: ${learned.services.join(", ")}`,
  );
  return 0;
}

/** google.protobuf.FileDescriptorSet around files that are serialized already: `repeated FileDescriptorProto file = 1`. */
export function fileDescriptorSet(files: readonly Uint8Array[]): Buffer {
  return Buffer.concat(files.flatMap((file) => [lengthPrefix(file.length), file]));
}

/** The tag of field 1, wire type 2, and a varint. */
function lengthPrefix(length: number): Uint8Array {
  const bytes = [0x0a];
  let rest = length;
  while (rest > 0x7f) {
    bytes.push((rest & 0x7f) | 0x80);
    rest = Math.floor(rest / 128);
  }
  bytes.push(rest);
  return Uint8Array.from(bytes);
}
