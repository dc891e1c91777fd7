// A request and what must come of it, as a row of a table: sent to a running hub, and held against its answer.
import assert from "node:assert/strict";
import { type Answer, http, type Version } from "./http.js";

export interface Row {
  /** What must hold, in the words of a user. */
  readonly what: string;
  /** `METHOD TARGET` */
  readonly send: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Strings and bytes as they are, anything else as JSON. */
  readonly body?: unknown;
  /** Default: `plain`, the hub without options. */
  readonly hub?: "plain" | "optioned" | "loose";
  /** Default: 200. */
  readonly status?: number;
  /** The request message as the service got it, in ProtoJSON. Of several messages: each. */
  readonly got?: unknown;
  /** Metadata as the service got them; null: none of that name. */
  readonly metadata?: Readonly<Record<string, string | RegExp | null>>;
  /** The whole body, as JSON. */
  readonly json?: unknown;
  /** A part of the body, as JSON. */
  readonly holds?: object;
  readonly text?: string | RegExp;
  /** What a refusal names: the first of its `BadRequest.field_violations`. */
  readonly field?: string;
  /** What a refusal's message says. */
  readonly says?: RegExp;
  /** Headers of the answer; null: none of that name. */
  readonly has?: Readonly<Record<string, string | RegExp | null>>;
  readonly trailers?: Readonly<Record<string, string | null>>;
}

type Obj = Readonly<Record<string, unknown>>;
const isObject = (value: unknown): value is Obj => Object(value) === value;

function membersOf(value: unknown): Obj {
  assert.ok(isObject(value), `${JSON.stringify(value)} is no object`);
  return value;
}

export async function holds(version: Version, address: string, row: Row): Promise<Answer> {
  const [, method = "", target = ""] = /^(\S+) (.*)$/.exec(row.send) ?? [];
  const { body } = row;
  const raw = typeof body === "string" || Buffer.isBuffer(body) || body === undefined;
  const answer = await http(version, address, target, {
    method,
    ...(row.headers === undefined ? {} : { headers: row.headers }),
    ...(body === undefined ? {} : { body: raw ? body : JSON.stringify(body) }),
  });
  const shown = `${answer.status} ${JSON.stringify(answer.headers)} ${answer.text.slice(0, 500)}`;
  const { status = 200 } = row;
  assert.equal(answer.status, status, shown);
  assert.equal(answer.headers["x-content-type-options"], "nosniff", "on every answer");
  if ("got" in row) {
    const told = answer.json();
    const got = Array.isArray(told) ? told.map(gotOf) : gotOf(told);
    assert.deepEqual(got, row.got);
  }
  if ("json" in row) assert.deepEqual(answer.json(), row.json, shown);
  if (row.holds !== undefined) within(row.holds, answer.json(), shown);
  if (typeof row.text === "string") assert.equal(answer.text, row.text);
  else if (row.text !== undefined) assert.match(answer.text, row.text);
  if (row.metadata !== undefined) same(row.metadata, membersOf(membersOf(answer.json()).metadata), shown);
  if (row.has !== undefined) same(row.has, answer.headers, shown);
  if (row.trailers !== undefined) same(row.trailers, answer.trailers, JSON.stringify(answer.trailers));
  if (row.says !== undefined || row.field !== undefined) refused(answer, row);
  return answer;
}

const gotOf = (told: unknown): unknown => JSON.parse(String(membersOf(told).got ?? "null"));

/** A refusal is a google.rpc.Status that people and programs can read. */
function refused(answer: Answer, { says, field }: Row): void {
  assert.equal(answer.headers["content-type"], "application/json", answer.text);
  const { code, message, details } = membersOf(answer.json());
  assert.equal(typeof code, "number", answer.text);
  if (says !== undefined) assert.match(String(message), says);
  if (field === undefined) return;
  assert.ok(Array.isArray(details), answer.text);
  const bad = details.find(
    (detail) => membersOf(detail)["@type"] === "type.googleapis.com/google.rpc.BadRequest",
  );
  const { fieldViolations, field_violations: violations = fieldViolations } = membersOf(bad);
  assert.ok(Array.isArray(violations), answer.text);
  assert.equal(membersOf(violations[0]).field ?? "", field, answer.text);
}

/** Members that are not named may be anything; those of value undefined must not be there. */
function within(wanted: unknown, found: unknown, shown: string): void {
  if (isObject(wanted)) {
    assert.ok(isObject(found) && Array.isArray(found) === Array.isArray(wanted), shown);
    for (const [name, value] of Object.entries(wanted)) within(value, found[name], `${name}: ${shown}`);
  } else assert.equal(found, wanted, shown);
}

function same(wanted: Readonly<Record<string, string | RegExp | null>>, found: Obj, shown: string): void {
  for (const [name, want] of Object.entries(wanted)) {
    const value = found[name];
    if (want === null) assert.equal(value, undefined, `${name}: ${shown}`);
    else if (typeof want === "string") assert.equal(String(value), want, `${name}: ${shown}`);
    else assert.match(String(value), want, `${name}: ${shown}`);
  }
}
