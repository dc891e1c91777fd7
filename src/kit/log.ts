// The hub's log.

/** The text is for people; it never contains a secret. */
export interface Log {
  info(message: string): void;
  warn(message: string): void;
  error(message: string): void;
  /** Lines that were dropped, since nothing accepted them; left out: not known. */
  lost?(): number;
}
