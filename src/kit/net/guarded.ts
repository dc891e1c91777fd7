// Every stream that reaches the hub's code passes through here before anything else is done with it: an 'error' event
// without a listener ends the process, and node emits sockets without listeners on `connect` and `upgrade`.

/** A socket, a TLS socket, one side of a pair, a response of node:http. */
export interface Guardable {
  on(event: "error", listener: (this: Guardable, error: Error) => void): unknown;
  listeners(event: "error"): readonly unknown[];
  destroy(): unknown;
}

/** Returns the same stream; its error destroys it, and nothing else. The listener stays for the stream's lifetime. */
export function guarded<T extends Guardable>(stream: T): T {
  if (!stream.listeners("error").includes(destroyIt)) stream.on("error", destroyIt);
  return stream;
}

/** Most streams destroy themselves before they emit; a TLS socket may emit an error and stay open. */
function destroyIt(this: Guardable): void {
  this.destroy();
}
