// A bounded memory of what was found out about a text (a credential), for lookups on every call.

/**
 * Two generations instead of a list in order of use: a lookup is one `Map.get`, and what was not asked for
 * during `capacity / 2` insertions is forgotten. Never holds more than `capacity` entries.
 */
export class Remembered<T> {
  private readonly half: number;
  private young = new Map<string, T>();
  private old = new Map<string, T>();

  constructor(capacity: number) {
    this.half = Math.max(1, capacity >> 1);
  }

  get size(): number {
    return this.young.size + this.old.size;
  }

  get(key: string): T | undefined {
    const value = this.young.get(key);
    if (value !== undefined) return value;
    const kept = this.old.get(key);
    if (kept === undefined) return undefined;
    this.old.delete(key);
    this.set(key, kept);
    return kept;
  }

  set(key: string, value: T): void {
    if (this.young.size >= this.half) {
      this.old = this.young;
      this.young = new Map();
    }
    this.old.delete(key);
    this.young.set(key, value);
  }

  delete(key: string): void {
    this.young.delete(key);
    this.old.delete(key);
  }

  clear(): void {
    this.young.clear();
    this.old.clear();
  }
}
