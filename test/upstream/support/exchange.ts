// A call through a cluster, both of its ends in the test's hand.
import type { Call } from "#src/call/call.js";
import { frameMessage } from "#src/call/messages.js";
import type { Handler, Sink } from "#src/call/sink.js";
import type { Cluster } from "#src/upstream/cluster.js";
import { abortOf, callOf, RecordingSink, RecordingSource } from "../../support/sinks.js";
import { until } from "../../support/until.js";

export class Exchange {
  readonly response = new RecordingSink();
  readonly client = new RecordingSource();
  readonly request: Sink;
  readonly call: Call;

  constructor(cluster: Cluster, call = callOf(), handler: Handler = cluster.handler) {
    this.call = call;
    this.request = handler(call, this.response);
    this.request.open(this.client);
  }

  send(content: string | Uint8Array, last = false): this {
    const frame = frameMessage(Buffer.from(content));
    this.request.data(frame, 0, frame.length, last);
    return this;
  }

  cancel(): void {
    this.request.abort(abortOf(1));
  }

  async end(): Promise<RecordingSink> {
    await until(() => this.response.ended, `the end of the answer, after ${this.response.events.join()}`);
    return this.response;
  }

  /** `0` and so on of the trailers, or what the hub made of it. */
  async status(): Promise<string> {
    const { trailing, received, aborted } = await this.end();
    if (aborted !== undefined) return `${aborted.status.code} ${aborted.status.withHint().message}`;
    return (trailing ?? received)?.get("grpc-status") ?? "?";
  }
}

/** A whole unary call. */
export async function unary(cluster: Cluster, content = "question"): Promise<RecordingSink> {
  return new Exchange(cluster).send(content, true).end();
}
