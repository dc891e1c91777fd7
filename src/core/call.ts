// One RPC crossing the hub, whatever protocol carried it: from its first header to its one outcome.
import type { DescMethod } from "@bufbuild/protobuf";
import type { Headers } from "./headers.js";
import type { Abort } from "./sink.js";

export type MethodKind = "unary" | "server_streaming" | "client_streaming" | "bidi_streaming" | "unknown";

/** A method as the hub knows it. Made when config or schema changes, shared by all its calls. */
export interface Method {
  /** Full name of the service, e.g. `library.v1.LibraryService`. */
  readonly service: string;
  /** e.g. `GetBook`; `_OTHER` for the shared plan of methods that no schema knows. */
  readonly name: string;
  /** `/package.Service/Method`; the pattern for `_OTHER`. */
  readonly path: string;
  readonly kind: MethodKind;
  /** From `option idempotency_level`; NO_SIDE_EFFECTS and IDEMPOTENT methods may be retried. */
  readonly idempotent: boolean;
  /** Known when a schema is. */
  readonly descriptor: DescMethod | undefined;
}

/** Who is at the other end of the client's connection. */
export interface Peer {
  /** e.g. `127.0.0.1:51234`, `unix:/run/x.sock`, `in-memory` */
  readonly address: string;
  readonly protocol: "grpc" | "rest" | "grpc-web" | "connect";
}

/** Who the caller proved to be; set by the auth interceptors. */
export interface Identity {
  readonly name: string;
  readonly roles: readonly string[];
}

export type AbortListener = (cause: Abort) => void;

export class Call {
  readonly method: Method;
  /** The path as received; differs from `method.path` for methods that no schema knows. */
  readonly path: string;
  readonly authority: string;
  readonly peer: Peer;
  /** Request metadata, without pseudo-header fields. */
  readonly headers: Headers;
  /** Monotonic milliseconds (`clock.now()`). */
  readonly startedAt: number;
  /** Monotonic milliseconds at which the caller no longer waits; undefined: it waits for ever. */
  deadline: number | undefined = undefined;
  identity: Identity | undefined = undefined;
  /** What the call is doing now, for the message of a deadline that passes. */
  stage = "admission";
  #abort: Abort | undefined = undefined;
  #listeners: AbortListener[] | undefined = undefined;

  constructor(
    method: Method,
    path: string,
    authority: string,
    peer: Peer,
    headers: Headers,
    startedAt: number,
  ) {
    this.method = method;
    this.path = path;
    this.authority = authority;
    this.peer = peer;
    this.headers = headers;
    this.startedAt = startedAt;
  }

  /** Why the call was aborted, once it was. */
  get aborted(): Abort | undefined {
    return this.#abort;
  }

  /** Calls back once when the call is aborted, at once if it was already. For whoever must stop waiting. */
  onAbort(listener: AbortListener): void {
    if (this.#abort !== undefined) listener(this.#abort);
    else if (this.#listeners === undefined) this.#listeners = [listener];
    else this.#listeners.push(listener);
  }

  /** Fires the abort listeners; later calls do nothing. Called by the runner alone. */
  abort(cause: Abort): void {
    if (this.#abort !== undefined) return;
    this.#abort = cause;
    const listeners = this.#listeners;
    this.#listeners = undefined;
    if (listeners === undefined) return;
    for (const listener of listeners) {
      try {
        listener(cause);
      } catch (error) {
        // The call must still end: its other listeners and its steps are told.
        process.emitWarning(`an abort listener of a call to ${this.path} failed: ${String(error)}`);
      }
    }
  }
}
