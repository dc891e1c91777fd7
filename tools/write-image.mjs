// Writes generated/hub.binpb, the descriptors that come with the package, out of generated/image.binpb, which has those of
// the tests as well: `node tools/write-image.mjs [FILE]`; make generate runs it. Comments are kept where documents show
// them: of the sample services, and of what their messages are made of.
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";

const pathOf = (name) => fileURLToPath(new URL(`../generated/${name}`, import.meta.url));
/** What the hub serves itself, what its statuses are made of, and the samples. */
const ROOTS = /^(?:grpc|health|library)\/|^google\/rpc\//;
const WITH_COMMENTS = /^(?:library|google\/type)\//;

const { file } = fromBinary(FileDescriptorSetSchema, readFileSync(pathOf("image.binpb")));
const byName = new Map(file.map((one) => [one.name, one]));
const wanted = new Set();
const want = (name) => {
  if (wanted.has(name)) return;
  for (const dependency of byName.get(name)?.dependency ?? []) want(dependency);
  wanted.add(name);
};
for (const { name } of file) if (ROOTS.test(name)) want(name);

const kept = file.filter(({ name }) => wanted.has(name));
for (const one of kept) if (!WITH_COMMENTS.test(one.name)) one.sourceCodeInfo = undefined;
const bytes = toBinary(FileDescriptorSetSchema, create(FileDescriptorSetSchema, { file: kept }));
writeFileSync(process.argv[2] ?? pathOf("hub.binpb"), bytes);
