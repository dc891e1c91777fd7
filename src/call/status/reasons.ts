// The catalogue of the hub's own errors: for each reason its gRPC code, its HTTP status, when it occurs and what to do.
// docs/errors.md is generated from it. The message is for people, the reason for programs.
import type { Headers } from "../../kit/headers.js";
import { Code, type Hint, Status, type StatusDetail } from "./status.js";
import { errorInfo } from "./status-details.js";

/** Whose reasons these are, in google.rpc.ErrorInfo: services have domains of their own. */
export const ERROR_DOMAIN = "linchpin";

export interface ReasonRow {
  /** Name of the gRPC code; some reasons use others too, as `when` says. */
  readonly code: keyof typeof Code;
  /** HTTP status if the table of codes is not specific enough. */
  readonly http?: number;
  /** When the hub rejects with it. */
  readonly when: string;
  /** What the caller, or the operator of the hub, can do. */
  readonly remedy: string;
}

const TABLE = {
  // The request itself.
  NO_ROUTE: {
    code: "NOT_FOUND",
    when: "No HTTP rule has this path.",
    remedy: "`linchpin routes TARGET METHOD PATH` tells which rule comes nearest, and why it does not match.",
  },
  METHOD_NOT_ALLOWED: {
    code: "UNIMPLEMENTED",
    http: 405,
    when: "The path has a rule, but not for this HTTP method.",
    remedy: "Use one of the methods that `Allow` names.",
  },
  INVALID_PATH: {
    code: "INVALID_ARGUMENT",
    when: "The path is not percent-encoded UTF-8.",
    remedy: "Escape the path's segments as UTF-8.",
  },
  INVALID_REQUEST: {
    code: "INVALID_ARGUMENT",
    when: "Body, path or query do not fit the request message; `BadRequest` names the field.",
    remedy: "Correct the field; a message's JSON form is that of ProtoJSON.",
  },
  INVALID_METADATA: {
    code: "INVALID_ARGUMENT",
    when: "A header whose name ends in `-bin` is not base64.",
    remedy: "Encode the bytes as base64, or give the header another name.",
  },
  INVALID_TIMEOUT: {
    code: "INVALID_ARGUMENT",
    when: "`grpc-timeout` or `x-request-timeout` is not a timeout.",
    remedy: "1 to 8 digits and one of `H M S m u n` (gRPC), or seconds such as `0.5`.",
  },
  UNSUPPORTED_MEDIA_TYPE: {
    code: "INVALID_ARGUMENT",
    http: 415,
    when: "The body's `Content-Type` is none that the route takes.",
    remedy: "Send JSON with `Content-Type: application/json`, or XML with `application/xml`.",
  },
  NOT_ACCEPTABLE: {
    code: "INVALID_ARGUMENT",
    http: 406,
    when: "`Accept` takes nothing that the hub can print, or XML alone where an answer has characters that XML cannot say.",
    remedy: "Accept `application/json`.",
  },
  ORIGIN_NOT_ALLOWED: {
    code: "PERMISSION_DENIED",
    when: "A page of another site wants a WebSocket.",
    remedy: "Name the site in `http.webSocket.origins`.",
  },
  INVALID_GRPC_REQUEST: {
    code: "INTERNAL",
    when: "A gRPC request is not POST, or its frames are not those of gRPC.",
    remedy: "Something on the way, or the client's library, breaks the protocol.",
  },
  INVALID_GRPC_PATH: {
    code: "UNIMPLEMENTED",
    when: "A gRPC path is not of the form `/package.Service/Method`.",
    remedy: "Call a path of that form.",
  },
  UNKNOWN_SERVICE: {
    code: "UNIMPLEMENTED",
    when: "No upstream has the service.",
    remedy: "`linchpin routes` lists the services that are known.",
  },
  SERVICE_NOT_LEARNED: {
    code: "UNAVAILABLE",
    when: "The service or the path is not known, but an upstream has never been learned and may have it.",
    remedy: "Try again after `Retry-After`; if it stays so, look at `/upstreams` of the admin listener.",
  },

  NO_SUCH_SERVICE: {
    code: "NOT_FOUND",
    when: "A page of the hub (`/openapi.json`, `/healthz`) is asked for a service or a version that is not there.",
    remedy: "Ask for one that the message names, or for all.",
  },
  NOT_SERVING: {
    code: "UNAVAILABLE",
    when: "`/healthz` is asked of a hub that is leaving, or that still learns its upstreams (`readiness.wait`); with `?service=`, of a service that has no healthy endpoint.",
    remedy: "Send calls to another instance.",
  },

  TLS_REQUIRED: {
    code: "INVALID_ARGUMENT",
    when: "A client speaks clear text to a port that speaks TLS.",
    remedy: "Call it with `https://`, or a gRPC client with TLS credentials.",
  },

  // Limits.
  HEADERS_TOO_LARGE: {
    code: "RESOURCE_EXHAUSTED",
    http: 431,
    when: "The request's header fields are more than 128, or larger than 64 KiB together, or than the service takes.",
    remedy: "Send fewer or smaller headers, or let the service take more (grpc-java's default is 8 KiB).",
  },
  ANSWER_HEADERS_TOO_LARGE: {
    code: "RESOURCE_EXHAUSTED",
    when: "The service's metadata are larger than the client takes (SETTINGS_MAX_HEADER_LIST_SIZE).",
    remedy: "Let the client take more (grpc-java's default is 8 KiB).",
  },
  MESSAGE_TOO_LARGE: {
    code: "RESOURCE_EXHAUSTED",
    http: 413,
    when: "The request's body or message is larger than `limits.maxMessage` allows.",
    remedy: "Send less at once, or raise the limit.",
  },
  RESPONSE_TOO_LARGE: {
    code: "RESOURCE_EXHAUSTED",
    http: 502,
    when: "The service's message is larger than `limits.maxMessage`, and would have to be held whole to be printed as JSON; or its text would be larger than 512 MiB. Or the OpenAPI document of all routes would be too large.",
    remedy: "Ask for less (a page; the document of one service), call by gRPC, or raise the limit.",
  },
  TRANSLATION_OVERLOADED: {
    code: "UNAVAILABLE",
    when: "Too many messages of 64 KiB and more wait to be translated from JSON or to it, too many OpenAPI documents wait to be made, or the process has no descriptor left to load what does either. Where it is the answer, the service has done its work: then the gRPC code is RESOURCE_EXHAUSTED.",
    remedy: "Try again after `Retry-After`; send smaller messages, or fewer at once.",
  },
  REQUEST_TIMEOUT: {
    code: "DEADLINE_EXCEEDED",
    http: 408,
    when: "The head of an HTTP/1.1 request did not arrive in time (`limits.headersTimeout`), or the body of an HTTP/JSON request stood still for too long (`limits.bodyTimeout`).",
    remedy: "Send the request again, without a pause in it.",
  },
  BAD_HTTP: {
    code: "INVALID_ARGUMENT",
    when: "The bytes on an HTTP/1.1 connection are no valid request.",
    remedy: "Something on the way, or the client's library, breaks the protocol.",
  },
  EXPECTATION_FAILED: {
    code: "INVALID_ARGUMENT",
    http: 417,
    when: "`Expect` asks for something other than `100-continue`.",
    remedy: "Leave the header out.",
  },
  QUOTA_EXCEEDED: {
    code: "RESOURCE_EXHAUSTED",
    when: "A quota of `interceptors.quota` is used up; `QuotaFailure` says whose.",
    remedy: "Wait as long as `RetryInfo` and `Retry-After` say.",
  },
  ADDRESS_LIMIT_EXCEEDED: {
    code: "RESOURCE_EXHAUSTED",
    when: "The client's address has made too many calls, or has too many running (`interceptors.addressLimit`).",
    remedy:
      "Wait as long as `Retry-After` says; put proxies that stand for many clients into `trustedProxies`.",
  },
  DEADLINE_EXCEEDED: {
    code: "DEADLINE_EXCEEDED",
    when: "The call's deadline passed; the message says what the call was waiting for.",
    remedy:
      "Allow more time (`grpc-timeout`, `x-request-timeout`, `methods: deadline`), or find what is slow.",
  },

  // The authenticated caller.
  MISSING_CREDENTIALS: {
    code: "UNAUTHENTICATED",
    when: "The method wants a caller who says who it is, and this one does not.",
    remedy: "Send an API key or a token, as `WWW-Authenticate` says.",
  },
  INVALID_API_KEY: {
    code: "UNAUTHENTICATED",
    when: "The API key is none that is known.",
    remedy: "Use a key of the hub's config.",
  },
  INVALID_TOKEN: {
    code: "UNAUTHENTICATED",
    when: "The token is no JWT, its signature or issuer is wrong, or it is not valid yet.",
    remedy: "Get a token from an issuer of the hub's config.",
  },
  TOKEN_EXPIRED: {
    code: "UNAUTHENTICATED",
    when: "The token was valid, and is no longer.",
    remedy: "Get a new token.",
  },
  WRONG_AUDIENCE: {
    code: "UNAUTHENTICATED",
    when: "The token was made for others.",
    remedy: "Get a token for one of the audiences of the hub's config.",
  },
  KEYS_UNAVAILABLE: {
    code: "UNAVAILABLE",
    when: "The keys to verify tokens with cannot be had now.",
    remedy: "Try again; the hub's log says why they cannot be had.",
  },
  MISSING_ROLE: {
    code: "PERMISSION_DENIED",
    when: "The caller is known, and has none of the roles that the method wants.",
    remedy: "Give the caller's key or token a role of `methods: roles`.",
  },

  // Behind the hub.
  UPSTREAM_UNAVAILABLE: {
    code: "UNAVAILABLE",
    when: "No endpoint of the upstream can be reached.",
    remedy: "Try again after `Retry-After`; `/upstreams` of the admin listener says what is wrong.",
  },
  UPSTREAM_OVERLOADED: {
    code: "UNAVAILABLE",
    when: "Too many calls wait for a connection to the upstream, or it does not take what is sent to it.",
    remedy:
      "Try again; the upstream takes too few streams at once, or is slow. `upstreams.NAME.pending.max` is the limit of calls; of what is sent, 64 MiB may wait in a connection, and for five minutes.",
  },
  BREAKER_OPEN: {
    code: "UNAVAILABLE",
    when: "As many calls or streams as may are running at the upstream (`upstreams.NAME.breakers`).",
    remedy: "Try again later, or somewhere else; the service has slowed down, or the limit is too low.",
  },
  UPSTREAM_RESET: {
    code: "UNAVAILABLE",
    when: "The service, or its connection, broke the call off. For HTTP/2 error codes other than a lost connection the gRPC code is the one that gRPC maps it to (CANCELLED, RESOURCE_EXHAUSTED, PERMISSION_DENIED, INTERNAL).",
    remedy: "The service may have seen the call: try again only if it is idempotent.",
  },
  UPSTREAM_PROTOCOL_ERROR: {
    code: "UNKNOWN",
    when: "What answers is no gRPC server, or breaks the protocol. For an HTTP status other than 200 the gRPC code is the one that gRPC maps it to; for a broken message it is INTERNAL, or UNIMPLEMENTED when its compression is unknown.",
    remedy: "Look whether the endpoint is the service, and what stands between.",
  },
  UNPRINTABLE_RESPONSE: {
    code: "INTERNAL",
    when: "The service's answer does not fit its schema, and cannot be printed as JSON.",
    remedy: "Look whether the schema that the hub knows is that of the service.",
  },
  HUB_LEAVING: {
    code: "UNAVAILABLE",
    when: "The hub is leaving, and the call did not end within `drain.grace`.",
    remedy: "Send it to another instance; the service may have seen it. For long calls, raise `drain.grace`.",
  },
  HUB_FAULT: {
    code: "INTERNAL",
    when: "The hub, or an interceptor in it, failed.",
    remedy: "The message names the fault: the hub's log has its cause under that id. Please report it.",
  },
} as const satisfies Readonly<Record<string, ReasonRow>>;

export type Reason = keyof typeof TABLE;

/** By reason, in the order of the catalogue. */
export const REASONS: Readonly<Record<Reason, ReasonRow>> = TABLE;

export interface RefusalInit {
  /** The variable part, for programs: becomes ErrorInfo's metadata. Never a secret. */
  readonly info?: Readonly<Record<string, string>>;
  /** After the ErrorInfo: RetryInfo, QuotaFailure, BadRequest, … */
  readonly details?: readonly StatusDetail[];
  /** Trailers for gRPC, header fields for HTTP: www-authenticate, retry-after, … */
  readonly metadata?: Headers | undefined;
  /** Replaces the catalogue's code, for the reasons whose `when` says that it varies. */
  readonly code?: number;
  /** In place of the catalogue's HTTP status. */
  readonly http?: number;
  /** See StatusInit. */
  readonly hint?: Hint | undefined;
  /** For the log only: never reaches a client. */
  readonly cause?: unknown;
}

/** Makes the Status with everything but the constant part of `info`. */
type Refuse = (message: string, init?: Omit<RefusalInit, "info">) => Status;

/** A Status with `message` for people and `reason` for programs. */
export function refusal(reason: Reason, message: string, init: RefusalInit = {}): Status {
  return refuser(reason, init.info)(message, init);
}

/** Like `refusal` with a constant reason and info: its ErrorInfo is encoded once. For rejections under load. */
export function refuser(reason: Reason, info: Readonly<Record<string, string>> = {}): Refuse {
  return refuserBy(TABLE[reason], reason, info);
}

/** Reasons of a feature, in the format of the catalogue; its kind has the `table`, for docs/errors.md. */
export function ownReasons<R extends string>(table: Readonly<Record<R, ReasonRow>>) {
  return {
    table,
    refuser: (reason: R, info: Readonly<Record<string, string>> = {}): Refuse =>
      refuserBy(table[reason], reason, info),
  };
}

function refuserBy(row: ReasonRow, reason: string, info: Readonly<Record<string, string>>): Refuse {
  const code = Code[row.code];
  const said = errorInfo(reason, ERROR_DOMAIN, info);
  return (message, init = {}) => {
    const http = init.http ?? (init.code === undefined ? row.http : undefined);
    return new Status(init.code ?? code, message, {
      details: init.details === undefined ? [said] : [said, ...init.details],
      cause: init.cause,
      ...(init.metadata === undefined ? {} : { metadata: init.metadata }),
      ...(http === undefined ? {} : { http }),
      ...(init.hint === undefined ? {} : { hint: init.hint }),
    });
  };
}
