// What is configured for single methods and services, looked up while plans are made.
import type { MethodConfig } from "../config/config.js";
import type { Method } from "../core/call.js";

/** Makes the lookup of one setting: what is configured for a method, else for its service. */
export type ForMethod = <T>(
  pick: (own: MethodConfig | undefined) => T | undefined,
) => (method: Method) => T | undefined;

export function methodConfig(configured: readonly MethodConfig[]): ForMethod {
  const methods = new Map(configured.map((method) => [method.selector, method]));
  return (pick) =>
    ({ service, name }) =>
      pick(methods.get(`${service}/${name}`)) ?? pick(methods.get(service));
}
