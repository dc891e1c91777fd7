// How leniently requests are parsed, beyond unknown names. By default everything is strict.

/**
 * Which escapes the value of a variable of several segments keeps: `%2F`, those of RFC 6570's reserved characters,
 * none.
 */
export type KeptEscapes = "slash" | "reserved" | "none";

export interface ReadOptions {
  /** A body with an unknown content type is JSON, if a rule was written for its path. Default false: 415. */
  readonly anyContentType?: boolean;
  /** An Accept that nothing meets is passed over. Default false: 406. */
  readonly anyAccept?: boolean;
  /** A body if the rule has none. Default reject. */
  readonly extraBody?: "reject" | "ignore";
  /** Booleans and durations of paths and queries may have the forms of `looseText`. Default false. */
  readonly looseValues?: boolean;
  /** Names of enum values may be written in any case. Default false. */
  readonly anyEnumCase?: boolean;
  /** `+` in a query is a space. Default true, as application/x-www-form-urlencoded has it. */
  readonly plusAsSpace?: boolean;
  /** Default slash: one segment stays one. */
  readonly keptEscapes?: KeptEscapes;
  /** A missing mask of a PATCH is filled from its body. Default true. */
  readonly fillUpdateMask?: boolean;
}
