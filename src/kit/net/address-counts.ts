// How much of something each client has right now: connections, running calls. Holds only clients that have some.

export class AddressCounts {
  private readonly counts = new Map<string, number>();

  get(network: string): number {
    return this.counts.get(network) ?? 0;
  }

  /** Clients that have any. */
  get size(): number {
    return this.counts.size;
  }

  /** One more; how many there are then. */
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
