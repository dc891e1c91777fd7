// Unknown values as mappings.

/** The fields of an object; any other value has none. */
export function mapping(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? { ...value } : {};
}
