// How loosely requests are read: what config says beyond unknown names. Left out, everything is as strict as it can be.

/** Which escapes the value of a variable of several segments keeps: `%2F`, those of RFC 6570's reserved characters, none. */
export type KeptEscapes = "slash" | "reserved" | "none";

export interface ReadOptions {
  /** A body of a type that nothing is known of is JSON, where a rule was written for its path. Default false: 415. */
  readonly anyContentType?: boolean;
  /** An Accept that nothing meets is passed over. Default false: 406. */
  readonly anyAccept?: boolean;
  /** A body where the rule has none. Default reject. */
  readonly extraBody?: "reject" | "ignore";
  /** Booleans and durations of paths and queries may be written as `looseText` knows them. Default false. */
  readonly looseValues?: boolean;
  /** Names of enum values may be written in any case. Default false. */
  readonly anyEnumCase?: boolean;
  /** `+` in a query is a space. Default true, as application/x-www-form-urlencoded has it. */
  readonly plusAsSpace?: boolean;
  /** Default slash: what was one segment stays one. */
  readonly keptEscapes?: KeptEscapes;
  /** The mask of a PATCH that names none is filled from its body. Default true. */
  readonly fillUpdateMask?: boolean;
}
