// XML names of a message's parts, for both directions.
import type { DescField, DescMessage } from "@bufbuild/protobuf";
import type { FieldPlan } from "../codec/plan.js";

export const XML_DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n';

/** `type` of a google.protobuf.Any, `name` of an extension. */
export const TYPE = "type";
export const NAME = "name";
/** An extension of proto2: `<extension name="pkg.field">`, for its JSON name is no XML name. */
export const EXTENSION = "extension";
/** For a map, for a list that is a whole body, for an Any whose type has its own JSON format. */
export const ENTRY = "entry";
export const KEY = "key";
export const VALUE = "value";
export const ITEM = "item";
/** Of a stream, and of its failure. */
export const STREAM = "stream";
export const ERROR = "error";
/** The attribute of an element that is null (XML Schema Part 1 §2.6.2). */
export const NIL = "xsi:nil";
export const XSI = "http://www.w3.org/2001/XMLSchema-instance";

/** A valid XML name without a prefix; of XML's letters only ASCII. */
const XML_NAME = /^[A-Za-z_][A-Za-z0-9_.-]*$/;

/** A field's element, named by its JSON name if that is a valid name; a proto name always is. */
export function elementName(field: FieldPlan, jsonName: string): string {
  return XML_NAME.test(jsonName) ? jsonName : field.name;
}

/** A body's root: the message's simple name; of a field that is no message its own. */
export function rootName(desc: DescMessage | DescField): string {
  if (desc.kind === "message") return desc.name;
  if (desc.fieldKind === "message") return desc.message.name;
  return XML_NAME.test(desc.jsonName) ? desc.jsonName : desc.name;
}
