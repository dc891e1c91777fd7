// google.api.resource and google.api.resource_reference from options: patterns of resource names, and which resources a
// field refers to.
import type { DescField, DescMessage } from "@bufbuild/protobuf";
import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";

/** google/api/resource.proto: `extend google.protobuf.MessageOptions { ResourceDescriptor resource = 1053; }`. */
const RESOURCE_EXTENSION = 1053;
/** google/api/resource.proto: `extend google.protobuf.FieldOptions { ResourceReference resource_reference = 1055; }`. */
const REFERENCE_EXTENSION = 1055;

/** The description of a field with a resource name: a sentence, or empty. */
export function resourceNotes(field: DescField): readonly string[] {
  const reference = stringsOf(field, REFERENCE_EXTENSION);
  const [type] = reference(1);
  if (type !== undefined && type !== "*") return [`The name of a \`${type}\`.`];
  const [child] = reference(2);
  if (child !== undefined) return [`The name of the parent of \`${child}\` below it.`];
  const resource = stringsOf(field.parent, RESOURCE_EXTENSION);
  // ResourceDescriptor: repeated string pattern = 2; string name_field = 3, "name" if it is missing.
  const patterns = resource(2).filter((pattern) => pattern !== "*");
  if (patterns.length === 0 || field.name !== (resource(3)[0] ?? "name")) return [];
  return [`It has the form ${patterns.map((pattern) => `\`${pattern}\``).join(" or ")}.`];
}

/** The strings of a message that extends the options, by the number of their field. */
function stringsOf({ proto }: DescField | DescMessage, extension: number): (no: number) => string[] {
  const found: [no: number, text: string][] = [];
  for (const { no, wireType, data } of proto.options?.$unknown ?? []) {
    if (no !== extension || wireType !== WireType.LengthDelimited) continue;
    const reader = new BinaryReader(new BinaryReader(data).bytes());
    while (reader.pos < reader.len) {
      const [inner, type] = reader.tag();
      if (type === WireType.LengthDelimited) found.push([inner, reader.string()]);
      else reader.skip(type);
    }
  }
  return (no) => found.filter((one) => one[0] === no).map(([, text]) => text);
}
