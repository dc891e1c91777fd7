// What XML calls the parts of a message: the names that both directions share.
import type { DescField, DescMessage } from "@bufbuild/protobuf";
import type { FieldPlan } from "../codec/plan.js";

export const XML_DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n';

/** `type` of a google.protobuf.Any, `name` of an extension. */
export const TYPE = "type";
export const NAME = "name";
/** An extension of proto2: `<extension name="pkg.field">`, for its JSON name is no XML name. */
export const EXTENSION = "extension";
/** Of a map, of a list that is a whole body, of an Any whose type has a JSON form of its own. */
export const ENTRY = "entry";
export const KEY = "key";
export const VALUE = "value";
export const ITEM = "item";
/** Of a stream, and of its failure. */
export const STREAM = "stream";
export const ERROR = "error";
/** An element that says "null" (XML Schema Part 1 §2.6.2). */
export const NIL = "xsi:nil";
export const XSI = "http://www.w3.org/2001/XMLSchema-instance";

/** What a name must be to be one of XML without a prefix; of XML's letters only those of ASCII. */
const XML_NAME = /^[A-Za-z_][A-Za-z0-9_.-]*$/;

/** A field's element, under the name that JSON has for it; that may be any string, a proto name is always a name. */
export function elementName(field: FieldPlan, jsonName: string): string {
  return XML_NAME.test(jsonName) ? jsonName : field.name;
}

/** A body's root: the message's simple name; of a field that is no message its own. */
export function rootName(desc: DescMessage | DescField): string {
  if (desc.kind === "message") return desc.name;
  if (desc.fieldKind === "message") return desc.message.name;
  return XML_NAME.test(desc.jsonName) ? desc.jsonName : desc.name;
}
