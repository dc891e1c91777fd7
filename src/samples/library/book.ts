// A book in the library's own shape, of which each API version shows a view.

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
