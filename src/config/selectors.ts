// The keys of `methods` that apply to a method: pkg.Service/Method, pkg.Service, and pkg.* for all services below pkg.

/**
 * The selectors of a method, the nearest first: `a.b.C/D`, `a.b.C`, `a.b.*`, `a.*`.
 * @param method left out: those of the service as a whole
 */
export function selectorsOf(service: string, method?: string): string[] {
  const selectors = method === undefined ? [service] : [`${service}/${method}`, service];
  for (let dot = service.lastIndexOf("."); dot > 0; dot = service.lastIndexOf(".", dot - 1))
    selectors.push(`${service.slice(0, dot)}.*`);
  return selectors;
}
