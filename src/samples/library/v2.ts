// library.v2 over the same store as library.v1.
import { Book, type LibraryServiceServer, ListBooksResponse } from "#generated/library/v2/library.js";
import { invalidArgument } from "../common/errors.js";
import { unary } from "../common/handlers.js";
import { type BookContent, DEFAULT_LOAN_SECONDS, etagOf, nameOf, type StoredBook } from "./book.js";
import { createBook, findBook } from "./content.js";
import { pageOf } from "./paging.js";
import type { Store } from "./store.js";

export function libraryV2(store: Store): LibraryServiceServer {
  return {
    getBook: unary(({ name }) => toBook(findBook(store, name, "name"))),

    listBooks: unary((request) => {
      const page = pageOf(store.all(), { ...request, orderBy: "", query: "v2" });
      return ListBooksResponse.create({ ...page, books: page.books.map(toBook) });
    }),

    createBook: unary((request) => toBook(createBook(store, request.bookId, contentFrom(request.book)))),
  };
}

/** The book as library.v2 shows it. */
export function toBook(book: StoredBook): Book {
  return Book.create({
    name: nameOf(book),
    title: book.title,
    authors: book.authors.map(({ given, family }) => ({ givenName: given, familyName: family })),
    publishYear: book.publishYear === 0 ? undefined : book.publishYear,
    isbn: book.isbn,
    replacementPrice: book.price && {
      currencyCode: book.price.currency,
      units: book.price.units,
      nanos: book.price.nanos,
    },
    available: book.lending === undefined,
    updateTime: book.updateTime,
    etag: etagOf(book),
  });
}

function contentFrom(book: Book | undefined): BookContent {
  if (book === undefined) {
    throw invalidArgument([{ field: "book", description: "must be set", reason: "REQUIRED" }]);
  }
  const price = book.replacementPrice;
  return {
    title: book.title,
    subtitle: undefined,
    authors: book.authors.map(({ givenName, familyName }) => ({ given: givenName, family: familyName })),
    genre: "fiction",
    publishYear: book.publishYear ?? 0,
    isbn: book.isbn,
    otherTitles: [],
    labels: {},
    rating: undefined,
    loanPeriodSeconds: DEFAULT_LOAN_SECONDS,
    price: price && { currency: price.currencyCode, units: price.units, nanos: price.nanos },
  };
}
