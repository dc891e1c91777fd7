// The response of a transcoded call, whatever carries it: plain HTTP, or a WebSocket.
import type { Call } from "../../../call/call.js";
import type { Status } from "../../../call/status/status.js";
import type { BodyTaker, Transcoding } from "../../../call/transcoding.js";
import { reportFault } from "../../../kit/faults.js";
import type { Headers } from "../../../kit/headers.js";

/** The call of a response. */
export interface ResponseOwner {
  /** A comment that keeps an idle stream open; undefined if its format has none. */
  readonly keepAlive: Buffer | undefined;
  /** The client has read something: the service may continue. */
  onRoom(): void;
  /** The response is complete, or aborted: code that still works on it stops. */
  onResponded(): void;
  /** Nothing more of the service's response is wanted; its call may have ended by itself. */
  stopService(status: Status): void;
  /** A callback of the response threw: the call ends. */
  onFault(error: unknown): void;
}

/** Used between the making of a response and of its call. */
export const NO_OWNER: ResponseOwner = {
  keepAlive: undefined,
  onRoom() {},
  onResponded() {},
  stopService() {},
  onFault(error) {
    reportFault("while an answer was prepared", error);
  },
};

export interface CallResponse extends BodyTaker {
  owner: ResponseOwner;
  /** The response's call, if there is one. */
  call: Call | undefined;
  /** The service's metadata before its messages, and after them. */
  metadata: Headers | undefined;
  trailing: Headers | undefined;
  /** HTTP status of a success response. */
  success: number;
  /** It has begun: the HTTP status can no longer change. */
  readonly begun: boolean;
  /** It is complete, or the client has left. */
  readonly ended: boolean;
  /** The client is slow: the service is to wait. */
  readonly full: boolean;
  /** This many bytes were passed to the connection. */
  sent(bytes: number): void;
  /**
   * Only before it has begun: the response is this status, as the caller may see it.
   * @param form for a service's failure before its first message
   */
  refuse(status: Status, form?: Transcoding): void;
  /** Nothing more is written. */
  close(): void;
}

/**
 * Makes a response of the hub itself from its handler's output: headers, the steps' fields at their end, and the body
 * unchanged, in one piece.
 */
export type HubResponse = (headers: Headers, body: Buffer) => void;
