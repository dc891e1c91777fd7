// Finds books by words. A few thousand books need no index.

import type { StoredBook } from "./book.js";
import { displayName } from "./content.js";

export interface Hit {
  readonly book: StoredBook;
  /** The fields of library.v1.Book in which a word was found. */
  readonly fields: readonly string[];
}

/** Weights: a word of the title counts more than one of an author, and a whole word more than a part. */
const FIELDS: readonly {
  readonly name: string;
  readonly weight: number;
  readonly textOf: (book: StoredBook) => string;
}[] = [
  { name: "title", weight: 4, textOf: (book) => book.title },
  { name: "subtitle", weight: 2, textOf: (book) => book.subtitle ?? "" },
  { name: "authors", weight: 3, textOf: (book) => book.authors.map(displayName).join(" ") },
  {
    name: "other_titles",
    weight: 2,
    textOf: (book) => book.otherTitles.map((other) => other.title).join(" "),
  },
];

/** Books that have every word of the query somewhere, best match first; accents and case do not matter. */
export function search(books: readonly StoredBook[], query: string): Hit[] {
  const words = fold(query)
    .split(" ")
    .filter((word) => word !== "");
  const hits: (Hit & { readonly score: number })[] = [];
  for (const book of books) {
    const texts = FIELDS.map((field) => ({ ...field, text: ` ${fold(field.textOf(book))} ` }));
    const fields = new Set<string>();
    let score = 0;
    const all = words.every((word) => {
      const found = texts.filter(({ text }) => text.includes(word));
      for (const { name, weight, text } of found) {
        fields.add(name);
        score += text.includes(` ${word} `) ? 2 * weight : weight;
      }
      return found.length > 0;
    });
    if (all && words.length > 0) hits.push({ book, fields: [...fields], score });
  }
  return hits.sort((a, b) => b.score - a.score || (a.book.id < b.book.id ? -1 : 1));
}

function fold(text: string): string {
  return text
    .normalize("NFKD")
    .replace(/\p{M}/gu, "")
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]+/gu, " ")
    .trim();
}
