// The descriptors of all sample services, as `buf build` made them.
import { readFileSync } from "node:fs";
import { DescriptorIndex } from "../schema/descriptor-index.js";

let index: DescriptorIndex | undefined;

/** Read once, when first asked for. */
export function imageIndex(): DescriptorIndex {
  index ??= DescriptorIndex.fromSet(readFileSync(new URL("../../generated/image.binpb", import.meta.url)));
  return index;
}
