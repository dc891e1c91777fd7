// Of a few endpoints drawn at random the one with the lowest cost: common to least_request and peak_ewma.
//
// Two choices are nearly as good as a look at all (Mitzenmacher, "The Power of Two Choices in Randomized Load
// Balancing"), cost the same for four endpoints as for ten thousand, and do not send every hub to the same endpoint at
// once.
import type { Attempt } from "../../call/attempt.js";
import type { BalancedEndpoint, Balancer, BalancerContext } from "./balancer.js";
import { Candidates, DRAWS } from "./candidates.js";

/**
 * Draws are by weight, and a cost is calls relative to weight. So each endpoint gets its share by weight when idle, and
 * has calls in proportion to its weight under load; with equal weights it is the usual calls + 1.
 */
export abstract class LeastOf<E extends BalancedEndpoint> implements Balancer<E> {
  protected readonly candidates: Candidates<E>;
  private readonly choices: number;
  private readonly margin: number;

  /**
   * @param margin another endpoint replaces the first one drawn if its cost is below this fraction of the first one's
   */
  constructor({ random }: BalancerContext, choices: number, margin = 1) {
    this.candidates = new Candidates(random);
    this.choices = choices;
    this.margin = margin;
  }

  protected abstract cost(endpoint: E, now: number): number;
  /** The time for `cost`, read once for each pick. */
  protected abstract now(): number;

  /** Calls on an endpoint including this one, relative to its weight. */
  protected callsFor({ calls, load }: E): number {
    return (calls * this.candidates.mean) / load.weight + 1;
  }

  update(endpoints: readonly E[]): void {
    this.candidates.update(endpoints);
  }

  pick(_attempt: Attempt, usable: (endpoint: E) => boolean): E | undefined {
    const { candidates, choices, margin } = this;
    const { all } = candidates;
    if (all.length < 2) {
      const single = all[0];
      return single !== undefined && usable(single) ? single : undefined;
    }
    const now = this.now();
    for (let i = 0; i < DRAWS; i++) {
      const at = candidates.draw();
      let best = all[at];
      if (best === undefined) break;
      let least = this.cost(best, now);
      let second: E | undefined;
      for (let n = 1; n < choices; n++) {
        const other = all[n === 1 ? candidates.drawBeside(at) : candidates.draw()];
        if (other === undefined || other === best) continue;
        const cost = this.cost(other, now);
        if (cost < least * margin) {
          second = best;
          best = other;
          least = cost;
        } else second = other;
      }
      if (usable(best)) return best;
      if (second !== undefined && usable(second)) return second;
    }
    return candidates.search(usable);
  }
}
