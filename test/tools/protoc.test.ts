// The hub's compiler of .proto files beside protoc: the descriptors are the same to the byte, and the comments too.
// PROTO_CORPUS=DIR,… compares another folder of files (the first), with imports from the others.
import assert from "node:assert/strict";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { BinaryReader } from "@bufbuild/protobuf/wire";
import { type FileDescriptorProto, FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { splitFileDescriptorSet } from "#src/schema/descriptors/descriptor-index.js";
import { loadProtos } from "#src/schema/sources/protos.js";
import { ODD_PROTOS } from "../schema/support/odd-protos.js";
import { python } from "./support/peers.js";
import { ROOT, run } from "./support/programs.js";

const GOOGLE = join(ROOT, "node_modules/google-proto-files");
/** Of the 8,000 files there some 200, with all kinds of options, maps, oneofs and comments. */
const FOLDERS = [
  "api",
  "bigtable",
  "firestore",
  "iam",
  "logging",
  "longrunning",
  "pubsub",
  "rpc",
  "spanner",
  "type",
];

let dir = "";
before(() => {
  dir = mkdtempSync(join(tmpdir(), "protoc-"));
  mkdirSync(join(dir, "odd"));
  for (const { file, source } of ODD_PROTOS) writeFileSync(join(dir, file), source);
});
after(() => rmSync(dir, { recursive: true }));

function protosBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".proto"));
}

/** protoc's descriptors of the files and of all that they import. */
async function protoc(
  roots: readonly string[],
  files: readonly string[],
): Promise<ReadonlyMap<string, Uint8Array>> {
  const output = join(dir, "set.binpb");
  const args = join(dir, "args");
  const include = roots.map((root) => `-I${root}`);
  writeFileSync(
    args,
    [...include, "--include_imports", "--include_source_info", "-o", output, ...files].join("\n"),
  );
  const { code, stderr } = await run(python(), ["-m", "grpc_tools.protoc", `@${args}`], "");
  assert.equal(code, 0, stderr);
  return splitFileDescriptorSet(readFileSync(output));
}

/** Comments of declarations, by their paths. */
function commentsOf({ sourceCodeInfo }: FileDescriptorProto): unknown {
  const isDeclaration =
    /^(?:4,\d+(?:,3,\d+)*(?:,(?:2|6|8),\d+|,4,\d+(?:,2,\d+)?)?|5,\d+(?:,2,\d+)?|6,\d+(?:,2,\d+)?|7,\d+)$/;
  const found = (sourceCodeInfo?.location ?? [])
    .filter(({ leadingComments, trailingComments }) => leadingComments !== "" || trailingComments !== "")
    .map(({ path, span, leadingComments, trailingComments }) => ({
      path: path.join(),
      span,
      leadingComments,
      trailingComments,
    }))
    .filter(({ path }) => isDeclaration.test(path));
  return found.sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** How many files were compared. */
async function compare(roots: readonly string[], files: readonly string[]): Promise<number> {
  const theirs = await protoc(roots, files);
  const schema = await loadProtos(roots.slice(0, 1));
  let compared = 0;
  for (const [name, bytes] of theirs) {
    const own = schema.files.get(name);
    // The standard files come from a package, not from the folder.
    if (
      own === undefined ||
      !roots.some((root) => existsSync(join(root, name))) ||
      name.startsWith("google/protobuf/")
    )
      continue;
    compared++;
    const [a, b] = [fromBinary(FileDescriptorProtoSchema, own), fromBinary(FileDescriptorProtoSchema, bytes)];
    assert.deepEqual(commentsOf(a), commentsOf(b), name);
    delete a.sourceCodeInfo;
    const plain = toBinary(FileDescriptorProtoSchema, a);
    if (withoutSource(bytes).equals(plain)) continue;
    // The difference is easier to read in the values.
    delete b.sourceCodeInfo;
    assert.deepEqual(fromBinary(FileDescriptorProtoSchema, plain), b, name);
    assert.fail(`${name} has its fields in another order`);
  }
  return compared;
}

/** Without field 9, source_code_info, byte by byte. */
function withoutSource(bytes: Uint8Array): Buffer {
  const reader = new BinaryReader(bytes);
  const kept: Uint8Array[] = [];
  while (reader.pos < reader.len) {
    const start = reader.pos;
    const [no, wire] = reader.tag();
    reader.skip(wire, no);
    if (no !== 9) kept.push(bytes.subarray(start, reader.pos));
  }
  return Buffer.concat(kept);
}

describe("the descriptors of .proto files are protoc's, to the byte", () => {
  test("odd ones", async () => {
    const files = ODD_PROTOS.map(({ file }) => file);
    assert.equal(await compare([dir], files), files.length);
  });

  test("Google's", async () => {
    const files = FOLDERS.flatMap((folder) =>
      protosBelow(join(GOOGLE, "google", folder)).map((name) => `google/${folder}/${name}`),
    );
    const copy = join(dir, "google-files");
    for (const name of files) {
      mkdirSync(dirname(join(copy, name)), { recursive: true });
      writeFileSync(join(copy, name), readFileSync(join(GOOGLE, name)));
    }
    const compared = await compare([copy, GOOGLE], files);
    assert.ok(compared > 150, String(compared));
  });

  const corpus = process.env.PROTO_CORPUS?.split(",") ?? [];
  const [folder] = corpus;
  if (folder !== undefined)
    test("those of PROTO_CORPUS", async (t) => {
      t.diagnostic(`${await compare(corpus, protosBelow(folder))} files compared`);
    });
});
