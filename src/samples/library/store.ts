// The library's books, in memory, in a shape of its own: each API version is a view of it.
import { seedBooks } from "./seed.js";

export const GENRES = ["fiction", "speculative", "science", "computing"] as const;
/** Also the id of the shelf that books of the genre stand on. */
export type Genre = (typeof GENRES)[number];

export interface Author {
  /** Empty where a person has one name. */
  readonly given: string;
  readonly family: string;
}

export interface Price {
  /** ISO 4217 */
  readonly currency: string;
  readonly units: bigint;
  /** 0..999,999,999 */
  readonly nanos: number;
}

export interface Lending {
  readonly reader: string;
  readonly borrowTime: Date;
  readonly dueTime: Date;
}

/** What a person can say of a book. */
export interface BookContent {
  readonly title: string;
  readonly subtitle: string | undefined;
  readonly authors: readonly Author[];
  readonly genre: Genre;
  /** 0: unknown */
  readonly publishYear: number;
  /** 13 digits, or empty */
  readonly isbn: string;
  readonly otherTitles: readonly { readonly languageCode: string; readonly title: string }[];
  readonly labels: Readonly<Record<string, string>>;
  /** 1..5 */
  readonly rating: number | undefined;
  readonly loanPeriodSeconds: number;
  readonly price: Price | undefined;
}

/** A book as the store keeps it. Immutable: a change puts another in its place. */
export interface StoredBook extends BookContent {
  readonly id: string;
  readonly loanCount: bigint;
  readonly lending: Lending | undefined;
  readonly createTime: Date;
  readonly updateTime: Date;
  /** Grows by one with each change. */
  readonly revision: number;
}

/** A book's resource name in both API versions. */
export function nameOf(book: StoredBook): string {
  return `books/${book.id}`;
}

export function etagOf(book: StoredBook): string {
  return `"${book.revision}-${book.updateTime.getTime().toString(36)}"`;
}

export const DEFAULT_LOAN_SECONDS = 21 * 24 * 3600;
/** Keeps a demo that is open to everybody from eating the machine's memory. */
export const MAX_BOOKS = 10_000;

export interface StoreOptions {
  /** Where times of creation, change and borrowing come from. Default: the system's clock. */
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
