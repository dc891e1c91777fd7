// What protobuf's conformance runner drives: requests on stdin, answers on stdout, each after its length in 4 bytes.
// Takes the path of an image with conformance.proto and the test messages.
import { readFileSync, readSync, writeSync } from "node:fs";
import { createFileRegistry, type FileRegistry, fromBinary } from "@bufbuild/protobuf";
import { reflect } from "@bufbuild/protobuf/reflect";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { Codecs } from "#src/transcoding/codec/codecs.js";

// Numbers of conformance.proto.
const Format = { PROTOBUF: 1, JSON: 2 } as const;
const IGNORE_UNKNOWN = 3;
const Answer = {
  PARSE_ERROR: 1,
  RUNTIME_ERROR: 2,
  PROTOBUF: 3,
  JSON: 4,
  SKIPPED: 5,
  SERIALIZE_ERROR: 6,
} as const;

type Reply = readonly [field: number, value: string | Uint8Array];

class Testee {
  readonly #registry: FileRegistry;
  readonly #strict: Codecs;
  readonly #lax: Codecs;

  constructor(registry: FileRegistry) {
    this.#registry = registry;
    this.#strict = new Codecs(registry);
    this.#lax = new Codecs(registry, { unknownFields: "ignore" });
  }

  answer(bytes: Uint8Array): Reply {
    const desc = this.#registry.getMessage("conformance.ConformanceRequest");
    if (desc === undefined) throw new Error("the image has no conformance.proto");
    const request = reflect(desc, fromBinary(desc, bytes));
    const value = (name: string): unknown => {
      const field = request.fields.find((f) => f.name === name);
      return field === undefined || !request.isSet(field) ? undefined : request.get(field);
    };
    const message = this.#registry.getMessage(String(value("message_type")));
    const wanted = value("requested_output_format");
    const json = value("json_payload");
    const binary = value("protobuf_payload");
    if (message === undefined) return [Answer.SKIPPED, "this message type is not in the image"];
    if (wanted !== Format.JSON && (wanted !== Format.PROTOBUF || typeof json !== "string")) {
      return [Answer.SKIPPED, "not JSON"];
    }
    const codec = (value("test_category") === IGNORE_UNKNOWN ? this.#lax : this.#strict).of(message);
    let content: Uint8Array;
    if (typeof json === "string") {
      const encoded = codec.encodeText(Buffer.from(json));
      if (!(encoded instanceof Uint8Array)) return [Answer.PARSE_ERROR, encoded.problem];
      if (wanted === Format.PROTOBUF) return [Answer.PROTOBUF, encoded];
      content = encoded;
    } else if (binary instanceof Uint8Array) {
      content = binary;
    } else return [Answer.SKIPPED, "neither JSON nor protobuf"];
    try {
      return [Answer.JSON, codec.decode(content).toString()];
    } catch (e) {
      const malformed = e instanceof Error && /ends within|malformed|varint|group|not UTF-8/.test(e.message);
      return [malformed ? Answer.PARSE_ERROR : Answer.SERIALIZE_ERROR, String(e)];
    }
  }
}

/** Exactly so many bytes; undefined at the end of the input. */
function read(length: number): Buffer | undefined {
  const out = Buffer.alloc(length);
  for (let at = 0; at < length; ) {
    const count = readSync(0, out, at, length - at, null);
    if (count === 0) return undefined;
    at += count;
  }
  return out;
}

function write(bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(1, bytes, at);
}

const testee = new Testee(
  createFileRegistry(fromBinary(FileDescriptorSetSchema, readFileSync(process.argv[2] ?? ""))),
);
for (;;) {
  const length = read(4)?.readUInt32LE();
  const request = length === undefined ? undefined : read(length);
  if (request === undefined) break;
  let reply: Reply;
  try {
    reply = testee.answer(request);
  } catch (e) {
    reply = [Answer.RUNTIME_ERROR, e instanceof Error ? String(e.stack) : String(e)];
  }
  const [field, value] = reply;
  const answer = new BinaryWriter()
    .tag(field, WireType.LengthDelimited)
    .bytes(typeof value === "string" ? Buffer.from(value) : value)
    .finish();
  const head = Buffer.alloc(4);
  head.writeUInt32LE(answer.length);
  write(head);
  write(answer);
}
