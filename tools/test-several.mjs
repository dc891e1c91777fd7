// Runs several files of tests in this process, one after the other; see test-plan.mjs for which.
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { FILE_ENDS } from "./test-reporter.mjs";

for (const path of process.argv.slice(2)) {
  try {
    await import(pathToFileURL(path).href);
  } catch (error) {
    test(`${path} loads`, () => {
      throw error;
    });
  }
  // Tests at the top run in turn: when this one ran, those of the file did, and the next file may start its own.
  await test(FILE_ENDS + path, () => {});
}
