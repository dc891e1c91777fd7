// The codes that an attempt can fail with, by their names.
import { Code, codeName } from "../../../call/status/status.js";

export const CODES: ReadonlyMap<string, number> = new Map(
  Object.values(Code)
    .filter((code) => code !== Code.OK)
    .map((code) => [codeName(code), code]),
);
