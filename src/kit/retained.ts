// State that is retained across reloads: token buckets, caches, key sets, connections. A reload keeps what its config
// did not change, and closes the rest.

/** Something that may hold timers or files. */
export interface Closable {
  close?(): void;
}

/**
 * Objects by their kind and their own config. The build of a generation asks for what it needs (`keep`). When the
 * generation is in use (`commit`), the objects that it did not ask for are closed. A build that fails (`rollback`) closes
 * only what it made itself.
 */
export class Retained {
  private readonly kept = new Map<string, Closable>();
  private building: { readonly used: Set<string>; readonly made: Map<string, Closable> } | undefined =
    undefined;

  /** Starts a build. One at a time. */
  begin(): void {
    this.building = { used: new Set(), made: new Map() };
  }

  /**
   * The object of this kind with this config; `make` is called if there is none yet.
   * @param kind for example `quota:per-consumer`; names one type of object
   * @param config compared as JSON: a different config gives a different object
   * @throws Error outside of a build
   */
  keep<T extends Closable>(kind: string, config: unknown, make: () => T): T {
    const { building } = this;
    if (building === undefined) throw new Error("Retained.keep outside of a build");
    const key = `${kind} ${JSON.stringify(config)}`;
    building.used.add(key);
    const existing = this.kept.get(key) ?? building.made.get(key);
    // The kind names the type: each caller of `keep` gets back what the same code made.
    if (existing !== undefined) return existing as T;
    const made = make();
    building.made.set(key, made);
    return made;
  }

  /** The generation that was built is in use. */
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
