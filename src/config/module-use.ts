// A user's own interceptor in a config file: the module, its place, its options.

import type { Position } from "./config-error.js";

export interface ModuleUse {
  /** As written, for messages. */
  readonly name: string;
  /** Absolute path of the file. */
  readonly file: string;
  readonly before: string | undefined;
  readonly after: string | undefined;
  /** Passed to the module unchanged. */
  readonly options: Readonly<Record<string, unknown>>;
  readonly at: Position;
}
