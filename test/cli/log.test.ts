// The log: what it prints at which level, and that a message stays one line.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { UsageError } from "#src/cli/terminal/args.js";
import { createLog, FORMATS, type LEVELS, logOf } from "#src/cli/terminal/log.js";

const NOON = Date.UTC(2026, 0, 2, 12);

function lines(
  level: (typeof LEVELS)[number],
  format: (typeof FORMATS)[number],
  message = "hello",
): string[] {
  const written: string[] = [];
  const log = createLog(
    level,
    format,
    (line) => written.push(line),
    () => NOON,
  );
  log.info(message);
  log.warn(message);
  log.error(message);
  return written;
}

test("pretty lines have time, level and message", () => {
  assert.deepEqual(lines("info", "pretty"), [
    "2026-01-02T12:00:00.000Z info  hello",
    "2026-01-02T12:00:00.000Z warn  hello",
    "2026-01-02T12:00:00.000Z error hello",
  ]);
});

test("JSON lines have the same", () => {
  assert.deepEqual(JSON.parse(lines("error", "json")[0] ?? ""), {
    time: "2026-01-02T12:00:00.000Z",
    level: "error",
    message: "hello",
  });
});

for (const [level, count] of [
  ["debug", 3],
  ["info", 3],
  ["warn", 2],
  ["error", 1],
  ["silent", 0],
] as const) {
  test(`at ${level} it prints ${count} of info, warn and error`, () => {
    assert.equal(lines(level, "pretty").length, count);
    assert.equal(lines(level, "json").length, count);
  });
}

test("a message of any text stays one bounded line, and moves no cursor", () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string({ unit: "binary" }),
        fc.constantFrom("\n", "\u001b[2J", "\u009b2J", "\u2028", "\u202e", "\u2066", "x".repeat(9_999)),
      ),
      (message) => {
        for (const format of FORMATS) {
          for (const line of lines("error", format, message)) {
            assert.doesNotMatch(line, /\p{Cc}|\p{Bidi_Control}|[\u2028\u2029]/u);
            assert.ok(line.length < 30_000);
          }
        }
      },
    ),
  );
});

test("other levels and formats are usage errors that name the right ones", () => {
  assert.throws(
    () => logOf("inf", undefined, { err: () => undefined }),
    (error) => error instanceof UsageError && /did you mean info/.test(error.message),
  );
  assert.throws(
    () => logOf(undefined, "yaml", { err: () => undefined }),
    /--log-format is one of json, pretty, not yaml/,
  );
});
