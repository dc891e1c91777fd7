// Reads small files such as key files whole, up to a size limit.
import { readRegularFile } from "../kit/files/regular-file.js";
import { UserError } from "../kit/text/user-error.js";
import { fileProblem } from "./files.js";

/** 1 MiB. */
const MAX_BYTES = 1024 ** 2;

/** The file as text. Throws a UserError that names it. @param what e.g. `the API keys` */
export function readSmallFile(path: string, what: string): string {
  try {
    return readRegularFile(path, MAX_BYTES).toString("utf8");
  } catch (error) {
    throw new UserError(`${what} cannot be read from ${path}: ${fileProblem(error)}`, { cause: error });
  }
}
