// Text that may have URLs with credentials in them, for people to read: in errors, in logs, in a config that is shown.

/** Replaces a secret. */
export const MASK = "***";
/** `user:password@` of a URL, with or without a scheme before it: all from the first slashes to the last `@`. */
const USER = /\/\/[^/?#\s]*@/g;
/** One parameter of a URL. */
const PARAMETER = /([?&;])([\w.~-]+)=([^&;#\s]+)/g;
/** Names of those that are credentials. */
const SECRET_PARAMETER = /token|secret|passw|key|sig|auth|credential|code/i;

/** The text with a mask in place of users, passwords and secret parameters of URLs. */
export function maskedText(text: string): string {
  return text
    .replace(USER, `//${MASK}@`)
    .replace(PARAMETER, (whole: string, mark: string, name: string) =>
      SECRET_PARAMETER.test(name) ? `${mark}${name}=${MASK}` : whole,
    );
}
