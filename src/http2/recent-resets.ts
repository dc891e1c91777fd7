// Streams that we reset recently: frames on them may still be in flight, and are late, not errors.

/** Resets that are stored individually. */
const REMEMBERED = 128;

export class RecentResets {
  private readonly ids: number[] = [];
  /** The highest id that is no longer stored: below it we cannot tell. */
  private forgotten = 0;

  add(id: number): void {
    this.ids.push(id);
    if (this.ids.length > REMEMBERED) this.forgotten = Math.max(this.forgotten, this.ids.shift() ?? 0);
  }

  has(id: number): boolean {
    return id <= this.forgotten || this.ids.includes(id);
  }
}
