// What goes wrong with a schema, told to a person.

/** A schema that cannot be used, and why, in one sentence. */
export class SchemaError extends Error {
  override readonly name = "SchemaError";
}
