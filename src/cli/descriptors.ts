// Not there yet.
import { UserError } from "../core/user-error.js";
import type { Io } from "./io.js";

export async function run(_args: readonly string[], _io: Io): Promise<number> {
  throw new UserError("this command is not there yet");
}
