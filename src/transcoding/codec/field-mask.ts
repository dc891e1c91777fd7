// Paths of a google.protobuf.FieldMask: on the wire in proto names, in JSON in lowerCamelCase, in a query in either.
// ProtoJSON converts by spelling alone, and loses names such as `address_line_1`. If the message of an update's mask is
// known, names are looked up in it, so each finds its field.
import type { DescField, DescMessage } from "@bufbuild/protobuf";
import { fieldsOf, hasOwnJson, isHttpBody } from "../messages/fields.js";
import { clip, expected, Refusal, unknownField } from "./invalid-value.js";

/** What a mask refers to, in a message. */
export const MASK = `field paths in lowerCamelCase with commas between, as in "title,author.displayName"`;

/** Allowed spellings: those of JSON alone, or the proto names too, as in a query. */
export type Spelling = "json" | "either";

/** The message that the mask of an update refers to. */
export interface MaskTarget {
  /** The resource that the request carries. */
  readonly message: DescMessage;
  /** The field that carries it: some clients begin their paths with it. */
  readonly field: DescField;
}

/** Between commas and dots: `*`, a name, or the key of a map, in backticks if it has commas or dots (AIP-161). */
const STEP = /`[^`]*`|[^.,`]+/y;
/** Steps of a path in a message: recursive types have paths of any length. */
const MAX_STEPS = 100;

/**
 * The message that a mask selects from. AIP-134: the request of an update carries a resource, and its `update_mask` is
 * relative to that. undefined: it is another mask, or more than one field may be the resource.
 */
export function maskTarget(mask: DescField): MaskTarget | undefined {
  if (mask.name !== "update_mask" || mask.fieldKind !== "message") return undefined;
  const { parent } = mask;
  const carried: MaskTarget[] = [];
  for (const field of parent.fields) {
    if (field.fieldKind !== "message" || hasOwnJson(field.message) || isHttpBody(field.message)) continue;
    carried.push({ message: field.message, field });
  }
  if (carried.length === 1) return carried[0];
  // UpdateBookRequest carries a Book, whatever else it has.
  return carried.find(({ message }) => parent.name === `Update${message.name}Request`);
}

/**
 * The paths of a text, in proto names. Throws Refusal for an impossible path.
 * @param strict rejects a name that the target does not have; otherwise the spelling decides
 */
export function readMask(
  text: string,
  spelling: Spelling,
  target: MaskTarget | undefined,
  strict: boolean,
): string[] {
  const paths: string[] = [];
  for (let at = 0; at < text.length || at === 0; at++) {
    const [steps, end] = stepsOf(text, at);
    if (steps === undefined) throw noMask(text);
    paths.push(new Walk(text, spelling, target, strict).names(steps).join("."));
    at = end;
    if (text[at] === "," && at + 1 === text.length) throw noMask(text);
  }
  return paths;
}

/** The path in JSON's spelling; undefined if no text would be parsed as exactly this path. */
export function printMaskPath(path: string, target: MaskTarget | undefined): string | undefined {
  if (target !== undefined) {
    const named = jsonNames(path, target);
    if (named !== undefined && readsAs(named, target, path)) return named;
  }
  // The conversion by spelling alone: https://protobuf.dev/programming-guides/json/
  if (/[A-Z]|_(?![a-z])/.test(path)) return undefined;
  return path.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

/** The steps of the path that begins there, and where it ends; undefined if it is malformed. */
function stepsOf(text: string, from: number): [steps: string[] | undefined, end: number] {
  const steps: string[] = [];
  for (let at = from; steps.length < MAX_STEPS; at++) {
    STEP.lastIndex = at;
    const step = STEP.exec(text)?.[0];
    if (step === undefined) break;
    steps.push(step);
    at += step.length;
    if (at === text.length || text[at] === ",") return [steps, at];
    if (text[at] !== ".") break;
  }
  return [undefined, from];
}

/** The container of a path's next step. `keys`: names without a schema; `end`: none. */
type Place =
  | { readonly kind: "fields"; readonly message: DescMessage; readonly repeated: boolean }
  | { readonly kind: "keys"; readonly values: DescMessage | undefined }
  | { readonly kind: "end"; readonly name: string }
  | { readonly kind: "unknown" };

const UNKNOWN: Place = { kind: "unknown" };

/** Resolves one path, step by step from the target on. */
class Walk {
  readonly #text: string;
  readonly #spelling: Spelling;
  readonly #target: MaskTarget | undefined;
  readonly #strict: boolean;
  #place: Place = UNKNOWN;

  constructor(text: string, spelling: Spelling, target: MaskTarget | undefined, strict: boolean) {
    this.#text = text;
    this.#spelling = spelling;
    this.#target = target;
    this.#strict = strict;
  }

  names(steps: readonly string[]): string[] {
    const target = this.#target;
    if (target !== undefined) {
      this.#place = { kind: "fields", message: target.message, repeated: false };
      const [first = ""] = steps;
      const own = this.#field(target.message, first) !== undefined || steps.length === 1;
      // `book.title`, of the request's own field `book`.
      if (!own && this.#field(target.field.parent, first) === target.field) {
        return [target.field.name, ...steps.slice(1).map((step) => this.#step(step))];
      }
    }
    return steps.map((step) => this.#step(step));
  }

  #step(step: string): string {
    const place = this.#place;
    switch (place.kind) {
      case "fields":
        return this.#fieldStep(place, step);
      case "keys":
        this.#place = placeIn(place.values, false);
        return this.#key(step);
      case "end":
        if (this.#strict && step !== "*") throw new Refusal(`'${clip(place.name)}' has no fields`);
        this.#place = UNKNOWN;
        return this.#byLetters(step);
      default:
        return this.#byLetters(step);
    }
  }

  #fieldStep(place: Place & { readonly kind: "fields" }, step: string): string {
    // For a list: each of its elements, or one of them.
    if (place.repeated && (step === "*" || /^[0-9]+$/.test(step))) {
      this.#place = { ...place, repeated: false };
      return step;
    }
    const field = this.#field(place.message, step);
    if (field !== undefined) {
      this.#place = placeOf(field);
      return field.name;
    }
    this.#place = UNKNOWN;
    const name = this.#byLetters(step);
    if (this.#strict && step !== "*") throw unknownField(place.message, step);
    return name;
  }

  #field(message: DescMessage, step: string): DescField | undefined {
    if (this.#spelling === "json" && step.includes("_")) return undefined;
    const fields = fieldsOf(message);
    return fields.get(step) ?? fields.get(snakeCase(step));
  }

  /**
   * Any text can be a key. In JSON it is spelled like names, whatever its meaning: other readers and writers do not
   * know better.
   */
  #key(step: string): string {
    if (this.#spelling === "either") return step;
    if (step.includes("_")) throw noMask(this.#text);
    return snakeCase(step);
  }

  #byLetters(step: string): string {
    if (step.startsWith("`")) return this.#key(step);
    if (step === "*" || /^[A-Za-z0-9]+$/.test(step)) return snakeCase(step);
    // A name with `_` is a proto name.
    if (this.#spelling === "either" && /^\w+$/.test(step)) return step;
    throw noMask(this.#text);
  }
}

function placeOf(field: DescField): Place {
  const { message } = field;
  if (field.fieldKind === "map") return { kind: "keys", values: message };
  if (message === undefined) return { kind: "end", name: field.name };
  return placeIn(message, field.fieldKind === "list");
}

function placeIn(message: DescMessage | undefined, repeated: boolean): Place {
  if (message === undefined) return UNKNOWN;
  return FREE.has(message.typeName)
    ? { kind: "keys", values: message }
    : { kind: "fields", message, repeated };
}

/** Their content depends on the value, not on the type. */
const FREE: ReadonlySet<string> = new Set([
  "google.protobuf.Any",
  "google.protobuf.ListValue",
  "google.protobuf.Struct",
  "google.protobuf.Value",
]);

/** The path with each field's JSON name, whether or not that is read as the same; undefined: a step is no field. */
function jsonNames(path: string, target: MaskTarget): string | undefined {
  const [steps, end] = stepsOf(path, 0);
  if (steps === undefined || end < path.length) return undefined;
  let place: Place = placeIn(target.message, false);
  const names: string[] = [];
  for (const step of steps) {
    if (place.kind === "fields" && !(place.repeated && step === "*")) {
      const field = place.message.fields.find(({ name }) => name === step);
      if (field === undefined) return undefined;
      names.push(field.jsonName);
      place = placeOf(field);
    } else {
      names.push(step.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase()));
      if (place.kind === "fields") place = { ...place, repeated: false };
      else if (place.kind === "keys") place = placeIn(place.values, false);
    }
  }
  return names.join(".");
}

function readsAs(json: string, target: MaskTarget, path: string): boolean {
  try {
    const read = readMask(json, "json", target, true);
    return read.length === 1 && read[0] === path;
  } catch (e) {
    if (e instanceof Refusal) return false;
    throw e;
  }
}

function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

function noMask(text: string): Refusal {
  return expected(MASK, text);
}
