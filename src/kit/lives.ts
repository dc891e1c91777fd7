// What outlives a snapshot: buckets, caches, key sets. A reload keeps what its config did not change, and resets the rest.

/** Something that may hold timers or files. */
export interface Closable {
  close?(): void;
}

/**
 * Kept things by kind and by their own config. A build of a snapshot asks for what it needs; once the snapshot is
 * taken (`commit`), what it did not ask for is closed. A build that fails (`rollback`) closes only what it made.
 */
export class Lives {
  private readonly kept = new Map<string, Closable>();
  private building: { readonly used: Set<string>; readonly made: Map<string, Closable> } | undefined =
    undefined;

  /** Starts a build. One at a time. */
  begin(): void {
    this.building = { used: new Set(), made: new Map() };
  }

  /**
   * The thing of this kind with this config, made if there is none.
   * @param kind e.g. `quota:per-consumer`; unique among the kept things
   * @param config JSON-like; another config is another thing
   */
  keep<T extends Closable>(kind: string, config: unknown, make: () => T): T {
    const { building } = this;
    if (building === undefined) throw new Error("Lives.keep outside of a build");
    const key = `${kind} ${JSON.stringify(config)}`;
    building.used.add(key);
    const existing = this.kept.get(key) ?? building.made.get(key);
    // The kind names the type: whoever keeps under it gets back what it made.
    if (existing !== undefined) return existing as T;
    const made = make();
    building.made.set(key, made);
    return made;
  }

  /** The snapshot that was built is in use. */
  commit(): void {
    const { building } = this;
    if (building === undefined) return;
    this.building = undefined;
    for (const [key, thing] of building.made) this.kept.set(key, thing);
    for (const [key, thing] of this.kept) {
      if (building.used.has(key)) continue;
      this.kept.delete(key);
      thing.close?.();
    }
  }

  /** The build failed: everything stays as it was. */
  rollback(): void {
    const made = this.building?.made;
    this.building = undefined;
    if (made !== undefined) for (const thing of made.values()) thing.close?.();
  }

  close(): void {
    this.rollback();
    for (const thing of this.kept.values()) thing.close?.();
    this.kept.clear();
  }
}
