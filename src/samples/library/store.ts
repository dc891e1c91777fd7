// The library's books, in memory.
import type { BookContent, StoredBook } from "./book.js";
import { seedBooks } from "./seed.js";

/** Keeps a public demo from using up the machine's memory. */
export const MAX_BOOKS = 10_000;

export interface StoreOptions {
  /** Clock for times of creation, change and borrowing. Default: the system's clock. */
  readonly now?: () => Date;
  /** Default: MAX_BOOKS. */
  readonly maxBooks?: number;
}

/** Several servers in one process may share a store: each operation is complete when it returns. */
export class Store {
  readonly #books = new Map<string, StoredBook>();
  readonly #maxBooks: number;
  readonly now: () => Date;

  /** Has the seed's books from the start. */
  constructor(options: StoreOptions = {}) {
    this.now = options.now ?? (() => new Date());
    this.#maxBooks = options.maxBooks ?? MAX_BOOKS;
    for (const { id, ...content } of seedBooks()) this.insert(id, content);
  }

  get(id: string): StoredBook | undefined {
    return this.#books.get(id);
  }

  /** All books, in no promised order. */
  all(): StoredBook[] {
    return [...this.#books.values()];
  }

  insert(id: string, content: BookContent): StoredBook | "exists" | "full" {
    if (this.#books.has(id)) return "exists";
    if (this.#books.size >= this.#maxBooks) return "full";
    const now = this.now();
    const book: StoredBook = {
      ...content,
      id,
      loanCount: 0n,
      lending: undefined,
      createTime: now,
      updateTime: now,
      revision: 1,
    };
    this.#books.set(id, book);
    return book;
  }

  /** Changes a book that is there; undefined when it is not. */
  update(
    id: string,
    change: Partial<BookContent & Pick<StoredBook, "lending" | "loanCount">>,
  ): StoredBook | undefined {
    const old = this.#books.get(id);
    if (old === undefined) return undefined;
    const book = { ...old, ...change, updateTime: this.now(), revision: old.revision + 1 };
    this.#books.set(id, book);
    return book;
  }

  delete(id: string): boolean {
    return this.#books.delete(id);
  }
}
