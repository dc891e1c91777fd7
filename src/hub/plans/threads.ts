// The threads of one hub: those that translate large messages, and one that writes OpenAPI documents. Two hubs in one
// program share none, so that what waits in one takes no other's bound.
import type { Clock } from "../../kit/clock.js";
import { type DocumentThreads, documentThreads } from "../../openapi/documents.js";
import { ThreadPool } from "../../transcoding/threads/pool.js";

export interface HubThreads {
  readonly messages: ThreadPool;
  readonly documents: DocumentThreads;
}

/** None is started before there is work for it. */
export function hubThreads(clock: Clock): HubThreads {
  return { messages: new ThreadPool({ clock }), documents: documentThreads(clock) };
}
