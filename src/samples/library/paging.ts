// Pages of a list (AIP-158) in a wanted order (AIP-132).
import { createHash } from "node:crypto";
import { type FieldViolation, invalidArgument } from "../common/errors.js";
import { nameOf, type StoredBook } from "./book.js";

export const DEFAULT_PAGE_SIZE = 20;
export const MAX_PAGE_SIZE = 100;

type Key = string | number;
interface Order {
  readonly field: string;
  readonly descending: boolean;
  readonly keyOf: (book: StoredBook) => Key;
}

const KEYS: Readonly<Record<string, (book: StoredBook) => Key>> = {
  name: nameOf,
  title: (book) => book.title,
  publish_year: (book) => book.publishYear,
  loan_count: (book) => Number(book.loanCount),
};

export interface PageRequest {
  readonly pageSize: number;
  readonly pageToken: string;
  readonly orderBy: string;
  /** What else decides the list: a token is good for the very same query only. */
  readonly query: string;
}

export interface Page {
  readonly books: readonly StoredBook[];
  /** Empty: the last page. */
  readonly nextPageToken: string;
  readonly totalSize: number;
}

/**
 * Cuts one page out of the books. A token holds the place of the last book that was given, not a number, so
 * that a book which comes or goes in between moves no other from page to page. Throws INVALID_ARGUMENT.
 */
export function pageOf(books: readonly StoredBook[], request: PageRequest): Page {
  const violations: FieldViolation[] = [];
  if (request.pageSize < 0) {
    violations.push({ field: "page_size", description: "must not be negative", reason: "NEGATIVE" });
  }
  const orders = parseOrderBy(request.orderBy, violations);
  const fingerprint = createHash("sha256")
    .update(JSON.stringify([request.orderBy, request.query]))
    .digest("base64url")
    .slice(0, 8);
  const after = parseToken(request.pageToken, fingerprint, orders, violations);
  if (violations.length > 0) throw invalidArgument(violations);

  const size = Math.min(request.pageSize === 0 ? DEFAULT_PAGE_SIZE : request.pageSize, MAX_PAGE_SIZE);
  const keyed = books.map((book) => ({ book, key: orders.map((order) => order.keyOf(book)) }));
  keyed.sort((a, b) => compareKeys(a.key, b.key, orders));
  const rest = after === undefined ? keyed : keyed.filter(({ key }) => compareKeys(key, after, orders) > 0);
  const page = rest.slice(0, size);
  const last = page.at(-1);
  return {
    books: page.map(({ book }) => book),
    nextPageToken:
      last === undefined || page.length === rest.length
        ? ""
        : Buffer.from(JSON.stringify([fingerprint, ...last.key])).toString("base64url"),
    totalSize: books.length,
  };
}

/** `publish_year desc, title`; the name comes last always, so that no two books are equal. */
function parseOrderBy(text: string, violations: FieldViolation[]): Order[] {
  const orders: Order[] = [];
  for (const part of text.trim() === "" ? ["title"] : text.split(",")) {
    const [field = "", direction = "asc", ...rest] = part.trim().split(/\s+/);
    const keyOf = Object.hasOwn(KEYS, field) ? KEYS[field] : undefined;
    if (keyOf === undefined || !/^(asc|desc)$/.test(direction) || rest.length > 0) {
      violations.push({
        field: "order_by",
        description: `${JSON.stringify(part.trim())} is none of ${Object.keys(KEYS).join(", ")}, with " desc" or without`,
        reason: "UNKNOWN_ORDER",
      });
    } else if (!orders.some((order) => order.field === field)) {
      orders.push({ field, descending: direction === "desc", keyOf });
    }
  }
  if (!orders.some((order) => order.field === "name")) {
    orders.push({ field: "name", descending: false, keyOf: nameOf });
  }
  return orders;
}

function compareKeys(a: readonly Key[], b: readonly Key[], orders: readonly Order[]): number {
  for (const [i, order] of orders.entries()) {
    const x = a[i] ?? "";
    const y = b[i] ?? "";
    const difference =
      typeof x === "number" && typeof y === "number" ? x - y : collator.compare(String(x), String(y));
    if (difference !== 0) return order.descending ? -difference : difference;
  }
  return 0;
}

const collator = new Intl.Collator("en");

function parseToken(
  token: string,
  fingerprint: string,
  orders: readonly Order[],
  violations: FieldViolation[],
): Key[] | undefined {
  if (token === "") return undefined;
  try {
    const parts: unknown = JSON.parse(Buffer.from(token, "base64url").toString("utf8"));
    if (Array.isArray(parts) && parts[0] === fingerprint && parts.length === orders.length + 1) {
      const key = parts.slice(1).filter((part) => typeof part === "string" || typeof part === "number");
      if (key.length === orders.length) return key;
    }
  } catch {
    // No token of ours: said below.
  }
  violations.push({
    field: "page_token",
    description:
      "is not the token of a page of this very list: order, filter and parent must be as they were",
    reason: "BAD_PAGE_TOKEN",
  });
  return undefined;
}
