// An interceptor of somebody's own that a config file names: the module, its place, its options.

import type { Position } from "./config-error.js";

export interface ModuleUse {
  /** As written, for messages. */
  readonly name: string;
  /** Absolute path of the file. */
  readonly file: string;
  readonly before: string | undefined;
  readonly after: string | undefined;
  /** Handed to the module as they stand. */
  readonly options: Readonly<Record<string, unknown>>;
  readonly at: Position;
}
