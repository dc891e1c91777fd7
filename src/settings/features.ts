// What the hub is made of, for all that is made from features: config, schema, documentation. A list in code; a program
// that is tested with one more takes this one and its own.
import type { ReasonRow } from "../call/status/reasons.js";
import type { InterceptorKind } from "../interceptors/kit/kind.js";
import { ORDER } from "../interceptors/order.js";

export interface Features {
  /** In their order on the way of a call. */
  readonly interceptors: readonly InterceptorKind[];
}

export const FEATURES: { readonly interceptors: typeof ORDER } = { interceptors: ORDER };

/** Reasons to refuse that features bring, beside the catalogue of the hub. */
export function reasonsOf({ interceptors }: Features = FEATURES): Readonly<Record<string, ReasonRow>> {
  return Object.assign({}, ...interceptors.map(({ reasons }) => reasons));
}
