// The Location of a created resource: a path of the config with fields of the response.
import { type DescField, type DescMessage, fromBinary, ScalarType } from "@bufbuild/protobuf";
import { type ReflectMessage, reflect } from "@bufbuild/protobuf/reflect";
import { fieldsOf } from "../messages/fields.js";
import { type FieldsMask, maskMessage } from "../messages/fields-mask.js";

/** URIs that everybody accepts (RFC 9110 §4.1); a longer one could make a head that no client accepts. */
const MAX_CHARACTERS = 8000;
const FIELD = /\{([^{}]+)\}/g;

/**
 * `/v1/{name}` with the response's name; undefined if a field is missing or does not fit the schema, has no text form,
 * or is too long.
 */
export function locationOf(template: string, output: DescMessage, bytes: Uint8Array): string | undefined {
  const message = readMessage(template, output, bytes);
  if (message === undefined) return undefined;
  let missing = false;
  const path = template.replace(FIELD, (_, name: string) => {
    const text = textOf(message, name.split("."));
    if (text === undefined || text === "") missing = true;
    // A name such as books/1 is several segments: its slashes stay.
    return (text ?? "").split("/").map(encodeURIComponent).join("/");
  });
  // "//" at the beginning would be another site's address (RFC 3986 §4.2).
  return missing || path.startsWith("//") || path.length > MAX_CHARACTERS ? undefined : path;
}

/**
 * The fields that the template names: the rest of a large response is not needed. undefined: one has another wire type
 * than in the schema, which JSON ignores and a Location cannot.
 */
function readMessage(template: string, output: DescMessage, bytes: Uint8Array): ReflectMessage | undefined {
  try {
    return reflect(output, fromBinary(output, maskMessage(bytes, maskOf(template, output))));
  } catch {
    return undefined;
  }
}

type Building = Map<number, Building | "whole">;

/** The fields that the template names. */
function maskOf(template: string, output: DescMessage): FieldsMask {
  const whole: Building = new Map();
  for (const [, name = ""] of template.matchAll(FIELD)) {
    let mask = whole;
    let desc: DescMessage | undefined = output;
    for (const part of name.split(".")) {
      const field: DescField | undefined = desc === undefined ? undefined : fieldsOf(desc).get(part);
      if (field === undefined) break;
      if (field.fieldKind !== "message") {
        mask.set(field.number, "whole");
        break;
      }
      const known = mask.get(field.number);
      const inner: Building = known instanceof Map ? known : new Map();
      mask.set(field.number, inner);
      mask = inner;
      desc = field.message;
    }
  }
  return whole;
}

/** Why no response can have this Location; undefined if it can. */
export function locationProblem(template: string, output: DescMessage): string | undefined {
  for (const [, name = ""] of template.matchAll(FIELD)) {
    let desc: DescMessage | undefined = output;
    let isText = false;
    for (const part of name.split(".")) {
      const field: DescField | undefined = desc === undefined ? undefined : fieldsOf(desc).get(part);
      if (field === undefined) return `${output.typeName} has no field '${name}'`;
      desc = field.fieldKind === "message" ? field.message : undefined;
      isText =
        field.fieldKind === "enum" || (field.fieldKind === "scalar" && field.scalar !== ScalarType.BYTES);
    }
    if (!isText) return `${output.typeName} has no text in '${name}'`;
  }
  return undefined;
}

function textOf(message: ReflectMessage, path: readonly string[]): string | undefined {
  const [name = "", ...rest] = path;
  const field = fieldsOf(message.desc).get(name);
  if (field === undefined) return undefined;
  if (field.fieldKind === "message") return rest.length > 0 ? textOf(message.get(field), rest) : undefined;
  if (rest.length > 0) return undefined;
  if (field.fieldKind === "enum") {
    const number = message.get(field);
    return field.enum.values.find((value) => value.number === number)?.name ?? String(number);
  }
  if (field.fieldKind !== "scalar") return undefined;
  const value = message.get(field);
  return typeof value === "object" ? undefined : String(value);
}
