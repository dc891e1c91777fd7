// One RPC through the hub, whatever its protocol: from its first header to its one outcome.
import type { DescMethod } from "@bufbuild/protobuf";
import { reportFault } from "../kit/faults.js";
import { Headers } from "../kit/headers.js";
import { type Attempt, type AttemptObserver, NO_OBSERVERS } from "./attempt.js";
import type { Abort } from "./sink.js";

export type MethodKind = "unary" | "server_streaming" | "client_streaming" | "bidi_streaming" | "unknown";

/** A method as the hub knows it. Made when config or schema changes, shared by all its calls. */
export interface Method {
  /** Full name of the service, e.g. `library.v1.LibraryService`. */
  readonly service: string;
  /** e.g. `GetBook`; `_OTHER` for the shared plan of methods without a schema. */
  readonly name: string;
  /** `/package.Service/Method`; the pattern for `_OTHER`. */
  readonly path: string;
  readonly kind: MethodKind;
  /** From `option idempotency_level`; NO_SIDE_EFFECTS and IDEMPOTENT methods may be retried. */
  readonly idempotent: boolean;
  /** Known once a schema is known. */
  readonly descriptor: DescMethod | undefined;
}

/** The other end of the client's connection. */
export interface Peer {
  /** e.g. `127.0.0.1:51234`, `[::1]:51234`, `in-memory` */
  readonly address: string;
  /** The client's protocol: `grpc`, or `rest` for plain HTTP and WebSockets. Further protocols have their own names. */
  readonly protocol: string;
  /**
   * The client's IP, without port: as trusted proxies report it, otherwise that of the connection. undefined: as
   * `address`.
   */
  readonly ip?: string | undefined;
  /** The connection is that of a proxy of `trustedProxies`. */
  readonly trusted?: boolean | undefined;
  /** The client is on this machine, and nothing indicates that it forwards for another. */
  readonly local?: boolean | undefined;
  /** How the client speaks: to the hub, or to the first of the trusted proxies before it. undefined: in clear text. */
  readonly scheme?: "http" | "https" | undefined;
  /** The content of the client's certificate, once it was verified; undefined without TLS or certificate. */
  readonly certificate?: PeerCertificate | undefined;
}

/** Of a client certificate that the listener's CA has signed. */
export interface PeerCertificate {
  /** SPIFFE URI SAN, else the first DNS SAN, else the subject's common name. */
  readonly name: string;
  /** SHA-256 of the certificate, hexadecimal. */
  readonly fingerprint: string;
}

/** The authenticated caller; set by the auth interceptors, or by one of a program's own (`custom`). */
export interface Identity {
  /** Unique among the callers of its kind. */
  readonly name: string;
  readonly kind: "api-key" | "jwt" | "mtls" | "custom";
  readonly roles: readonly string[];
}

/** As network.protocol.version has it. */
export type HttpVersion = "1.0" | "1.1" | "2";

/** A call that arrived as a plain HTTP request: its HTTP properties, besides its metadata. */
export interface HttpRequestInfo {
  readonly method: string;
  /** The route's path template: bounded in number, unlike paths. undefined: no method was called. */
  readonly route: string | undefined;
  /** The path as received, without its query. */
  readonly path: string;
  /** The part after its `?`, as received; "" if there is none. */
  readonly query: string;
  /** The status of the response; 0 before it, and if the client disconnected first. */
  status: number;
}

export type AbortListener = (cause: Abort) => void;

/**
 * One call. Programs read it in their steps; members marked `@internal` belong to the hub, and change without notice.
 *
 * @example
 * import type { Call, Identity } from "linchpin-hub";
 *
 * export function admit(call: Call, identity: Identity): void {
 *   call.identity = identity;
 *   call.headers.set("x-user", identity.name);
 *   call.addResponseHeader("x-served-by", "linchpin");
 *   call.onAbort(({ by }) => console.log(`${call.path} was aborted by the ${by}`));
 * }
 */
export class Call {
  readonly method: Method;
  /** The path as received; differs from `method.path` for methods without a schema. */
  readonly path: string;
  readonly authority: string;
  readonly peer: Peer;
  /** Request metadata, without pseudo-header fields. */
  readonly headers: Headers;
  /** Monotonic milliseconds (`clock.now()`). */
  readonly startedAt: number;
  /** Monotonic milliseconds at which the caller no longer waits; undefined: it waits for ever. */
  deadline: number | undefined = undefined;
  /** @internal The deadline is the hub's maximum, not the client's own. */
  deadlineCapped = false;
  identity: Identity | undefined = undefined;
  /** @internal What the call is doing now, for the message of an expired deadline. */
  stage = "admission";
  /** The last attempt that began; undefined: none. */
  attempt: Attempt | undefined = undefined;
  /** Attempts that began. */
  attempts = 0;
  /** @internal Those of its plan; set by the runner. */
  attemptObservers: readonly AttemptObserver[] = NO_OBSERVERS;
  /** Of HTTP, that carries the client's request. */
  httpVersion: HttpVersion = "2";
  /** For calls that arrived as plain HTTP requests. */
  http: HttpRequestInfo | undefined = undefined;
  /** @internal Fields that steps add to the response's headers (`addResponseHeader`); undefined: none. */
  responseHeaders: Headers | undefined = undefined;
  /** @internal State of interceptors, by their keys: see CallKey, which alone reads and writes it. undefined: none. */
  values: unknown[] | undefined = undefined;
  #abort: Abort | undefined = undefined;
  #listeners: AbortListener[] | undefined = undefined;

  /** @internal */
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

  /** Adds a field to the response's headers, success or failure. Only before the response begins. */
  addResponseHeader(name: string, value: string): void {
    this.responseHeaders ??= new Headers();
    this.responseHeaders.append(name, value);
  }

  /** Why the call was aborted, once it was. */
  get aborted(): Abort | undefined {
    return this.#abort;
  }

  /** Runs the listener once when the call is aborted, at once if it was already: for code that must stop waiting. */
  onAbort(listener: AbortListener): void {
    if (this.#abort !== undefined) listener(this.#abort);
    else if (this.#listeners === undefined) this.#listeners = [listener];
    else this.#listeners.push(listener);
  }

  /** @internal Runs the abort listeners; later calls do nothing. Called only by the runner. */
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
        // The call must still end: its other listeners and its steps are notified.
        reportFault(`in an abort listener of a call to ${this.method.path}`, error);
      }
    }
  }
}
