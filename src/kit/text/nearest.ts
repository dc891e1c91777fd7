// "Did you mean …?": the candidates nearest to a word. Cold path.

/** Longer words are not compared: the cost grows with the square of the length. */
const MAX_LENGTH = 64;

/** How many characters must be inserted, removed, replaced or swapped with their neighbour to turn `a` into `b`. */
export function editDistance(a: string, b: string): number {
  const width = b.length + 1;
  let [beforeLast, last, row] = [new Uint32Array(width), new Uint32Array(width), new Uint32Array(width)];
  for (let j = 0; j < width; j++) last[j] = j;
  for (let i = 1; i <= a.length; i++) {
    row[0] = i;
    const letter = a.charCodeAt(i - 1);
    for (let j = 1; j < width; j++) {
      const other = b.charCodeAt(j - 1);
      const replaced = at(last, j - 1) + (letter === other ? 0 : 1);
      let best = Math.min(replaced, at(last, j) + 1, at(row, j - 1) + 1);
      if (i > 1 && j > 1 && letter === b.charCodeAt(j - 2) && a.charCodeAt(i - 2) === other) {
        best = Math.min(best, at(beforeLast, j - 2) + 1);
      }
      row[j] = best;
    }
    [beforeLast, last, row] = [last, row, beforeLast];
  }
  return at(last, b.length);
}

function at(row: Uint32Array, j: number): number {
  return row[j] ?? 0;
}

/**
 * The candidate that `word` may be a misspelling of: up to a third of the letters may differ, at least one, and at most
 * `maxEdits`; undefined if none is near.
 */
export function nearest(
  word: string,
  candidates: Iterable<string>,
  maxEdits = Number.POSITIVE_INFINITY,
): string | undefined {
  if (word.length > MAX_LENGTH) return undefined;
  let best: string | undefined;
  let bound = Math.min(maxEdits, Math.max(1, Math.floor(word.length / 3))) + 1;
  for (const candidate of candidates) {
    if (Math.abs(candidate.length - word.length) >= bound) continue;
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase());
    if (distance < bound) {
      best = candidate;
      bound = distance;
    }
  }
  return best;
}

/** ` (did you mean X?)`, or nothing. */
export function didYouMean(word: string, candidates: Iterable<string>): string {
  const candidate = nearest(word, candidates);
  return candidate === undefined ? "" : ` (did you mean ${candidate}?)`;
}
