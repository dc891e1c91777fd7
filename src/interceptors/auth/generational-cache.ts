// A bounded cache of results for a text (a credential), for look-ups on every call.
import { hash } from "node:crypto";

/** Of all texts and their results: some 10,000 tokens of usual size. */
const MAX_BYTES = 8 * 1024 * 1024;
/** Characters of a text that is its own key. Hashing a longer one costs some microseconds for each call. */
const MAX_KEY_CHARACTERS = 1024;
/** Overhead of an entry beside its text. */
const ENTRY_BYTES = 256;

interface Entry<T> {
  readonly value: T;
  readonly bytes: number;
}

/**
 * Two generations instead of an LRU list: a look-up is one `Map.get`, and an entry is dropped if it was not used while
 * half the capacity was filled with new ones. Never holds more than `capacity` entries, nor more than `maxBytes`.
 */
export class GenerationalCache<T> {
  private readonly half: number;
  private readonly halfBytes: number;
  private young = new Map<string, Entry<T>>();
  private youngBytes = 0;
  private old = new Map<string, Entry<T>>();

  constructor(capacity: number, maxBytes = MAX_BYTES) {
    this.half = Math.max(1, capacity >> 1);
    this.halfBytes = maxBytes / 2;
  }

  get size(): number {
    return this.young.size + this.old.size;
  }

  get(text: string): T | undefined {
    const key = keyOf(text);
    const entry = this.young.get(key);
    if (entry !== undefined) return entry.value;
    const kept = this.old.get(key);
    if (kept === undefined) return undefined;
    this.old.delete(key);
    this.put(key, kept);
    return kept.value;
  }

  /** @param bytes of the value beside the text, if it is more than a few words. Default: 0. */
  set(text: string, value: T, bytes = 0): void {
    // A copy: the text may be a slice of a larger one, which it would keep alive.
    const key = text.length > MAX_KEY_CHARACTERS ? keyOf(text) : Buffer.from(text).toString();
    this.old.delete(key);
    this.forget(key);
    this.put(key, { value, bytes: ENTRY_BYTES + key.length + bytes });
  }

  delete(text: string): void {
    const key = keyOf(text);
    this.forget(key);
    this.old.delete(key);
  }

  clear(): void {
    this.young.clear();
    this.youngBytes = 0;
    this.old.clear();
  }

  private put(key: string, entry: Entry<T>): void {
    if (entry.bytes > this.halfBytes) return;
    if (this.young.size >= this.half || this.youngBytes + entry.bytes > this.halfBytes) {
      this.old = this.young;
      this.young = new Map();
      this.youngBytes = 0;
    }
    this.young.set(key, entry);
    this.youngBytes += entry.bytes;
  }

  private forget(key: string): void {
    this.youngBytes -= this.young.get(key)?.bytes ?? 0;
    this.young.delete(key);
  }
}

/** No header field has a NUL: a presented text is never the key of another one. */
function keyOf(text: string): string {
  return text.length > MAX_KEY_CHARACTERS ? `\0${hash("sha256", text, "base64url")}` : text;
}
