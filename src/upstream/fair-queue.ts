// The calls that wait for a connection: a queue for each client, served in turn, so that no client's calls wait behind
// all those of another. With one client, calls are served in the order of arrival.
import type { AddressCounts } from "../kit/net/address-counts.js";
import { clientOf } from "./pool/client-of.js";
import type { Waiter } from "./queue.js";

/** The calls of one client, in the order of arrival. */
export interface Line {
  readonly client: string;
  readonly waiters: Set<Waiter>;
  /** Since when the client waits for its next call to be served, monotonic ms. */
  since: number;
}

export class FairQueue {
  /** Waiting calls. */
  size = 0;
  /** Abandoned calls that still occupy streams, by client: the client with the fewest is served first. */
  private readonly held: AddressCounts;
  private readonly onEmpty: () => void;
  /** Clients in the order of their turns. */
  private readonly lines = new Map<string, Line>();
  private readonly lineOf = new Map<Waiter, Line>();

  constructor(held: AddressCounts, onEmpty: () => void) {
    this.held = held;
    this.onEmpty = onEmpty;
  }

  /**
   * Adds a call. If `max` wait already, one call must go: the last of the client with the most calls, possibly the new
   * one. Returns it.
   */
  add(waiter: Waiter, max: number, now: number): Waiter | undefined {
    const client = clientOf(waiter.attempt.call);
    let line = this.lines.get(client);
    let dropped: Waiter | undefined;
    if (this.size >= max) {
      const longest = this.longest();
      // Not for a difference of one: the other client would have the next turn.
      if (longest === undefined || longest.waiters.size <= (line?.waiters.size ?? 0) + 1) return waiter;
      dropped = [...longest.waiters].at(-1);
      if (dropped !== undefined) this.delete(dropped);
    }
    if (line === undefined) {
      line = { client, waiters: new Set(), since: now };
      this.lines.set(client, line);
    }
    line.waiters.add(waiter);
    this.lineOf.set(waiter, line);
    this.size++;
    return dropped;
  }

  private longest(): Line | undefined {
    let longest: Line | undefined;
    for (const line of this.lines.values())
      if (longest === undefined || line.waiters.size > longest.waiters.size) longest = line;
    return longest;
  }

  delete(waiter: Waiter): void {
    const line = this.lineOf.get(waiter);
    if (line === undefined) return;
    this.lineOf.delete(waiter);
    line.waiters.delete(waiter);
    this.size--;
    if (line.waiters.size === 0) this.lines.delete(line.client);
    if (this.size === 0) this.onEmpty();
  }

  /** The next client: of those with the fewest abandoned calls, the one that waits longest for its turn. */
  next(): Waiter | undefined {
    let next: Line | undefined;
    let fewest = Number.POSITIVE_INFINITY;
    for (const line of this.lines.values()) {
      const held = this.held.get(line.client);
      if (held >= fewest) continue;
      next = line;
      fewest = held;
      if (fewest === 0) break;
    }
    return next === undefined ? undefined : first(next);
  }

  /** Removes the served call; its client's next one moves behind all others. */
  take(waiter: Waiter, now: number): void {
    const line = this.lineOf.get(waiter);
    this.delete(waiter);
    if (line === undefined || line.waiters.size === 0) return;
    line.since = now;
    this.lines.delete(line.client);
    this.lines.set(line.client, line);
  }

  /** The first call of each client, in the order of their turns. */
  get firsts(): Waiter[] {
    return [...this.lines.values()].flatMap((line) => first(line) ?? []);
  }

  /** Clients that have not been served for this long. */
  waiting(sinceBefore: number): string[] {
    return [...this.lines.values()].filter(({ since }) => since <= sinceBefore).map(({ client }) => client);
  }

  has(client: string): boolean {
    return this.lines.has(client);
  }

  /** Removes and returns all of them. */
  clear(): Waiter[] {
    const waiters = [...this.lines.values()].flatMap((line) => [...line.waiters]);
    this.lines.clear();
    this.lineOf.clear();
    this.size = 0;
    this.onEmpty();
    return waiters;
  }
}

function first({ waiters }: Line): Waiter | undefined {
  for (const waiter of waiters) return waiter;
  return undefined;
}
