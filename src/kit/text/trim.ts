// Trims the ends of texts in one pass. /x+$/ scans each run of x within the text once for each x in it, and so takes
// seconds for 64 KiB of them; String.prototype.trim does not, but has its own set of characters.

/** The text without any of these characters at its ends. */
export function trimOf(text: string, chars: string): string {
  let from = 0;
  while (from < text.length && chars.includes(text.charAt(from))) from++;
  return from === 0 ? trimEndOf(text, chars) : trimEndOf(text.slice(from), chars);
}

/** The text without any of these characters at its end. */
export function trimEndOf(text: string, chars: string): string {
  let to = text.length;
  while (to > 0 && chars.includes(text.charAt(to - 1))) to--;
  return to === text.length ? text : text.slice(0, to);
}
