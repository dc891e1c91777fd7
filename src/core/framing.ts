// How the messages of an answer lie in an HTTP body: transcoding/ knows the ways, downstream/rest.ts uses them.

export interface Framing {
  readonly contentType: string;
  /** What stands before the first message. */
  readonly head: string;
  message(json: string, first: boolean): string;
  /** What stands after the last one; `error` is a google.rpc.Status as JSON when the stream failed. */
  tail(error: string | undefined, empty: boolean): string;
}
