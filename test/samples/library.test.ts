// The library as its clients see it: generated clients, real sockets.
import assert from "node:assert/strict";
import { once } from "node:events";
import { after, before, describe, test } from "node:test";
import { Metadata, status } from "@grpc/grpc-js";
import {
  Book,
  type BorrowBooksRequest,
  type BorrowBooksResponse,
  CreateBookRequest,
  Genre,
  type ImportBooksRequest,
  type ImportBooksResponse,
  LibraryServiceClient,
  ListBooksRequest,
  type ListBooksResponse,
  SearchBooksRequest,
  type SearchBooksResponse,
  UpdateBookRequest,
} from "#generated/library/v1/library.js";
import {
  Book as BookV2,
  LibraryServiceClient as ClientV2,
  ListBooksRequest as ListBooksRequestV2,
} from "#generated/library/v2/library.js";
import type { RunningSample } from "#src/samples/common/serve.js";
import { isIsbn13 } from "#src/samples/library/content.js";
import { startLibrary } from "#src/samples/library/server.js";
import { Store } from "#src/samples/library/store.js";
import { call, detailsOf, failureOf, fieldsOf, insecure, isServiceError, readDetails } from "./client.js";

const NOW = new Date("2025-06-01T12:00:00.000Z");

let now = NOW;
let store: Store;
let server: RunningSample;
let client: LibraryServiceClient;
let clientV2: ClientV2;

before(async () => {
  store = new Store({ now: () => now });
  server = await startLibrary({ store, instance: "library-7" });
  client = new LibraryServiceClient(server.address, insecure);
  clientV2 = new ClientV2(server.address, insecure);
});

after(async () => {
  client.close();
  clientV2.close();
  await server.close();
});

async function getBook(name: string): Promise<Book> {
  return (await call(client, client.getBook, { name })).response;
}

/** A book of the test's own, so that tests do not meet. */
async function newBook(bookId: string, book: Parameters<typeof Book.fromPartial>[0] = {}): Promise<Book> {
  const full = Book.fromPartial({ title: `Title of ${bookId}`, authors: ["Some One"], ...book });
  return (await call(client, client.createBook, { bookId, book: full })).response;
}

function list(request: Partial<ListBooksRequest>): Promise<ListBooksResponse> {
  return call(client, client.listBooks, ListBooksRequest.fromPartial(request)).then((a) => a.response);
}

describe("the books that it opens with", () => {
  test("are a few dozen, each with a right ISBN and an id that its name keeps", () => {
    const books = new Store().all();
    assert.ok(books.length >= 36, `${books.length} books`);
    for (const book of books) {
      assert.ok(isIsbn13(book.isbn), `${book.id} has the ISBN ${book.isbn}`);
      assert.match(book.id, /^[a-z][a-z0-9-]{0,62}$/);
      for (const author of book.authors) assert.ok(author.family !== "" && author.given !== "", book.id);
    }
    assert.equal(new Set(books.map(({ isbn }) => isbn)).size, books.length);
  });
});

describe("GetBook", () => {
  test("gives the book, and says which instance answered", async () => {
    const { response, headers } = await call(client, client.getBook, { name: "books/moby-dick" });
    assert.equal(response.title, "Moby-Dick");
    assert.equal(response.subtitle, "or, The Whale");
    assert.deepEqual(response.authors, ["Herman Melville"]);
    assert.equal(response.genre, Genre.GENRE_FICTION);
    assert.equal(response.publishYear, 1851);
    assert.deepEqual(response.loanPeriod, { seconds: 1_814_400n, nanos: 0 });
    assert.deepEqual(response.whereabouts, { $case: "onShelf", value: { shelf: "shelves/fiction" } });
    assert.deepEqual(response.createTime, NOW);
    assert.equal(response.rating, undefined);
    assert.deepEqual(headers.get("x-served-by"), ["library-7"]);
  });

  test("knows a book by the shelf that it stands on, and by no other", async () => {
    assert.equal((await getBook("shelves/speculative/books/dune")).name, "books/dune");
    const error = await failureOf(getBook("shelves/fiction/books/dune"));
    assert.equal(error.code, status.NOT_FOUND);
  });

  test("says NOT_FOUND with the resource and a reason, and the instance in the trailers", async () => {
    const error = await failureOf(getBook("books/nowhere"));
    assert.equal(error.code, status.NOT_FOUND);
    const { resourceInfo, errorInfo } = detailsOf(error);
    assert.equal(resourceInfo?.resourceName, "books/nowhere");
    assert.equal(errorInfo?.reason, "BOOK_NOT_FOUND");
    assert.deepEqual(error.metadata.get("x-served-by"), ["library-7"]);
  });

  for (const name of ["", "dune", "books/", "books/a/b", "shelf/books/x", "/books/dune"]) {
    test(`says INVALID_ARGUMENT to the name ${JSON.stringify(name)}`, async () => {
      const error = await failureOf(getBook(name));
      assert.equal(error.code, status.INVALID_ARGUMENT);
      assert.deepEqual(fieldsOf(error), ["name"]);
    });
  }
});

describe("ListBooks", () => {
  for (const orderBy of [
    "",
    "title desc",
    "publish_year",
    "publish_year desc, title",
    "loan_count,name desc",
  ]) {
    test(`gives each book once, page by page, ordered by ${JSON.stringify(orderBy)}`, async () => {
      const names: string[] = [];
      let pageToken = "";
      let total = 0;
      do {
        const page = await list({ pageSize: 7, pageToken, orderBy });
        assert.ok(page.books.length <= 7);
        names.push(...page.books.map(({ name }) => name));
        pageToken = page.nextPageToken;
        total = page.totalSize;
      } while (pageToken !== "");
      assert.equal(names.length, total);
      assert.equal(new Set(names).size, total);
      const whole = await list({ pageSize: 100, orderBy });
      assert.deepEqual(
        names,
        whole.books.map(({ name }) => name),
      );
    });
  }

  test("orders as asked", async () => {
    const years = (await list({ orderBy: "publish_year desc", pageSize: 100 })).books.map(
      (b) => b.publishYear,
    );
    assert.deepEqual(
      years,
      years.toSorted((a, b) => b - a),
    );
  });

  test("gives 20 where no size is asked for, and 100 at most", async () => {
    assert.equal((await list({})).books.length, 20);
    assert.ok((await list({ pageSize: 1000 })).books.length <= 100);
  });

  test("goes on where it was when a book before the token goes", async () => {
    const books = await Promise.all(
      ["a", "b", "c", "d"].map((x) => newBook(`paging-${x}`, { authors: ["Pagina Tor"] })),
    );
    const first = await list({ author: "pagina", pageSize: 2 });
    await call(client, client.deleteBook, { name: books[0]?.name ?? "", etag: "" });
    await call(client, client.deleteBook, { name: books[1]?.name ?? "", etag: "" });
    const second = await list({ author: "pagina", pageSize: 2, pageToken: first.nextPageToken });
    assert.deepEqual(
      second.books.map(({ name }) => name),
      ["books/paging-c", "books/paging-d"],
    );
    assert.equal(second.nextPageToken, "");
  });

  test("filters by shelf, genre and author", async () => {
    const shelf = await list({ parent: "shelves/science", pageSize: 100 });
    assert.ok(shelf.books.length >= 5 && shelf.books.every(({ genre }) => genre === Genre.GENRE_SCIENCE));
    const genres = await list({ genres: [Genre.GENRE_SCIENCE, Genre.GENRE_COMPUTING], pageSize: 100 });
    assert.ok(genres.totalSize > shelf.totalSize);
    const author = await list({ author: "KERNIGHAN" });
    assert.ok(author.totalSize >= 3);
    assert.ok(author.books.every(({ authors }) => authors.includes("Brian W. Kernighan")));
  });

  test("says NOT_FOUND to a shelf that is not there", async () => {
    const error = await failureOf(list({ parent: "shelves/romance" }));
    assert.equal(error.code, status.NOT_FOUND);
    assert.match(error.details, /shelves\/fiction/);
  });

  test("names every field that does not hold", async () => {
    const error = await failureOf(list({ pageSize: -1, orderBy: "colour", pageToken: "zzz" }));
    assert.equal(error.code, status.INVALID_ARGUMENT);
    assert.deepEqual(fieldsOf(error), ["page_size", "order_by", "page_token"]);
  });

  test("refuses the token of another list", async () => {
    const { nextPageToken } = await list({ pageSize: 2 });
    for (const other of [{ orderBy: "publish_year" }, { author: "a" }, { parent: "shelves/fiction" }]) {
      const error = await failureOf(list({ pageToken: nextPageToken, ...other }));
      assert.deepEqual(fieldsOf(error), ["page_token"], JSON.stringify(other));
    }
  });

  for (const orderBy of ["title sideways", "title asc desc", ",", "constructor", "title;name"]) {
    test(`refuses to order by ${JSON.stringify(orderBy)}`, async () => {
      const error = await failureOf(list({ orderBy }));
      assert.equal(error.code, status.INVALID_ARGUMENT);
    });
  }

  test("refuses a genre that there is not", async () => {
    // A number that no enum value has: what a newer client may send.
    const request = ListBooksRequest.decode(Buffer.from([0x22, 0x01, 0x63]));
    const error = await failureOf(call(client, client.listBooks, request));
    assert.deepEqual(fieldsOf(error), ["genres"]);
  });
});

describe("CreateBook", () => {
  test("keeps all that can be said of a book", async () => {
    const book = Book.fromPartial({
      title: "Die unendliche Geschichte",
      subtitle: "Von A bis Z",
      authors: ["Michael Ende"],
      genre: Genre.GENRE_SPECULATIVE,
      publishYear: 1979,
      isbn: "9783522128001",
      otherTitles: [{ languageCode: "en", title: "The Neverending Story" }],
      labels: { for: "children", __proto__x: "1" },
      rating: 4.5,
      loanPeriod: { seconds: 86_400n, nanos: 500_000_000 },
    });
    const { response } = await call(client, client.createBook, { bookId: "the-neverending-story", book });
    assert.deepEqual(await getBook("books/the-neverending-story"), response);
    const { name, loanCount, whereabouts, createTime, updateTime, etag, ...content } = response;
    assert.equal(name, "books/the-neverending-story");
    assert.equal(loanCount, 0n);
    assert.deepEqual(whereabouts, { $case: "onShelf", value: { shelf: "shelves/speculative" } });
    assert.deepEqual([createTime, updateTime], [NOW, NOW]);
    assert.notEqual(etag, "");
    assert.deepEqual([content.title, content.authors, content.isbn], [book.title, book.authors, book.isbn]);
    assert.deepEqual([content.genre, content.publishYear], [book.genre, 1979]);
    assert.deepEqual(content.otherTitles, book.otherTitles);
    assert.deepEqual(content.labels, book.labels);
    assert.deepEqual(content.loanPeriod, book.loanPeriod);
    assert.equal(content.rating, 4.5);
    assert.equal(content.subtitle, "Von A bis Z");
  });

  test("makes the id from the title where none is given, and says when it is taken", async () => {
    const request = CreateBookRequest.fromPartial({
      book: { title: "Überall & nirgends!", authors: ["A B"] },
    });
    assert.equal((await call(client, client.createBook, request)).response.name, "books/uberall-nirgends");
    const error = await failureOf(call(client, client.createBook, request));
    assert.equal(error.code, status.ALREADY_EXISTS);
    assert.equal(detailsOf(error).resourceInfo?.resourceName, "books/uberall-nirgends");
  });

  test("names every field that does not hold", async () => {
    const request = CreateBookRequest.fromPartial({
      bookId: "Not An Id",
      book: {
        authors: ["  ", "x".repeat(201)],
        publishYear: -5,
        isbn: "9780000000000",
        otherTitles: [{ languageCode: "?", title: "" }],
        rating: 6,
        loanPeriod: { seconds: -1n, nanos: 0 },
      },
    });
    const error = await failureOf(call(client, client.createBook, request));
    assert.equal(error.code, status.INVALID_ARGUMENT);
    assert.deepEqual(fieldsOf(error), [
      "book.title",
      "book.authors[0]",
      "book.authors[1]",
      "book.publish_year",
      "book.isbn",
      "book.other_titles[0].language_code",
      "book.other_titles[0].title",
      "book.rating",
      "book.loan_period",
      "book_id",
    ]);
  });

  test("asks for the book", async () => {
    const error = await failureOf(call(client, client.createBook, CreateBookRequest.create()));
    assert.deepEqual(fieldsOf(error), ["book"]);
  });

  test("stops when the library is full", async (t) => {
    const full = await startLibrary({ store: new Store({ maxBooks: 5 }) });
    const toFull = new LibraryServiceClient(full.address, insecure);
    t.after(async () => {
      toFull.close();
      await full.close();
    });
    const request = CreateBookRequest.fromPartial({ book: { title: "One more", authors: ["A B"] } });
    const error = await failureOf(call(toFull, toFull.createBook, request));
    assert.equal(error.code, status.RESOURCE_EXHAUSTED);
    assert.equal(detailsOf(error).errorInfo?.reason, "LIBRARY_FULL");
  });
});

describe("UpdateBook", () => {
  function update(book: Parameters<typeof Book.fromPartial>[0], updateMask?: string[]): Promise<Book> {
    const request = UpdateBookRequest.fromPartial({ book, updateMask });
    return call(client, client.updateBook, request).then(({ response }) => response);
  }

  test("changes what the mask names and nothing else", async () => {
    const old = await newBook("update-mask", { subtitle: "old", publishYear: 1900, rating: 3 });
    now = new Date(NOW.getTime() + 60_000);
    const changed = await update({ name: old.name, title: "New", publishYear: 2000, rating: 5 }, [
      "title",
      "rating",
    ]);
    assert.deepEqual(changed, { ...old, title: "New", rating: 5, updateTime: now, etag: changed.etag });
    assert.notEqual(changed.etag, old.etag);
    assert.deepEqual(await getBook(old.name), changed);
    now = NOW;
  });

  test("clears what the mask names and the book leaves out", async () => {
    const { name } = await newBook("update-clear", { subtitle: "s", rating: 2, labels: { a: "1" } });
    const changed = await update({ name }, ["subtitle", "rating", "labels"]);
    assert.deepEqual([changed.subtitle, changed.rating, changed.labels], [undefined, undefined, {}]);
  });

  test("changes single labels", async () => {
    const { name } = await newBook("update-labels", { labels: { keep: "1", change: "2", drop: "3" } });
    const changed = await update({ name, labels: { change: "two", add: "4" } }, [
      "labels.change",
      "labels.drop",
      "labels.`add`",
    ]);
    assert.deepEqual(changed.labels, { keep: "1", change: "two", add: "4" });
  });

  test("takes an empty mask as the fields that are set", async () => {
    const { name } = await newBook("update-empty-mask", { publishYear: 1900, subtitle: "stays" });
    const changed = await update({ name, title: "Other" });
    assert.deepEqual([changed.title, changed.publishYear, changed.subtitle], ["Other", 1900, "stays"]);
  });

  test("takes `*` as all fields", async () => {
    const { name } = await newBook("update-star", { publishYear: 1900, subtitle: "goes" });
    const changed = await update({ name, title: "Other", authors: ["New One"] }, ["*"]);
    assert.deepEqual([changed.authors, changed.publishYear, changed.subtitle], [["New One"], 0, undefined]);
    const error = await failureOf(update({ name, title: "Other" }, ["*"]));
    assert.deepEqual(fieldsOf(error), ["book.authors"]);
  });

  test("leaves alone what only the library writes", async () => {
    const old = await newBook("update-output-only");
    const changed = await update({ name: old.name, loanCount: 99n, title: "T" }, [
      "name",
      "loan_count",
      "title",
    ]);
    assert.deepEqual([changed.name, changed.loanCount], [old.name, 0n]);
  });

  test("refuses an unknown field in the mask, and changes nothing", async () => {
    const old = await newBook("update-unknown");
    const error = await failureOf(update({ name: old.name, title: "T" }, ["title", "colour"]));
    assert.deepEqual(fieldsOf(error), ["update_mask"]);
    assert.deepEqual(await getBook(old.name), old);
  });

  test("keeps one from undoing the change of another", async () => {
    const old = await newBook("update-etag");
    await update({ name: old.name, title: "First", etag: old.etag });
    const error = await failureOf(update({ name: old.name, title: "Second", etag: old.etag }));
    assert.equal(error.code, status.ABORTED);
    assert.equal(detailsOf(error).errorInfo?.reason, "ETAG_MISMATCH");
    assert.equal((await getBook(old.name)).title, "First");
  });

  test("says NOT_FOUND, and asks for a book and its name", async () => {
    assert.equal((await failureOf(update({ name: "books/none" }))).code, status.NOT_FOUND);
    assert.deepEqual(fieldsOf(await failureOf(update({ title: "x" }))), ["book.name"]);
    const noBook = call(client, client.updateBook, UpdateBookRequest.create());
    assert.deepEqual(fieldsOf(await failureOf(noBook)), ["book"]);
  });
});

describe("DeleteBook", () => {
  test("takes the book out", async () => {
    const { name, etag } = await newBook("delete-me");
    assert.equal(
      (await failureOf(call(client, client.deleteBook, { name, etag: "other" }))).code,
      status.ABORTED,
    );
    assert.deepEqual((await call(client, client.deleteBook, { name, etag })).response, {});
    assert.equal((await failureOf(getBook(name))).code, status.NOT_FOUND);
    assert.equal(
      (await failureOf(call(client, client.deleteBook, { name, etag: "" }))).code,
      status.NOT_FOUND,
    );
  });
});

describe("SearchBooks", () => {
  async function search(request: Partial<SearchBooksRequest>): Promise<SearchBooksResponse[]> {
    const results: SearchBooksResponse[] = [];
    for await (const result of client.searchBooks(SearchBooksRequest.fromPartial(request)))
      results.push(result);
    return results;
  }

  const CASES: readonly (readonly [query: string, first: string, field: string])[] = [
    ["dune", "books/dune", "title"],
    ["KERNIGHAN pike", "books/the-practice-of-programming", "authors"],
    ["garcia marquez", "books/one-hundred-years-of-solitude", "authors"],
    ["преступление", "books/crime-and-punishment", "other_titles"],
    ["modern prometheus", "books/frankenstein", "subtitle"],
  ];
  for (const [query, first, field] of CASES) {
    test(`finds ${first} for ${JSON.stringify(query)}`, async () => {
      const [best] = await search({ query });
      assert.equal(best?.book?.name, first);
      assert.equal(best?.rank, 1);
      assert.ok(best?.matchedFields?.includes(field), String(best?.matchedFields));
    });
  }

  test("finds nothing, well", async () => {
    assert.deepEqual(await search({ query: "xyzzy" }), []);
  });

  test("gives no more than asked for, in the order of rank", async () => {
    const ranks = (await search({ query: "the", maxResults: 4 })).map(({ rank }) => rank);
    assert.deepEqual(ranks, [1, 2, 3, 4]);
  });

  test("names every field that does not hold", async () => {
    const error = await failureOf(
      search({ query: " ", maxResults: -1, interval: { seconds: 11n, nanos: 0 } }),
    );
    assert.deepEqual(fieldsOf(error), ["query", "max_results", "interval"]);
  });

  test("stops when the caller cancels in mid-stream", async () => {
    const stream = client.searchBooks(
      SearchBooksRequest.fromPartial({ query: "the", interval: { seconds: 0n, nanos: 20_000_000 } }),
    );
    await once(stream, "data");
    const failed = once(stream, "error");
    stream.cancel();
    const [error] = await failed;
    assert.ok(isServiceError(error) && error.code === status.CANCELLED);
    // The server is whole: another call goes well.
    assert.equal((await getBook("books/dune")).title, "Dune");
  });

  test("ends with DEADLINE_EXCEEDED when the time is up in mid-stream", async () => {
    const request = SearchBooksRequest.fromPartial({
      query: "the",
      interval: { seconds: 0n, nanos: 50_000_000 },
    });
    const stream = client.searchBooks(request, { deadline: Date.now() + 200 });
    stream.resume();
    const [error] = await once(stream, "error");
    assert.ok(isServiceError(error) && error.code === status.DEADLINE_EXCEEDED);
  });
});

describe("ImportBooks", () => {
  function importBooks(requests: readonly ImportBooksRequest[]): Promise<ImportBooksResponse> {
    return new Promise((resolve, reject) => {
      const stream = client.importBooks((error, response) => {
        if (error === null) resolve(response);
        else reject(error);
      });
      for (const request of requests) stream.write(request);
      stream.end();
    });
  }

  test("adds the good books, and says what is wrong with the others", async () => {
    const good = Book.fromPartial({ title: "Good", authors: ["A B"] });
    const result = await importBooks([
      { bookId: "import-1", book: good },
      { bookId: "import-2", book: Book.fromPartial({ title: "No author" }) },
      { bookId: "import-1", book: good },
      { bookId: "import-3", book: undefined },
      { bookId: "import-4", book: good },
    ]);
    assert.equal(result.importCount, 2n);
    assert.equal(result.rejectCount, 3n);
    assert.deepEqual(
      result.rejections.map(({ index, status: why }) => [index, why?.code]),
      [
        [1n, status.INVALID_ARGUMENT],
        [2n, status.ALREADY_EXISTS],
        [3n, status.INVALID_ARGUMENT],
      ],
    );
    const [first] = result.rejections;
    assert.ok(first?.status !== undefined);
    assert.equal(readDetails(first.status).badRequest?.fieldViolations[0]?.field, "book.authors");
    assert.deepEqual(result.elapsed, { seconds: 0n, nanos: 0 });
    assert.equal((await getBook("books/import-4")).title, "Good");
  });

  test("takes no book, well", async () => {
    assert.equal((await importBooks([])).importCount, 0n);
  });

  test("survives a caller that disconnects in the middle", async () => {
    const failed = new Promise<unknown>((resolve) => {
      const stream = client.importBooks((error) => resolve(error));
      stream.write({ bookId: "import-cancel", book: Book.fromPartial({ title: "C", authors: ["A B"] }) });
      setImmediate(() => stream.cancel());
    });
    const error = await failed;
    assert.ok(isServiceError(error) && error.code === status.CANCELLED);
    assert.equal((await getBook("books/dune")).title, "Dune");
  });
});

describe("BorrowBooks", () => {
  test("gives a receipt for each command, in order, as it comes", async () => {
    const { name } = await newBook("borrow-me");
    const stream = client.borrowBooks();
    const ask = async (
      command: BorrowBooksRequest["command"],
      requestId: string,
    ): Promise<BorrowBooksResponse> => {
      const answered = once(stream, "data");
      stream.write({ requestId, command });
      const [response] = await answered;
      return response;
    };
    const day = { seconds: 86_400n, nanos: 0 };

    const borrowed = await ask({ $case: "borrow", value: { book: name, reader: "Ada", period: day } }, "1");
    assert.deepEqual(borrowed, {
      requestId: "1",
      receipt: {
        $case: "loan",
        value: { book: name, reader: "Ada", borrowTime: NOW, dueTime: new Date("2025-06-02T12:00:00.000Z") },
      },
    });
    const onLoan = await getBook(name);
    assert.equal(onLoan.whereabouts?.$case, "loan");
    assert.equal(onLoan.loanCount, 1n);
    const undeletable = await failureOf(call(client, client.deleteBook, { name, etag: "" }));
    assert.equal(undeletable.code, status.FAILED_PRECONDITION);
    assert.equal((await call(clientV2, clientV2.getBook, { name })).response.available, false);

    const refusals: readonly (readonly [BorrowBooksRequest["command"], number])[] = [
      [{ $case: "borrow", value: { book: name, reader: "Bob" } }, status.FAILED_PRECONDITION],
      [{ $case: "borrow", value: { book: "books/none", reader: "Bob" } }, status.NOT_FOUND],
      [{ $case: "borrow", value: { book: name, reader: "" } }, status.INVALID_ARGUMENT],
      [
        { $case: "borrow", value: { book: name, reader: "B", period: { seconds: 9_999_999n, nanos: 0 } } },
        status.INVALID_ARGUMENT,
      ],
      [{ $case: "return", value: { book: name, reader: "Bob" } }, status.FAILED_PRECONDITION],
      [undefined, status.INVALID_ARGUMENT],
    ];
    for (const [command, code] of refusals) {
      const { receipt } = await ask(command, "r");
      assert.ok(
        receipt?.$case === "error",
        JSON.stringify(command, (_, v) => (typeof v === "bigint" ? `${v}` : v)),
      );
      assert.equal(receipt.value.code, code);
      assert.ok(receipt.value.details.length > 0);
    }

    const returned = await ask({ $case: "return", value: { book: name, reader: "Ada" } }, "2");
    assert.ok(returned.receipt?.$case === "returned");
    assert.equal(returned.receipt.value.whereabouts?.$case, "onShelf");

    const ended = once(stream, "end");
    stream.end();
    await ended;
  });

  test("answers many commands that come at once", async () => {
    const stream = client.borrowBooks();
    for (let i = 0; i < 500; i++) stream.write({ requestId: String(i), command: undefined });
    stream.end();
    const ids: string[] = [];
    for await (const response of stream) ids.push(response.requestId);
    assert.deepEqual(
      ids,
      Array.from({ length: 500 }, (_, i) => String(i)),
    );
  });
});

describe("library.v2", () => {
  test("shows the books of v1 in its own shape", async () => {
    const { response } = await call(clientV2, clientV2.getBook, { name: "books/the-left-hand-of-darkness" });
    assert.deepEqual(response.authors, [{ givenName: "Ursula K.", familyName: "Le Guin" }]);
    assert.deepEqual(response.replacementPrice, { currencyCode: "EUR", units: 14n, nanos: 500_000_000 });
    assert.equal(response.available, true);
    assert.equal(response.publishYear, 1969);
  });

  test("adds a book that v1 shows as well", async () => {
    const book = BookV2.fromPartial({
      title: "Two Shapes",
      authors: [{ familyName: "Plato" }],
      replacementPrice: { currencyCode: "USD", units: 9n, nanos: 990_000_000 },
    });
    const { response } = await call(clientV2, clientV2.createBook, { bookId: "", book });
    assert.equal(response.publishYear, undefined);
    assert.deepEqual((await getBook(response.name)).authors, ["Plato"]);
    const bad = BookV2.fromPartial({ ...book, replacementPrice: { currencyCode: "$", units: -1n } });
    const error = await failureOf(call(clientV2, clientV2.createBook, { bookId: "", book: bad }));
    assert.deepEqual(fieldsOf(error), [
      "book.replacement_price.currency_code",
      "book.replacement_price.units",
    ]);
  });

  test("lists page by page", async () => {
    const request = ListBooksRequestV2.fromPartial({ pageSize: 30 });
    const { response: first } = await call(clientV2, clientV2.listBooks, request);
    const next = { ...request, pageToken: first.nextPageToken };
    const { response: second } = await call(clientV2, clientV2.listBooks, next);
    const names = [...first.books, ...second.books].map(({ name }) => name);
    assert.equal(new Set(names).size, names.length);
    assert.equal(first.books.length, 30);
    assert.ok(second.books.length > 0);
  });
});

describe("instances", () => {
  test("share a store, and each names itself", async (t) => {
    const shared = new Store();
    const servers = await Promise.all(
      ["a", "b"].map((instance) => startLibrary({ instance, store: shared })),
    );
    const clients = servers.map(({ address }) => new LibraryServiceClient(address, insecure));
    t.after(async () => {
      for (const one of clients) one.close();
      await Promise.all(servers.map((one) => one.close()));
    });
    const [a, b] = clients;
    assert.ok(a !== undefined && b !== undefined);
    const book = Book.fromPartial({ title: "Shared", authors: ["A B"] });
    const created = await call(a, a.createBook, { bookId: "shared", book });
    const seen = await call(b, b.getBook, { name: "books/shared" });
    assert.deepEqual(seen.response, created.response);
    assert.deepEqual(
      [created, seen].map(({ headers }) => headers.get("x-served-by")),
      [["a"], ["b"]],
    );
  });

  test("say in one sentence that the port is taken", async () => {
    const port = Number(server.address.split(":")[1]);
    await assert.rejects(startLibrary({ port }), {
      message: /^cannot listen on 127\.0\.0\.1:\d+: EADDRINUSE: address already in use/,
    });
  });

  test("ignore metadata that they do not know", async () => {
    const metadata = new Metadata();
    metadata.set("x-anything", "1");
    metadata.set("x-anything-bin", Buffer.from([0, 255]));
    const { response } = await call(client, client.getBook, { name: "books/dune" }, metadata);
    assert.equal(response.title, "Dune");
  });
});
