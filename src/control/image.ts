// The descriptors of the services that come with the hub, its own and the samples', as `buf build` made them.
import { readFileSync } from "node:fs";
import { DescriptorIndex } from "../schema/descriptor-index.js";

let index: DescriptorIndex | undefined;

/** Read once, when first asked for. */
export function imageIndex(): DescriptorIndex {
  index ??= DescriptorIndex.fromSet(readFileSync(new URL("../../generated/image.binpb", import.meta.url)));
  return index;
}

/** The files of these services and all they import, by name. */
export function filesOf(services: readonly string[]): Map<string, Uint8Array> {
  const image = imageIndex();
  const files = new Map<string, Uint8Array>();
  for (const service of services) {
    const file = image.fileContaining(service);
    if (file === undefined) continue;
    for (const name of [file, ...image.withDependencies(file)]) {
      const bytes = image.file(name);
      if (bytes !== undefined) files.set(name, bytes);
    }
  }
  return files;
}
