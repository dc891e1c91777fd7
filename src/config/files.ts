// Whether the files that a config names are there.
import { accessSync, constants, statSync } from "node:fs";
import { nameOfOtherKind } from "../kit/files/regular-file.js";
import { errorCode } from "../kit/text/user-error.js";

export type PathKind = "file" | "directory" | "writable directory";

/** The problem of a path, in a sentence that names it; undefined: none. */
export function checkPath(path: string, kind: PathKind): string | undefined {
  try {
    const stats = statSync(path);
    if (kind !== "file") {
      if (!stats.isDirectory()) return `${path} is no directory`;
      if (kind === "writable directory") accessSync(path, constants.W_OK | constants.X_OK);
      return undefined;
    }
    const other = nameOfOtherKind(stats);
    return other === undefined ? undefined : `${path} is ${other}, not a file`;
  } catch (error) {
    return `${path}: ${fileProblem(error)}`;
  }
}

/** Why a file could not be read or written, in words. */
export function fileProblem(error: unknown): string {
  switch (errorCode(error)) {
    case "ENOENT":
    case "ENOTDIR":
      return "no such file or directory";
    case "EACCES":
      return "no permission";
    case "EROFS":
      return "the file system is read-only";
    case "EEXIST":
      return "exists already";
    case "EISDIR":
      return "is a directory";
    default:
      return error instanceof Error ? error.message : String(error);
  }
}
