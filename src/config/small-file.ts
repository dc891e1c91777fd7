// Files of keys: read whole, and never larger than a person would write one.
import { readFileSync, statSync } from "node:fs";
import { UserError } from "../core/user-error.js";
import { fileProblem } from "./files.js";

/** 1 MiB. */
const MAX_BYTES = 1024 ** 2;

/** The file as text. Throws a UserError that names it. @param what e.g. `the API keys` */
export function readSmallFile(path: string, what: string): string {
  let problem: string;
  try {
    const { size } = statSync(path);
    if (size <= MAX_BYTES) return readFileSync(path, "utf8");
    problem = `it has ${size} bytes, more than ${MAX_BYTES}`;
  } catch (error) {
    problem = fileProblem(error);
  }
  throw new UserError(`${what} cannot be read from ${path}: ${problem}`);
}
