// library.v1 over the store.
import { status } from "@grpc/grpc-js";
import type { Duration } from "#generated/google/protobuf/duration.js";
import {
  Book,
  type BorrowBooksRequest,
  BorrowBooksResponse,
  Genre,
  type ImportBooksResponse_Rejection,
  type LibraryServiceServer,
  ListBooksResponse,
  type Loan,
  type UpdateBookRequest,
} from "#generated/library/v1/library.js";
import { bookError, invalidArgument, RpcError } from "../common/errors.js";
import { bidiStreaming, clientStreaming, pause, serverStreaming, unary } from "../common/handlers.js";
import {
  type BookContent,
  DEFAULT_LOAN_SECONDS,
  etagOf,
  GENRES,
  type Lending,
  nameOf,
  type StoredBook,
  type Genre as StoredGenre,
} from "./book.js";
import { authorFrom, createBook, displayName, findBook, violationsOf } from "./content.js";
import { pageOf } from "./paging.js";
import { search } from "./search.js";
import type { Store } from "./store.js";

const MAX_REJECTIONS = 100;
const MAX_SEARCH_INTERVAL_MS = 10_000;

const GENRE_OF: ReadonlyMap<Genre, StoredGenre> = new Map([
  [Genre.GENRE_FICTION, "fiction"],
  [Genre.GENRE_SPECULATIVE, "speculative"],
  [Genre.GENRE_SCIENCE, "science"],
  [Genre.GENRE_COMPUTING, "computing"],
]);

export function libraryV1(store: Store): LibraryServiceServer {
  return {
    getBook: unary(({ name }) => toBook(findBook(store, name, "name"))),

    listBooks: unary((request) => {
      const shelf = shelfOf(request.parent);
      const genres = new Set(request.genres.map((genre) => genreFrom(genre, "genres")));
      const author = request.author.toLowerCase();
      const books = store
        .all()
        .filter((book) => shelf === undefined || book.genre === shelf)
        .filter((book) => genres.size === 0 || genres.has(book.genre))
        .filter(
          (book) => author === "" || book.authors.some((a) => displayName(a).toLowerCase().includes(author)),
        );
      const page = pageOf(books, {
        ...request,
        query: JSON.stringify([request.parent, [...genres].sort(), author]),
      });
      return ListBooksResponse.create({ ...page, books: page.books.map(toBook) });
    }),

    createBook: unary((request) => toBook(createBook(store, request.bookId, contentFrom(request.book)))),

    updateBook: unary((request) => toBook(update(store, request))),

    deleteBook: unary(({ name, etag }) => {
      const book = findBook(store, name, "name");
      checkEtag(book, etag);
      if (book.lending !== undefined) {
        throw bookError(
          status.FAILED_PRECONDITION,
          name,
          "BOOK_ON_LOAN",
          `${name} is on loan: it must be returned first`,
        );
      }
      store.delete(book.id);
      return {};
    }),

    searchBooks: serverStreaming(async function* (request, signal) {
      const interval = millisecondsOf(request.interval);
      const violations = [];
      if (request.query.trim() === "") {
        violations.push({ field: "query", description: "must not be empty", reason: "REQUIRED" });
      }
      if (request.maxResults < 0) {
        violations.push({ field: "max_results", description: "must not be negative", reason: "NEGATIVE" });
      }
      if (interval < 0 || interval > MAX_SEARCH_INTERVAL_MS) {
        violations.push({ field: "interval", description: "must be 0s to 10s", reason: "OUT_OF_RANGE" });
      }
      if (violations.length > 0) throw invalidArgument(violations);

      const hits = search(store.all(), request.query);
      const count = request.maxResults === 0 ? hits.length : Math.min(request.maxResults, hits.length);
      for (const [i, hit] of hits.slice(0, count).entries()) {
        await pause(interval, signal);
        yield { book: toBook(hit.book), rank: i + 1, matchedFields: [...hit.fields] };
      }
    }),

    importBooks: clientStreaming(async (requests) => {
      const begin = store.now().getTime();
      const rejections: ImportBooksResponse_Rejection[] = [];
      let index = 0n;
      let importCount = 0n;
      for await (const request of requests) {
        try {
          createBook(store, request.bookId, contentFrom(request.book));
          importCount++;
        } catch (error) {
          if (!(error instanceof RpcError)) throw error;
          if (rejections.length < MAX_REJECTIONS) rejections.push({ index, status: error.toStatus() });
        }
        index++;
      }
      return {
        importCount,
        rejections,
        rejectCount: index - importCount,
        elapsed: durationOf(store.now().getTime() - begin),
      };
    }),

    borrowBooks: bidiStreaming(async function* (requests) {
      for await (const request of requests) {
        yield BorrowBooksResponse.create({
          requestId: request.requestId,
          receipt: receiptFor(store, request),
        });
      }
    }),
  };
}

/** The book as library.v1 shows it. */
export function toBook(book: StoredBook): Book {
  return Book.create({
    name: nameOf(book),
    title: book.title,
    subtitle: book.subtitle,
    authors: book.authors.map(displayName),
    genre: genreOf(book.genre),
    publishYear: book.publishYear,
    isbn: book.isbn,
    otherTitles: book.otherTitles.map((other) => ({ ...other })),
    labels: { ...book.labels },
    rating: book.rating,
    loanPeriod: durationOf(book.loanPeriodSeconds * 1000),
    loanCount: book.loanCount,
    whereabouts:
      book.lending === undefined
        ? { $case: "onShelf", value: { shelf: `shelves/${book.genre}` } }
        : { $case: "loan", value: loanOf(book, book.lending) },
    createTime: book.createTime,
    updateTime: book.updateTime,
    etag: etagOf(book),
  });
}

function loanOf(book: StoredBook, lending: Lending): Loan {
  const { reader, borrowTime, dueTime } = lending;
  return { book: nameOf(book), reader, borrowTime, dueTime };
}

function contentFrom(book: Book | undefined): BookContent {
  if (book === undefined) {
    throw invalidArgument([{ field: "book", description: "must be set", reason: "REQUIRED" }]);
  }
  return {
    title: book.title,
    subtitle: book.subtitle,
    authors: book.authors.map(authorFrom),
    genre: book.genre === Genre.GENRE_UNSPECIFIED ? "fiction" : genreFrom(book.genre, "book.genre"),
    publishYear: book.publishYear,
    isbn: book.isbn,
    otherTitles: book.otherTitles,
    labels: book.labels,
    rating: book.rating,
    loanPeriodSeconds:
      book.loanPeriod === undefined ? DEFAULT_LOAN_SECONDS : millisecondsOf(book.loanPeriod) / 1000,
    price: undefined,
  };
}

/** The fields that a mask may name, and where their values lie. The others are output only, and left alone (AIP-203). */
const MASKABLE: ReadonlyMap<string, keyof BookContent> = new Map([
  ["title", "title"],
  ["subtitle", "subtitle"],
  ["authors", "authors"],
  ["genre", "genre"],
  ["publish_year", "publishYear"],
  ["isbn", "isbn"],
  ["other_titles", "otherTitles"],
  ["labels", "labels"],
  ["rating", "rating"],
  ["loan_period", "loanPeriodSeconds"],
]);
const NOT_WRITABLE = new Set([
  "name",
  "loan_count",
  "on_shelf",
  "loan",
  "create_time",
  "update_time",
  "etag",
]);

function update(store: Store, { book, updateMask }: UpdateBookRequest): StoredBook {
  const wanted = contentFrom(book);
  const old = findBook(store, book?.name ?? "", "book.name");
  checkEtag(old, book?.etag ?? "");
  const change: Record<string, unknown> = {};
  const labels = new Map(Object.entries(old.labels));
  for (const path of maskOf(updateMask, book)) {
    const key = MASKABLE.get(path);
    const label = /^labels\.`?([^`]+)`?$/.exec(path)?.[1];
    if (key !== undefined) {
      change[key] = wanted[key];
    } else if (label !== undefined) {
      const value = Object.hasOwn(wanted.labels, label) ? wanted.labels[label] : undefined;
      if (value === undefined) labels.delete(label);
      else labels.set(label, value);
      change.labels = Object.fromEntries(labels);
    } else if (!NOT_WRITABLE.has(path)) {
      throw invalidArgument([
        {
          field: "update_mask",
          description: `${JSON.stringify(path)} is not a field of a book that can be changed`,
          reason: "UNKNOWN_FIELD",
        },
      ]);
    }
  }
  const violations = violationsOf({ ...old, ...change });
  if (violations.length > 0) throw invalidArgument(violations);
  return store.update(old.id, change) ?? old;
}

/** An empty mask means the fields that are set (AIP-134). */
function maskOf(mask: readonly string[] | undefined, book: Book | undefined): readonly string[] {
  if (mask?.includes("*")) return [...MASKABLE.keys()];
  if (mask !== undefined && mask.length > 0) return mask;
  if (book === undefined) return [];
  const set: string[] = [];
  if (book.title !== "") set.push("title");
  if (book.subtitle !== undefined) set.push("subtitle");
  if (book.authors.length > 0) set.push("authors");
  if (book.genre !== Genre.GENRE_UNSPECIFIED) set.push("genre");
  if (book.publishYear !== 0) set.push("publish_year");
  if (book.isbn !== "") set.push("isbn");
  if (book.otherTitles.length > 0) set.push("other_titles");
  if (Object.keys(book.labels).length > 0) set.push("labels");
  if (book.rating !== undefined) set.push("rating");
  if (book.loanPeriod !== undefined) set.push("loan_period");
  return set;
}

function checkEtag(book: StoredBook, etag: string): void {
  if (etag === "" || etag === etagOf(book)) return;
  throw bookError(
    status.ABORTED,
    nameOf(book),
    "ETAG_MISMATCH",
    `${nameOf(book)} has changed since: its etag is ${etagOf(book)} now; read it again`,
  );
}

function receiptFor(store: Store, { command }: BorrowBooksRequest): BorrowBooksResponse["receipt"] {
  try {
    switch (command?.$case) {
      case "borrow": {
        const { book: name, reader, period } = command.value;
        const book = borrow(store, name, reader, period);
        return book.lending && { $case: "loan", value: loanOf(book, book.lending) };
      }
      case "return":
        return {
          $case: "returned",
          value: toBook(giveBack(store, command.value.book, command.value.reader)),
        };
      default:
        throw invalidArgument([
          { field: "command", description: "must be set: borrow or return", reason: "REQUIRED" },
        ]);
    }
  } catch (error) {
    if (error instanceof RpcError) return { $case: "error", value: error.toStatus() };
    throw error;
  }
}

function borrow(store: Store, name: string, reader: string, period: Duration | undefined): StoredBook {
  const book = findBook(store, name, "borrow.book");
  if (reader === "") {
    throw invalidArgument([{ field: "borrow.reader", description: "must be set", reason: "REQUIRED" }]);
  }
  const seconds = period === undefined ? book.loanPeriodSeconds : millisecondsOf(period) / 1000;
  if (seconds <= 0 || seconds > book.loanPeriodSeconds) {
    throw invalidArgument([
      {
        field: "borrow.period",
        description: `must be more than 0s and at most ${book.loanPeriodSeconds}s`,
        reason: "OUT_OF_RANGE",
      },
    ]);
  }
  if (book.lending !== undefined) {
    throw bookError(
      status.FAILED_PRECONDITION,
      name,
      "BOOK_ON_LOAN",
      `${name} is on loan until ${book.lending.dueTime.toISOString()}`,
    );
  }
  const borrowTime = store.now();
  const dueTime = new Date(borrowTime.getTime() + seconds * 1000);
  return (
    store.update(book.id, { lending: { reader, borrowTime, dueTime }, loanCount: book.loanCount + 1n }) ??
    book
  );
}

function giveBack(store: Store, name: string, reader: string): StoredBook {
  const book = findBook(store, name, "return.book");
  if (book.lending?.reader !== reader) {
    throw bookError(
      status.FAILED_PRECONDITION,
      name,
      "BOOK_NOT_BORROWED",
      `${name} was not borrowed by ${JSON.stringify(reader)}`,
    );
  }
  return store.update(book.id, { lending: undefined }) ?? book;
}

function shelfOf(parent: string): StoredGenre | undefined {
  if (parent === "") return undefined;
  const shelf = GENRES.find((genre) => parent === `shelves/${genre}`);
  if (shelf === undefined) {
    throw new RpcError(
      status.NOT_FOUND,
      `${JSON.stringify(parent)} is not a shelf: there are ${GENRES.map((g) => `shelves/${g}`).join(", ")}`,
    );
  }
  return shelf;
}

function genreFrom(genre: Genre, field: string): StoredGenre {
  const known = GENRE_OF.get(genre);
  if (known === undefined) {
    throw invalidArgument([{ field, description: `${genre} is not a genre`, reason: "UNKNOWN_GENRE" }]);
  }
  return known;
}

function genreOf(genre: StoredGenre): Genre {
  for (const [shown, stored] of GENRE_OF) if (stored === genre) return shown;
  return Genre.GENRE_UNSPECIFIED;
}

function durationOf(ms: number): Duration {
  const seconds = Math.trunc(ms / 1000);
  return { seconds: BigInt(seconds), nanos: Math.round((ms - seconds * 1000) * 1e6) };
}

function millisecondsOf(duration: Duration | undefined): number {
  return duration === undefined ? 0 : Number(duration.seconds) * 1000 + duration.nanos / 1e6;
}
