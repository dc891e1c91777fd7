// Where the hub says what it does.

/** The text is for a person; it never holds a secret. */
export interface Log {
  info(message: string): void;
  warn(message: string): void;
  error(message: string): void;
  /** Lines that were lost, since nobody could take them; left out: not known. */
  lost?(): number;
}
