// Errors of schemas, for people.

/** A schema that cannot be used, with the reason in one sentence. */
export class SchemaError extends Error {
  override readonly name = "SchemaError";
}
