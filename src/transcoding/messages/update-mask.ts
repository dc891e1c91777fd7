// PATCH: the field mask of an update, filled from the fields in the JSON body (like grpc-gateway's "Patch feature":
// nested messages become nested paths, repeated fields and maps end a path, null names a field too).
import type { DescField, DescMessage } from "@bufbuild/protobuf";
import { BinaryWriter } from "@bufbuild/protobuf/wire";
import { fieldsOf, hasOwnJson, isHttpBody, isJsonText } from "./fields.js";
import { isJsonObject, type Json, type JsonObject } from "./json.js";

/** The one field of the request that is a FieldMask; undefined if there is none, or more than one. */
export function updateMaskOf(input: DescMessage): DescField | undefined {
  const masks = input.fields.filter(
    (field) => field.fieldKind === "message" && field.message.typeName === "google.protobuf.FieldMask",
  );
  return masks.length === 1 ? masks[0] : undefined;
}

/**
 * Characters of all paths of a mask. Each path repeats the names above it, so a body could cause the square of its
 * length: one long name in a Struct with many short ones in it. Real updates are far below it.
 */
export const MAX_MASK_CHARACTERS = 1024 * 1024;

/**
 * The paths, in proto names, sorted; undefined if they are longer than MAX_MASK_CHARACTERS. Unknown fields are skipped:
 * the codec checks them.
 */
export function pathsOf(desc: DescMessage, json: Json): string[] | undefined {
  const paths = new Paths();
  if (isJsonObject(json)) gather(desc, json, "", paths);
  return paths.tooLong ? undefined : paths.list.sort();
}

class Paths {
  readonly list: string[] = [];
  #characters = 0;

  get tooLong(): boolean {
    return this.#characters > MAX_MASK_CHARACTERS;
  }

  push(path: string): void {
    this.#characters += path.length;
    if (!this.tooLong) this.list.push(path);
  }
}

/** The request's bytes that set the mask: appended to others, they merge. */
export function encodeUpdateMask(field: DescField, paths: readonly string[]): Uint8Array {
  const out = new BinaryWriter().uint32(field.number * 8 + 2).fork();
  for (const path of paths) out.uint32(PATHS_TAG).string(path);
  return out.join().finish();
}

/** google/protobuf/field_mask.proto: repeated string paths = 1. */
const PATHS_TAG = 1 * 8 + 2;

function gather(desc: DescMessage, json: JsonObject, prefix: string, paths: Paths): void {
  const fields = fieldsOf(desc);
  for (const name of Object.keys(json)) {
    const field = fields.get(name);
    const value = json[name];
    if (field === undefined || value === undefined) continue;
    const path = prefix + field.name;
    const inner = field.fieldKind === "message" ? field.message : undefined;
    if (inner === undefined || !isJsonObject(value) || Object.keys(value).length === 0) paths.push(path);
    else if (isJsonText(inner)) gatherFree(value, path, paths);
    else if (hasOwnJson(inner) || isHttpBody(inner)) paths.push(path);
    else gather(inner, value, `${path}.`, paths);
  }
}

/** Inside a Struct the names are those of the JSON; a name that a path cannot contain selects its whole object. */
function gatherFree(json: JsonObject, path: string, paths: Paths): void {
  const names = Object.keys(json);
  if (!names.every((name) => /^[A-Za-z0-9_]+$/.test(name))) {
    paths.push(path);
    return;
  }
  for (const name of names) {
    const value = json[name];
    const inner = `${path}.${name}`;
    if (isJsonObject(value) && Object.keys(value).length > 0) gatherFree(value, inner, paths);
    else paths.push(inner);
  }
}
