// A failure that the person who started the hub can fix: the CLI prints its message, never a stack trace.
import { maskedText } from "./masked-text.js";
import type { Parsed } from "./parsed.js";

/** One clear sentence for a person (several lines where there are several errors). The CLI exits with 1. */
export class UserError extends Error {
  override readonly name = "UserError";
}

/** The value, or a UserError that names the text's purpose: `--listen must be HOST:PORT, not "x"`. */
export function parsedOrThrow<T>(parsed: Parsed<T>, what: string, text: string): T {
  if (parsed.ok) return parsed.value;
  throw new UserError(`${what} ${parsed.reason}, not ${JSON.stringify(maskedText(text))}`);
}

/**
 * The message for a listener that could not be bound.
 * @param what - the listener, e.g. `the hub`
 * @param address - as the user wrote it, e.g. `127.0.0.1:8080`
 * @param error - what `net.Server` emitted
 */
export function cannotListen(what: string, address: string, error: unknown): UserError {
  return new UserError(`${what} cannot listen on ${address}: ${listenReason(error)}`, { cause: error });
}

function listenReason(error: unknown): string {
  if (error instanceof UserError) return error.message;
  switch (errorCode(error)) {
    case "EADDRINUSE":
      return "the port is in use by another program";
    case "EACCES":
      return "no permission (ports below 1024 need privileges)";
    case "EADDRNOTAVAIL":
      return "this machine does not have this address";
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return "the host name does not resolve";
    default:
      return error instanceof Error ? error.message : String(error);
  }
}

/** The `code` of a system error, e.g. `ENOENT`; undefined if it has none. */
export function errorCode(error: unknown): string | undefined {
  if (typeof error !== "object" || error === null || !("code" in error)) return undefined;
  return typeof error.code === "string" ? error.code : undefined;
}
