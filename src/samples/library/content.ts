// Validation of a book, for all API versions.
import { status } from "@grpc/grpc-js";
import { bookError, errorInfo, type FieldViolation, invalidArgument, RpcError } from "../common/errors.js";
import type { Author, BookContent, StoredBook } from "./book.js";
import type { Store } from "./store.js";

const MAX_TITLE = 200;
const MAX_AUTHORS = 20;
const MAX_LABELS = 64;
const MAX_LOAN_SECONDS = 365 * 24 * 3600;
const ID = /^[a-z][a-z0-9-]{0,62}$/;

/** All violations, each with its path below `book`. */
export function violationsOf(book: BookContent): FieldViolation[] {
  const found: FieldViolation[] = [];
  const check = (holds: boolean, field: string, reason: string, description: string): void => {
    if (!holds) found.push({ field: `book.${field}`, description, reason });
  };
  check(book.title.trim() !== "", "title", "REQUIRED", "must be set");
  check(lengthOf(book.title) <= MAX_TITLE, "title", "TOO_LONG", `must have at most ${MAX_TITLE} characters`);
  check(
    lengthOf(book.subtitle ?? "") <= MAX_TITLE,
    "subtitle",
    "TOO_LONG",
    `must have at most ${MAX_TITLE} characters`,
  );
  check(book.authors.length > 0, "authors", "REQUIRED", "must have at least one author");
  check(
    book.authors.length <= MAX_AUTHORS,
    "authors",
    "TOO_MANY",
    `must have at most ${MAX_AUTHORS} authors`,
  );
  for (const [i, author] of book.authors.slice(0, MAX_AUTHORS).entries()) {
    check(author.family.trim() !== "", `authors[${i}]`, "REQUIRED", "must be set");
    check(
      lengthOf(displayName(author)) <= MAX_TITLE,
      `authors[${i}]`,
      "TOO_LONG",
      `must have at most ${MAX_TITLE} characters`,
    );
  }
  check(
    Number.isInteger(book.publishYear) && book.publishYear >= 0 && book.publishYear <= 9999,
    "publish_year",
    "OUT_OF_RANGE",
    "must be 0 to 9999",
  );
  check(
    book.isbn === "" || isIsbn13(book.isbn),
    "isbn",
    "BAD_ISBN",
    "must be 13 digits with a correct check digit",
  );
  for (const [i, other] of book.otherTitles.entries()) {
    check(
      /^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$/.test(other.languageCode),
      `other_titles[${i}].language_code`,
      "BAD_LANGUAGE",
      "must be a BCP 47 language tag",
    );
    check(other.title.trim() !== "", `other_titles[${i}].title`, "REQUIRED", "must be set");
  }
  check(
    Object.keys(book.labels).length <= MAX_LABELS,
    "labels",
    "TOO_MANY",
    `must have at most ${MAX_LABELS} entries`,
  );
  check(
    book.rating === undefined || (book.rating >= 1 && book.rating <= 5),
    "rating",
    "OUT_OF_RANGE",
    "must be 1 to 5",
  );
  check(
    book.loanPeriodSeconds > 0 && book.loanPeriodSeconds <= MAX_LOAN_SECONDS,
    "loan_period",
    "OUT_OF_RANGE",
    "must be more than 0s and at most 365 days",
  );
  const price = book.price;
  if (price !== undefined) {
    check(
      /^[A-Z]{3}$/.test(price.currency),
      "replacement_price.currency_code",
      "BAD_CURRENCY",
      "must be three capital letters",
    );
    check(price.units >= 0n, "replacement_price.units", "NEGATIVE", "must not be negative");
    check(
      price.nanos >= 0 && price.nanos <= 999_999_999,
      "replacement_price.nanos",
      "OUT_OF_RANGE",
      "must be 0 to 999,999,999",
    );
  }
  return found;
}

/** Adds a book under the given id, or one made from its title. Throws INVALID_ARGUMENT, ALREADY_EXISTS, RESOURCE_EXHAUSTED. */
export function createBook(store: Store, wantedId: string, content: BookContent): StoredBook {
  const violations = violationsOf(content);
  if (wantedId !== "" && !ID.test(wantedId)) {
    violations.push({
      field: "book_id",
      description: "must be 1 to 63 lower case letters, digits and hyphens, and begin with a letter",
      reason: "BAD_ID",
    });
  }
  if (violations.length > 0) throw invalidArgument(violations);
  const id = wantedId === "" ? idFrom(content.title) : wantedId;
  const book = store.insert(id, content);
  if (book === "exists") {
    throw bookError(
      status.ALREADY_EXISTS,
      `books/${id}`,
      "BOOK_EXISTS",
      `the library has books/${id} already: choose another book_id`,
    );
  }
  if (book === "full") {
    throw new RpcError(status.RESOURCE_EXHAUSTED, "the library is full: delete a book first", [
      errorInfo("LIBRARY_FULL"),
    ]);
  }
  return book;
}

/** `field`: where the name stands in the request. Throws INVALID_ARGUMENT or NOT_FOUND. */
export function findBook(store: Store, name: string, field: string): StoredBook {
  const match = /^(?:shelves\/([^/]+)\/)?books\/([^/]+)$/.exec(name);
  if (match === null) {
    throw invalidArgument([
      {
        field,
        description: `must look like books/{book}, and is ${JSON.stringify(name)}`,
        reason: "BAD_NAME",
      },
    ]);
  }
  const [, shelf, id = ""] = match;
  const book = store.get(id);
  if (book === undefined || (shelf !== undefined && shelf !== book.genre)) {
    throw bookError(status.NOT_FOUND, name, "BOOK_NOT_FOUND", `${name} is not in the library`);
  }
  return book;
}

export function displayName(author: Author): string {
  return author.given === "" ? author.family : `${author.given} ${author.family}`;
}

/** The last word is the family name: sufficient for a full name. */
export function authorFrom(name: string): Author {
  const words = name.trim().split(/\s+/);
  return { given: words.slice(0, -1).join(" "), family: words.at(-1) ?? "" };
}

/** ISO 2108: thirteen digits, weighted 1 and 3 in turn, sum to a multiple of ten. */
export function isIsbn13(text: string): boolean {
  if (!/^\d{13}$/.test(text)) return false;
  let sum = 0;
  for (let i = 0; i < 13; i++) sum += Number(text[i]) * (i % 2 === 0 ? 1 : 3);
  return sum % 10 === 0;
}

function idFrom(title: string): string {
  const plain = title
    .normalize("NFKD")
    .replace(/\p{M}/gu, "")
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^[^a-z]+|-$/g, "")
    .slice(0, 63);
  return plain === "" ? "untitled" : plain;
}

/** In code points: what a person counts, near enough. */
function lengthOf(text: string): number {
  return [...text].length;
}
