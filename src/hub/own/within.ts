// Waits for a program's code, with a timeout: a start or a reload that hangs would not show the cause.
import { UserError } from "../../kit/text/user-error.js";

/** Rejects with a UserError if `what` takes longer. Its later result is ignored. */
export async function within<T>(ms: number, work: T | PromiseLike<T>, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new UserError(`${what} did not end within ${ms / 1000} seconds`)), ms);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
