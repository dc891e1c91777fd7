// google.api.field_behavior out of a field's options: whether clients must set it, may set it, or only read it.
import type { DescField } from "@bufbuild/protobuf";
import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";

/** google/api/field_behavior.proto: `extend google.protobuf.FieldOptions { repeated FieldBehavior field_behavior = 1052; }`. */
const FIELD_BEHAVIOR_EXTENSION = 1052;

const NAMES = [
  "UNSPECIFIED",
  "OPTIONAL",
  "REQUIRED",
  "OUTPUT_ONLY",
  "INPUT_ONLY",
  "IMMUTABLE",
  "UNORDERED_LIST",
  "NON_EMPTY_DEFAULT",
  "IDENTIFIER",
] as const;
export type FieldBehavior = (typeof NAMES)[number];

/** It is among the unknown fields of the options, packed or not (protobuf encoding, "Packed Repeated Fields"). */
export function fieldBehaviors(field: DescField): ReadonlySet<FieldBehavior> {
  const found = new Set<FieldBehavior>();
  const put = (value: number): void => {
    const name = NAMES[value];
    if (name !== undefined) found.add(name);
  };
  for (const { no, wireType, data } of field.proto.options?.$unknown ?? []) {
    if (no !== FIELD_BEHAVIOR_EXTENSION) continue;
    const reader = new BinaryReader(data);
    if (wireType === WireType.Varint) put(reader.int32());
    if (wireType !== WireType.LengthDelimited) continue;
    const end = reader.uint32() + reader.pos;
    while (reader.pos < end && reader.pos < reader.len) put(reader.int32());
  }
  return found;
}
