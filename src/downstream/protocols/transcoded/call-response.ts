// What a transcoded call needs of its answer, whatever that goes out by: plain HTTP, or a WebSocket.
import type { Call } from "../../../call/call.js";
import type { Status } from "../../../call/status/status.js";
import type { BodyTaker, Transcoding } from "../../../call/transcoding.js";
import { reportFault } from "../../../kit/faults.js";
import type { Headers } from "../../../kit/headers.js";

/** The call that is answered. */
export interface ResponseOwner {
  /** A comment that keeps an idle stream open; undefined where its format has none. */
  readonly keepAlive: Buffer | undefined;
  /** The client has taken something: the service may go on. */
  onRoom(): void;
  /** The answer is complete, or broken off: whoever still works on it stops. */
  onResponded(): void;
  /** Nothing more of the service's answer is wanted; its call may have ended by itself. */
  stopService(status: Status): void;
  /** A callback of the answer's threw: the call ends. */
  onFault(error: unknown): void;
}

/** Of an answer between its making and its call. */
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
  /** The call that is answered, where there is one. */
  call: Call | undefined;
  /** What the service said before its messages, and after them. */
  metadata: Headers | undefined;
  trailing: Headers | undefined;
  /** HTTP status of a good answer. */
  success: number;
  /** It has begun: no status of HTTP can be told any more. */
  readonly begun: boolean;
  /** It is complete, or the client has left. */
  readonly ended: boolean;
  /** The client is slow: the service is to wait. */
  readonly full: boolean;
  /** So many bytes have gone to the connection. */
  sent(bytes: number): void;
  /**
   * Not once it has begun: the answer is this status, as the caller may see it.
   * @param form of a service's failure before its first message
   */
  refuse(status: Status, form?: Transcoding): void;
  /** Nothing more is written. */
  close(): void;
}

/**
 * Makes an answer that the hub gives by itself out of what its handler has: headers, what the steps have added at their
 * end, and the body as it is, in one piece.
 */
export type HubResponse = (headers: Headers, body: Buffer) => void;
