// The target of `-o FILE`: the file, or standard output for `-`.
import { writeFileSync } from "node:fs";
import { fileProblem } from "../../config/files.js";
import { UserError } from "../../kit/text/user-error.js";
import type { Io } from "./io.js";

/** Resolves when everything was written. Rejects with a UserError if the file cannot be written. */
export async function writeOutput(io: Io, output: string, data: string | Uint8Array): Promise<void> {
  if (output === "-") {
    await io.data(data);
    return;
  }
  try {
    writeFileSync(output, data);
  } catch (error) {
    throw new UserError(`${output}: ${fileProblem(error)}`, { cause: error });
  }
}
