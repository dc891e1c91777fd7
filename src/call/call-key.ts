// State that an interceptor keeps of a call, from its start to its end and for interceptors after it, without a field
// on Call.
import type { Call } from "./call.js";

/**
 * A value of type T that calls may have. Made once, beside its interceptor; code that may read it imports the key.
 *
 * A call has storage for values once the first is set, and searches the few it has: keys have no numbers, so making new
 * ones (at each reload, for example) leaks nothing.
 *
 * @example
 * import { CallKey, type Step } from "linchpin-hub";
 *
 * const TENANT = new CallKey<string>("tenant");
 *
 * export const step: Step = {
 *   name: "tenants",
 *   start(call) {
 *     TENANT.set(call, "blue");
 *     return undefined;
 *   },
 *   end: (call) => console.log(`served ${TENANT.get(call) ?? "nobody"}`),
 * };
 */
export class CallKey<T> {
  /** Shown in a debugger. */
  readonly name: string;

  constructor(name: string) {
    this.name = name;
  }

  /** undefined: not set. */
  get(call: Call): T | undefined {
    const values = call.values;
    if (values === undefined) return undefined;
    for (let i = 0; i < values.length; i += 2) {
      // Only `set` stores a value under a key, and its type is T.
      if (values[i] === this) return values[i + 1] as T;
    }
    return undefined;
  }

  set(call: Call, value: T): void {
    call.values ??= [];
    const values = call.values;
    for (let i = 0; i < values.length; i += 2) {
      if (values[i] !== this) continue;
      values[i + 1] = value;
      return;
    }
    values.push(this, value);
  }
}
