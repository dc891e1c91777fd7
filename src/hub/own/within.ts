// Waits for code of programs, but not for ever: a start or a reload that hangs says nothing of the cause.
import { UserError } from "../../kit/text/user-error.js";

/** Rejects with a UserError where `what` takes longer. What comes of it then is of no interest to anybody. */
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
