// Config of single methods and services, looked up while plans are made.
import type { Method } from "../call/call.js";
import { selectorsOf } from "./selectors.js";

/** Makes the lookup of one setting: that of a method, otherwise of its service, otherwise of its package. */
export type ForMethod<M> = <T>(
  pick: (own: M | undefined) => T | undefined,
) => (method: Method) => T | undefined;

export function methodConfig<M extends { readonly selector: string }>(
  configured: readonly M[],
): ForMethod<M> {
  if (configured.length === 0) return () => () => undefined;
  const methods = new Map(configured.map((method) => [method.selector, method]));
  return (pick) =>
    ({ service, name }) => {
      for (const selector of selectorsOf(service, name)) {
        const picked = pick(methods.get(selector));
        if (picked !== undefined) return picked;
      }
      return undefined;
    };
}
