// Smooth weighted round robin: earliest deadline first, in a heap of flat arrays.
//
// A turn of weight w is due 1/w after the one before, so that 5 and 1 give aaabaa and not aaaaab. Only `set` allocates.

export class Schedule {
  private readonly random: () => number;
  /** Indices, as a binary heap by `due`. */
  private heap = new Int32Array(0);
  private due = new Float64Array(0);
  private step = new Float64Array(0);
  /** Due time of the last turn. */
  private time = 0;

  /** @param random 0 ≤ n < 1: where each begins, so that many hubs do not all begin at the same endpoint */
  constructor(random: () => number) {
    this.random = random;
  }

  /** Starts over. Weights are finite and above 0. */
  set(weights: Float64Array): void {
    const count = weights.length;
    this.time = 0;
    this.heap = new Int32Array(count);
    this.step = weights.map((weight) => 1 / weight);
    this.due = this.step.map((step) => step * this.random());
    this.order();
  }

  /** Changes the weights of the same entries: pending turns come proportionally sooner or later. */
  change(weights: Float64Array): void {
    const { due, step, time } = this;
    for (let i = 0; i < weights.length; i++) {
      const after = 1 / (weights[i] ?? 1);
      due[i] = (((due[i] ?? 0) - time) * after) / (step[i] ?? after);
      step[i] = after;
    }
    this.time = 0;
    this.order();
  }

  private order(): void {
    for (let i = 0; i < this.heap.length; i++) this.heap[i] = i;
    for (let i = (this.heap.length >> 1) - 1; i >= 0; i--) this.sink(i);
  }

  /** The index whose turn it is; this takes the turn. There must be at least one. */
  next(): number {
    const first = this.heap[0] ?? 0;
    const due = this.due[first] ?? 0;
    this.time = due;
    this.due[first] = due + (this.step[first] ?? 1);
    this.sink(0);
    return first;
  }

  private sink(from: number): void {
    const { heap, due } = this;
    const count = heap.length;
    const moved = heap[from] ?? 0;
    const key = due[moved] ?? 0;
    let at = from;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= count) break;
      const right = child + 1;
      if (right < count && (due[heap[right] ?? 0] ?? 0) < (due[heap[child] ?? 0] ?? 0)) child = right;
      const below = heap[child] ?? 0;
      if ((due[below] ?? 0) >= key) break;
      heap[at] = below;
      at = child;
    }
    heap[at] = moved;
  }
}
