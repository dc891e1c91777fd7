// The JSON of a message → XML. Everything in that JSON is a string, a number or an object of known fields, so one pass
// along the schema is enough; docs/xml.md has the mapping.
import type { DescField, DescMessage } from "@bufbuild/protobuf";
import { formatPath } from "../codec/invalid-value.js";
import { type FieldPlan, Form, Kind, type MessagePlan, type Plans, Shape } from "../codec/plan.js";
import { ExactNumber, isJsonObject, type Json } from "../messages/json.js";
import { ENTRY, EXTENSION, elementName, ITEM, KEY, NAME, NIL, rootName, TYPE, VALUE, XSI } from "./names.js";
import { noXmlChar } from "./scan.js";

/** A text has a character that XML cannot express, not even as a reference. */
export class XmlCharError extends Error {}

/** `json` is the codec's output for the message or field. Throws XmlCharError. */
export function printXml(plans: Plans, desc: DescMessage | DescField, json: Json, pretty = false): string {
  const printer = new XmlPrinter(plans, pretty);
  const name = rootName(desc);
  if (desc.kind === "message") printer.message(name, plans.of(desc), json);
  else {
    const field = plans.of(desc.parent).byNumber(desc.number);
    if (field === undefined) throw new Error(`${desc.parent.typeName} has no field ${desc.number}`);
    printer.field(name, field, json);
  }
  return printer.out.join("");
}

/** A google.rpc.Status by its JSON. Throws XmlCharError. */
export function printStatusXml(plans: Plans, name: string, json: Json): string {
  const printer = new XmlPrinter(plans, false);
  printer.status(name, json);
  return printer.out.join("");
}

class XmlPrinter {
  readonly out: string[] = [];
  readonly #plans: Plans;
  readonly #pretty: boolean;
  /** The current position. */
  readonly #steps: (string | number)[] = [];
  #depth = 0;

  constructor(plans: Plans, pretty: boolean) {
    this.#plans = plans;
    this.#pretty = pretty;
  }

  /** A field as a body: a list has its elements as `<item>`. */
  field(name: string, field: FieldPlan, json: Json): void {
    if (field.shape === Shape.MAP) this.#map(name, "", field, json);
    else if (field.shape === Shape.LIST) {
      this.#element(name, "", () => {
        for (const [i, item] of listOf(json).entries())
          this.#step(i, () => this.#value(ITEM, "", field, item));
      });
    } else this.#value(name, "", field, json);
  }

  status(name: string, json: Json): void {
    this.#element(name, "", () => {
      for (const [key, value] of membersOf(json)) {
        this.#step(key, () => {
          if (key !== "details") this.#leaf(key, "", textOf(value));
          else for (const detail of listOf(value)) this.#any(key, "", detail);
        });
      }
    });
  }

  message(name: string, plan: MessagePlan, json: Json, attributes = ""): void {
    if (json === null && plan.form !== Form.VALUE) this.#nil(name, attributes);
    else
      switch (plan.form) {
        case Form.FIELDS:
          this.#element(name, attributes, () => this.#fields(plan, json));
          break;
        case Form.ANY:
          this.#any(name, attributes, json);
          break;
        case Form.STRUCT:
        case Form.VALUE:
        case Form.LIST_VALUE:
          this.#leaf(name, attributes, jsonText(json));
          break;
        default:
          this.#leaf(name, attributes, textOf(json));
      }
  }

  #fields(plan: MessagePlan, json: Json): void {
    for (const [key, value] of membersOf(json)) {
      if (key === "@type") continue;
      const extension = key.startsWith("[") ? this.#plans.registry.getExtension(key.slice(1, -1)) : undefined;
      const field = extension === undefined ? plan.byName.get(key) : this.#plans.extension(extension);
      this.#step(key, () => {
        // Content that could not be read prints as text: see status-json.ts.
        if (field === undefined) this.#leaf(VALUE, "", textOf(value));
        else if (extension === undefined) this.#whole(elementName(field, key), "", field, value);
        else this.#whole(EXTENSION, this.#attribute(NAME, key.slice(1, -1)), field, value);
      });
    }
  }

  /** A field among others: a list repeats its element. */
  #whole(name: string, attributes: string, field: FieldPlan, json: Json): void {
    if (field.shape === Shape.MAP) this.#map(name, attributes, field, json);
    else if (field.shape === Shape.LIST) {
      for (const [i, item] of listOf(json).entries()) {
        this.#step(i, () => this.#value(name, attributes, field, item));
      }
    } else this.#value(name, attributes, field, json);
  }

  #map(name: string, attributes: string, field: FieldPlan, json: Json): void {
    this.#element(name, attributes, () => {
      for (const [key, value] of membersOf(json)) {
        this.#step(key, () =>
          this.#element(ENTRY, "", () => {
            this.#leaf(KEY, "", key);
            this.#value(VALUE, "", field.value, value);
          }),
        );
      }
    });
  }

  /** One value or element. */
  #value(name: string, attributes: string, field: FieldPlan, json: Json): void {
    if (field.kind === Kind.MESSAGE) this.message(name, field.message, json, attributes);
    else if (field.enum?.isNull === true && json === null) this.#leaf(name, attributes, "NULL_VALUE");
    else if (json === null) this.#nil(name, attributes);
    else this.#leaf(name, attributes, textOf(json));
  }

  #any(name: string, attributes: string, json: Json): void {
    const url = isJsonObject(json) ? json["@type"] : undefined;
    if (typeof url !== "string") {
      this.#element(name, attributes, () => {});
      return;
    }
    const desc = this.#plans.registry.getMessage(url.slice(url.lastIndexOf("/") + 1));
    this.#element(name, attributes + this.#attribute(TYPE, url), () => {
      if (desc !== undefined && this.#plans.of(desc).form === Form.FIELDS) {
        this.#fields(this.#plans.of(desc), json);
        return;
      }
      for (const [key, value] of membersOf(json)) {
        if (key === "@type") continue;
        // An unknown type has its bytes in base64.
        const known = desc !== undefined;
        this.#step(key, () =>
          known ? this.message(VALUE, this.#plans.of(desc), value) : this.#leaf(VALUE, "", textOf(value)),
        );
      }
    });
  }

  #step(step: string | number, print: () => void): void {
    this.#steps.push(step);
    print();
    this.#steps.pop();
  }

  #element(name: string, attributes: string, content: () => void): void {
    const { out } = this;
    this.#indent();
    out.push(`<${name}${attributes}`);
    const end = out.push(">");
    this.#depth++;
    content();
    this.#depth--;
    if (out.length === end) {
      out[end - 1] = "/>";
      return;
    }
    this.#indent();
    out.push(`</${name}>`);
  }

  #leaf(name: string, attributes: string, text: string): void {
    this.#indent();
    const open = `<${name}${attributes}`;
    this.out.push(text === "" ? `${open}/>` : `${open}>${this.#escaped(text)}</${name}>`);
  }

  #nil(name: string, attributes: string): void {
    this.#indent();
    this.out.push(`<${name}${attributes} ${NIL}="true" xmlns:xsi="${XSI}"/>`);
  }

  #attribute(name: string, value: string): string {
    return ` ${name}="${this.#escaped(value)}"`;
  }

  #indent(): void {
    if (this.#pretty && this.out.length > 0) this.out.push(`\n${"  ".repeat(this.#depth)}`);
  }

  #escaped(text: string): string {
    const stray = noXmlChar(text);
    if (stray !== undefined) {
      const code = stray.codePointAt(0)?.toString(16).toUpperCase().padStart(4, "0");
      throw new XmlCharError(
        `'${formatPath(this.#steps)}' has the character U+${code}, which XML cannot represent`,
      );
    }
    // A bare carriage return would be read as a line feed (XML 1.0 §2.11).
    return NEEDS_ESCAPE.test(text) ? text.replace(ESCAPED, (c) => ESCAPES[c] ?? c) : text;
  }
}

const NEEDS_ESCAPE = /[&<>"\r]/;
const ESCAPED = /[&<>"\r]/g;
const ESCAPES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "\r": "&#13;",
};

function membersOf(json: Json): [string, Json][] {
  return isJsonObject(json) ? Object.entries(json) : [];
}

function listOf(json: Json): readonly Json[] {
  return Array.isArray(json) ? json : [];
}

/** A scalar's text. */
function textOf(json: Json): string {
  return typeof json === "string" ? json : jsonText(json);
}

/** JSON with only characters that XML allows. */
function jsonText(json: Json): string {
  if (json instanceof ExactNumber) return json.text;
  if (typeof json === "number") return Object.is(json, -0) ? "-0" : String(json);
  if (typeof json === "string") return quoted(json);
  if (Array.isArray(json)) return `[${json.map(jsonText).join(",")}]`;
  if (!isJsonObject(json)) return String(json);
  return `{${Object.entries(json)
    .map(([name, value]) => `${quoted(name)}:${jsonText(value)}`)
    .join(",")}}`;
}

/** JSON.stringify escapes control characters; these two XML has not either. */
function quoted(text: string): string {
  return JSON.stringify(text).replace(/[\ufffe\uffff]/g, (c) => `\\u${c.charCodeAt(0).toString(16)}`);
}
