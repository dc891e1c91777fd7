// Every command of the documentation is run, and prints what is shown; every config in it is a right one.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { ROOT } from "./e2e/support/program.js";
import { blocksIn, documents, ELSEWHERE, NOT_RUN, RUN, SHOWN, testDocuments } from "./support/documents.js";
import { commandsOf, fits } from "./support/markdown.js";

const all = documents().flatMap((document) => blocksIn(document).map((block) => ({ document, ...block })));

testDocuments("own");

test("each document is run here, or by a test that is there", () => {
  for (const [document, file] of ELSEWHERE)
    assert.ok(readFileSync(join(ROOT, file), "utf8").includes(document), `${file} does not name ${document}`);
});

test("each block says what it is", () => {
  const others = all.filter(({ language }) => !RUN.has(language) && !SHOWN.has(language));
  assert.deepEqual(
    others.map(({ document, line, language }) => `${document}:${line}: ${language}`),
    [],
  );
});

test("commands stand in blocks that are run", () => {
  const hidden = all.filter(
    ({ language, text }) => SHOWN.has(language) && /^(?:\$ |curl |grpcurl |linchpin |npx |make )/m.test(text),
  );
  assert.deepEqual(
    hidden.map(({ document, line }) => `${document}:${line}`),
    [],
  );
});

test("commands that are not run are in the documents", () => {
  const commands = new Set(
    all.flatMap((block) => (block.language === "sh" ? commandsOf(block).map(({ command }) => command) : [])),
  );
  assert.deepEqual(
    [...NOT_RUN.keys()].filter((command) => !commands.has(command)),
    [],
  );
});

test("every program of the documents is run by a command after it", () => {
  for (const document of documents()) {
    const blocks = blocksIn(document);
    for (const [i, { language, text, line }] of blocks.entries()) {
      if (language !== "ts") continue;
      const name = /^\/\/ ([\w.-]+)\.ts\b/.exec(text)?.[1];
      assert.ok(name !== undefined, `${document}:${line} does not begin with the name of its file`);
      const after = blocks.slice(i).map((block) => (block.language === "ts" ? "" : block.text));
      assert.match(after.join("\n"), new RegExp(`^(?:\\$ )?node out/${name}\\.js`, "m"));
    }
  }
});

const FITS: readonly (readonly [string, string, boolean])[] = [
  ["a", "a\n", true],
  ["a\nb", "a  \nb", true],
  ["a", "b", false],
  ["a", "a b", false],
  ["a…", "a b\nc", true],
  ["{…}", '{"x": 1}', true],
  ["a…d", "a b c", false],
  ["1.5", "1x5", false],
];
for (const [shown, actual, expected] of FITS)
  test(`${JSON.stringify(actual)} is ${expected ? "" : "not "}what ${JSON.stringify(shown)} shows`, () => {
    assert.equal(fits(shown, actual), expected);
  });

test("commands: prompts, comments, continued lines, outputs", () => {
  const commands = (text: string) => commandsOf({ line: 1, language: "sh", text });
  assert.deepEqual(commands("a 1   # why\n\n# note\nb \\\n  c"), [
    { command: "a 1", output: undefined },
    { command: "b \\\n  c", output: undefined },
  ]);
  assert.deepEqual(commands("$ a\nout 1\n\nout 2\n$ b"), [
    { command: "a", output: "out 1\n\nout 2" },
    { command: "b", output: undefined },
  ]);
});
