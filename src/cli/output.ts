// Where `-o FILE` of a command goes: the file, or standard output for `-`.
import { writeFileSync } from "node:fs";
import { fileProblem } from "../config/files.js";
import { UserError } from "../core/user-error.js";

/** Resolves when all of it has been taken. Rejects with a UserError where the file cannot be written. */
export async function writeOutput(output: string, data: string | Uint8Array): Promise<void> {
  if (output === "-") {
    // Not by writeFileSync(1): a pipe that another program has made non-blocking answers EAGAIN once it is full.
    await new Promise<void>((resolve) => process.stdout.write(data, () => resolve()));
    return;
  }
  try {
    writeFileSync(output, data);
  } catch (error) {
    throw new UserError(`${output}: ${fileProblem(error)}`, { cause: error });
  }
}
