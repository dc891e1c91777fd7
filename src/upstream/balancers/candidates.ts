// Draws endpoints at random, by weight, in constant time and without allocation.
import type { BalancedEndpoint } from "./balancer.js";

/** Vose's alias method: "A Linear Algorithm for Generating Random Numbers with a Given Distribution", 1991. */
export class Candidates<E extends BalancedEndpoint> {
  all: readonly E[] = [];
  /** Sum of the weights. */
  mean = 1;
  private readonly random: () => number;
  /** All weights are equal. */
  private equal = true;
  private chance = new Float64Array(0);
  private alias = new Int32Array(0);

  constructor(random: () => number) {
    this.random = random;
  }

  update(endpoints: readonly E[]): void {
    this.all = endpoints;
    const count = endpoints.length;
    let sum = 0;
    for (const { load } of endpoints) sum += load.weight;
    this.mean = count === 0 ? 1 : sum / count;
    const first = endpoints[0]?.load.weight;
    this.equal = endpoints.every(({ load }) => load.weight === first);
    if (this.equal) return;
    const chance = Float64Array.from(endpoints, ({ load }) => load.weight / this.mean);
    const alias = new Int32Array(count);
    const less: number[] = [];
    const more: number[] = [];
    for (let i = 0; i < count; i++) ((chance[i] ?? 0) < 1 ? less : more).push(i);
    while (less.length > 0 && more.length > 0) {
      const poor = less.pop() ?? 0;
      const rich = more[more.length - 1] ?? 0;
      alias[poor] = rich;
      const left = (chance[rich] ?? 0) - (1 - (chance[poor] ?? 0));
      chance[rich] = left;
      if (left < 1) {
        more.pop();
        less.push(rich);
      }
    }
    // Entries left over here are due to rounding.
    for (const i of less) chance[i] = 1;
    for (const i of more) chance[i] = 1;
    this.chance = chance;
    this.alias = alias;
  }

  /** A random index, by weight. There must be at least one endpoint. */
  draw(): number {
    const at = this.random() * this.all.length;
    const i = Math.floor(at);
    if (this.equal || at - i < (this.chance[i] ?? 1)) return i;
    return this.alias[i] ?? i;
  }

  /** Like `draw`, but not the first index where weights are equal; else drawn again, possibly the same. */
  drawBeside(first: number): number {
    if (!this.equal) return this.draw();
    const i = Math.floor(this.random() * (this.all.length - 1));
    return i < first ? i : i + 1;
  }

  /** The first usable endpoint from a random one on: for when draws have found none. */
  search(usable: (endpoint: E) => boolean): E | undefined {
    const { all } = this;
    const count = all.length;
    const start = Math.floor(this.random() * count);
    for (let i = 0; i < count; i++) {
      const endpoint = all[start + i < count ? start + i : start + i - count];
      if (endpoint !== undefined && usable(endpoint)) return endpoint;
    }
    return undefined;
  }
}

/** Draws before a balancer searches all endpoints: with half of them in use, one pick in sixteen does. */
export const DRAWS = 4;
