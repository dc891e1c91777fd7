// How many of something each client has now: connections, running calls. Has entries only for clients with some.

export class AddressCounts {
  private readonly counts = new Map<string, number>();

  get(network: string): number {
    return this.counts.get(network) ?? 0;
  }

  /** Clients that have any. */
  get size(): number {
    return this.counts.size;
  }

  /** Adds one; returns the new count. */
  add(network: string): number {
    const count = this.get(network) + 1;
    this.counts.set(network, count);
    return count;
  }

  remove(network: string): void {
    const count = this.get(network) - 1;
    if (count > 0) this.counts.set(network, count);
    else this.counts.delete(network);
  }
}
