// What an interceptor keeps of a call, from its start to its end and for others behind it, without a field on Call.
import type { Call } from "./call.js";

/**
 * A value of type T that calls may have. Made once, where its interceptor is; whoever may read it imports the key.
 *
 * A call has a place for values once the first is set, and looks through the few it has: nothing is numbered, so making
 * keys again and again (at each reload, say) costs nothing that stays.
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
  /** For people who look at a key in a debugger. */
  readonly name: string;

  constructor(name: string) {
    this.name = name;
  }

  /** undefined: nobody has set it. */
  get(call: Call): T | undefined {
    const values = call.values;
    if (values === undefined) return undefined;
    for (let i = 0; i < values.length; i += 2) {
      // `set` alone puts something behind a key, and its type is T.
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
