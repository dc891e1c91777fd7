// Rules of buf.validate → keywords of JSON Schema; rules without a keyword become a sentence.
import type { DescEnum, JsonObject, JsonValue } from "@bufbuild/protobuf";

/** The rules' effect on a schema. */
export interface Constrained {
  readonly schema: JsonObject;
  /** Rules that are only described: sentences. */
  readonly notes: readonly string[];
}

/** `Ignore` of buf.validate. */
const IF_ZERO_VALUE = 1;
const ALWAYS = 3;

/** How a value is written in JSON, as far as rules depend on it. */
export interface ValueForm {
  readonly enum: DescEnum | undefined;
  readonly enumsAsNumbers: boolean;
  readonly int64AsNumbers: boolean;
  /** The field's value if it is not set; undefined: it has presence. */
  readonly zero: JsonValue | undefined;
}

/** Adds the rules (`FieldRules` in JSON) of one value. */
export function constrain(schema: JsonObject, rules: JsonObject | undefined, form: ValueForm): Constrained {
  const ignore = rules?.ignore;
  if (rules === undefined || ignore === ALWAYS) return { schema, notes: [] };
  const writer = new Writer(form);
  writer.all(rules);
  if (Object.keys(writer.keywords).length === 0 && !writer.finite) return { schema, notes: writer.notes };
  if (ignore === IF_ZERO_VALUE && form.zero !== undefined) {
    return { schema: { ...schema, ...either({ const: form.zero }, writer.keywords) }, notes: writer.notes };
  }
  // A finite number has only the form of a number.
  const base = writer.finite && Array.isArray(schema.anyOf) ? onlyNumber(schema) : schema;
  return { schema: { ...base, ...writer.keywords }, notes: writer.notes };
}

function onlyNumber({ anyOf, ...rest }: JsonObject): JsonObject {
  const number = list(anyOf).find((one) => isObject(one) && one.type === "number");
  return { ...rest, ...(isObject(number) ? number : {}) };
}

/** Not `anyOf`, with which openapi-generator's Go accepts any value as one of an unknown type. */
function either(one: JsonObject, other: JsonObject): JsonObject {
  return { if: one, else: other };
}

const IP = either({ format: "ipv4" }, { format: "ipv6" });
const FORMATS: Readonly<Record<string, JsonObject>> = {
  email: { format: "email" },
  hostname: { format: "hostname" },
  ip: IP,
  ipv4: { format: "ipv4" },
  ipv6: { format: "ipv6" },
  uri: { format: "uri" },
  uri_ref: { format: "uri-reference" },
  address: either({ format: "hostname" }, IP),
  uuid: { format: "uuid" },
  tuuid: { pattern: "^[0-9a-fA-F]{32}$" },
  ulid: { pattern: "^[0-7][0-9A-HJKMNP-TV-Za-hjkmnp-tv-z]{25}$" },
};

const TOLD_FORMATS: Readonly<Record<string, string>> = {
  ip_with_prefixlen: "Must be an IP address with a prefix length.",
  ipv4_with_prefixlen: "Must be an IPv4 address with a prefix length.",
  ipv6_with_prefixlen: "Must be an IPv6 address with a prefix length.",
  ip_prefix: "Must be an IP prefix.",
  ipv4_prefix: "Must be an IPv4 prefix.",
  ipv6_prefix: "Must be an IPv6 prefix.",
  host_and_port: "Must be a host and a port.",
};

class Writer {
  readonly keywords: JsonObject = {};
  readonly notes: string[] = [];
  finite = false;
  readonly #form: ValueForm;
  readonly #allOf: JsonValue[] = [];

  constructor(form: ValueForm) {
    this.#form = form;
  }

  all(rules: JsonObject): void {
    for (const [kind, value] of Object.entries(rules)) {
      if (kind === "cel") this.notes.push(...celNotes(value));
      if (!isObject(value)) continue;
      if (kind === "string") this.#string(value);
      else if (kind === "bytes") this.#bytes(value);
      else if (kind === "enum") this.#enum(value);
      else if (kind === "any") this.#any(value);
      else if (kind === "duration" || kind === "timestamp") this.#moment(value);
      else if (kind === "bool") this.#values(value, (v) => v);
      else if (kind !== "repeated" && kind !== "map") this.#number(value);
    }
    if (this.#allOf.length > 0) this.keywords.allOf = this.#allOf;
  }

  #values(rules: JsonObject, print: (value: JsonValue) => JsonValue): void {
    if (rules.const !== undefined) this.keywords.const = print(rules.const);
    const [oneOf, noneOf, examples] = [list(rules.in), list(rules.not_in), list(rules.example)];
    if (oneOf.length > 0) this.keywords.enum = oneOf.map(print);
    if (noneOf.length > 0) this.keywords.not = { enum: noneOf.map(print) };
    if (examples.length > 0) this.keywords.examples = examples.map(print);
  }

  #number(given: JsonObject): void {
    const all = this.#form.int64AsNumbers ? withNumbers(given) : given;
    const { const: only, in: some, ...rest } = all;
    const allowed = [...(only === undefined ? [] : [only]), ...list(some)];
    const numbers = allowed.length > 0 && allowed.every((value) => typeof value === "number");
    const special = allowed.some((value) => typeof value === "string" && !/\d/.test(value));
    const rules: JsonObject = special ? rest : all;
    this.#values(rules, (value) => value);
    // Client generators treat a list of values beside the forms of a float as no type.
    if (special) this.notes.push(`Must be ${allowed.join(" or ")}.`);
    if (rules.finite === true || numbers) this.finite = true;
    const bounds = ["gt", "gte", "lt", "lte"].filter((key) => rules[key] !== undefined);
    if (bounds.length === 0) return;
    // 64-bit integers are strings in JSON: no keyword compares them. Neither are NaN and Infinity numbers.
    if (bounds.some((key) => typeof rules[key] === "string")) {
      this.notes.push(rangeNote(rules));
      return;
    }
    this.finite = true;
    const [low, high] = [rules.gt ?? rules.gte, rules.lt ?? rules.lte];
    const lower = rules.gt === undefined ? { minimum: rules.gte ?? 0 } : { exclusiveMinimum: rules.gt };
    const upper = rules.lt === undefined ? { maximum: rules.lte ?? 0 } : { exclusiveMaximum: rules.lt };
    // "If gt is larger than lt, the range is reversed, and the value must be outside of it."
    if (typeof low === "number" && typeof high === "number" && low > high)
      this.#allOf.push(either(lower, upper));
    else Object.assign(this.keywords, low === undefined ? {} : lower, high === undefined ? {} : upper);
  }

  #string(rules: JsonObject): void {
    this.#values(rules, (value) => value);
    const { keywords } = this;
    const exact = size(rules.len);
    const minimum = exact ?? size(rules.min_len);
    // No character has fewer bytes than one.
    const maximum = exact ?? size(rules.max_len) ?? size(rules.len_bytes) ?? size(rules.max_bytes);
    if (minimum !== undefined) keywords.minLength = minimum;
    if (maximum !== undefined) keywords.maxLength = maximum;
    for (const [key, words] of [
      ["min_bytes", "At least"],
      ["max_bytes", "At most"],
      ["len_bytes", "Exactly"],
    ] as const)
      if (rules[key] !== undefined) this.notes.push(`${words} ${rules[key]} bytes of UTF-8.`);
    if (typeof rules.pattern === "string") this.#pattern(rules.pattern);
    if (typeof rules.prefix === "string") this.#allOf.push({ pattern: `^${escaped(rules.prefix)}` });
    if (typeof rules.suffix === "string") this.#allOf.push({ pattern: `${escaped(rules.suffix)}$` });
    if (typeof rules.contains === "string") this.#allOf.push({ pattern: escaped(rules.contains) });
    if (typeof rules.not_contains === "string")
      this.#allOf.push({ not: { pattern: escaped(rules.not_contains) } });
    for (const [name, format] of Object.entries(FORMATS)) {
      if (rules[name] !== true) continue;
      if ("if" in format || ("pattern" in format && keywords.pattern !== undefined)) this.#allOf.push(format);
      else Object.assign(keywords, format);
    }
    for (const [name, note] of Object.entries(TOLD_FORMATS)) if (rules[name] === true) this.notes.push(note);
  }

  /** RE2 is nearly a subset of ECMA-262; the rest (`(?i)`, `\z`) is described. */
  #pattern(pattern: string): void {
    try {
      new RegExp(pattern, "u");
      this.keywords.pattern = pattern;
    } catch {
      this.notes.push(`Must match \`${pattern}\` (RE2).`);
    }
  }

  #bytes(rules: JsonObject): void {
    this.#values(rules, (value) => value);
    const [minimum, maximum] = [size(rules.len ?? rules.min_len), size(rules.len ?? rules.max_len)];
    // Base64 has four characters for three bytes; the padding may be left out.
    if (minimum !== undefined) this.keywords.minLength = Math.ceil((minimum * 4) / 3);
    if (maximum !== undefined) this.keywords.maxLength = Math.ceil(maximum / 3) * 4;
  }

  #enum(rules: JsonObject): void {
    const values = this.#form.enum?.values ?? [];
    this.#values(rules, (value) => {
      if (this.#form.enumsAsNumbers) return value;
      return values.find(({ number }) => number === value)?.name ?? value;
    });
  }

  #any(rules: JsonObject): void {
    const [oneOf, noneOf] = [[...list(rules.in)], [...list(rules.not_in)]];
    if (oneOf.length > 0) this.#allOf.push({ properties: { "@type": { enum: oneOf } } });
    if (noneOf.length > 0) this.#allOf.push({ properties: { "@type": { not: { enum: noneOf } } } });
  }

  #moment(rules: JsonObject): void {
    if (rules.const !== undefined) this.notes.push(`Must be ${rules.const}.`);
    if (["gt", "gte", "lt", "lte"].some((key) => rules[key] !== undefined)) this.notes.push(rangeNote(rules));
    if (rules.lt_now === true) this.notes.push("Must be in the past.");
    if (rules.gt_now === true) this.notes.push("Must be in the future.");
    if (rules.within !== undefined) this.notes.push(`Must be within ${rules.within} of now.`);
  }
}

function rangeNote(rules: JsonObject): string {
  const parts: string[] = [];
  if (rules.gt !== undefined) parts.push(`greater than ${rules.gt}`);
  if (rules.gte !== undefined) parts.push(`at least ${rules.gte}`);
  if (rules.lt !== undefined) parts.push(`less than ${rules.lt}`);
  if (rules.lte !== undefined) parts.push(`at most ${rules.lte}`);
  return `Must be ${parts.join(" and ")}.`;
}

/** The meaning of CEL rules, in their authors' words. */
export function celNotes(rules: JsonValue | undefined): string[] {
  return list(rules).flatMap((rule) => {
    if (!isObject(rule)) return [];
    if (typeof rule.message === "string" && rule.message !== "") return [`Rule: ${rule.message}`];
    return typeof rule.expression === "string" ? [`Rule: \`${rule.expression}\``] : [];
  });
}

/** Rules of 64-bit integers for values that are printed as numbers. */
function withNumbers(rules: JsonObject): JsonObject {
  const number = (value: JsonValue): JsonValue =>
    typeof value === "string" && /^-?\d+$/.test(value) ? Number(value) : value;
  return Object.fromEntries(
    Object.entries(rules).map(([key, value]) => [
      key,
      Array.isArray(value) ? value.map(number) : number(value),
    ]),
  );
}

/** uint64 in JSON is a string. */
export function size(value: JsonValue | undefined): number | undefined {
  const number = typeof value === "string" ? Number(value) : undefined;
  return Number.isSafeInteger(number) ? number : undefined;
}

export function list(value: JsonValue | undefined): readonly JsonValue[] {
  return Array.isArray(value) ? value : [];
}

export function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function escaped(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
}
