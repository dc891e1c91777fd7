// What `routes`, `descriptors` and `demo` are given besides a running hub; run.ts hands it to them.
import type { Config } from "../config/config.js";
import { UserError } from "../core/user-error.js";
import type { Log, RouteRow } from "../hub.js";
import type { RunningDemo } from "./demo.js";

export interface Inspection {
  readonly routes: readonly RouteRow[];
  /** Lines that say which rule answers `GET /v1/books`, and why others do not. */
  explain(method: string, path: string): readonly string[];
  /** What could not be learned, a sentence each. */
  readonly problems: readonly string[];
}

/** Learns every upstream of a config, and plans its routes; listens nowhere. */
export type Inspect = (config: Config, log: Log) => Promise<Inspection>;

export interface Learned {
  /** Serialized google.protobuf.FileDescriptorProto as the server sent them, each after what it imports. */
  readonly files: readonly Uint8Array[];
  /** Full names. */
  readonly services: readonly string[];
}

/** Learns the services of a config's upstreams. Rejects with a UserError where it cannot. */
export type Learn = (config: Config, log: Log) => Promise<Learned>;

export const inspect: Inspect = async () => {
  throw new UserError("linchpin routes is not supported yet");
};

export const learn: Learn = async () => {
  throw new UserError("linchpin descriptors is not supported yet");
};

export const startDemo = async (): Promise<RunningDemo> => {
  throw new UserError("linchpin demo is not supported yet");
};
