// The threads of one hub: those that translate large messages, and one that writes OpenAPI documents. Two hubs in one
// program share none, so that one's queue does not use up the other's limit.
import type { Clock } from "../../kit/clock.js";
import { type DocumentThreads, documentThreads } from "../../openapi/documents.js";
import { ThreadPool } from "../../transcoding/threads/pool.js";

export interface HubThreads {
  readonly messages: ThreadPool;
  readonly documents: DocumentThreads;
}

/** None is started before it has work. */
export function hubThreads(clock: Clock): HubThreads {
  return { messages: new ThreadPool({ clock }), documents: documentThreads(clock) };
}
