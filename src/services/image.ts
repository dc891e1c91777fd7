// The descriptors of the services in the package: the hub's own and the samples' (tools/write-image.mjs).
import { readFileSync } from "node:fs";
import { DescriptorIndex } from "../schema/descriptors/descriptor-index.js";

/** `hub.binpb` is in the package; `image.binpb` has the services of tests as well. */
export type Image = "hub.binpb" | "image.binpb";

const indexes = new Map<Image, DescriptorIndex>();

/** Each is read once, when it is first asked for. */
export function imageIndex(image: Image = "hub.binpb"): DescriptorIndex {
  let index = indexes.get(image);
  if (index === undefined) {
    index = DescriptorIndex.fromSet(readFileSync(new URL(`../../generated/${image}`, import.meta.url)));
    indexes.set(image, index);
  }
  return index;
}

/** The types of gRPC statuses: no service's descriptors must have them, and clients that print details request them. */
export const STATUS_TYPES = ["google.rpc.Status", "google.rpc.Code", "google.rpc.ErrorInfo"];

/** The files that declare these symbols and all they import, by name. */
export function filesOf(symbols: readonly string[]): Map<string, Uint8Array> {
  const image = imageIndex();
  const files = new Map<string, Uint8Array>();
  for (const symbol of symbols) {
    const file = image.fileContaining(symbol);
    if (file === undefined) continue;
    for (const name of [file, ...image.withDependencies(file)]) {
      const bytes = image.file(name);
      if (bytes !== undefined) files.set(name, bytes);
    }
  }
  return files;
}
