// The streams that we reset a while ago: frames on them may still be under way, and are late, not wrong.

/** Resets that are remembered one by one. */
const REMEMBERED = 128;

export class RecentResets {
  private readonly ids: number[] = [];
  /** The highest of those that no longer are among them: below it we cannot tell. */
  private forgotten = 0;

  add(id: number): void {
    this.ids.push(id);
    if (this.ids.length > REMEMBERED) this.forgotten = Math.max(this.forgotten, this.ids.shift() ?? 0);
  }

  has(id: number): boolean {
    return id <= this.forgotten || this.ids.includes(id);
  }
}
