// The document as text.
import type { JsonObject } from "@bufbuild/protobuf";
import { lateLoad } from "../kit/files/late-load.js";

export function printJson(document: JsonObject): string {
  return `${JSON.stringify(document, null, 2)}\n`;
}

/** The YAML library is loaded on demand. */
export async function printYaml(document: JsonObject): Promise<string> {
  const { stringify } = await lateLoad(() => import("yaml"));
  return stringify(document, { aliasDuplicateObjects: false, lineWidth: 0 });
}
