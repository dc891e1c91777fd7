// The features of the hub, for everything made from them: config, schema, documentation. A list in code; tests extend
// it with their own.
import type { ReasonRow } from "../call/status/reasons.js";
import type { InterceptorKind } from "../interceptors/kit/kind.js";
import { ORDER } from "../interceptors/order.js";
import type { OwnParts } from "../upstream/own-parts.js";

export interface Features extends OwnParts {
  /** In the order of interceptors. */
  readonly interceptors: readonly InterceptorKind[];
}

export const FEATURES: { readonly interceptors: typeof ORDER } = { interceptors: ORDER };

/** Error reasons of features, in addition to the hub's catalogue. */
export function reasonsOf({ interceptors }: Features = FEATURES): Readonly<Record<string, ReasonRow>> {
  return Object.assign({}, ...interceptors.map(({ reasons }) => reasons));
}
