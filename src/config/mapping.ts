// Values of which nothing is known, as mappings.

/** The fields of an object; those of anything else: none. */
export function mapping(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? { ...value } : {};
}
