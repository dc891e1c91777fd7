// The descriptors of the services that come with the hub, its own and the samples', as `buf build` made them.
import { readFileSync } from "node:fs";
import { DescriptorIndex } from "../schema/descriptors/descriptor-index.js";

let index: DescriptorIndex | undefined;

/** Read once, when first asked for. */
export function imageIndex(): DescriptorIndex {
  index ??= DescriptorIndex.fromSet(readFileSync(new URL("../../generated/image.binpb", import.meta.url)));
  return index;
}

/** What gRPC statuses are made of: no service's descriptors need have it, and clients that print details ask for it. */
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
