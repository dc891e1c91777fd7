// XML elements → the JSON of a message, along its schema, which says what is a list, a number or a map. The codec
// checks whether a text fits its field, as for JSON.
import type { DescField, DescMessage } from "@bufbuild/protobuf";
import { clip, formatPath, type InvalidValue, Refusal, unknownField } from "../codec/invalid-value.js";
import { type FieldPlan, Form, Kind, type MessagePlan, type Plans, Shape } from "../codec/plan.js";
import { type Json, type JsonObject, parseJson } from "../messages/json.js";
import { setOwn } from "../routes/set-field.js";
import type { XmlElement } from "./document.js";
import { ENTRY, EXTENSION, ITEM, KEY, NAME, NIL, rootName, TYPE, VALUE } from "./names.js";

/** The root is of `desc`: a message, or a field that is the whole body. Paths in an InvalidValue start from it. */
export function xmlToJson(
  plans: Plans,
  desc: DescMessage | DescField,
  root: XmlElement,
  unknownFields: "reject" | "ignore",
): { readonly json: Json } | InvalidValue {
  const walk = new XmlWalk(plans, unknownFields);
  try {
    return { json: walk.root(desc, root) };
  } catch (e) {
    if (e instanceof Refusal) return { path: formatPath(walk.steps), problem: e.message };
    throw e;
  }
}

const NOTHING: readonly string[] = [];

class XmlWalk {
  /** The current position. */
  readonly steps: (string | number)[] = [];
  readonly #plans: Plans;
  readonly #strict: boolean;

  constructor(plans: Plans, unknownFields: "reject" | "ignore") {
    this.#plans = plans;
    this.#strict = unknownFields === "reject";
  }

  root(desc: DescMessage | DescField, root: XmlElement): Json {
    const name = rootName(desc);
    if (root.name !== name) throw new Refusal(`expected <${name}> as root element, got <${clip(root.name)}>`);
    if (desc.kind === "message") return this.#message(this.#plans.of(desc), root, NOTHING);
    const field = this.#plans.of(desc.parent).byNumber(desc.number);
    if (field === undefined) throw new Error(`${desc.parent.typeName} has no field ${desc.number}`);
    if (field.shape === Shape.MAP) return this.#map(field, root, NOTHING);
    if (field.shape === Shape.SINGULAR) return this.#value(field, root, NOTHING);
    if (this.#isNil(root, NOTHING)) return null;
    this.#onlyElements(root);
    const items: Json[] = [];
    for (const child of root.children) {
      this.steps.push(items.length);
      if (child.name === ITEM) items.push(this.#value(field, child, NOTHING));
      else throw new Refusal(`expected <${ITEM}>, got <${clip(child.name)}>`);
      this.steps.pop();
    }
    return items;
  }

  #message(plan: MessagePlan, element: XmlElement, allowed: readonly string[]): Json {
    if (plan.form === Form.ANY) return this.#any(element, allowed);
    if (this.#isNil(element, allowed)) return null;
    switch (plan.form) {
      case Form.FIELDS:
        return this.#fields(plan, element, {});
      case Form.WRAPPER: {
        const value = plan.fields[0];
        return value === undefined ? null : this.#scalar(value, this.#text(element));
      }
      case Form.STRUCT:
      case Form.VALUE:
      case Form.LIST_VALUE: {
        const parsed = parseJson(this.#text(element));
        if ("value" in parsed) return parsed.value;
        throw new Refusal(
          `expected JSON text (${plan.typeName}): line ${parsed.line}, column ${parsed.column}: ${parsed.problem}`,
        );
      }
      default:
        return this.#text(element).trim();
    }
  }

  #fields(plan: MessagePlan, element: XmlElement, object: JsonObject): JsonObject {
    this.#onlyElements(element);
    for (const child of element.children) {
      const extension = child.name === EXTENSION ? child.attributes.get(NAME) : undefined;
      const field = extension === undefined ? plan.byName.get(child.name) : this.#extension(plan, extension);
      const name = extension === undefined ? (field?.jsonName ?? child.name) : `[${extension}]`;
      const allowed = extension === undefined ? NOTHING : [NAME];
      this.steps.push(name);
      if (field === undefined) {
        if (this.#strict) throw unknownField(plan.desc, extension ?? child.name);
      } else {
        const before = Object.hasOwn(object, name) ? object[name] : undefined;
        if (field.shape === Shape.LIST) this.#item(field, child, allowed, object, name, before);
        else {
          if (before !== undefined) throw new Refusal("the element is given twice, but the field takes one");
          const json =
            field.shape === Shape.MAP ? this.#map(field, child, allowed) : this.#value(field, child, allowed);
          setOwn(object, name, json);
        }
      }
      this.steps.pop();
    }
    return object;
  }

  /** One more element of a list. A single nil element unsets the whole list. */
  #item(
    field: FieldPlan,
    element: XmlElement,
    allowed: readonly string[],
    object: JsonObject,
    name: string,
    before: Json | undefined,
  ): void {
    if (before === null) throw new Refusal("a list that is nil cannot have elements");
    if (before === undefined && this.#isNil(element, allowed)) {
      setOwn(object, name, null);
      return;
    }
    const list = Array.isArray(before) ? before : [];
    if (before === undefined) setOwn(object, name, list);
    this.steps.push(list.length);
    list.push(this.#value(field, element, allowed));
    this.steps.pop();
  }

  #extension(plan: MessagePlan, name: string): FieldPlan | undefined {
    const extension = this.#plans.registry.getExtension(name);
    return extension?.extendee.typeName === plan.typeName ? this.#plans.extension(extension) : undefined;
  }

  #map(field: FieldPlan, element: XmlElement, allowed: readonly string[]): Json {
    if (this.#isNil(element, allowed)) return null;
    this.#onlyElements(element);
    const object: JsonObject = {};
    for (const [i, entry] of element.children.entries()) {
      this.steps.push(i);
      if (entry.name !== ENTRY) throw new Refusal(`expected <${ENTRY}>, got <${clip(entry.name)}>`);
      this.#attributes(entry, NOTHING);
      this.#onlyElements(entry);
      const [key, value] = [this.#part(entry, KEY), this.#part(entry, VALUE)];
      const stranger = entry.children.find((child) => child !== key && child !== value);
      if (stranger !== undefined)
        throw new Refusal(`<${clip(stranger.name)}> is not allowed in an <${ENTRY}>`);
      this.#attributes(key, NOTHING);
      const text = this.#text(key);
      const name = field.key.kind === Kind.STRING ? text : text.trim();
      this.steps[this.steps.length - 1] = name;
      if (Object.hasOwn(object, name)) throw new Refusal("the key is given twice");
      setOwn(object, name, this.#value(field.value, value, NOTHING));
      this.steps.pop();
    }
    return object;
  }

  #part(entry: XmlElement, name: string): XmlElement {
    const part = entry.children.find((child) => child.name === name);
    if (part === undefined) throw new Refusal(`an <${ENTRY}> must have a <${KEY}> and a <${VALUE}>`);
    return part;
  }

  /** One value or element. */
  #value(field: FieldPlan, element: XmlElement, allowed: readonly string[]): Json {
    if (field.kind === Kind.MESSAGE) return this.#message(field.message, element, allowed);
    if (this.#isNil(element, allowed)) return null;
    return this.#scalar(field, this.#text(element));
  }

  #scalar(field: FieldPlan, text: string): Json {
    switch (field.kind) {
      case Kind.STRING:
        return text;
      case Kind.BYTES:
        // It often comes in lines (XML Schema Part 2 §3.2.16).
        return text.replace(/[\t\n\r ]+/g, "");
    }
    const word = text.trim();
    if (field.kind === Kind.BOOL) return word === "true" || (word === "false" ? false : word);
    if (field.enum === undefined) return word;
    if (field.enum.isNull && (word === "NULL_VALUE" || word === "null")) return null;
    return /^-?\d{1,10}$/.test(word) ? Number(word) : word;
  }

  #any(element: XmlElement, allowed: readonly string[]): Json {
    if (this.#isNil(element, [...allowed, TYPE])) return null;
    const url = element.attributes.get(TYPE);
    if (url === undefined) {
      if (element.children.length === 0 && element.text.trim() === "") return {};
      throw new Refusal(`an Any needs its type in the attribute '${TYPE}'`);
    }
    const object: JsonObject = { "@type": url };
    const desc = this.#plans.registry.getMessage(url.slice(url.lastIndexOf("/") + 1));
    // The codec reports it.
    if (desc === undefined) return object;
    const plan = this.#plans.of(desc);
    if (plan.form === Form.FIELDS) return this.#fields(plan, element, object);
    this.#onlyElements(element);
    const [value, more] = element.children;
    if (value?.name !== VALUE || more !== undefined) {
      throw new Refusal(`an Any of ${desc.typeName} must have its content in one <${VALUE}>`);
    }
    this.steps.push(VALUE);
    object.value = this.#message(plan, value, NOTHING);
    this.steps.pop();
    return object;
  }

  /** Whether the element is null; checks that it has only allowed attributes. */
  #isNil(element: XmlElement, allowed: readonly string[]): boolean {
    this.#attributes(element, allowed);
    const nil = element.attributes.get(NIL);
    if (nil === undefined || nil === "false" || nil === "0") return false;
    if (nil !== "true" && nil !== "1") throw new Refusal(`expected true or false in '${NIL}'`);
    if (element.children.length > 0 || element.text.trim() !== "") {
      throw new Refusal("an element that is nil cannot have content");
    }
    return true;
  }

  #attributes(element: XmlElement, allowed: readonly string[]): void {
    if (!this.#strict || element.attributes.size === 0) return;
    for (const name of element.attributes.keys()) {
      if (allowed.includes(name) || PASSED_OVER.test(name)) continue;
      this.steps.push(`@${name}`);
      throw new Refusal(`unknown attribute; fields are elements, as in <${clip(name)}>`);
    }
  }

  #onlyElements(element: XmlElement): void {
    const text = element.text.trim();
    if (text !== "") throw new Refusal(`expected elements, got the text ${JSON.stringify(clip(text))}`);
  }

  #text(element: XmlElement): string {
    const child = element.children[0];
    if (child !== undefined) throw new Refusal(`expected text, got the element <${clip(child.name)}>`);
    return element.text;
  }
}

/** Attributes without meaning for a field: namespaces, schema locations, XML's own. */
const PASSED_OVER = /^(?:xmlns(?::.*)?|xml:.*|xsi:(?:nil|schemaLocation|noNamespaceSchemaLocation))$/;
